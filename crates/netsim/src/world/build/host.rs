use std::net::IpAddr;

use crate::address::Family;
use crate::arena::NetworkId;
use crate::host::{Host, HostId, HostIndex, Interface};
use crate::link::{Conditions, Owner};
use crate::node::Node;
use crate::packet::DEFAULT_HOP_LIMIT;
use crate::world::World;

impl World {
    /// A new host, on the core unless [`on`](HostBuilder::on) says otherwise.
    #[must_use]
    pub fn host(&mut self, name: &str) -> HostBuilder<'_> {
        let (name, interfaces) = (name.to_owned(), Vec::new());
        HostBuilder { world: self, name, interfaces, hop_limit: DEFAULT_HOP_LIMIT }
    }
}

/// A host in the making.
pub struct HostBuilder<'w> {
    world: &'w mut World,
    name: String,
    interfaces: Vec<Access>,
    hop_limit: u8,
}

/// An interface in the making.
pub(in crate::world) struct Access {
    network: NetworkId,
    conditions: Option<Conditions>,
    family: Family,
    addresses: Vec<IpAddr>,
}

impl Access {
    pub(in crate::world) const fn new(network: NetworkId, family: Family) -> Self {
        Self { network, conditions: None, family, addresses: Vec::new() }
    }
}

impl<'w> HostBuilder<'w> {
    /// Adds an interface on `network`. What is said next is about this interface.
    #[must_use]
    pub fn on(mut self, network: impl Into<NetworkId>) -> Self {
        self.add_access(network.into());
        self
    }

    /// Gives the interface this address; without any, it gets the network's next one of its family.
    #[must_use]
    pub fn address(mut self, address: IpAddr) -> Self {
        self.access().addresses.push(address);
        self
    }

    /// Which addresses the interface gets; IPv4 unless said.
    #[must_use]
    pub fn family(mut self, family: Family) -> Self {
        self.access().family = family;
        self
    }

    /// What the interface's link is like, in both directions.
    #[must_use]
    pub fn link(mut self, conditions: Conditions) -> Self {
        self.access().conditions = Some(conditions);
        self
    }

    /// How many gateways the host's packets may pass; 64 unless said.
    #[must_use]
    pub const fn hop_limit(mut self, hop_limit: u8) -> Self {
        self.hop_limit = hop_limit;
        self
    }

    /// Starts `node` on the host.
    pub fn start<T: Node>(self, node: T) -> HostId<T> {
        self.start_with(|_| node)
    }

    /// Starts the node that `make` gives for the host's addresses.
    pub fn start_with<T: Node>(mut self, make: impl FnOnce(&[IpAddr]) -> T) -> HostId<T> {
        self.access();
        let Self { world, name, interfaces, hop_limit } = self;
        let index = world.hosts.next_id();
        let interfaces: Vec<_> =
            interfaces.into_iter().map(|access| world.connect(index, access)).collect();
        let addresses: Vec<_> =
            interfaces.iter().flat_map(|interface| interface.addresses.clone()).collect();
        let device = world.trace.add_device(&name);
        let mut host = Host::new(device, Box::new(make(&addresses)), interfaces);
        host.hop_limit = hop_limit;
        world.hosts.push(host);
        world.drain(index);
        HostId::new(index)
    }

    /// The interface that is being described: the last one, or the only one, on the core.
    fn access(&mut self) -> &mut Access {
        if self.interfaces.is_empty() {
            self.add_access(self.world.core());
        }
        self.interfaces.last_mut().expect("there is an interface now")
    }

    fn add_access(&mut self, network: NetworkId) {
        self.interfaces.push(Access::new(network, Family::default()));
    }
}

impl World {
    pub(in crate::world) fn connect(&mut self, host: HostIndex, access: Access) -> Interface {
        let Access { network, conditions, family, mut addresses } = access;
        if addresses.is_empty() {
            let families = [(family.has_v4(), true), (family.has_v6(), false)];
            let asked = families.into_iter().filter(|(asked, _)| *asked);
            addresses = asked.map(|(_, v4)| self.take_address(network, v4)).collect();
        }
        let link = self.add_link(Owner::Host(host), network, conditions);
        for &address in &addresses {
            self.networks[network].add_address(address, link);
        }
        Interface { link, addresses }
    }
}
