use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::net::IpAddr;
use std::time::Duration;

use pinhole_sansio::Instant;

use crate::arena::{DeviceId, Id, LinkId};
use crate::icmp::IcmpError;
use crate::node::Node;
use crate::packet::DEFAULT_HOP_LIMIT;
use crate::stream::Stack;

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
    /// Packets that reached the host's node or its TCP.
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
    pub(crate) streams: Stack,
    /// Until when nothing happens on the host, and what becomes of packets meanwhile.
    pub(crate) pause: Option<(Instant, Inbox)>,
    /// How far the node's clock is ahead of the world's.
    pub(crate) clock_ahead: Duration,
    /// How long a packet takes the host.
    pub(crate) service_time: Duration,
    pub(crate) busy_until: Instant,
}

/// What becomes of packets that reach a suspended host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inbox {
    /// They are lost.
    Lost,
    /// They wait in the sockets.
    Kept,
}

/// A host's access to one network.
#[derive(Clone, Debug)]
pub(crate) struct Interface {
    pub(crate) link: LinkId,
    pub(crate) addresses: Vec<IpAddr>,
}

impl Host {
    pub(crate) fn new(device: DeviceId, node: Box<dyn Node>, interfaces: Vec<Interface>) -> Self {
        Self {
            device,
            node,
            interfaces,
            hop_limit: DEFAULT_HOP_LIMIT,
            counters: HostCounters::default(),
            alarm: Alarm::default(),
            streams: Stack::default(),
            pause: None,
            clock_ahead: Duration::ZERO,
            service_time: Duration::ZERO,
            busy_until: Instant::ZERO,
        }
    }

    /// What the node's clock shows at `now`.
    pub(crate) fn time(&self, now: Instant) -> Instant {
        now + self.clock_ahead
    }

    /// The node's deadline on the world's clock.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let ahead = Instant::ZERO + self.clock_ahead;
        self.node.poll_timeout().map(|deadline| Instant::ZERO + (deadline - ahead))
    }

    /// When the node or its TCP wants to be called, not before `now`.
    pub(crate) fn next_alarm(&self, now: Instant) -> Option<Instant> {
        let deadline = self.deadline().map(|deadline| deadline.max(now) + self.service_time);
        let streams = self.streams.poll_timeout().map(|deadline| deadline.max(now));
        [deadline, streams].into_iter().flatten().min()
    }

    /// An ICMP error goes to the connection that it is about, and to the node in any case.
    pub(crate) fn handle_icmp(&mut self, error: IcmpError, now: Instant) {
        if error.five_tuple.transport.is_reliable() {
            self.streams.handle_icmp(error.five_tuple, error.kind, now);
        }
        let node_time = self.time(now);
        self.node.handle_icmp(error, node_time);
    }

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
    /// Counts a wake-up and gives how many there were within this millisecond.
    pub(crate) fn ring(&mut self, now: Instant) -> u32 {
        if now - self.window > SPIN_WINDOW {
            (self.window, self.wakes) = (now, 0);
        }
        self.wakes += 1;
        self.wakes
    }
}

/// Within this time [`MAX_WAKES`](crate::violation::MAX_WAKES) deadlines are too many.
const SPIN_WINDOW: Duration = Duration::from_millis(1);
