//! What goes through TURN servers, and the candidates that come of it (RFC 8445 §5.1.1.2).

use core::net::SocketAddr;

use alloc::vec::Vec;

use pinhole_sansio::{FiveTuple, Instant, Payload, Transmit, Transport};
use pinhole_turn::Header;
use pinhole_turn::client::ToServer;

use super::{Agent, AgentError};
use crate::candidate::{Candidate, CandidateKind, LocalCandidate, TransportAddress};
use crate::config::CandidatePolicy;
use crate::event::{Event, ServerConnection};
use crate::gather::GatheringError;
use crate::pair::{PairFailure, PairId};
use crate::relay::Happening;
use crate::wire::MAX_MESSAGE;

impl Agent {
    /// Tells that the connection of a [`Command::Connect`](crate::Command::Connect) is there, with its
    /// five-tuple, or, with `None`, that it cannot be had.
    pub fn server_connected(
        &mut self,
        connection: ServerConnection,
        five_tuple: Option<FiveTuple>,
        now: Instant,
    ) {
        let happened = self.relays.connected(connection, five_tuple, now);
        self.relays_changed(happened.into_iter().collect(), now);
        self.after_input(now);
    }

    /// Tells that a connection to a server has ended.
    pub fn server_disconnected(&mut self, connection: ServerConnection, now: Instant) {
        let happened = self.relays.disconnected(connection);
        self.relays_changed(happened, now);
        self.after_input(now);
    }

    /// Sends a message from a base: from a relayed address through its server.
    pub(super) fn transmit(&mut self, transmit: Transmit, now: Instant) {
        let Transmit { five_tuple, payload } = &transmit;
        if !self.is_relayed(*five_tuple) {
            return self.transmits.push_back(transmit);
        }
        let FiveTuple { local, remote, .. } = *five_tuple;
        let sent = self.relays.send(local, remote, payload.len(), now);
        self.transmits.extend(sent.and_then(|sent| wrap(&sent, payload)));
    }

    /// Whether what is sent so goes from a relayed address.
    pub(super) fn is_relayed(&self, five_tuple: FiveTuple) -> bool {
        five_tuple.transport == Transport::Udp && self.local.candidates.is_relayed(five_tuple.local)
    }

    pub(super) fn relays_changed(&mut self, happened: Vec<Happening>, now: Instant) {
        for happening in happened {
            match happening {
                Happening::Allocated { base, server, mapped, transport, relayed } => {
                    if transport == Transport::Udp {
                        self.add_server_reflexive(mapped, base, after_stun_servers(server));
                    }
                    for relayed in relayed.into_iter().flatten() {
                        self.add_relayed(relayed, mapped, base, server, now);
                    }
                }
                Happening::Permitted { relayed, peer } => self.pair_permitted(relayed, peer),
                Happening::Refused { relayed, peer, reason } => {
                    self.troubles.not_relayed(peer, reason);
                    self.events.push(Event::PeerRefused { relayed, peer, reason });
                }
                Happening::Failed { base, server, error } => {
                    self.gathering_failed(base, server, error);
                }
                Happening::Lost { server, relayed, reason } => {
                    for relayed in relayed.into_iter().flatten() {
                        self.events.push(Event::RelayLost { relayed, server, reason });
                        self.tell_removed(relayed.into());
                        self.end_all_pairs_from(relayed, PairFailure::RelayLost);
                    }
                }
                Happening::Released(relayed) => {
                    for relayed in relayed.into_iter().flatten() {
                        self.end_all_pairs_from(relayed, PairFailure::RelayLost);
                    }
                }
            }
        }
    }

    pub(super) fn gathering_failed(
        &mut self,
        base: SocketAddr,
        server: SocketAddr,
        error: GatheringError,
    ) {
        self.troubles.server(server, error);
        self.events.push(Event::GatheringFailed { base, server, error });
    }

    /// A server saw `mapped` when it was asked from `base`.
    pub(super) fn add_server_reflexive(
        &mut self,
        mapped: SocketAddr,
        base: SocketAddr,
        server: (u8, SocketAddr),
    ) {
        let is_wanted = self.config.candidates != CandidatePolicy::Relay;
        if is_wanted && self.local.candidates.add_server_reflexive(mapped, base, server).is_some() {
            self.offer(mapped, base);
        }
    }

    fn add_relayed(
        &mut self,
        relayed: SocketAddr,
        mapped: SocketAddr,
        base: SocketAddr,
        server: (u8, SocketAddr),
        now: Instant,
    ) {
        if self.local.candidates.add_relayed(relayed, mapped, base, server).is_none() {
            return;
        }
        self.offer(relayed, relayed);
        let remotes: Vec<SocketAddr> = self
            .generation
            .remote
            .candidates
            .iter()
            .filter(|c| c.address.is_udp())
            .map(|c| c.address.address)
            .collect();
        for remote in remotes.into_iter().filter(|remote| remote.is_ipv4() == relayed.is_ipv4()) {
            self.relays.permit(relayed, remote.ip(), now);
        }
    }

