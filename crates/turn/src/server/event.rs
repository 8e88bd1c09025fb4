use alloc::boxed::Box;
use core::net::SocketAddr;

use pinhole_sansio::FiveTuple;

use super::RelayId;
use crate::policy::Decision;

/// What the driver has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Open a UDP socket at exactly this address, and tell how that went with
    /// [`Server::relay_opened`](super::Server::relay_opened).
    OpenRelay {
        /// What to call it.
        relay: RelayId,
        /// What to bind.
        address: SocketAddr,
    },
    /// Close this socket; unless it could not be opened.
    CloseRelay {
        /// Which one.
        relay: RelayId,
    },
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
    /// A client has asked for a peer that the policy refuses.
    PeerRefused {
        /// The client.
        client: FiveTuple,
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
