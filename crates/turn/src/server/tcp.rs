//! Connections between clients and peers (RFC 6062).
//!
//! The machine decides who may connect, and which client connection belongs to which peer connection;
//! the bytes go from one to the other in the driver, which holds back the faster side.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use pinhole_sansio::Instant;
use pinhole_stun::attribute::Family;
use pinhole_stun::{Class, Method, TransactionId};
use rand::Rng;

use super::allocation::Key;
use super::refusal::Refusal;
use super::request::{Reply, Request};
use super::reserve::Timer;
use super::{Command, RelayId, Server, Users};
use crate::attribute::{ConnectionId, XorPeerAddress};
use crate::indication::canonical;

/// "The timeout value MUST be at least 30 seconds" (RFC 6062 §5.2), and "If no ConnectionBind request
/// [...] is received after 30 seconds, the peer data connection MUST be closed" (§5.2, §5.3).
const PATIENCE: Duration = Duration::from_secs(30);

/// All connections to peers.
#[derive(Debug, Default)]
pub(super) struct Connections {
    by_id: BTreeMap<ConnectionId, Connection>,
    by_peer: BTreeMap<(Key, SocketAddr), ConnectionId>,
}

#[derive(Debug)]
struct Connection {
    allocation: Key,
    peer: SocketAddr,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The driver is connecting, and the client waits for the answer.
    Connecting(Box<Reply>, Instant),
    /// The peer is there, the client's connection is not.
    Pending(Instant),
    /// Bytes flow.
    Bound,
}

impl State {
    const fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Connecting(_, at) | Self::Pending(at) => Some(*at),
            Self::Bound => None,
        }
    }
}

impl Connections {
    /// Which allocation a connection belongs to.
    pub(super) fn allocation_of(&self, id: ConnectionId) -> Option<Key> {
        self.by_id.get(&id).map(|connection| connection.allocation)
    }

    /// The connections of one allocation.
    fn of(&self, allocation: Key) -> impl Iterator<Item = (SocketAddr, ConnectionId)> {
        let range = self.by_peer.range((allocation, LOWEST)..);
        range
            .take_while(move |((key, _), _)| *key == allocation)
            .map(|((_, peer), id)| (*peer, *id))
    }
}

/// No address comes before this one.
const LOWEST: SocketAddr =
    SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED), 0);

impl<U: Users> Server<U> {
    /// RFC 6062 §5.2.
    pub(super) fn connect(&mut self, request: &Request<'_>, now: Instant) -> Result<(), Refusal> {
        let key = self.owned(request, now)?;
        let XorPeerAddress(peer) = request.message.get()?.ok_or(Refusal::BAD_REQUEST)?;
        let peer = canonical(peer);
        let is_tcp = self.allocations.get(key).is_some_and(|allocation| allocation.is_tcp);
        if !is_tcp {
            return Err(Refusal::BAD_REQUEST);
        }
        if self.connections.by_peer.contains_key(&(key, peer)) {
            return Err(Refusal::CONNECTION_EXISTS);
        }
        self.check_peer(key, request.reply.client, peer.ip())?;
        if self.connections.of(key).count() >= self.config.limits.connections {
            return Err(Refusal::INSUFFICIENT_CAPACITY);
        }
        let deadline = now + PATIENCE;
        let state = State::Connecting(Box::new(request.reply.clone()), deadline);
        let connection = self.insert(key, peer, state, deadline);
        let relay = key.relay(Family::of(peer.ip()));
        self.commands.push_back(Command::Connect { relay, connection, peer });
        Ok(())
    }

    /// RFC 6062 §5.4.
    pub(super) fn bind_connection(&mut self, request: &Request<'_>) -> Result<(), Refusal> {
        let client = request.reply.client;
        let is_control = self.by_client.get(&client).is_some();
        if !client.transport.is_reliable() || is_control {
            return Err(Refusal::BAD_REQUEST);
        }
        let id: ConnectionId = request.message.get()?.ok_or(Refusal::BAD_REQUEST)?;
        let connection = self.connections.by_id.get_mut(&id).ok_or(Refusal::BAD_REQUEST)?;
        let State::Pending(deadline) = connection.state else { return Err(Refusal::BAD_REQUEST) };
        let allocation =
            self.allocations.get(connection.allocation).ok_or(Refusal::ALLOCATION_MISMATCH)?;
        if !allocation.is_of(&request.account) {
            return Err(Refusal::WRONG_CREDENTIALS);
        }
        connection.state = State::Bound;
        self.timers.remove(&(deadline, Timer::Connection(id)));
        self.answer(&request.reply, Class::SuccessResponse, |writer| {
            writer.attribute(&id).map(drop)
        });
        self.commands.push_back(Command::Splice { connection: id, client });
        Ok(())
    }
}

