//! What an agent tells its application.

use alloc::collections::VecDeque;
use alloc::string::String;
use core::net::{IpAddr, SocketAddr};

use pinhole_sansio::{FiveTuple, Transport};
use pinhole_turn::client::Reason;

use crate::agent::State;
use crate::candidate::Candidate;
use crate::gather::GatheringError;
use crate::pair::{PairId, PairState};
use crate::role::Role;

/// Something that happened, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A candidate to signal to the peer.
    CandidateGathered(Candidate),
    /// A candidate that was signalled leads nowhere any more: its socket is gone, or its TURN server has taken it away.
    /// Where signaling has words for that, tell the peer
    /// ([`Agent::remove_remote_candidate`](crate::Agent::remove_remote_candidate)).
    CandidateRemoved(Candidate),
    /// A STUN server told what address it sees. When it is the base's own there is no NAT between, and no
    /// candidate comes of it.
    MappedAddressLearned {
        /// The socket that asked.
        base: SocketAddr,
        /// The server that answered.
        server: SocketAddr,
        /// The address that it saw.
        mapped: SocketAddr,
    },
    /// A server was of no help; gathering goes on with the others.
    GatheringFailed {
        /// The socket that asked.
        base: SocketAddr,
        /// The server.
        server: SocketAddr,
        /// What went wrong.
        error: GatheringError,
    },
    /// A server's name leads nowhere.
    ServerNotFound {
        /// The name, or the URI.
        server: String,
        /// What the look-up said.
        reason: String,
    },
    /// A TURN server has taken a relayed address away; the pairs with it have failed.
    RelayLost {
        /// The address.
        relayed: SocketAddr,
        /// The server.
        server: SocketAddr,
        /// Why.
        reason: Reason,
    },
    /// A TURN server does not relay to an address of the peer's.
    PeerRefused {
        /// The relayed address.
        relayed: SocketAddr,
        /// The peer's address.
        peer: IpAddr,
        /// Why.
        reason: Reason,
    },
    /// No more local candidates will come: the moment to signal end-of-candidates (RFC 8838 §13).
    GatheringCompleted,
    /// A pair was checked, or is to be.
    PairStateChanged {
        /// Which pair; [`Agent::pair`](crate::Agent::pair) tells all about it.
        pair: PairId,
        /// Its state now.
        state: PairState,
    },
    /// Application data takes this pair from now on: the best valid one, until one is selected.
    RouteChanged {
        /// Which pair.
        pair: PairId,
    },
    /// The pair was nominated and is used (RFC 8445 §8.1.1): for good, or, where both sides can renominate, until
    /// another one is selected.
    PairSelected {
        /// Which pair.
        pair: PairId,
        /// Why this one.
        reason: SelectionReason,
    },
    /// A role conflict was settled by this side's taking the other role (RFC 8445 §7.3.1.1).
    RoleSwitched(Role),
    /// The restart has found no path, while the one of before still serves. Only another restart would help.
    RestartFailed,
    /// The session as a whole moved on.
    StateChanged(State),
}

/// Why a pair was selected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SelectionReason {
    /// It was the best one when the checks had run long enough.
    #[default]
    Best,
    /// The peer, which decides, has nominated it.
    Nominated,
    /// The one before fell silent or broke, and this one answers.
    Failover,
    /// It is better than the one before, and has become valid since.
    Better,
    /// It is much faster than the one before.
    Faster,
}

/// What the application has to do, since it keeps the sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Open a connection to a server, and tell with
    /// [`Agent::server_connected`](crate::Agent::server_connected) how that went. Frames of STUN and
    /// ChannelData go both ways over it (RFC 8656 §3.1), as if they were datagrams.
    Connect {
        /// What to call it.
        connection: ServerConnection,
        /// The address to connect from.
        local: IpAddr,
        /// The server.
        server: SocketAddr,
        /// TCP or TLS.
        transport: Transport,
    },
    /// Close a connection once what is to be sent is sent, or give up to open it.
    Disconnect(ServerConnection),
    /// Open a TCP connection to the peer, and tell with [`Agent::peer_connected`](crate::Agent::peer_connected) how
    /// that went. Each datagram is a frame on it (RFC 4571): two bytes of length, and the datagram.
    ConnectToPeer {
        /// For which pair.
        pair: PairId,
        /// The address to connect from; port 0 stands for any.
        local: SocketAddr,
        /// Where the peer listens.
        remote: SocketAddr,
    },
    /// Close a connection to the peer, opened or accepted, once what is to be sent is sent.
    DisconnectPeer(FiveTuple),
}

/// Names a connection to a server for the lifetime of its agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerConnection(pub(crate) u32);

/// Events that wait to be polled.
#[derive(Debug, Default)]
pub(crate) struct Events(VecDeque<Event>);

impl Events {
    pub(crate) fn push(&mut self, event: Event) {
        self.0.push_back(event);
    }

    pub(crate) fn extend(&mut self, event: Option<Event>) {
        self.0.extend(event);
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.0.pop_front()
    }
}
