//! What the application may look at.

use core::net::SocketAddr;
use core::time::Duration;

use pinhole_sansio::Transport;

use super::Agent;
use super::generation::Generation;
use crate::candidate::{Candidate, CandidateKind};
use crate::pair::{Pair, PairFailure, PairId, PairPriority, PairState};
use crate::stats::PairStats;

/// A candidate with what is known about it beside what is signalled, after `RTCIceCandidateStats` of the W3C.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CandidateInfo<'a> {
    /// The candidate: its address, port, protocol, type, priority, foundation, related address.
    pub candidate: &'a Candidate,
    /// The user fragment that it belongs to; empty for the peer's as long as that is unknown.
    pub username_fragment: &'a str,
    /// The socket or relayed address that it is sent from. `None` for the peer's.
    pub base: Option<SocketAddr>,
    /// The STUN or TURN server that it was learned from.
    pub server: Option<SocketAddr>,
    /// How that TURN server is reached, where it is a relayed one of an allocation that stands.
    pub relay_protocol: Option<Transport>,
}

/// A pair as it stands now.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PairInfo<'a> {
    /// Its name.
    pub id: PairId,
    /// Our candidate: the base that checks are sent from, or, once the pair is valid, the address that the
    /// peer sees.
    pub local: &'a Candidate,
    /// The socket that it is sent from.
    pub base: SocketAddr,
    /// The peer's candidate.
    pub remote: &'a Candidate,
    /// Its place on the checklist.
    pub priority: PairPriority,
    /// How far its checks have come.
    pub state: PairState,
    /// Whether it was nominated.
    pub nominated: bool,
    /// The latest measured round-trip time.
    pub rtt: Option<Duration>,
    /// What went over it.
    pub stats: PairStats,
    /// Why it failed, if it did.
    pub failure: Option<PairFailure>,
}

impl PairInfo<'_> {
    /// Whether a TURN server is on the way.
    #[must_use]
    pub fn is_relayed(&self) -> bool {
        [self.local.kind, self.remote.kind].contains(&CandidateKind::Relayed)
    }
}

impl Agent {
    /// One pair, unless it has gone with the conclusion of the checks, or with a restart.
    #[must_use]
    pub fn pair(&self, id: PairId) -> Option<PairInfo<'_>> {
        let mut generations =
            [Some(&self.generation), self.previous.as_ref()].into_iter().flatten();
        let (generation, pair) =
            generations.find_map(|this| Some((this, this.checklist.get(id)?)))?;
        self.info_of(generation, pair)
    }

    /// All pairs, the best first.
    pub fn pairs(&self) -> impl Iterator<Item = PairInfo<'_>> {
        self.generation.checklist.iter().filter_map(|pair| self.info(pair))
    }

    /// All our candidates, peer-reflexive ones included.
    pub fn local_candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.local.candidates.iter().map(|local| &local.candidate)
    }

    /// All candidates of the peer's that can be checked, peer-reflexive ones included.
    pub fn remote_candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.generation.remote.candidates.iter().map(|remote| &remote.candidate)
    }

    /// What is known about our candidates.
    pub fn local_candidate_infos(&self) -> impl Iterator<Item = CandidateInfo<'_>> {
        self.local.candidates.iter().map(|local| CandidateInfo {
            candidate: &local.candidate,
            username_fragment: self.generation.credentials.ufrag.as_str(),
            base: Some(local.base.address),
            server: local.server,
            relay_protocol: self.relays.transport_of(local.address.address),
        })
    }

    /// What is known about the peer's.
    pub fn remote_candidate_infos(&self) -> impl Iterator<Item = CandidateInfo<'_>> {
        let session = self.generation.remote.session.as_ref();
        let username_fragment = session.map_or("", |session| session.credentials.ufrag.as_str());
        self.generation.remote.candidates.iter().map(move |remote| CandidateInfo {
            candidate: &remote.candidate,
            username_fragment,
            base: None,
            server: None,
            relay_protocol: None,
        })
    }

    pub(super) fn info(&self, pair: &Pair) -> Option<PairInfo<'_>> {
        self.info_of(&self.generation, pair)
    }

    fn info_of<'a>(&'a self, generation: &'a Generation, pair: &Pair) -> Option<PairInfo<'a>> {
        let candidates = &self.local.candidates;
        let mapped =
            pair.valid.as_ref().and_then(|valid| candidates.find(valid.mapped, pair.local));
        Some(PairInfo {
            id: pair.id,
            local: &mapped.or_else(|| candidates.find(pair.local, pair.local))?.candidate,
            base: pair.local.address,
            remote: &generation.remote.candidates.find(pair.remote)?.candidate,
            priority: pair.priority,
            state: pair.state,
            nominated: pair.nominated,
            rtt: pair.valid.as_ref().and_then(|valid| valid.rtt),
            stats: pair.stats,
            failure: pair.failure,
        })
    }
}
