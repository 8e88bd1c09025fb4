use std::net::IpAddr;

use pinhole_sansio::Instant;
use rand::rngs::ChaCha8Rng;

use crate::arena::{DeviceId, GatewayId, LinkId, NetworkId};
use crate::drops::{DropReason, Refusal};
use crate::icmp::IcmpKind;
use crate::nat::{Exit, Nat};
use crate::packet::Packet;

/// What joins inside networks to an outside one: it routes, and may translate IPv4 addresses.
pub(crate) struct Gateway {
    pub(crate) device: DeviceId,
    /// Its access to the outside network.
    pub(crate) link: LinkId,
    pub(crate) insides: Vec<NetworkId>,
    pub(crate) nat: Option<Nat>,
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
        match self.nat_for(packet.source.ip()) {
            Some(nat) => nat.outbound(packet, now, rng),
            None => Ok(Exit::Outside),
        }
    }

    /// Takes a packet from the outside.
    pub(crate) fn inbound(&mut self, packet: &mut Packet, now: Instant) -> Result<(), Refusal> {
        pass_hop(packet)?;
        self.nat_for(packet.source.ip()).map_or(Ok(()), |nat| nat.inbound(packet, now))
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
