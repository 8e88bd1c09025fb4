use alloc::boxed::Box;
use core::net::{IpAddr, SocketAddr};

use pinhole_sansio::FiveTuple;

use super::RelayId;
use crate::attribute::ConnectionId;
use crate::policy::Decision;

/// What the driver has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Open a socket at exactly this address, and tell how that went with
    /// [`Server::relay_opened`](super::Server::relay_opened).
    OpenRelay {
        /// What to call it.
        relay: RelayId,
        /// What to bind.
        address: SocketAddr,
        /// What kind of socket.
        protocol: Protocol,
    },
    /// Close this socket; unless it could not be opened.
    CloseRelay {
        /// Which one.
        relay: RelayId,
    },
    /// Connect from a relayed address to a peer, and tell how that went with
    /// [`Server::connected`](super::Server::connected). What the peer sends waits.
    Connect {
        /// From where.
        relay: RelayId,
        /// What to call the connection.
        connection: ConnectionId,
        /// To whom.
        peer: SocketAddr,
    },
    /// Once the messages in `poll_transmit` are sent, this client's connection carries data: what comes
    /// on it goes to the peer as it is, and the other way round, at the pace of the slower side. When
    /// one direction has ended, so does the other's sending side; when both have,
    /// [`Server::connection_closed`](super::Server::connection_closed) is told.
    Splice {
        /// The connection to the peer.
        connection: ConnectionId,
        /// The client's connection.
        client: FiveTuple,
    },
    /// Close the connection to the peer, if there is one yet, and the client's that belongs to it.
    CloseConnection {
        /// Which one.
        connection: ConnectionId,
    },
}

/// How peers reach a relayed address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// With datagrams.
    Udp,
    /// With connections: the socket listens (RFC 6062).
    Tcp,
}

/// Why a relayed address could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum OpenError {
    /// Somebody else holds the port: another one is tried.
    #[error("the port is in use")]
    InUse,
    /// There are no descriptors, or no memory: the client gets a 508.
    #[error("the system has no more sockets")]
    Exhausted,
}

/// What has happened, for the operator's eyes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A client has an allocation.
    Allocated {
        /// Where the client is.
        client: FiveTuple,
        /// Who it is.
        user: Box<str>,
        /// Its first relayed address, as peers see it.
        relayed: SocketAddr,
    },
    /// An allocation is over.
    Ended {
        /// Where the client was.
        client: FiveTuple,
        /// Who it was.
        user: Box<str>,
        /// Why.
        reason: EndReason,
        /// What it has relayed.
        traffic: Traffic,
    },
    /// A client may talk to a peer that it had no permission for until now.
    PeerPermitted {
        /// The client.
        client: FiveTuple,
        /// Who it is.
        user: Box<str>,
        /// The peer, on every port.
        peer: IpAddr,
    },
    /// A client has asked for a peer that the policy refuses.
    PeerRefused {
        /// The client.
        client: FiveTuple,
        /// Who it is.
        user: Box<str>,
        /// The peer, and the rule.
        decision: Decision,
    },
}

/// Why an allocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// The client has asked for that.
    Deleted,
    /// The client has not refreshed it.
    Expired,
    /// The client's connection is closed.
    Disconnected,
    /// The operator has ended it.
    Operator,
}

/// What an allocation has relayed, payloads only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Datagrams to peers.
    pub datagrams_to_peers: u64,
    /// Bytes to peers.
    pub bytes_to_peers: u64,
    /// Datagrams to the client.
    pub datagrams_to_client: u64,
    /// Bytes to the client.
    pub bytes_to_client: u64,
}
