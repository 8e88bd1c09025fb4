use std::collections::BTreeMap;
use std::net::SocketAddr;

use pinhole_sansio::Instant;

use crate::address::Family;
use crate::drops::{Answer, DropReason, Refusal};
use crate::icmp::IcmpKind;
use crate::nat::{Behavior, Lifetimes, Opening, Traffic};
use crate::packet::{Body, Packet, Protocol};

/// What a gateway lets pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirewallConfig {
    /// What may leave.
    pub egress: Egress,
    /// What may come in without having been asked for.
    pub ingress: Ingress,
    /// The address families whose ingress is guarded. Behind a NAT the other one is the point.
    pub guards: Family,
    /// Whether senders of refused packets are told, by ICMP.
    pub tells: bool,
    /// How long the inside stays open after it has asked.
    pub lifetimes: Lifetimes,
}

/// What may leave through a firewall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Egress {
    /// Everything.
    Anything,
    /// Everything but UDP.
    NoUdp,
    /// TCP to these ports, and nothing else.
    OnlyTcp(Vec<u16>),
}

/// What may come in through a firewall without having been asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ingress {
    /// Everything.
    Anything,
    /// What is within the scope of something that left: of the endpoint, of the address, or of anything.
    Asked(Behavior),
}

impl FirewallConfig {
    /// Everything may leave, only answers come in: the default of an IPv6 home router.
    #[must_use]
    pub fn stateful() -> Self {
        Self::asked(Behavior::AddressAndPortDependent)
    }

    /// Everything may leave; who has sent anything may be reached by everybody: the transparent mode of
    /// an IPv6 home router.
    #[must_use]
    pub fn endpoint_independent() -> Self {
        Self::asked(Behavior::EndpointIndependent)
    }

    /// UDP may not leave; a strict office.
    #[must_use]
    pub fn udp_blocked() -> Self {
        Self { egress: Egress::NoUdp, ..Self::stateful() }
    }

    /// Only TCP to port 443 may leave; the strictest office.
    #[must_use]
    pub fn only_tcp_443() -> Self {
        Self { egress: Egress::OnlyTcp(vec![443]), ..Self::stateful() }
    }

    fn asked(behavior: Behavior) -> Self {
        Self {
            egress: Egress::Anything,
            ingress: Ingress::Asked(behavior),
            guards: Family::Dual,
            tells: false,
            lifetimes: Lifetimes::default(),
        }
    }
}

/// A firewall at work.
pub(crate) struct Firewall {
    config: FirewallConfig,
    openings: BTreeMap<(Protocol, SocketAddr), Opening>,
}

impl Firewall {
    pub(crate) const fn new(config: FirewallConfig) -> Self {
        Self { config, openings: BTreeMap::new() }
    }

    /// Whether a packet from the inside may leave.
    pub(crate) fn outbound(&mut self, packet: &Packet, now: Instant) -> Result<(), Refusal> {
        let Some(traffic) = Traffic::of(packet) else { return Ok(()) };
        if !self.may_leave(packet) {
            return Err(self.refusal());
        }
        if let Ingress::Asked(behavior) = self.config.ingress {
            let key = (packet.protocol(), packet.source);
            let opening = self.openings.entry(key).or_insert_with(|| Opening::new(behavior));
            opening.outbound(packet.destination, traffic, &self.config.lifetimes, now);
        }
        Ok(())
    }

    /// Whether a packet from the outside, with its inside destination, may come in.
    pub(crate) fn inbound(&mut self, packet: &Packet, now: Instant) -> Result<(), Refusal> {
        if self.config.ingress == Ingress::Anything || !self.guards(packet) {
            return Ok(());
        }
        let admitted = match &packet.body {
            Body::Icmp(error) => {
                let protocol = Protocol::of(error.five_tuple.transport);
                let opening = self.openings.get(&(protocol, error.five_tuple.local));
                opening.is_some_and(|opening| opening.is_live(now))
            }
            Body::Datagram { .. } | Body::Segment(_) => self.admits(packet, now),
        };
        if admitted { Ok(()) } else { Err(self.refusal()) }
    }

    /// Forgets what the inside has asked for, as in a reboot.
    pub(crate) fn reboot(&mut self) {
        self.openings.clear();
    }

    fn admits(&mut self, packet: &Packet, now: Instant) -> bool {
        let opening = self.openings.get_mut(&(packet.protocol(), packet.destination));
        let (Some(opening), Some(traffic)) = (opening, Traffic::of(packet)) else { return false };
        opening.inbound(packet.source, traffic, &self.config.lifetimes, now)
    }

    fn may_leave(&self, packet: &Packet) -> bool {
        match &self.config.egress {
            Egress::Anything => true,
            Egress::NoUdp => packet.protocol() != Protocol::Udp,
            Egress::OnlyTcp(ports) => {
                packet.protocol() == Protocol::Tcp && ports.contains(&packet.destination.port())
            }
        }
    }

    const fn guards(&self, packet: &Packet) -> bool {
        if packet.source.is_ipv4() {
            self.config.guards.has_v4()
        } else {
            self.config.guards.has_v6()
        }
    }

    const fn refusal(&self) -> Refusal {
        let answer =
            if self.config.tells { Answer::Icmp(IcmpKind::Prohibited) } else { Answer::Silence };
        Refusal { reason: DropReason::Firewalled, answer }
    }
}
