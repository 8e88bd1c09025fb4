//! What goes wrong, and what changes, while a world runs.

use std::net::IpAddr;
use std::time::Duration;

use pinhole_sansio::Instant;

use super::build::Access;
use super::{Event, World};
use crate::address::Family;
use crate::arena::{DeviceId, GatewayId, LinkId, NetworkId};
use crate::host::{HostId, HostIndex, Inbox};
use crate::icmp::IcmpKind;
use crate::link::{Conditions, Direction, Owner};
use crate::node::Node;
use crate::stream::Stack;
use crate::trace::Happening;

/// Links and networks.
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
        self.note(device, format!("has its link's {direction} {state}"));
    }

    /// Cuts `links` off from all other links of their networks, not from each other.
    pub fn partition(&mut self, links: &[LinkId]) {
        self.partitions += 1;
        for &link in links {
            self.links[link].part = self.partitions;
            let device = self.owner_device(link);
            self.note(device, "is cut off".to_owned());
        }
    }

    /// What the core answers to packets that lead nowhere: at first nothing, as in most of the Internet.
    pub fn answer_unroutable(&mut self, kind: Option<IcmpKind>) {
        let core = self.core();
        self.networks[core].unroutable = kind;
    }

    /// Ends every partition of `network`.
    pub fn heal(&mut self, network: impl Into<NetworkId>) {
        let network = network.into();
        for link in self.links.iter_mut().filter(|link| link.network == network) {
            link.part = 0;
        }
        self.note(None, "the network heals".to_owned());
    }
}

/// Gateways.
impl World {
    /// Restarts a gateway: its mappings and what its firewall remembers are lost.
    pub fn reboot(&mut self, gateway: GatewayId) {
        let state = &mut self.gateways[gateway];
        state.reboot();
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
}

/// Hosts.
impl World {
    /// The host falls silent without a word, until [`restart`](Self::restart).
    pub fn crash(&mut self, host: impl Into<HostId>) {
        let host = host.into().index();
        let state = &mut self.hosts[host];
        state.pause = Some((Instant::from_nanos(u64::MAX), Inbox::Lost));
        let device = state.device;
        self.note(Some(device), "crashes".to_owned());
    }

    /// Starts `node` in the place of the host's node, which may have crashed. TCP connections are lost.
    pub fn restart<T: Node>(&mut self, host: HostId<T>, node: T) {
        let state = &mut self.hosts[host.index()];
        state.node = Box::new(node);
        state.streams = Stack::default();
        state.pause = None;
        let device = state.device;
        self.note(Some(device), "restarts".to_owned());
        self.drain(host.index());
    }

    /// The host stops for `duration`, as a laptop with its lid closed does, and then goes on: its
    /// deadlines are late by then.
    pub fn suspend(&mut self, host: impl Into<HostId>, duration: Duration, inbox: Inbox) {
        let host = host.into().index();
        let until = self.now + duration;
        let state = &mut self.hosts[host];
        state.pause = Some((until, inbox));
        state.alarm.set_for = Some(until);
        let device = state.device;
        self.queue.schedule(until, Event::Wake { host });
        self.note(Some(device), format!("is suspended until {until}"));
    }

    /// The clock that the host's node sees jumps ahead.
    pub fn jump_clock(&mut self, host: impl Into<HostId>, by: Duration) {
        let host = host.into().index();
        let state = &mut self.hosts[host];
        state.clock_ahead += by;
        let device = state.device;
        self.note(Some(device), format!("has its clock jump ahead by {by:?}"));
        self.drain(host);
    }

    /// From now on the host takes `service_time` for each packet, one after the other, and is late by as
    /// much for each deadline.
    pub fn slow_down(&mut self, host: impl Into<HostId>, service_time: Duration) {
        let host = host.into().index();
        let state = &mut self.hosts[host];
        state.service_time = service_time;
        let device = state.device;
        self.note(Some(device), format!("takes {service_time:?} for each packet"));
    }
}

/// Interfaces.
impl World {
    /// Takes an interface away from `host`, whose node learns which addresses are left.
    pub fn detach(&mut self, host: impl Into<HostId>, link: LinkId) {
        let host = host.into().index();
        self.remove_interface(host, link);
        self.tell_addresses(host);
    }

    /// Adds an interface on `network` to `host`, whose node learns its addresses.
    pub fn attach(
        &mut self,
        host: impl Into<HostId>,
        network: impl Into<NetworkId>,
        family: Family,
    ) {
        let access = Access::new(network.into(), family);
        self.add_interface(host.into().index(), access);
    }

    /// Moves the interface at `link` to `network`: from Wi-Fi to mobile. For the time of `dead` the host
    /// has neither. Then it has new addresses of the same families.
    pub fn roam(
        &mut self,
        host: impl Into<HostId>,
        link: LinkId,
        network: impl Into<NetworkId>,
        dead: Duration,
    ) {
        let host = host.into().index();
        let family = Family::of(&self.remove_interface(host, link));
        self.tell_addresses(host);
        let access = Box::new(Access::new(network.into(), family));
        self.queue.schedule(self.now + dead, Event::Attachment { host, access });
    }

    /// Gives the interface at `link` other addresses.
    pub fn set_addresses(&mut self, host: impl Into<HostId>, link: LinkId, addresses: &[IpAddr]) {
        let host = host.into().index();
        let network = &mut self.networks[self.links[link].network];
        let interfaces = &mut self.hosts[host].interfaces;
        let Some(interface) = interfaces.iter_mut().find(|interface| interface.link == link) else {
            return;
        };
        for &old in &interface.addresses {
            network.remove_address(old);
        }
        for &new in addresses {
            network.add_address(new, link);
        }
        interface.addresses = addresses.to_vec();
        self.tell_addresses(host);
    }

    pub(super) fn add_interface(&mut self, host: HostIndex, access: Access) {
        let interface = self.connect(host, access);
        self.hosts[host].interfaces.push(interface);
        self.tell_addresses(host);
    }

    fn remove_interface(&mut self, host: HostIndex, link: LinkId) -> Vec<IpAddr> {
        let interfaces = &mut self.hosts[host].interfaces;
        let Some(position) = interfaces.iter().position(|interface| interface.link == link) else {
            return Vec::new();
        };
        let interface = interfaces.remove(position);
        self.links[link].owner = Owner::Nobody;
        for &address in &interface.addresses {
            self.networks[self.links[link].network].remove_address(address);
        }
        interface.addresses
    }

    fn tell_addresses(&mut self, host: HostIndex) {
        let state = &mut self.hosts[host];
        let addresses = state.addresses();
        let now = state.time(self.now);
        state.node.handle_addresses(&addresses, now);
        let device = state.device;
        self.note(Some(device), format!("has the addresses {addresses:?}"));
        self.drain(host);
    }

    fn owner_device(&self, link: LinkId) -> Option<DeviceId> {
        match self.links[link].owner {
            Owner::Host(host) => Some(self.hosts[host].device),
            Owner::Gateway(gateway) => Some(self.gateways[gateway].device),
            Owner::Nobody => None,
        }
    }

    fn note(&mut self, device: Option<DeviceId>, what: String) {
        self.trace.record(self.now, device, Happening::Changed(what), None);
    }
}
