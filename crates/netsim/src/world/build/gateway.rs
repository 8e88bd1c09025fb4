use std::net::{IpAddr, Ipv4Addr};

use super::{lan_v4, routed_v4, site_v6};
use crate::address::{Pool, Prefix};
use crate::arena::{GatewayId, LinkId, NetworkId};
use crate::firewall::{Firewall, FirewallConfig};
use crate::gateway::{Gateway, Site};
use crate::link::{Conditions, Owner};
use crate::nat::{Nat, NatConfig};
use crate::router::Network;
use crate::world::World;

impl World {
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

    /// The IPv4 block inside; without it, 192.168.n.0/24 behind a NAT, 198.18.n.0/24 behind a router.
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
        let Self { world, name, outside, conditions, nat, firewall, mut external, .. } = self;
        let gateway = world.gateways.next_id();
        let link = world.add_link(Owner::Gateway(gateway), outside, conditions);
        if nat.is_some() && external.is_empty() {
            external.push(world.take_address(outside, true));
        }
        for &address in &external {
            world.networks[outside].add_address(address, link);
        }
        let device = world.trace.add_device(&name);
        let nat = nat.map(|config| Nat::new(config, external));
        let firewall = firewall.map(Firewall::new);
        world.gateways.push(Gateway { device, link, insides: Vec::new(), nat, firewall });
        let network = world.add_inside(gateway, self.inside, self.ipv6);
        Site { network, gateway, link }
    }
}

impl World {
    /// One more network behind the gateway of `site`: a guest's Wi-Fi. The gateway does not route between
    /// its networks; where it hairpins, they reach each other by their external addresses.
    pub fn another_lan(&mut self, site: Site) -> Site {
        let ipv6 = self.networks[site.network].v6.is_some();
        let network = self.add_inside(site.gateway, None, ipv6);
        Site { network, ..site }
    }

    fn add_inside(&mut self, gateway: GatewayId, v4: Option<Prefix>, ipv6: bool) -> NetworkId {
        let number = self.plan.next_site();
        let state = &self.gateways[gateway];
        let (link, translates) = (state.link, state.nat.is_some());
        let outside = self.links[link].network;
        let v4 = v4.unwrap_or_else(|| if translates { lan_v4(number) } else { routed_v4(number) });
        let v6 = ipv6.then(|| site_v6(number));
        let mut network = Network::new(Some(gateway), Conditions::PERFECT);
        network.v4 = Some(Pool::new(v4));
        network.v6 = v6.map(Pool::new);
        for prefix in (!translates).then_some(v4).into_iter().chain(v6) {
            self.advertise(prefix, outside, link);
        }
        let network = self.networks.push(network);
        self.gateways[gateway].insides.push(network);
        network
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
