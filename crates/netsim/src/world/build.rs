//! Topologies: networks, gateways and hosts, with addresses that need not be thought up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::World;
use crate::address::{Family, Pool, Prefix};
use crate::arena::{Id, LinkId, NetworkId};
use crate::firewall::{Firewall, FirewallConfig};
use crate::gateway::{Gateway, Site};
use crate::host::{Host, HostId, HostIndex, Interface};
use crate::link::{Conditions, Link, Owner};
use crate::nat::{Nat, NatConfig};
use crate::node::Node;
use crate::packet::DEFAULT_HOP_LIMIT;
use crate::router::Network;

/// How many sites have been given addresses.
#[derive(Default)]
pub(super) struct AddressPlan {
    sites: u8,
}

impl World {
    /// The Internet's core: the network that a new world begins with.
    #[must_use]
    pub fn core(&self) -> NetworkId {
        NetworkId::from_index(0)
    }

    /// A new host, on the core unless [`on`](HostBuilder::on) says otherwise.
    #[must_use]
    pub fn host(&mut self, name: &str) -> HostBuilder<'_> {
        HostBuilder {
            world: self,
            name: name.to_owned(),
            interfaces: Vec::new(),
            hop_limit: DEFAULT_HOP_LIMIT,
        }
    }

    /// A new gateway from a new inside network to the core, unless
    /// [`outside`](GatewayBuilder::outside) says otherwise.
    #[must_use]
    pub fn gateway(&mut self, name: &str) -> GatewayBuilder<'_> {
        let outside = self.core();
        GatewayBuilder {
            world: self,
            name: name.to_owned(),
            outside,
            conditions: None,
            nat: None,
            firewall: None,
            external: Vec::new(),
            inside: None,
            ipv6: false,
        }
    }

    /// A network behind a NAT on the core.
    pub fn nat(&mut self, name: &str, config: NatConfig) -> Site {
        self.gateway(name).nat(config).build()
    }

    /// A network behind a carrier's NAT: 100.64.0.0/10 inside (RFC 6598).
    pub fn carrier(&mut self, name: &str, config: NatConfig) -> Site {
        let shared = Prefix::new(Ipv4Addr::new(100, 64, 0, 0).into(), 10);
        self.gateway(name).nat(config).inside(shared).build()
    }

    pub(super) fn add_core(&mut self) {
        let mut core = Network::new(None, Conditions::latency(CORE_LATENCY));
        core.v4 = Some(Pool::new(Prefix::new(Ipv4Addr::new(203, 0, 113, 0).into(), 24)));
        core.v6 = Some(Pool::new(site_v6(0)));
        self.networks.push(core);
    }

    fn add_link(
        &mut self,
        owner: Owner,
        network: NetworkId,
        conditions: Option<Conditions>,
    ) -> LinkId {
        let conditions = conditions.unwrap_or_else(|| self.networks[network].conditions.clone());
        self.links.push(Link::new(owner, network, conditions))
    }

    /// An address of `network` that nobody has.
    fn take_address(&mut self, network: NetworkId, v4: bool) -> IpAddr {
        let state = &mut self.networks[network];
        loop {
            let pool = if v4 { &mut state.v4 } else { &mut state.v6 };
            let pool = pool.as_mut().expect("the network has this address family");
            let address = pool.take().expect("the network's block has a free address");
            if !state.has_address(address) {
                return address;
            }
        }
    }

    /// Makes the way to `prefix` known on `network` and on everything that lies outside of it.
    fn advertise(&mut self, prefix: Prefix, mut network: NetworkId, mut link: LinkId) {
        loop {
            self.networks[network].add_route(prefix, link);
            let Some(gateway) = self.networks[network].gateway else { return };
            link = self.gateways[gateway].link;
            network = self.links[link].network;
        }
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
pub(super) struct Access {
    network: NetworkId,
    conditions: Option<Conditions>,
    family: Family,
    addresses: Vec<IpAddr>,
}

impl Access {
    pub(super) const fn new(network: NetworkId, family: Family) -> Self {
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
    pub(super) fn connect(&mut self, host: HostIndex, access: Access) -> Interface {
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

/// A gateway in the making.
pub struct GatewayBuilder<'w> {
    world: &'w mut World,
    name: String,
    outside: NetworkId,
    conditions: Option<Conditions>,
    nat: Option<NatConfig>,
    firewall: Option<FirewallConfig>,
    external: Vec<IpAddr>,
    inside: Option<Prefix>,
    ipv6: bool,
}

impl GatewayBuilder<'_> {
    /// The network that the gateway leads to.
    #[must_use]
    pub fn outside(mut self, network: impl Into<NetworkId>) -> Self {
        self.outside = network.into();
        self
    }

    /// What the gateway's link to the outside is like, in both directions.
    #[must_use]
    pub fn link(mut self, conditions: Conditions) -> Self {
        self.conditions = Some(conditions);
        self
    }

    /// Translates IPv4 addresses. Without it the gateway is a plain router.
    #[must_use]
    pub fn nat(mut self, config: NatConfig) -> Self {
        self.nat = Some(config);
        self
    }

    /// Puts a firewall in front of the inside.
    #[must_use]
    pub fn firewall(mut self, config: FirewallConfig) -> Self {
        self.firewall = Some(config);
        self
    }

    /// Adds an external address to the NAT; without any, it gets the outside network's next one.
    #[must_use]
    pub fn external(mut self, address: IpAddr) -> Self {
        self.external.push(address);
        self
    }

    /// The IPv4 block inside; without it, 192.168.n.0/24 behind a NAT, 198.51.100.16·n/28 behind a router.
    #[must_use]
    pub fn inside(mut self, prefix: Prefix) -> Self {
        self.inside = Some(prefix);
        self
    }

    /// Gives the inside IPv6 too: 2001:db8:n::/48, routed and not translated.
    #[must_use]
    pub const fn ipv6(mut self) -> Self {
        self.ipv6 = true;
        self
    }

    /// Builds the gateway and the network behind it.
    pub fn build(self) -> Site {
        let Self { world, name, outside, conditions, nat, firewall, mut external, inside, ipv6 } =
            self;
        world.plan.sites += 1;
        let site = world.plan.sites;
        let gateway = world.gateways.next_id();
        let link = world.add_link(Owner::Gateway(gateway), outside, conditions);
        let mut network = Network::new(Some(gateway), Conditions::PERFECT);
        let v4 =
            inside.unwrap_or_else(|| if nat.is_some() { lan_v4(site) } else { routed_v4(site) });
        network.v4 = Some(Pool::new(v4));
        network.v6 = ipv6.then(|| Pool::new(site_v6(site)));
        if nat.is_some() && external.is_empty() {
            external.push(world.take_address(outside, true));
        }
        for &address in &external {
            world.networks[outside].add_address(address, link);
        }
        let routed = nat.is_none().then_some(v4).into_iter().chain(ipv6.then(|| site_v6(site)));
        for prefix in routed {
            world.advertise(prefix, outside, link);
        }
        let network = world.networks.push(network);
        let device = world.trace.add_device(&name);
        let nat = nat.map(|config| Nat::new(config, external));
        let firewall = firewall.map(Firewall::new);
        world.gateways.push(Gateway { device, link, insides: vec![network], nat, firewall });
        Site { network, gateway, link }
    }
}

fn lan_v4(site: u8) -> Prefix {
    Prefix::new(Ipv4Addr::new(192, 168, site, 0).into(), 24)
}

fn routed_v4(site: u8) -> Prefix {
    Prefix::new(Ipv4Addr::new(198, 51, 100, site.wrapping_mul(16)).into(), 28)
}

fn site_v6(site: u8) -> Prefix {
    Prefix::new(Ipv6Addr::new(0x2001, 0xdb8, site.into(), 0, 0, 0, 0, 0).into(), 48)
}

/// What a link to the core takes, each way, when nothing else is said.
const CORE_LATENCY: Duration = Duration::from_millis(10);
