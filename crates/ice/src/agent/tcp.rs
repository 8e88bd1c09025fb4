//! TCP candidates and the connections between them (RFC 6544).

use core::net::SocketAddr;
use core::time::Duration;

use pinhole_sansio::{FiveTuple, Instant, Transport};

use super::{Agent, AgentError};
use crate::candidate::{TcpType, TransportAddress};
use crate::check::Purpose;
use crate::config::CandidatePolicy;
use crate::event::Command;
use crate::pair::{PairFailure, PairId, PairState};

impl Agent {
    /// Gives the agent a TCP socket that listens at `address`: a passive candidate. Hand in what comes over the
    /// connections that it accepts, frame by frame (RFC 4571), each with the connection's five-tuple.
    ///
    /// # Errors
    /// [`AgentError::UnusableBase`], [`AgentError::Over`].
    pub fn add_tcp_listener(
        &mut self,
        address: SocketAddr,
        now: Instant,
    ) -> Result<(), AgentError> {
        self.add_tcp_base(TcpType::Passive, address, now)
    }

    /// Gives the agent an address from whose port connections are opened and accepted, which must be another one than a
    /// listener's: a simultaneous-open candidate. Where firewalls guard both sides, each lets the other's
    /// SYN in because its own has gone out. It takes [`Config::tcp`](crate::Config::tcp) to be paired.
    ///
    /// # Errors
    /// [`AgentError::UnusableBase`], [`AgentError::Over`].
    pub fn add_tcp_simultaneous_open(
        &mut self,
        address: SocketAddr,
        now: Instant,
    ) -> Result<(), AgentError> {
        self.add_tcp_base(TcpType::SimultaneousOpen, address, now)
    }

    fn add_tcp_base(
        &mut self,
        tcp_type: TcpType,
        address: SocketAddr,
        now: Instant,
    ) -> Result<(), AgentError> {
        self.ensure_open()?;
        let base = TransportAddress::tcp(tcp_type, address);
        let is_fit = address.port() != 0 && !address.ip().is_unspecified();
        if !is_fit || !self.local.candidates.add_base(base) {
            return Err(AgentError::UnusableBase(address));
        }
        self.add_tcp_host(base);
        self.after_input(now);
        Ok(())
    }

    /// Offers to open connections from an address, once for all of its sockets.
    pub(super) fn add_active(&mut self, socket: SocketAddr) {
        let base = TransportAddress::active(socket.ip());
        if self.config.tcp && self.local.candidates.add_base(base) {
            self.add_tcp_host(base);
        }
    }

    fn add_tcp_host(&mut self, base: TransportAddress) {
        if self.config.candidates != CandidatePolicy::Relay {
            self.local.candidates.add_host(base);
            self.offer(base, base);
            self.pair_base(base);
        }
    }

    /// Tells that the connection of a [`Command::ConnectToPeer`] is there, with its five-tuple, or, with `None`, that it
    /// cannot be had.
    pub fn peer_connected(&mut self, pair: PairId, connection: Option<FiveTuple>, now: Instant) {
        let waiting = self.generation.checklist.get_mut(pair);
        let is_waited_for = waiting.is_some_and(|pair| {
            // Of a simultaneous open, the peer's half may have come first.
            let is_waited_for = pair.connecting_until.take().is_some() && pair.connection.is_none();
            if is_waited_for {
                pair.connection = connection;
            }
            is_waited_for
        });
        match (is_waited_for, connection) {
            (true, Some(_)) => {
                let nominates = self.generation.conclusion.nominating == Some(pair);
                let purpose = if nominates { Purpose::Nomination } else { Purpose::Connectivity };
                self.send_check(pair, purpose, now);
            }
            (true, None) => self.fail_pair(pair, PairFailure::NotConnected),
            (false, late) => self.hang_up(late),
        }
        self.after_input(now);
    }

    /// Tells that a connection to the peer, opened or accepted, has ended.
    pub fn peer_disconnected(&mut self, connection: FiveTuple, now: Instant) {
        if connection.transport == Transport::Udp {
            return;
        }
        let ended = |agent: &mut Self| {
            let pair = agent.generation.checklist.of_five_tuple_mut(connection)?;
            pair.connection = None;
            let id = pair.id;
            agent.fail_pair(id, PairFailure::NotConnected);
            Some(())
        };
        ended(self);
        self.with_previous(ended);
        self.after_input(now);
    }

