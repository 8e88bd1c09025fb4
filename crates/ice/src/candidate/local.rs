use alloc::vec::Vec;
use core::net::SocketAddr;

use pinhole_sansio::Transport;

use super::{Candidate, CandidateKind, Component, Foundations, LocalPreference, Priority};

/// A socket of the application's that candidates are gathered from (RFC 8445 §4, "base").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    pub(crate) address: SocketAddr,
    /// Its rank among the bases, the first the best.
    rank: u8,
}

impl Base {
    /// The PRIORITY of checks from here: the base's own, as a peer-reflexive candidate would have it
    /// (RFC 8445 §7.1.1).
    pub(crate) fn check_priority(self) -> Priority {
        let preference = LocalPreference::ranked(self.rank, 0);
        Priority::recommended(CandidateKind::PeerReflexive, preference, Component::FIRST)
    }
}

/// One of our own candidates, with the base that it is sent from.
#[derive(Clone, Debug)]
pub(crate) struct LocalCandidate {
    pub(crate) candidate: Candidate,
    pub(crate) address: SocketAddr,
    pub(crate) base: SocketAddr,
    /// Equal for equal foundations.
    pub(crate) foundation: u16,
}

/// All that this side has learned about itself.
#[derive(Debug, Default)]
pub(crate) struct LocalCandidates {
    bases: Vec<Base>,
    candidates: Vec<LocalCandidate>,
    foundations: Foundations,
}

impl LocalCandidates {
    /// Adds a base and its host candidate. `None` when it is there already, or when there are too many.
    pub(crate) fn add_host(&mut self, address: SocketAddr) -> Option<&LocalCandidate> {
        if self.base(address).is_some() || self.bases.len() >= MAX_BASES {
            return None;
        }
        let rank = u8::try_from(self.bases.len()).ok()?;
        self.bases.push(Base { address, rank });
        self.add(CandidateKind::Host, address, Base { address, rank }, None)
    }

    /// Adds the address that `server` saw. `None` when it tells nothing new (RFC 8445 §5.1.3).
    pub(crate) fn add_server_reflexive(
        &mut self,
        mapped: SocketAddr,
        base: SocketAddr,
        server: (u8, SocketAddr),
    ) -> Option<&LocalCandidate> {
        let base = *self.base(base)?;
        self.add(CandidateKind::ServerReflexive, mapped, base, Some(server))
    }

    /// Finds the candidate at `mapped`, or adds it as a peer-reflexive one (RFC 8445 §7.2.5.3.1).
    pub(crate) fn mapped(
        &mut self,
        mapped: SocketAddr,
        base: SocketAddr,
        priority: Priority,
    ) -> Priority {
        let known = self
            .find(mapped, base)
            .or_else(|| self.candidates.iter().find(|c| c.address == mapped));
        if let Some(known) = known {
            return known.candidate.priority;
        }
        if self.candidates.len() < MAX_CANDIDATES
            && let Some(&base) = self.base(base)
            && let Some(added) = self.add(CandidateKind::PeerReflexive, mapped, base, None)
        {
            debug_assert_eq!(added.candidate.priority, priority);
        }
        priority
    }

    pub(crate) fn find(&self, address: SocketAddr, base: SocketAddr) -> Option<&LocalCandidate> {
        self.candidates.iter().find(|c| c.address == address && c.base == base)
    }

    pub(crate) fn base(&self, address: SocketAddr) -> Option<&Base> {
        self.bases.iter().find(|base| base.address == address)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &LocalCandidate> {
        self.candidates.iter()
    }

    fn add(
        &mut self,
        kind: CandidateKind,
        address: SocketAddr,
        base: Base,
        server: Option<(u8, SocketAddr)>,
    ) -> Option<&LocalCandidate> {
        if self.find(address, base.address).is_some() {
            return None;
        }
        let server_ip = server.map(|(_, address)| address.ip());
        let (number, foundation) =
            self.foundations.of(kind, base.address.ip(), server_ip, Transport::Udp);
        let preference = LocalPreference::ranked(base.rank, server.map_or(0, |(index, _)| index));
        let mut candidate = Candidate::udp(kind, address, foundation, preference);
        if kind != CandidateKind::Host {
            candidate.related = Some(base.address);
        }
        self.candidates.push(LocalCandidate {
            candidate,
            address,
            base: base.address,
            foundation: number,
        });
        self.candidates.last()
    }
}

/// More interfaces than any machine has; the rank of a base fits a byte.
const MAX_BASES: usize = 64;
/// Bounds what lying peers and servers can make us remember.
const MAX_CANDIDATES: usize = 256;
