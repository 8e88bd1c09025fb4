//! The connections of a worker, and what each of them is for.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use foldhash::fast;
use foldhash::quality::RandomState;
use pinhole_sansio::{FiveTuple, Instant};
use pinhole_stun::StreamBuffer;
use pinhole_turn::attribute::ConnectionId;
use pinhole_turn::server::RelayId;
use slab::Slab;

use super::handshakes::{Handshakes, Turn};
use super::poll::{Interest, Poll};
use super::token::Source;
use crate::stream::Wire;

/// Calls that a connection gets before it is another one's turn.
pub(super) const READS: usize = 8;
/// Connections from one source, an IPv4 address or an IPv6 /64, that have not authenticated.
const STRANGERS_PER_SOURCE: u32 = 128;
/// Connections in all.
const CONNECTIONS: usize = 65_536;

/// Listeners and connections.
#[derive(Default)]
pub(super) struct Streams {
    pub(super) acceptors: Vec<Acceptor>,
    pub(super) peer_acceptors: Slab<PeerAcceptor>,
    pub(super) all: Slab<Stream>,
    by_client: HashMap<FiveTuple, usize, RandomState>,
    by_relay: HashMap<RelayId, usize, fast::RandomState>,
    /// The connections with peers.
    pub(super) by_connection: HashMap<ConnectionId, usize, RandomState>,
    strangers: HashMap<IpAddr, u32, RandomState>,
    handshakes: Handshakes,
    /// Connections whose turn for a handshake has come.
    pub(super) ready: Vec<usize>,
    deadlines: BTreeSet<(Instant, usize)>,
    /// Connections with something to send that has not been tried yet.
    pub(super) dirty: Vec<usize>,
    /// How long a client may keep a connection without use.
    patience: Duration,
}

/// A TCP socket that clients connect to.
pub(super) struct Acceptor {
    pub(super) listener: TcpListener,
    pub(super) local: SocketAddr,
    /// Whether only TLS is served here.
    pub(super) tls_only: bool,
}

/// A TCP socket that peers connect to (RFC 6062 §5.3).
pub(super) struct PeerAcceptor {
    pub(super) relay: RelayId,
    pub(super) local: SocketAddr,
    pub(super) listener: TcpListener,
}

/// A connection.
pub(super) struct Stream {
    pub(super) wire: Wire,
    pub(super) role: Role,
    deadline: Option<Instant>,
    source: IpAddr,
    turn: Turn,
}

/// What a connection is for.
pub(super) enum Role {
    /// A client has connected, and has not sent a byte.
    New {
        /// The five-tuple, as long as it is not known whether TLS is spoken on it.
        five_tuple: FiveTuple,
        tls_only: bool,
    },
    /// A client's STUN and ChannelData.
    Client(Client),
    /// A peer's, to which the connection is being established.
    Connecting(ConnectionId),
    /// A peer's, which waits for the client's.
    Waiting(ConnectionId),
    /// A client's or a peer's, whose bytes go to another connection.
    Spliced(Splice),
}

pub(super) struct Client {
    pub(super) five_tuple: FiveTuple,
    pub(super) input: StreamBuffer,
    /// Whether the client has authenticated.
    pub(super) is_known: bool,
}

#[derive(Clone, Copy)]
pub(super) struct Splice {
    pub(super) connection: ConnectionId,
    /// The key of the connection at the other end.
    pub(super) other: usize,
    /// Whether all that comes has come.
    pub(super) is_read: bool,
}

