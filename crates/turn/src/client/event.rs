use alloc::string::String;
use core::net::{IpAddr, SocketAddr};
use core::ops::Range;

use pinhole_sansio::{FiveTuple, Instant};
use pinhole_stun::Failure;
use pinhole_stun::auth::AuthFailure;

use crate::attribute::{ConnectionId, Icmp};
use crate::indication::Header;

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The server has made the allocation.
    Allocated {
        /// Where peers reach the client.
        relayed: SocketAddr,
        /// The address of the other family, if two were asked for and made.
        second: Option<SocketAddr>,
        /// The client as the server sees it.
        mapped: SocketAddr,
    },
    /// Datagrams to and from this peer pass from now on.
    Permitted {
        /// The peer.
        peer: IpAddr,
    },
    /// The server does not let datagrams to and from this peer pass.
    Refused {
        /// The peer.
        peer: IpAddr,
        /// Why.
        reason: Reason,
    },
    /// A datagram to a peer was answered with an ICMP message.
    PeerUnreachable {
        /// The peer.
        peer: SocketAddr,
        /// The message.
        icmp: Icmp,
    },
    /// The allocation has come along: the client is on the path that
    /// [`Client::migrate`](super::Client::migrate) named. The server sends data to the old one until the
    /// client has sent some on the new one.
    Migrated,
    /// The allocation stays where it is.
    NotMigrated {
        /// Why.
        reason: Reason,
    },
    /// The server has a peer's connection, to be had with [`Client::accept`](super::Client::accept) for
    /// 30 s.
    ConnectionAttempt {
        /// What to call it.
        connection: ConnectionId,
        /// Who has connected.
        peer: SocketAddr,
    },
    /// The bytes on this data connection are the peer's from now on.
    Connected {
        /// Which one.
        connection: ConnectionId,
        /// Who is at its other end.
        peer: SocketAddr,
    },
    /// There is no connection to this peer.
    NotConnected {
        /// The peer.
        peer: SocketAddr,
        /// Why.
        reason: Reason,
    },
    /// There is no allocation, or no longer one. It stays like that: make another client.
    Lost {
        /// Why.
        reason: Reason,
    },
    /// The allocation has ended as [`Client::close`](super::Client::close) wanted, or nobody knows, since
    /// the server does not answer any more.
    Closed,
}

/// What the driver has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Close the connection to the server, connect to this one over the same transport, and tell so with
    /// [`Client::reconnected`](super::Client::reconnected), or with
    /// [`Client::connection_closed`](super::Client::connection_closed) if that fails (RFC 8489 §10).
    Reconnect {
        /// The other server.
        server: SocketAddr,
        /// The name in its certificate; `None` means the name that was used so far.
        domain: Option<String>,
    },
    /// Open another connection to the server, of the same transport, and tell so with
    /// [`Client::connection_opened`](super::Client::connection_opened), or with
    /// [`Client::data_connection_closed`](super::Client::data_connection_closed) (RFC 6062 §4.3).
    OpenConnection {
        /// What to call it.
        connection: ConnectionId,
        /// The server.
        server: SocketAddr,
    },
    /// Close this data connection, or give up opening it.
    CloseConnection {
        /// Which one.
        connection: ConnectionId,
    },
}

/// Why there is no allocation, or no permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The server says so.
    #[error("the server answers {0}")]
    Code(u16),
    /// The credentials lead nowhere.
    #[error(transparent)]
    Credentials(#[from] AuthFailure),
    /// No answer that could be believed.
    #[error(transparent)]
    Transaction(#[from] Failure),
    /// The server's answer lacks what it should carry, or has addresses that were not asked for.
    #[error("the server's answer cannot be used")]
    Unusable,
    /// The connection to the server is closed: that of the allocation, and there is no ticket to come back
    /// with; or that for a peer.
    #[error("the connection to the server is closed")]
    Disconnected,
    /// The peer is of a family that the allocation has no relayed address of.
    #[error("there is no relayed address of the peer's family")]
    Family,
    /// The allocation could not be refreshed in time.
    #[error("the allocation has expired")]
    Expired,
    /// The server sends the client elsewhere, to nowhere or to where it has been already.
    #[error("the server redirects to where the client cannot go")]
    Redirected,
}

/// What became of a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Received {
    /// A peer's data.
    Data {
        /// The peer.
        peer: SocketAddr,
        /// Which bytes of the datagram.
        payload: Range<usize>,
    },
    /// It was the client's, and is dealt with.
    Handled,
    /// It is somebody else's: another machine's on the same socket.
    NotMine,
}

/// A payload is to be sent to the server: header, payload, padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToServer {
    /// The path to the server.
    pub five_tuple: FiveTuple,
    /// What stands in front.
    pub header: Header,
    /// How many zeros stand behind, at most three.
    pub padding: u8,
}

/// Why an allocation cannot be taken to another path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// There is no allocation, not yet or no longer.
    #[error("there is no allocation")]
    NoAllocation,
    /// The client has not asked for a ticket, or the server has given none.
    #[error("there is no ticket")]
    NoTicket,
}

/// Why a payload cannot be sent to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// There is no allocation, not yet or no longer.
    #[error("there is no allocation")]
    NoAllocation,
    /// The permission has been asked for, and is not there yet.
    #[error("the server has not permitted the peer yet")]
    NotPermitted,
    /// The server has refused the permission.
    #[error("the server refuses the peer: {0}")]
    Refused(Reason),
    /// The payload does not fit into a message.
    #[error("{0} bytes do not fit into a message")]
    TooLong(usize),
    /// The allocation relays connections, and no datagrams.
    #[error("a TCP allocation relays no datagrams")]
    NotUdp,
    /// The server cannot set DF, or was not asked.
    #[error("the server does not set DF")]
    MayFragment,
}

/// Why there is no connection to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is no allocation, not yet or no longer.
    #[error("there is no allocation")]
    NoAllocation,
    /// The allocation relays datagrams, and no connections.
    #[error("a UDP allocation relays no connections")]
    NotTcp,
    /// The peer is of a family that the allocation has no relayed address of.
    #[error("there is no relayed address of the peer's family")]
    Family,
    /// There is a connection to this peer, or one on its way.
    #[error("there is a connection to this peer already")]
    Exists,
    /// The last attempt has failed, and the next one has to wait until then (RFC 6062 §4.3).
    #[error("the peer could not be reached, and is not to be tried before {0}")]
    TooSoon(Instant),
    /// The peer's attempt is not known, or has ended.
    #[error("the peer's connection is not there any more")]
    Gone,
}
