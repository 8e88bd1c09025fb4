use alloc::vec::Vec;
use core::net::SocketAddr;

use super::{
    Candidate, CandidateKind, Component, Foundations, LocalPreference, Priority, TransportAddress,
};

/// What candidates are sent from (RFC 8445 §4, "base"): a socket of the application's, or a relayed address,
/// which is its own base (§5.1.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    pub(crate) address: TransportAddress,
    /// The rank of the socket among the application's, the first the best.
    rank: u8,
    /// The rank of the TURN server, where it is a relayed address.
    server: u8,
}

impl Base {
    /// The PRIORITY of checks from here: the base's own, as a peer-reflexive candidate would have it
    /// (RFC 8445 §7.1.1).
    pub(crate) fn check_priority(self, component: Component) -> Priority {
        let preference = LocalPreference::ranked(self.rank, self.server);
        let kind = CandidateKind::PeerReflexive;
        Priority::of_transport(self.address.transport, kind, preference, component)
    }
}

/// One of our own candidates, with the base that it is sent from.
#[derive(Clone, Debug)]
pub(crate) struct LocalCandidate {
    pub(crate) candidate: Candidate,
    pub(crate) address: TransportAddress,
    pub(crate) base: TransportAddress,
    /// Who has told of it.
    pub(crate) server: Option<SocketAddr>,
    /// Equal for equal foundations.
    pub(crate) foundation: u16,
}

/// All that this side has learned about itself.
#[derive(Debug)]
pub(crate) struct LocalCandidates {
    component: Component,
    bases: Vec<Base>,
    candidates: Vec<LocalCandidate>,
    foundations: Foundations,
}

impl Default for LocalCandidates {
    fn default() -> Self {
        let component = Component::FIRST;
        let foundations = Foundations::default();
        Self { component, bases: Vec::new(), candidates: Vec::new(), foundations }
    }
}

impl LocalCandidates {
    /// Whose candidates they are.
    pub(crate) const fn component(&self) -> Component {
        self.component
    }

    /// Makes them another component's, before there are any.
    pub(crate) fn set_component(&mut self, component: Component) {
        self.component = component;
    }

    pub(crate) const fn foundations_mut(&mut self) -> &mut Foundations {
        &mut self.foundations
    }

    /// Adds a socket of the application's. `false` when it is there already, or when there are too many.
    pub(crate) fn add_base(&mut self, address: impl Into<TransportAddress>) -> bool {
        let address = address.into();
        let is_free = |rank: &u8| self.bases.iter().all(|base| base.rank != *rank);
        let Some(rank) = (0..=u8::MAX).find(is_free) else { return false };
        let is_new = self.base(address).is_none() && self.bases.len() < MAX_BASES;
        if is_new {
            self.bases.push(Base { address, rank, server: 0 });
        }
        is_new
    }

    /// Adds the host candidate of a base.
    pub(crate) fn add_host(
        &mut self,
        address: impl Into<TransportAddress>,
    ) -> Option<&LocalCandidate> {
        let address = address.into();
        let base = *self.base(address)?;
        self.add(CandidateKind::Host, address, base, None)
    }

    /// Adds the host candidate of a base behind a 1:1 NAT, as a lite agent tells it.
    pub(crate) fn add_public_host(&mut self, public: SocketAddr, base: SocketAddr) {
        if let Some(base) = self.base(base).copied() {
            self.add(CandidateKind::Host, public.into(), base, None);
        }
    }

    /// Adds an address on a TURN server, which is reached from `base` and sees it as `mapped`. `None` when it
    /// is there already, or when there are too many.
    pub(crate) fn add_relayed(
        &mut self,
        relayed: SocketAddr,
        mapped: SocketAddr,
        base: SocketAddr,
        server: (u8, SocketAddr),
    ) -> Option<&LocalCandidate> {
        let rank = self.base(base).map_or(0, |base| base.rank);
        if self.base(relayed).is_some() || self.bases.len() >= MAX_BASES {
            return None;
        }
        let relayed = relayed.into();
        let server_rank = self.free_rank(CandidateKind::Relayed, relayed, rank, server.0);
        let base = Base { address: relayed, rank, server: server_rank };
        self.bases.push(base);
        self.add(CandidateKind::Relayed, relayed, base, Some(server))?;
        let added = self.candidates.last_mut()?;
        added.candidate.related = Some(mapped);
        Some(added)
    }