    /// Offers an address that the application has had mapped to one of its sockets, by a router's PCP or UPnP for
    /// instance: a server-reflexive candidate.
    ///
    /// # Errors
    /// [`AgentError::UnusableBase`] when there is no such socket, [`AgentError::Over`].
    pub fn add_mapped_address(
        &mut self,
        mapped: SocketAddr,
        base: SocketAddr,
        now: Instant,
    ) -> Result<(), AgentError> {
        self.ensure_open()?;
        if self.local.candidates.base(base).is_none() || mapped.port() == 0 {
            return Err(AgentError::UnusableBase(base));
        }
        self.add_server_reflexive(mapped, base, (0, mapped));
        self.after_input(now);
        Ok(())
    }

    /// Tells of a socket: at its own address, and at the one that a 1:1 NAT gives it.
    pub(super) fn offer_host(&mut self, base: SocketAddr) {
        let mapped = self.config.public_addresses.iter().find(|(own, _)| *own == base.ip());
        let Some(mapped) = mapped.map(|(_, public)| SocketAddr::new(*public, base.port())) else {
            return self.offer(base, base);
        };
        if self.config.lite {
            self.local.candidates.add_public_host(mapped, base);
            return self.offer(mapped, base);
        }
        self.offer(base, base);
        self.add_server_reflexive(mapped, base, (0, mapped));
    }

    /// Tells the application of a candidate, without what the policy wants hidden (RFC 8828 §5.2).
    pub(super) fn offer(
        &mut self,
        address: impl Into<TransportAddress>,
        base: impl Into<TransportAddress>,
    ) {
        let found = self.local.candidates.find(address.into(), base.into());
        let told = found.and_then(|found| self.as_told(found));
        self.events.extend(told.map(Event::CandidateGathered));
    }

    /// A candidate as the peer may see it, if it may. It learns of peer-reflexive ones by itself.
    pub(super) fn as_told(&self, local: &LocalCandidate) -> Option<Candidate> {
        let policy = self.config.candidates;
        let is_hidden = match local.candidate.kind {
            CandidateKind::Host => policy == CandidatePolicy::NoHost,
            CandidateKind::PeerReflexive => true,
            CandidateKind::ServerReflexive | CandidateKind::Relayed => false,
        };
        let mut candidate = local.candidate.clone();
        if policy != CandidatePolicy::All {
            candidate.related = candidate.related.map(hidden);
        }
        (!is_hidden).then_some(candidate)
    }

    /// Ends what goes through a base, also of before a restart.
    pub(super) fn end_all_pairs_from(
        &mut self,
        base: impl Into<TransportAddress>,
        failure: PairFailure,
    ) {
        let base = base.into();
        self.end_pairs_from(base, failure);
        self.with_previous(|agent| agent.end_pairs_from(base, failure));
    }

    /// Fails the pairs that were checked, and forgets the others.
    fn end_pairs_from(&mut self, base: TransportAddress, failure: PairFailure) {
        self.generation.checklist.forget_unchecked(base);
        let ids =
            self.generation.checklist.iter().filter(|pair| pair.local == base).map(|pair| pair.id);
        let ids: Vec<PairId> = ids.collect();
        for id in ids {
            self.fail_pair(id, failure);
        }
    }
}

/// Server-reflexive candidates from TURN servers rank behind those from STUN servers.
pub(super) const fn after_stun_servers((rank, address): (u8, SocketAddr)) -> (u8, SocketAddr) {
    (rank.saturating_add(128), address)
}

/// A message between what the server wants around it.
fn wrap(sent: &ToServer, payload: &[u8]) -> Option<Transmit> {
    let mut buffer = [0; Header::MAX + MAX_MESSAGE + 3];
    let (front, rest) = buffer.split_at_mut_checked(sent.header.len())?;
    front.copy_from_slice(&sent.header);
    rest.get_mut(..payload.len())?.copy_from_slice(payload);
    let length = sent.header.len() + payload.len() + usize::from(sent.padding);
    let payload = Payload::from(buffer.get(..length)?);
    Some(Transmit { five_tuple: sent.five_tuple, payload })
}

/// What stands in place of an address that is not to be told (RFC 8839 §5.1).
fn hidden(address: SocketAddr) -> SocketAddr {
    let unspecified = match address {
        SocketAddr::V4(_) => core::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => core::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    SocketAddr::new(unspecified, 9)
}
