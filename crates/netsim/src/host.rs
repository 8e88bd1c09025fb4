use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::net::IpAddr;

use pinhole_sansio::Instant;

use crate::arena::{DeviceId, Id, LinkId};
use crate::node::Node;

/// A host of one [`World`](crate::World), and the type of the [`Node`] that runs on it.
pub struct HostId<T: ?Sized = dyn Node> {
    index: HostIndex,
    node: PhantomData<fn() -> T>,
}

impl<T: ?Sized> HostId<T> {
    pub(crate) const fn new(index: HostIndex) -> Self {
        Self { index, node: PhantomData }
    }

    pub(crate) const fn index(self) -> HostIndex {
        self.index
    }
}

impl<T: ?Sized> Clone for HostId<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for HostId<T> {}

impl<T: ?Sized> PartialEq for HostId<T> {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index
    }
}

impl<T: ?Sized> Eq for HostId<T> {}

impl<T: ?Sized> Hash for HostId<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.index.hash(state);
    }
}

impl<T: ?Sized> fmt::Debug for HostId<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostId({})", self.index.0)
    }
}

impl<T: Node> From<HostId<T>> for HostId {
    fn from(host: HostId<T>) -> Self {
        Self::new(host.index)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct HostIndex(u32);

impl Id for HostIndex {
    fn from_index(index: usize) -> Self {
        Self(u32::try_from(index).expect("a world has fewer than 2^32 hosts"))
    }

    fn index(self) -> usize {
        self.0 as usize
    }
}

/// Counts of what a host sent and received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostCounters {
    /// Packets that the host sent.
    pub sent: u64,
    /// Their bytes, with IP headers.
    pub sent_bytes: u64,
    /// Packets that reached the host's node.
    pub received: u64,
    /// Their bytes, with IP headers.
    pub received_bytes: u64,
    /// Deadlines of the node that passed.
    pub timeouts: u64,
}

/// A host with its interfaces and what runs on it.
pub(crate) struct Host {
    pub(crate) device: DeviceId,
    pub(crate) node: Box<dyn Node>,
    pub(crate) interfaces: Vec<Interface>,
    pub(crate) hop_limit: u8,
    pub(crate) counters: HostCounters,
    pub(crate) alarm: Alarm,
}

/// A host's access to one network.
#[derive(Clone, Debug)]
pub(crate) struct Interface {
    pub(crate) link: LinkId,
    pub(crate) addresses: Vec<IpAddr>,
}

impl Host {
    pub(crate) fn link_of(&self, address: IpAddr) -> Option<LinkId> {
        let owns = |interface: &&Interface| interface.addresses.contains(&address);
        self.interfaces.iter().find(owns).map(|interface| interface.link)
    }

    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        self.interfaces.iter().flat_map(|interface| interface.addresses.iter().copied()).collect()
    }
}

/// When a host is woken next, and whether its deadlines get anywhere.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Alarm {
    /// The event in the queue that counts; others are left over.
    pub(crate) set_for: Option<Instant>,
    window: Instant,
    wakes: u32,
}

impl Alarm {
    /// Counts a wake-up and gives how many there were since the last moment without one.
    pub(crate) fn ring(&mut self, now: Instant) -> u32 {
        if now - self.window > SPIN_WINDOW {
            (self.window, self.wakes) = (now, 0);
        }
        self.wakes += 1;
        self.wakes
    }
}

/// Within this time [`MAX_WAKES`](crate::violation::MAX_WAKES) deadlines are too many.
const SPIN_WINDOW: std::time::Duration = std::time::Duration::from_millis(1);