    /// Adds the address that `server` saw. `None` when it tells nothing new (RFC 8445 §5.1.3).
    pub(crate) fn add_server_reflexive(
        &mut self,
        mapped: SocketAddr,
        base: SocketAddr,
        server: (u8, SocketAddr),
    ) -> Option<&LocalCandidate> {
        let base = *self.base(base)?;
        self.add(CandidateKind::ServerReflexive, mapped.into(), base, Some(server))
    }

    /// Forgets a socket, and the candidates that were learned from it; whether it was there.
    pub(crate) fn remove_base(&mut self, address: impl Into<TransportAddress>) -> bool {
        let address = address.into();
        let before = self.bases.len();
        self.bases.retain(|base| base.address != address);
        self.candidates.retain(|candidate| candidate.base != address);
        self.bases.len() < before
    }

    /// Forgets what servers and the peer have seen.
    pub(crate) fn forget_reflexive(&mut self) {
        self.candidates.retain(|candidate| candidate.address == candidate.base);
    }

    /// Finds the candidate at `mapped`, or adds it as a peer-reflexive one (RFC 8445 §7.2.5.3.1).
    pub(crate) fn mapped(
        &mut self,
        mapped: TransportAddress,
        base: TransportAddress,
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

    pub(crate) fn find(
        &self,
        address: impl Into<TransportAddress>,
        base: impl Into<TransportAddress>,
    ) -> Option<&LocalCandidate> {
        let (address, base) = (address.into(), base.into());
        self.candidates.iter().find(|c| c.address == address && c.base == base)
    }

    /// The application's UDP sockets.
    pub(crate) fn sockets(&self) -> impl Iterator<Item = SocketAddr> {
        let is_socket = |base: &&Base| base.address.is_udp() && !self.is_relayed(base.address);
        self.bases.iter().filter(is_socket).map(|base| base.address.address)
    }

    pub(crate) fn base(&self, address: impl Into<TransportAddress>) -> Option<&Base> {
        let address = address.into();
        self.bases.iter().find(|base| base.address == address)
    }

    /// Whether this is a relayed address, or was until its server took it away.
    pub(crate) fn is_relayed(&self, address: impl Into<TransportAddress>) -> bool {
        let address = address.into();
        self.find(address, address)
            .is_some_and(|found| found.candidate.kind == CandidateKind::Relayed)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &LocalCandidate> {
        self.candidates.iter()
    }

    fn add(
        &mut self,
        kind: CandidateKind,
        address: TransportAddress,
        base: Base,
        server: Option<(u8, SocketAddr)>,
    ) -> Option<&LocalCandidate> {
        if self.find(address, base.address).is_some() {
            return None;
        }
        let server_ip = server.map(|(_, address)| address.ip());
        let (number, foundation) =
            self.foundations.of(kind, base.address.ip(), server_ip, address.carrier());
        let rank = match (kind, server) {
            (CandidateKind::ServerReflexive, Some((rank, _))) => {
                self.free_rank(kind, address, base.rank, rank)
            }
            _ => base.server,
        };
        let preference = LocalPreference::ranked(base.rank, rank);
        let mut candidate = Candidate::new(kind, address, foundation, preference);
        candidate.component = self.component;
        candidate.priority = self.priority(kind, address, preference);
        if kind != CandidateKind::Host {
            candidate.related = Some(base.address.address);
        }
        self.candidates.push(LocalCandidate {
            candidate,
            address,
            base: base.address,
            server: server.map(|(_, address)| address),
            foundation: number,
        });
        self.candidates.last()
    }

    /// The rank from `wanted` on that gives a candidate a priority of its own: a server may relay at two addresses, and
    /// the local preference "MUST be unique" for each (RFC 8445 §5.1.2.1).
    fn free_rank(
        &self,
        kind: CandidateKind,
        address: TransportAddress,
        base: u8,
        wanted: u8,
    ) -> u8 {
        let is_free = |rank: &u8| {
            let priority = self.priority(kind, address, LocalPreference::ranked(base, *rank));
            self.candidates.iter().all(|known| known.candidate.priority != priority)
        };
        (wanted..=u8::MAX).find(is_free).unwrap_or(wanted)
    }

    fn priority(
        &self,
        kind: CandidateKind,
        address: TransportAddress,
        preference: LocalPreference,
    ) -> Priority {
        Priority::of_transport(address.transport, kind, preference, self.component)
    }
}

/// More interfaces and allocations than any machine has; the rank of a base fits a byte.
const MAX_BASES: usize = 128;
/// Bounds what lying peers and servers can make us remember.
const MAX_CANDIDATES: usize = 256;
