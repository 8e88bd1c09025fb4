//! Connections to peers through a TCP allocation (RFC 6062 §4).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use pinhole_sansio::{FiveTuple, Instant};
use pinhole_stun::Message;

use super::auth::Auth;
use super::request::Purpose;
use super::{Client, Command, ConnectError, Event, Reason, Received};
use crate::attribute::{ConnectionId, RequestedTransport, XorPeerAddress};
use crate::indication::canonical;

/// "The client MAY retry with the same XOR-PEER-ADDRESS attribute, but MUST wait at least 10 seconds"
/// (RFC 6062 §4.3).
const PAUSE: Duration = Duration::from_secs(10);
/// The server closes a connection that nobody has bound after 30 s (RFC 6062 §5.2, §5.3).
const PATIENCE: Duration = Duration::from_secs(30);
/// How many peers' attempts are remembered that the application has not accepted yet.
const ATTEMPTS: usize = 64;

#[derive(Clone, Debug, Default)]
pub(super) struct Connections {
    /// Peers that the server is connecting to.
    connecting: Vec<SocketAddr>,
    /// Peers that could not be reached, and when they may be tried again.
    failed: BTreeMap<SocketAddr, Instant>,
    by_id: BTreeMap<ConnectionId, Connection>,
}

#[derive(Clone, Debug)]
struct Connection {
    peer: SocketAddr,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    /// The peer has come; until then the application may accept it.
    Attempted(Instant),
    /// The driver is opening the data connection.
    Opening,
    /// The server is being told what the data connection is for. A nonce is good for one path, so each
    /// has its own conversation.
    Binding(FiveTuple, Box<Auth>),
    /// Bytes flow.
    Bound,
}

impl Connections {
    /// The conversation on a data connection that is not bound yet.
    pub(super) fn binding(&self, id: ConnectionId) -> Option<(FiveTuple, &Auth)> {
        match &self.by_id.get(&id)?.stage {
            Stage::Binding(path, auth) => Some((*path, auth)),
            Stage::Attempted(_) | Stage::Opening | Stage::Bound => None,
        }
    }

    pub(super) fn binding_mut(&mut self, id: ConnectionId) -> Option<&mut Auth> {
        match &mut self.by_id.get_mut(&id)?.stage {
            Stage::Binding(_, auth) => Some(auth),
            Stage::Attempted(_) | Stage::Opening | Stage::Bound => None,
        }
    }

    /// Whether this is a data connection that is not bound yet.
    pub(super) fn is_binding(&self, path: FiveTuple) -> bool {
        let is_it = |stage: &Stage| matches!(stage, Stage::Binding(own, _) if *own == path);
        self.by_id.values().any(|connection| is_it(&connection.stage))
    }

    /// Whether there is a connection to this peer, or one on its way that the client has asked for.
    fn has(&self, peer: SocketAddr) -> bool {
        let is_made = |connection: &Connection| {
            connection.peer == peer && !matches!(connection.stage, Stage::Attempted(_))
        };
        self.connecting.contains(&peer) || self.by_id.values().any(is_made)
    }

    fn attempts(&self) -> usize {
        let is_attempt = |connection: &&Connection| matches!(connection.stage, Stage::Attempted(_));
        self.by_id.values().filter(is_attempt).count()
    }
}

impl Client {
    /// Has the server connect to a peer. [`Command::OpenConnection`] follows, and in the end
    /// [`Event::Connected`] or [`Event::NotConnected`].
    ///
    /// # Errors
    /// [`ConnectError`]: the server is not asked.
    pub fn connect(&mut self, peer: SocketAddr, now: Instant) -> Result<(), ConnectError> {
        let peer = canonical(peer);
        if !self.is_live(now) {
            return Err(ConnectError::NoAllocation);
        }
        if !self.is_tcp() {
            return Err(ConnectError::NotTcp);
        }
        if !self.can_reach(peer.ip()) {
            return Err(ConnectError::Family);
        }
        let connections = &mut self.connections;
        if connections.has(peer) {
            return Err(ConnectError::Exists);
        }
        connections.failed.retain(|_, until| now < *until);
        if let Some(until) = connections.failed.get(&peer) {
            return Err(ConnectError::TooSoon(*until));
        }
        connections.connecting.push(peer);
        self.request(Purpose::Connect(peer), now);
        self.schedule();
        Ok(())
    }

    /// Takes the connection of a peer, which [`Event::ConnectionAttempt`] has told.
    ///
    /// # Errors
    /// [`ConnectError::NoAllocation`]; [`ConnectError::Gone`]: there is none, or no longer.
    pub fn accept(&mut self, connection: ConnectionId, now: Instant) -> Result<(), ConnectError> {
        if !self.is_live(now) {
            return Err(ConnectError::NoAllocation);
        }
        let entry = self.connections.by_id.get_mut(&connection).ok_or(ConnectError::Gone)?;
        if !matches!(entry.stage, Stage::Attempted(until) if now < until) {
            return Err(ConnectError::Gone);
        }
        entry.stage = Stage::Opening;
        self.open_connection(connection);
        Ok(())
    }