impl Streams {
    /// None yet; clients that do not use theirs will be cut off after this time.
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, ..Self::default() }
    }

    pub(super) fn listen(
        &mut self,
        listener: TcpListener,
        tls_only: bool,
        poll: &Poll,
    ) -> io::Result<()> {
        let source = Source::Acceptor(self.acceptors.len());
        poll.register(&listener, source, Interest::Read)?;
        let local = listener.local_addr()?;
        self.acceptors.push(Acceptor { listener, local, tls_only });
        Ok(())
    }

    pub(super) fn listen_for_peers(
        &mut self,
        relay: RelayId,
        listener: TcpListener,
        poll: &Poll,
    ) -> io::Result<()> {
        let local = listener.local_addr()?;
        let entry = self.peer_acceptors.vacant_entry();
        let key = entry.key();
        poll.register(&listener, Source::PeerAcceptor(key), Interest::Read)?;
        entry.insert(PeerAcceptor { relay, local, listener });
        self.by_relay.insert(relay, key);
        Ok(())
    }

    /// The socket that peers connect to at this relayed address.
    pub(super) fn peer_acceptor(&self, relay: RelayId) -> Option<&PeerAcceptor> {
        self.peer_acceptors.get(*self.by_relay.get(&relay)?)
    }

    pub(super) fn close_peer_acceptor(&mut self, relay: RelayId) {
        self.by_relay.remove(&relay).map(|key| self.peer_acceptors.remove(key));
    }

    /// Whether there may be another connection, and one from this source.
    pub(super) fn admits(&self, source: IpAddr) -> bool {
        let strangers = self.strangers.get(&prefix(source)).copied().unwrap_or(0);
        self.all.len() < CONNECTIONS && strangers < STRANGERS_PER_SOURCE
    }

    /// Takes a connection of a client who is not known yet.
    pub(super) fn insert_stranger(
        &mut self,
        wire: Wire,
        role: Role,
        source: IpAddr,
        poll: &Poll,
        now: Instant,
    ) -> io::Result<usize> {
        let key = self.insert(wire, role, source, poll)?;
        *self.strangers.entry(prefix(source)).or_default() += 1;
        self.limit(key, now);
        Ok(key)
    }

    /// Takes a connection with a peer.
    pub(super) fn insert_peer(
        &mut self,
        wire: Wire,
        role: Role,
        peer: SocketAddr,
        poll: &Poll,
    ) -> io::Result<usize> {
        let (Role::Connecting(connection) | Role::Waiting(connection)) = role else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let key = self.insert(wire, role, peer.ip(), poll)?;
        self.by_connection.insert(connection, key);
        Ok(key)
    }

    fn insert(&mut self, wire: Wire, role: Role, source: IpAddr, poll: &Poll) -> io::Result<usize> {
        let entry = self.all.vacant_entry();
        let key = entry.key();
        let stream = entry.insert(Stream { wire, role, deadline: None, source, turn: Turn::None });
        let source = Source::Stream(key);
        let registered = poll.register(&stream.wire.io, source, Interest::ReadAndWrite);
        if let Role::Client(client) = &stream.role {
            self.by_client.insert(client.five_tuple, key);
        }
        if registered.is_err() {
            self.remove(key);
        }
        registered.map(|()| key)
    }

    /// Whether a handshake may begin on a connection: if not, it is ready when its turn comes.
    pub(super) fn may_shake_hands(&mut self, key: usize) -> bool {
        let Some(stream) = self.all.get_mut(key) else { return false };
        if stream.turn == Turn::None {
            stream.turn = self.handshakes.ask(prefix(stream.source), key);
        }
        stream.turn == Turn::UnderWay
    }

    /// The client on a new connection has begun to speak.
    pub(super) fn begin(&mut self, key: usize, client: Client) {
        if let Some(stream) = self.all.get_mut(key) {
            self.by_client.insert(client.five_tuple, key);
            stream.role = Role::Client(client);
        }
    }

    #[inline]
    pub(super) fn of_client(&self, five_tuple: FiveTuple) -> Option<usize> {
        self.by_client.get(&five_tuple).copied()
    }

    pub(super) fn client_mut(&mut self, key: usize) -> Option<&mut Client> {
        match &mut self.all.get_mut(key)?.role {
            Role::Client(client) => Some(client),
            Role::New { .. } | Role::Connecting(_) | Role::Waiting(_) | Role::Spliced(_) => None,
        }
    }

    /// The client has authenticated: it is no stranger any more, and waits as long as it likes.
    pub(super) fn recognise(&mut self, key: usize) {
        let Some(client) = self.client_mut(key) else { return };
        if !std::mem::replace(&mut client.is_known, true) {
            self.forget_stranger(key);
        }
        self.expire_at(key, None);
    }

    /// The bytes on a client's connection are no messages any more; those that came already.
    pub(super) fn splice(&mut self, key: usize, splice: Splice) -> Vec<u8> {
        self.recognise(key);
        let Some(stream) = self.all.get_mut(key) else { return Vec::new() };
        match std::mem::replace(&mut stream.role, Role::Spliced(splice)) {
            Role::Client(client) => {
                self.by_client.remove(&client.five_tuple);
                client.input.into_rest()
            }
            Role::New { .. } | Role::Connecting(_) | Role::Waiting(_) | Role::Spliced(_) => {
                Vec::new()
            }
        }
    }

    /// A client whose time is limited has asked for something.
    pub(super) fn prolong(&mut self, key: usize, now: Instant) {
        if self.all.get(key).is_some_and(|stream| stream.deadline.is_some()) {
            self.limit(key, now);
        }
    }

    /// The client has its time, from now on, to ask for something.
    pub(super) fn limit(&mut self, key: usize, now: Instant) {
        self.expire_at(key, Some(now + self.patience));
    }

    /// Limits the time of a connection, or ends the limit.
    fn expire_at(&mut self, key: usize, deadline: Option<Instant>) {
        let Some(stream) = self.all.get_mut(key) else { return };
        if let Some(before) = std::mem::replace(&mut stream.deadline, deadline) {
            self.deadlines.remove(&(before, key));
        }
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, key));
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// A connection whose time is over.
    pub(super) fn expired(&self, now: Instant) -> Option<usize> {
        self.deadlines.first().filter(|(at, _)| *at <= now).map(|(_, key)| *key)
    }

    /// Forgets a connection; its socket is closed when it is dropped.
    pub(super) fn remove(&mut self, key: usize) -> Option<Stream> {
        self.expire_at(key, None);
        let is_stranger = match &self.all.get(key)?.role {
            Role::New { .. } => true,
            Role::Client(client) => !client.is_known,
            Role::Connecting(_) | Role::Waiting(_) | Role::Spliced(_) => false,
        };
        if is_stranger {
            self.forget_stranger(key);
        }
        let stream = self.all.try_remove(key)?;
        match &stream.role {
            Role::Client(client) => {
                self.by_client.remove(&client.five_tuple);
            }
            Role::Connecting(connection)
            | Role::Waiting(connection)
            | Role::Spliced(Splice { connection, .. }) => {
                if self.by_connection.get(connection) == Some(&key) {
                    self.by_connection.remove(connection);
                }
            }
            Role::New { .. } => {}
        }
        Some(stream)
    }

    fn forget_stranger(&mut self, key: usize) {
        let Some(stream) = self.all.get_mut(key) else { return };
        let (source, turn) = (prefix(stream.source), std::mem::take(&mut stream.turn));
        if let Some(next) = self.handshakes.leave(source, key, turn) {
            if let Some(next) = self.all.get_mut(next) {
                next.turn = Turn::UnderWay;
            }
            self.ready.push(next);
        }
        if let Some(count) = self.strangers.get_mut(&source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.strangers.remove(&source);
            }
        }
    }
}

/// An IPv4 address, or the /64 of an IPv6 address: what one customer has at least.
fn prefix(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}