    /// Forgets a listener, and to open connections from an address that is gone.
    pub(super) fn remove_tcp(&mut self, address: SocketAddr) {
        let is_last = self.local.candidates.sockets().all(|other| other.ip() != address.ip());
        let active = is_last.then(|| TransportAddress::active(address.ip()));
        let [passive, simultaneous] = [TcpType::Passive, TcpType::SimultaneousOpen]
            .map(|tcp_type| TransportAddress::tcp(tcp_type, address));
        for base in active.into_iter().chain([passive, simultaneous]) {
            self.forget_base(base);
        }
    }

    /// Whether there are TCP candidates on either side.
    pub(super) fn has_tcp(&self) -> bool {
        let mut own = self.local.candidates.iter().map(|own| own.address);
        let mut remote = self.generation.remote.candidates.iter().map(|remote| remote.address);
        own.any(|address| !address.is_udp()) || remote.any(|address| !address.is_udp())
    }

    /// Whether there may be a pair with a candidate at this address. One that opens connections itself is known when
    /// its connection comes.
    pub(super) fn may_check(&self, remote: TransportAddress) -> bool {
        remote.is_udp() || self.config.tcp && !remote.is_active()
    }

    /// Has a connection opened for a pair, as its first check needs one (§7.1), unless it stands already.
    pub(super) fn connect_to_peer(&mut self, id: PairId, now: Instant) {
        let existing = self.existing_connection(id);
        let Some(pair) = self.generation.checklist.get_mut(id) else { return };
        pair.connection = existing;
        if existing.is_some() {
            self.send_check(id, Purpose::Connectivity, now);
        } else if pair.connecting_until.is_none() {
            pair.first_check.get_or_insert(now);
            pair.connecting_until = Some(now + CONNECT);
            let (local, remote) = (pair.local.connects_from(), pair.remote.address);
            self.commands.push_back(Command::ConnectToPeer { pair: id, local, remote });
        }
        self.generation.checklist.set_state(id, PairState::InProgress, &mut self.events);
    }

    /// The connection between these two ports that was there before a restart: "that existing connection is reused"
    /// (§9.2).
    fn existing_connection(&self, id: PairId) -> Option<FiveTuple> {
        let pair = self.generation.checklist.get(id).filter(|pair| !pair.local.is_active())?;
        self.previous.as_ref()?.checklist.find(pair.local, pair.remote)?.connection
    }

    /// Gives up connections that nobody has told about.
    pub(super) fn give_up_connecting(&mut self, now: Instant) {
        while let Some(id) = self.generation.checklist.next_unconnected(now) {
            self.fail_pair(id, PairFailure::NotConnected);
        }
    }

    /// Closes connections that are of no more use.
    pub(super) fn hang_up(&mut self, connections: impl IntoIterator<Item = FiveTuple>) {
        let previous = self.previous.as_ref().map(|previous| &previous.checklist);
        let lists = [Some(&self.generation.checklist), previous];
        let is_used = |connection: &FiveTuple| {
            lists.iter().flatten().any(|list| list.of_five_tuple(*connection).is_some())
        };
        let unused = connections.into_iter().filter(|connection| !is_used(connection));
        self.commands.extend(unused.map(Command::DisconnectPeer));
    }

    /// The candidates that a five-tuple lies between, as far as we can tell: over TCP those of its pair, or a listener's
    /// and one that connects to it (§7.2).
    pub(super) fn ends_of(
        &self,
        five_tuple: FiveTuple,
    ) -> Option<(TransportAddress, TransportAddress)> {
        let FiveTuple { transport, local, remote } = five_tuple;
        if transport == Transport::Udp {
            return Some((local.into(), remote.into()));
        }
        let known = self.generation.checklist.of_five_tuple(five_tuple);
        known.map(|pair| (pair.local, pair.remote)).or_else(|| {
            let accepted_by = |own: TcpType| {
                let base = TransportAddress::tcp(own, local);
                let source = TransportAddress::tcp(own.counterpart(), remote);
                self.local.candidates.base(base).map(|_| (base, source))
            };
            accepted_by(TcpType::Passive).or_else(|| accepted_by(TcpType::SimultaneousOpen))
        })
    }
}

/// How long a connection may take to come about: longer than a few lost SYNs.
const CONNECT: Duration = Duration::from_secs(10);
