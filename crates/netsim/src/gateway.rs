use std::net::IpAddr;

use pinhole_sansio::Instant;
use rand::rngs::ChaCha8Rng;

use crate::arena::{DeviceId, GatewayId, LinkId, NetworkId};
use crate::drops::{DropReason, Refusal};
use crate::firewall::Firewall;
use crate::icmp::IcmpKind;
use crate::nat::{Exit, Nat};
use crate::packet::Packet;

/// What joins inside networks to an outside one: it routes, may refuse, and may translate IPv4 addresses.
pub(crate) struct Gateway {
    pub(crate) device: DeviceId,
    /// Its access to the outside network.
    pub(crate) link: LinkId,
    pub(crate) insides: Vec<NetworkId>,
    pub(crate) nat: Option<Nat>,
    pub(crate) firewall: Option<Firewall>,
}

/// An inside network together with the gateway that leads out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// The inside network.
    pub network: NetworkId,
    /// The gateway.
    pub gateway: GatewayId,
    /// The gateway's access to the outside network.
    pub link: LinkId,
}

impl From<Site> for NetworkId {
    fn from(site: Site) -> Self {
        site.network
    }
}

impl Gateway {
    /// Takes a packet from the inside.
    pub(crate) fn outbound(
        &mut self,
        packet: &mut Packet,
        now: Instant,
        rng: &mut ChaCha8Rng,
    ) -> Result<Exit, Refusal> {
        pass_hop(packet)?;
        if let Some(firewall) = &mut self.firewall {
            firewall.outbound(packet, now)?;
        }
        match self.nat_for(packet.source.ip()) {
            Some(nat) => nat.outbound(packet, now, rng),
            None => Ok(Exit::Outside),
        }
    }

    /// Takes a packet from the outside.
    pub(crate) fn inbound(&mut self, packet: &mut Packet, now: Instant) -> Result<(), Refusal> {
        pass_hop(packet)?;
        let external = packet.destination;
        if let Some(nat) = self.nat_for(packet.source.ip()) {
            nat.inbound(packet, now)?;
        }
        let passed = self.firewall.as_mut().map_or(Ok(()), |wall| wall.inbound(packet, now));
        // Who is refused is answered about the address that it knows.
        passed.inspect_err(|_| packet.destination = external)
    }

    /// Loses what it knows about connections, as in a reboot.
    pub(crate) fn reboot(&mut self) {
        self.nat.iter_mut().for_each(Nat::reboot);
        self.firewall.iter_mut().for_each(Firewall::reboot);
    }

    fn nat_for(&mut self, address: IpAddr) -> Option<&mut Nat> {
        self.nat.as_mut().filter(|_| address.is_ipv4())
    }
}

fn pass_hop(packet: &mut Packet) -> Result<(), Refusal> {
    packet.hop_limit = packet.hop_limit.saturating_sub(1);
    if packet.hop_limit > 0 {
        Ok(())
    } else {
        Err(Refusal::told(DropReason::HopLimit, IcmpKind::TimeExceeded))
    }
}
