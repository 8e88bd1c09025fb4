//! The peer's candidates as signaling brings them (RFC 8838).

use alloc::vec::Vec;

use pinhole_sansio::Instant;

use super::Agent;
use super::generation::RemoteSide;
use crate::candidate::{AddRemote, Candidate, CandidateAddress, CandidateKind, TransportAddress};
use crate::explain::{CandidateExplanation, CandidateFate};

/// What was signalled and is of no use, with the reason.
#[derive(Debug, Default)]
pub(super) struct Ignored(Vec<CandidateExplanation>);

impl RemoteSide {
    pub(super) fn ignore(&mut self, candidate: &Candidate, fate: CandidateFate) {
        self.ignored.keep(candidate.kind, candidate.address.clone(), fate);
    }
}

impl Ignored {
    fn keep(&mut self, kind: CandidateKind, address: CandidateAddress, fate: CandidateFate) {
        let ignored = CandidateExplanation { is_own: false, kind, address, fate };
        if self.0.len() < MAX_IGNORED && !self.0.contains(&ignored) {
            self.0.push(ignored);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &CandidateExplanation> {
        self.0.iter()
    }
}

impl Agent {
    /// Takes a candidate that the peer signalled, before or after its credentials.
    ///
    /// Ignored, as the RFCs ask: names, and TCP candidates that are not for this agent to connect to (RFC 8839 §5.1),
    /// those of another component (RFC 8445 §6.1.2.2) or of another generation of credentials, those after the end of
    /// candidates (RFC 8838 §14), what exceeds the configured number. [`explain`](Self::explain) tells of them.
    pub fn add_remote_candidate(&mut self, candidate: Candidate, now: Instant) {
        if self.is_over() {
            return;
        }
        match self.admit(&candidate) {
            Ok(address) => self.take_remote(address, candidate, now),
            Err(fate) => self.generation.remote.ignore(&candidate, fate),
        }
    }

    /// The peer has no more candidates (RFC 8838 §14).
    pub fn end_of_remote_candidates(&mut self, now: Instant) {
        self.generation.remote.ended = true;
        self.conclude_both_lite(now);
        self.after_input(now);
    }

    /// Where the candidate leads, if it is one for this agent to check.
    fn admit(&self, candidate: &Candidate) -> Result<TransportAddress, CandidateFate> {
        let address = match (candidate.transport_address(), &candidate.address) {
            (Some(address), _) if self.may_check(address) => address,
            (_, CandidateAddress::Name { .. }) => return Err(CandidateFate::Name),
            _ => return Err(CandidateFate::Unsupported),
        };
        if candidate.component != self.local.candidates.component() {
            Err(CandidateFate::OtherComponent)
        } else if self.is_of_other_generation(candidate) {
            Err(CandidateFate::OtherGeneration)
        } else if self.generation.remote.ended {
            Err(CandidateFate::AfterTheEnd)
        } else {
            Ok(address)
        }
    }

    fn take_remote(&mut self, address: TransportAddress, candidate: Candidate, now: Instant) {
        let remote = &mut self.generation.remote;
        let (kind, told) = (candidate.kind, candidate.address.clone());
        match remote.candidates.add(address, candidate, self.config.max_remote_candidates) {
            AddRemote::Added => self.pair_remote(address, now),
            AddRemote::Confirmed => self.reprioritize(),
            AddRemote::Duplicate => return,
            AddRemote::Full => return remote.ignored.keep(kind, told, CandidateFate::TooMany),
        }
        self.after_input(now);
    }

    /// RFC 8838 §11: a candidate that names a user fragment belongs to that one alone.
    pub(super) fn is_of_other_generation(&self, candidate: &Candidate) -> bool {
        let session = self.generation.remote.session.as_ref();
        let ours = session.map(|session| session.credentials.ufrag.as_str());
        matches!((candidate.extension("ufrag"), ours), (Some(theirs), Some(ours)) if theirs != ours)
    }
}

/// Bounds what a lying peer can make us remember.
const MAX_IGNORED: usize = 64;
