use core::fmt;
use core::net::SocketAddr;
use core::ops::Range;

use pinhole_sansio::FiveTuple;
use pinhole_stun::attribute::Family;

use super::allocation::Key;
use crate::indication::Header;

/// Names a relayed transport address between the server and its driver. An id has one socket at a time,
/// and is never used for another allocation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelayId {
    pub(super) slot: u32,
    pub(super) generation: u32,
    pub(super) family: Family,
}

impl RelayId {
    /// A small number that no other open relayed address of its family has: a place in the driver's table.
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self.slot as usize
    }

    /// The family of the relayed address.
    #[inline]
    #[must_use]
    pub const fn family(self) -> Family {
        self.family
    }
}

impl fmt::Debug for RelayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}/{:?}", self.slot, self.generation, self.family)
    }
}

/// Names an allocation, for as long as it lasts; no other one ever has its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocationId(pub(super) Key);

/// What became of a client's datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Received {
    /// It was control: answers may wait in `poll_transmit`, commands in `poll_command`.
    Handled,
    /// Part of it goes to a peer.
    ToPeer(ToPeer),
    /// Nothing follows from it.
    Dropped(DropReason),
}

impl From<Result<ToPeer, DropReason>> for Received {
    #[inline]
    fn from(route: Result<ToPeer, DropReason>) -> Self {
        match route {
            Ok(route) => Self::ToPeer(route),
            Err(reason) => Self::Dropped(reason),
        }
    }
}

/// Part of a client's datagram is to be sent to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToPeer {
    /// The relayed address to send from.
    pub relay: RelayId,
    /// The destination.
    pub peer: SocketAddr,
    /// Which bytes of the client's datagram. There may be none; an empty datagram is sent then.
    pub payload: Range<usize>,
    /// Whether to set DF, as DONT-FRAGMENT asks (RFC 8656 §14).
    pub dont_fragment: bool,
}

/// A peer's datagram is to be sent to a client, whole: header, datagram, padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToClient<'a> {
    /// The path to the client.
    pub five_tuple: &'a FiveTuple,
    /// What stands in front.
    pub header: Header,
    /// How many zeros stand behind, at most three.
    pub padding: u8,
}

/// Why a datagram leads to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DropReason {
    /// Neither STUN nor ChannelData, or malformed (RFC 8489 §6.3).
    #[error("malformed, or another protocol")]
    Malformed,
    /// A method, a class or attributes that a server does not expect.
    #[error("an unexpected message")]
    Unexpected,
    /// The source has had its answers for now.
    #[error("too many answers to a source that has not proved its address")]
    RateLimited,
    /// The client, or the relayed address, has no allocation.
    #[error("no allocation")]
    NoAllocation,
    /// The client has gone, and may come back with its ticket.
    #[error("the client is away")]
    Suspended,
    /// No peer is bound to the channel number.
    #[error("no such channel")]
    NoChannel,
    /// The peer has no permission, or has lost it.
    #[error("no permission")]
    NoPermission,
    /// The allocation has relayed as much as it may for now.
    #[error("more than the bandwidth of the allocation")]
    Bandwidth,
    /// The user's allocations together have relayed as much as they may for now.
    #[error("more than the bandwidth of the user")]
    UserBandwidth,
    /// The relayed payload does not fit into a message.
    #[error("the payload is too long")]
    TooLong,
}
