//! Two peers that know of each other: what is signalled between them, for as long as they are connected.

use anyhow::{Context as _, Result, bail};
use futures_util::FutureExt as _;
use pinhole_ice::{Agent, Candidate, Credentials, Event as AgentEvent, Role, State};
use pinhole_io::{Connection, Event};
use pinhole_sansio::Instant;
use pinhole_sdp::Setup;
use signaling_server::{Candidate as SignaledCandidate, ClientMessage, ServerMessage};

use super::description::{Local, Remote};
use super::{Signaling, ended_by_peer};
use crate::report::timeline::Timeline;

/// Two peers that have, or are about to have, each other's description.
pub(crate) struct Meeting {
    pub(crate) connection: Connection,
    pub(crate) signaling: Signaling,
    local: Local,
    /// What the peer was told last.
    told: Option<Credentials>,
    /// An offer of ours waits for its answer.
    has_offered: bool,
}

/// How the search for a path ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Selected,
    Failed,
}

impl Meeting {
    pub(super) const fn new(connection: Connection, signaling: Signaling, local: Local) -> Self {
        Self { connection, signaling, local, told: None, has_offered: false }
    }

    /// Trickles candidates both ways until a pair is selected or none can be.
    pub(crate) async fn connect(&mut self, timeline: &Timeline) -> Result<Ended> {
        loop {
            tokio::select! {
                (at, event) = self.connection.next_event() => {
                    self.on_event(at, &event, timeline).await?;
                    if matches!(event, Event::Agent(AgentEvent::PairSelected { .. })) {
                        self.tell_what_waits(timeline).await?;
                        return Ok(Ended::Selected);
                    }
                    if self.has_failed(&event) {
                        return Ok(Ended::Failed);
                    }
                }
                message = self.signaling.client.next() => match message? {
                    ServerMessage::PeerLeft { peer } if peer == self.signaling.peer => {
                        bail!("the other peer left the room before a path was found")
                    }
                    message => self.on_message(message).await?,
                },
            }
        }
    }

    /// Whether this event is the end: a restart may have mended it already.
    pub(crate) fn has_failed(&self, event: &Event) -> bool {
        *event == Event::Agent(AgentEvent::StateChanged(State::Failed))
            && self.connection.inspect(Agent::state) == State::Failed
    }

    /// Shows an event, and signals what the peer has to know of it.
    pub(crate) async fn on_event(
        &mut self,
        at: Instant,
        event: &Event,
        timeline: &Timeline,
    ) -> Result<()> {
        timeline.event(at, event, &self.connection);
        match event {
            Event::Agent(AgentEvent::CandidateGathered(candidate)) => {
                self.trickle(candidate.to_string()).await
            }
            Event::Agent(AgentEvent::GatheringCompleted) => self.trickle(String::new()).await,
            // Unless it was the answer to a restart of the peer's.
            Event::Restarted(credentials) if self.told.as_ref() != Some(credentials) => {
                self.make_offer().await
            }
            _ => Ok(()),
        }
    }

    /// Handles what the other peer says; its goodbye is an error.
    pub(crate) async fn on_message(&mut self, message: ServerMessage) -> Result<()> {
        match message {
            ServerMessage::Candidate { candidate, .. } => self.add_candidate(&candidate),
            ServerMessage::Bye { reason, .. } => bail!(ended_by_peer(reason)),
            ServerMessage::Offer { sdp, .. } => {
                let remote = self.signaling.read(&sdp).await?;
                // Of two offers that cross, the controlling side's counts (RFC 8829 §5.7 leaves that to the peers).
                let yields = self.connection.inspect(Agent::role) == Role::Controlled;
                if yields || !self.has_offered { self.make_answer(remote).await } else { Ok(()) }
            }
            ServerMessage::Answer { sdp, .. } if self.has_offered => {
                let remote = self.signaling.read(&sdp).await?;
                self.has_offered = false;
                self.set_remote(remote)
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn make_offer(&mut self) -> Result<()> {
        let credentials = self.connection.local_credentials();
        let sdp =
            self.local.write(&credentials, self.connection.local_abilities(), Setup::ActPass)?;
        self.told = Some(credentials);
        self.has_offered = true;
        let to = Some(self.signaling.peer.clone());
        self.signaling.client.send(&ClientMessage::Offer { to, sdp }).await
    }

    /// Takes an offer, and answers with the credentials that are ours since.
    pub(super) async fn make_answer(&mut self, remote: Remote) -> Result<()> {
        self.set_remote(remote)?;
        let credentials = self.connection.local_credentials();
        // The offerer may be a browser: let it be the DTLS client, which speaks first.
        let sdp =
            self.local.write(&credentials, self.connection.local_abilities(), Setup::Passive)?;
        self.told = Some(credentials);
        self.has_offered = false;
        let to = Some(self.signaling.peer.clone());
        self.signaling.client.send(&ClientMessage::Answer { to, sdp }).await
    }

    /// Candidates of ours can go before the answer comes, and the peer's may come before it too.
    pub(super) async fn wait_for_answer(&mut self, timeline: &Timeline) -> Result<()> {
        while self.has_offered {
            tokio::select! {
                (at, event) = self.connection.next_event() => {
                    self.on_event(at, &event, timeline).await?;
                    if self.has_failed(&event) {
                        bail!("gathering failed before an answer came");
                    }
                }
                message = self.signaling.client.next() => match message? {
                    ServerMessage::PeerLeft { peer } if peer == self.signaling.peer => {
                        bail!("the other peer left the room before a path was found")
                    }
                    message => {
                        self.on_message(message).await?;
                        if !self.has_offered {
                            timeline.note("received the answer");
                        }
                    }
                },
            }
        }
        Ok(())
    }

    /// Handles the events that came with the selection, such as the end of gathering.
    async fn tell_what_waits(&mut self, timeline: &Timeline) -> Result<()> {
        while let Some((at, event)) = self.connection.next_event().now_or_never() {
            self.on_event(at, &event, timeline).await?;
        }
        Ok(())
    }

    /// Signals a candidate that was gathered, or, empty, the end of them.
    async fn trickle(&mut self, candidate: String) -> Result<()> {
        let ufrag = self.connection.local_credentials().ufrag;
        let candidate = SignaledCandidate {
            candidate,
            sdp_mid: Some(self.local.mid().to_owned()),
            sdp_m_line_index: Some(0),
            username_fragment: Some(ufrag.as_str().to_owned()),
        };
        let to = Some(self.signaling.peer.clone());
        self.signaling.client.send(&ClientMessage::Candidate { to, candidate }).await
    }

    fn set_remote(&self, remote: Remote) -> Result<()> {
        self.connection.set_remote_abilities(remote.abilities);
        self.connection.set_remote_credentials(remote.credentials)?;
        for candidate in remote.candidates {
            self.connection.add_remote_candidate(candidate);
        }
        if remote.end_of_candidates {
            self.connection.end_of_remote_candidates();
        }
        Ok(())
    }

    fn add_candidate(&self, signaled: &SignaledCandidate) -> Result<()> {
        if signaled.candidate.is_empty() {
            self.connection.end_of_remote_candidates();
            return Ok(());
        }
        match signaled.candidate.parse::<Candidate>() {
            Ok(candidate) => self.connection.add_remote_candidate(candidate),
            Err(error) if error.is_unsupported() => {}
            Err(error) => {
                return Err(error).with_context(|| {
                    format!("the other side's candidate {:?}", signaled.candidate)
                });
            }
        }
        Ok(())
    }
}