impl<U> Server<U> {
    /// Tells how a [`Command::Connect`] went: whether there is a connection to the peer now.
    pub fn connected(&mut self, connection: ConnectionId, success: bool, now: Instant) {
        let Some(entry) = self.connections.by_id.get_mut(&connection) else { return };
        let deadline = now + PATIENCE;
        if !matches!(entry.state, State::Connecting(..)) {
            return;
        }
        let State::Connecting(reply, before) =
            core::mem::replace(&mut entry.state, State::Pending(deadline))
        else {
            return;
        };
        self.timers.remove(&(before, Timer::Connection(connection)));
        self.timers.insert((deadline, Timer::Connection(connection)));
        if success {
            self.answer(&reply, Class::SuccessResponse, |writer| {
                writer.attribute(&connection).map(drop)
            });
        } else {
            self.remove(connection);
            self.refuse(&reply, Refusal::CONNECTION_FAILED);
        }
    }

    /// A peer has connected to a relayed address (RFC 6062 §5.3). `None` for a peer without permission:
    /// its connection is to be closed at once.
    #[must_use]
    pub fn peer_connected(
        &mut self,
        relay: RelayId,
        peer: SocketAddr,
        now: Instant,
    ) -> Option<ConnectionId> {
        let (key, peer) = (Key::from(relay), canonical(peer));
        let allocation = self.allocations.get(key)?;
        let is_welcome = allocation.is_tcp
            && allocation.relays(relay.family, now)
            && allocation.is_reachable()
            && allocation.peers.is_permitted(peer.ip().into(), now)
            && !self.connections.by_peer.contains_key(&(key, peer))
            && self.connections.of(key).count() < self.config.limits.connections;
        if !is_welcome {
            return None;
        }
        let (client, deadline) = (allocation.client, now + PATIENCE);
        let connection = self.insert(key, peer, State::Pending(deadline), deadline);
        let id = TransactionId::random(&mut self.rng);
        self.indicate(client, Method::CONNECTION_ATTEMPT, id, |writer| {
            writer.attribute(&XorPeerAddress(peer))?.attribute(&connection).map(drop)
        });
        Some(connection)
    }

    /// One side of a connection is closed, or has failed, and the driver has closed the other.
    pub fn connection_closed(&mut self, connection: ConnectionId) {
        self.remove(connection);
    }

    /// A connection has waited for too long: for the peer (447), or for the client.
    pub(super) fn connection_expired(&mut self, connection: ConnectionId) {
        let Some(entry) = self.remove(connection) else { return };
        self.commands.push_back(Command::CloseConnection { connection });
        if let State::Connecting(reply, _) = entry.state {
            self.refuse(&reply, Refusal::CONNECTION_FAILED);
        }
    }

    /// "If the allocation associated with a data connection expires, the data connection MUST be
    /// closed" (RFC 6062 §5.5).
    pub(super) fn close_connections(&mut self, key: Key, family: Family) {
        let connections = self.connections.of(key);
        let connections: Vec<ConnectionId> = connections
            .filter(|(peer, _)| Family::of(peer.ip()) == family)
            .map(|(_, id)| id)
            .collect();
        for connection in connections {
            self.remove(connection);
            self.commands.push_back(Command::CloseConnection { connection });
        }
    }

    fn insert(
        &mut self,
        allocation: Key,
        peer: SocketAddr,
        state: State,
        deadline: Instant,
    ) -> ConnectionId {
        let mut id = self.connection_id();
        while self.connections.by_id.contains_key(&id) {
            id = self.connection_id();
        }
        self.connections.by_id.insert(id, Connection { allocation, peer, state });
        self.connections.by_peer.insert((allocation, peer), id);
        self.timers.insert((deadline, Timer::Connection(id)));
        id
    }

    /// An id that tells the machine, and otherwise nothing.
    fn connection_id(&mut self) -> ConnectionId {
        let [_, a, b, c] = self.rng.next_u32().to_be_bytes();
        ConnectionId(u32::from_be_bytes([self.config.shard, a, b, c]))
    }

    fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let connection = self.connections.by_id.remove(&id)?;
        self.connections.by_peer.remove(&(connection.allocation, connection.peer));
        if let Some(deadline) = connection.state.deadline() {
            self.timers.remove(&(deadline, Timer::Connection(id)));
        }
        Some(connection)
    }
}