    /// The data connection that [`Command::OpenConnection`] asked for is open. What comes on it goes to
    /// [`Client::handle_datagram`], message by message, until [`Event::Connected`]; after that the bytes
    /// are the peer's.
    pub fn connection_opened(&mut self, connection: ConnectionId, path: FiveTuple, now: Instant) {
        let auth = Box::new(self.auth.clone());
        let Some(entry) = self.connections.by_id.get_mut(&connection) else { return };
        if matches!(entry.stage, Stage::Opening) {
            entry.stage = Stage::Binding(path, auth);
            self.request(Purpose::BindConnection(connection), now);
            self.schedule();
        }
    }

    /// A data connection is closed, or could not be opened.
    pub fn data_connection_closed(&mut self, connection: ConnectionId) {
        let Some(Connection { peer, stage }) = self.connections.by_id.remove(&connection) else {
            return;
        };
        self.pending.retain(|pending| pending.purpose != Purpose::BindConnection(connection));
        if !matches!(stage, Stage::Bound) {
            self.events.push_back(Event::NotConnected { peer, reason: Reason::Disconnected });
        }
        self.schedule();
    }

    pub(super) fn is_tcp(&self) -> bool {
        self.config.requested_transport == RequestedTransport::TCP
    }

    /// A peer that has permission has connected to the relayed address (RFC 6062 §4.4).
    pub(super) fn handle_attempt(&mut self, message: &Message<'_>, now: Instant) -> Received {
        let (Ok(Some(id)), Ok(Some(XorPeerAddress(peer)))) =
            (message.get::<ConnectionId>(), message.get())
        else {
            return Received::Handled;
        };
        let peer = canonical(peer);
        let is_ours = self.is_tcp() && self.is_live(now);
        if !is_ours || self.touch(peer.ip(), now).is_err() {
            return Received::Handled;
        }
        let connections = &mut self.connections;
        connections.by_id.retain(
            |_, connection| !matches!(connection.stage, Stage::Attempted(until) if until <= now),
        );
        if connections.attempts() < ATTEMPTS && !connections.by_id.contains_key(&id) {
            let connection = Connection { peer, stage: Stage::Attempted(now + PATIENCE) };
            connections.by_id.insert(id, connection);
            self.events.push_back(Event::ConnectionAttempt { connection: id, peer });
        }
        Received::Handled
    }

    /// The server has a connection to the peer: now one from the client to the server.
    pub(super) fn peer_connected(
        &mut self,
        peer: SocketAddr,
        response: &Message<'_>,
        now: Instant,
    ) {
        let id = response.get::<ConnectionId>().ok().flatten();
        let id = id.filter(|id| !self.connections.by_id.contains_key(id));
        let Some(id) = id else { return self.peer_failed(peer, Reason::Unusable, now) };
        self.connections.connecting.retain(|connecting| *connecting != peer);
        self.connections.by_id.insert(id, Connection { peer, stage: Stage::Opening });
        self.open_connection(id);
    }

    /// The server could not connect to the peer, or does not want to.
    pub(super) fn peer_failed(&mut self, peer: SocketAddr, reason: Reason, now: Instant) {
        self.connections.connecting.retain(|connecting| *connecting != peer);
        self.connections.failed.insert(peer, now + PAUSE);
        self.events.push_back(Event::NotConnected { peer, reason });
    }

    /// The data connection carries data from here on.
    pub(super) fn connection_bound(&mut self, id: ConnectionId) {
        let Some(entry) = self.connections.by_id.get_mut(&id) else { return };
        entry.stage = Stage::Bound;
        self.events.push_back(Event::Connected { connection: id, peer: entry.peer });
    }

    /// The server does not want the data connection.
    pub(super) fn connection_refused(&mut self, id: ConnectionId, reason: Reason) {
        let Some(Connection { peer, .. }) = self.connections.by_id.remove(&id) else { return };
        self.commands.push_back(Command::CloseConnection { connection: id });
        self.events.push_back(Event::NotConnected { peer, reason });
    }

    /// Without the allocation, there are no connections (RFC 6062 §5.5).
    pub(super) fn close_connections(&mut self) {
        for (id, connection) in core::mem::take(&mut self.connections).by_id {
            if !matches!(connection.stage, Stage::Attempted(_)) {
                self.commands.push_back(Command::CloseConnection { connection: id });
            }
        }
    }

    /// "The client MUST initiate a new TCP connection to the server, utilizing the same destination
    /// transport address to which the control connection was established" (RFC 6062 §4.3).
    fn open_connection(&mut self, connection: ConnectionId) {
        let server = self.config.server.remote;
        self.commands.push_back(Command::OpenConnection { connection, server });
    }
}
