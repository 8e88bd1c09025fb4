//! What goes wrong, and what changes, while a world runs.

use std::net::IpAddr;

use super::World;
use crate::arena::{DeviceId, GatewayId, LinkId, NetworkId};
use crate::link::{Conditions, Direction, Owner};
use crate::trace::Happening;

impl World {
    /// Changes how one direction of a link treats packets from now on.
    pub fn set_conditions(&mut self, link: LinkId, direction: Direction, conditions: Conditions) {
        self.links[link].pipe_mut(direction).conditions = conditions;
    }

    /// Stops (or restores) one direction of a link, and leaves its other conditions as they are.
    pub fn set_outage(&mut self, link: LinkId, direction: Direction, outage: bool) {
        self.links[link].pipe_mut(direction).conditions.outage = outage;
        let device = self.owner_device(link);
        let state = if outage { "down" } else { "up" };
        self.note(Some(device), format!("has its link's {direction} {state}"));
    }

    /// Cuts `links` off from all other links of their networks, not from each other.
    pub fn partition(&mut self, links: &[LinkId]) {
        for &link in links {
            self.links[link].part = 1;
            let device = self.owner_device(link);
            self.note(Some(device), "is cut off".to_owned());
        }
    }

    /// Ends every partition of `network`.
    pub fn heal(&mut self, network: impl Into<NetworkId>) {
        let network = network.into();
        for link in self.links.iter_mut().filter(|link| link.network == network) {
            link.part = 0;
        }
        self.note(None, "the network heals".to_owned());
    }

    /// Restarts a gateway: every mapping is lost.
    pub fn reboot(&mut self, gateway: GatewayId) {
        let state = &mut self.gateways[gateway];
        if let Some(nat) = &mut state.nat {
            nat.reboot();
        }
        let device = state.device;
        self.note(Some(device), "reboots".to_owned());
    }

    /// Gives a NAT other external addresses: every mapping is lost, the old addresses lead nowhere.
    pub fn set_external_addresses(&mut self, gateway: GatewayId, addresses: &[IpAddr]) {
        let Self { gateways, networks, links, .. } = self;
        let state = &mut gateways[gateway];
        let Some(nat) = &mut state.nat else { return };
        let outside = &mut networks[links[state.link].network];
        for &old in nat.addresses() {
            outside.remove_address(old);
        }
        for &new in addresses {
            outside.add_address(new, state.link);
        }
        nat.readdress(addresses.to_vec());
        let device = state.device;
        self.note(Some(device), format!("has new addresses {addresses:?}"));
    }

    fn owner_device(&self, link: LinkId) -> DeviceId {
        match self.links[link].owner {
            Owner::Host(host) => self.hosts[host].device,
            Owner::Gateway(gateway) => self.gateways[gateway].device,
        }
    }

    fn note(&mut self, device: Option<DeviceId>, what: String) {
        self.trace.record(self.now, device, Happening::Changed(what), None);
    }
}
