//! Topologies: networks, gateways and hosts, with addresses that need not be thought up.

mod gateway;
mod host;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

pub use gateway::GatewayBuilder;
pub(super) use host::Access;
pub use host::HostBuilder;

use super::World;
use crate::address::{Pool, Prefix};
use crate::arena::{Id, LinkId, NetworkId};
use crate::link::{Conditions, Link, Owner};
use crate::router::Network;

/// How many inside networks have been given addresses.
#[derive(Default)]
pub(super) struct AddressPlan {
    sites: u8,
}

impl AddressPlan {
    /// The number of the next inside network, which tells its blocks apart from others.
    fn next_site(&mut self) -> u8 {
        self.sites = self.sites.checked_add(1).expect("a world has at most 255 inside networks");
        self.sites
    }
}

impl World {
    /// The Internet's core: the network that a new world begins with.
    #[must_use]
    pub fn core(&self) -> NetworkId {
        NetworkId::from_index(0)
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
}

fn lan_v4(site: u8) -> Prefix {
    Prefix::new(Ipv4Addr::new(192, 168, site, 0).into(), 24)
}

fn routed_v4(site: u8) -> Prefix {
    Prefix::new(Ipv4Addr::new(198, 18, site, 0).into(), 24)
}

fn site_v6(site: u8) -> Prefix {
    Prefix::new(Ipv6Addr::new(0x2001, 0xdb8, site.into(), 0, 0, 0, 0, 0).into(), 48)
}

/// What a link to the core takes, each way, when nothing else is said.
const CORE_LATENCY: Duration = Duration::from_millis(10);
