//! What the two sides tell each other about their streams.

use pinhole_sansio::Instant;

use super::{Place, Session, Stream};
use crate::abilities::Abilities;
use crate::agent::{AgentError, Common};
use crate::candidate::Candidate;
use crate::credentials::Credentials;

impl Session {
    /// What the peer needs to know to check a stream, unless it is unknown.
    #[must_use]
    pub fn local_credentials(&self, stream: Stream) -> Option<&Credentials> {
        self.streams.get(usize::from(stream.0)).map(|stream| &stream.credentials)
    }

    /// Sets what the peer signalled for a stream.
    ///
    /// # Errors
    /// As [`Agent::set_remote_credentials`](crate::Agent::set_remote_credentials).
    pub fn set_remote_credentials(
        &mut self,
        stream: Stream,
        credentials: &Credentials,
        now: Instant,
    ) -> Result<(), AgentError> {
        for place in self.places_of(stream) {
            let set = self
                .with(place, now, |agent| agent.set_remote_credentials(credentials.clone(), now));
            set.unwrap_or(Ok(()))?;
        }
        Ok(())
    }

    /// Sets what the peer can do, before its credentials; as [`Agent::set_remote_abilities`](crate::Agent::set_remote_abilities).
    pub fn set_remote_abilities(&mut self, abilities: Abilities, now: Instant) {
        self.peer = Some(abilities);
        self.with_all(now, |agent| agent.set_remote_abilities(abilities));
    }

    /// Takes a candidate for a stream; its component says for which agent. One for a component that is not there is
    /// ignored (RFC 8445 §6.1.2.2: pairs have candidates of one component).
    pub fn add_remote_candidate(&mut self, stream: Stream, candidate: Candidate, now: Instant) {
        let place = Place { stream, component: candidate.component };
        self.with(place, now, |agent| agent.add_remote_candidate(candidate, now));
    }

    /// Takes the peer's word that a candidate is gone; as [`Agent::remove_remote_candidate`](crate::Agent).
    pub fn remove_remote_candidate(&mut self, stream: Stream, candidate: &Candidate, now: Instant) {
        let place = Place { stream, component: candidate.component };
        self.with(place, now, |agent| agent.remove_remote_candidate(candidate, now));
    }

    /// The peer has no more candidates for a stream.
    pub fn end_of_remote_candidates(&mut self, stream: Stream, now: Instant) {
        for place in self.places_of(stream) {
            self.with(place, now, |agent| agent.end_of_remote_candidates(now));
        }
    }

    /// Begins anew with other credentials for every stream (RFC 8445 §9).
    ///
    /// # Errors
    /// As [`Agent::restart`](crate::Agent::restart).
    pub fn restart(&mut self, now: Instant) -> Result<(), AgentError> {
        for stream in &mut self.streams {
            stream.credentials = Credentials::random(&mut self.rng);
            stream.gathered = false;
        }
        self.common = Common::default();
        self.members.iter_mut().for_each(|member| member.gathered = false);
        for place in self.places() {
            let credentials = self.local_credentials(place.stream).cloned();
            let restarted = credentials.and_then(|credentials| {
                self.with(place, now, |agent| agent.restart_with(credentials, now))
            });
            restarted.unwrap_or(Ok(()))?;
        }
        Ok(())
    }
}
