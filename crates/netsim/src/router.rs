use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::address::{Pool, Prefix};
use crate::arena::{GatewayId, LinkId};
use crate::icmp::IcmpKind;
use crate::link::Conditions;

/// A network: hosts and gateways with links to one router, which knows the way to each.
pub(crate) struct Network {
    addresses: BTreeMap<IpAddr, LinkId>,
    routes: Vec<(Prefix, LinkId)>,
    /// Where everything else goes. The core has none: there it vanishes.
    pub(crate) gateway: Option<GatewayId>,
    pub(crate) v4: Option<Pool>,
    pub(crate) v6: Option<Pool>,
    /// What is answered to packets that lead nowhere.
    pub(crate) unroutable: Option<IcmpKind>,
    /// What a link to this network is like when nothing else is said.
    pub(crate) conditions: Conditions,
}

/// Where a packet goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextHop {
    Link(LinkId),
    Gateway(GatewayId),
    Nowhere,
}

impl Network {
    pub(crate) const fn new(gateway: Option<GatewayId>, conditions: Conditions) -> Self {
        Self {
            addresses: BTreeMap::new(),
            routes: Vec::new(),
            gateway,
            v4: None,
            v6: None,
            unroutable: None,
            conditions,
        }
    }

    pub(crate) fn next_hop(&self, destination: IpAddr) -> NextHop {
        if let Some(&link) = self.addresses.get(&destination) {
            return NextHop::Link(link);
        }
        if let Some(&(_, link)) = self.routes.iter().find(|(to, _)| to.contains(destination)) {
            return NextHop::Link(link);
        }
        self.gateway.map_or(NextHop::Nowhere, NextHop::Gateway)
    }

    /// Whether `address` is on this network or on one that it leads to without its gateway.
    pub(crate) fn reaches(&self, address: IpAddr) -> bool {
        matches!(self.next_hop(address), NextHop::Link(_))
    }

    pub(crate) fn add_address(&mut self, address: IpAddr, link: LinkId) {
        self.addresses.insert(address, link);
    }

    pub(crate) fn remove_address(&mut self, address: IpAddr) {
        self.addresses.remove(&address);
    }

    pub(crate) fn has_address(&self, address: IpAddr) -> bool {
        self.addresses.contains_key(&address)
    }

    pub(crate) fn add_route(&mut self, prefix: Prefix, link: LinkId) {
        self.routes.push((prefix, link));
    }

    /// The router's own address, from which it reports errors.
    pub(crate) fn router_address(&self, like: IpAddr) -> Option<IpAddr> {
        let pool = if like.is_ipv4() { &self.v4 } else { &self.v6 };
        pool.as_ref().map(Pool::router)
    }
}
