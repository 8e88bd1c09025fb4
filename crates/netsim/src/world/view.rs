//! What can be seen of a world.

use std::any::Any;
use std::net::{IpAddr, SocketAddr};

use pinhole_sansio::Instant;

use super::World;
use crate::arena::{GatewayId, LinkId};
use crate::drops::Drops;
use crate::host::{HostCounters, HostId};
use crate::link::{Direction, LinkCounters};
use crate::nat::Nat;
use crate::node::Node;
use crate::seed::Seed;
use crate::trace::Trace;

impl World {
    /// The time.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// What the world was made from.
    #[must_use]
    pub const fn seed(&self) -> Seed {
        self.seed
    }

    /// When the next thing happens.
    #[must_use]
    pub fn next_event_at(&self) -> Option<Instant> {
        self.queue.next_at()
    }

    /// The node of `host`, to look at.
    #[must_use]
    pub fn node<T: Node>(&self, host: HostId<T>) -> &T {
        let node: &dyn Any = &*self.hosts[host.index()].node;
        node.downcast_ref().expect("a host keeps the type of its node")
    }

    /// The addresses of `host`, in the order of its interfaces.
    #[must_use]
    pub fn addresses(&self, host: impl Into<HostId>) -> Vec<IpAddr> {
        self.hosts[host.into().index()].addresses()
    }

    /// The first address of `host`, with `port`.
    ///
    /// # Panics
    ///
    /// When the host has no address at the moment.
    #[must_use]
    pub fn endpoint(&self, host: impl Into<HostId>, port: u16) -> SocketAddr {
        let interfaces = &self.hosts[host.into().index()].interfaces;
        let first = interfaces.iter().find_map(|interface| interface.addresses.first());
        SocketAddr::new(*first.expect("the host has an address"), port)
    }

    /// The accesses of `host` to its networks, in the order of its interfaces.
    #[must_use]
    pub fn links(&self, host: impl Into<HostId>) -> Vec<LinkId> {
        let host = &self.hosts[host.into().index()];
        host.interfaces.iter().map(|interface| interface.link).collect()
    }

    /// The external addresses of a gateway that translates.
    #[must_use]
    pub fn external_addresses(&self, gateway: GatewayId) -> &[IpAddr] {
        self.gateways[gateway].nat.as_ref().map_or(&[], Nat::addresses)
    }

    /// How many mappings a gateway holds at the moment.
    #[must_use]
    pub fn mappings(&self, gateway: GatewayId) -> usize {
        self.gateways[gateway].nat.as_ref().map_or(0, |nat| nat.mappings(self.now))
    }

    /// What `host` sent and received.
    #[must_use]
    pub fn counters(&self, host: impl Into<HostId>) -> HostCounters {
        self.hosts[host.into().index()].counters
    }

    /// What entered one direction of a link.
    #[must_use]
    pub fn link_counters(&self, link: LinkId, direction: Direction) -> LinkCounters {
        self.links[link].pipe(direction).counters
    }

    /// Which packets ended on their way, and why.
    #[must_use]
    pub const fn drops(&self) -> &Drops {
        &self.drops
    }

    /// What happened.
    #[must_use]
    pub const fn trace(&self) -> &Trace {
        &self.trace
    }
}
