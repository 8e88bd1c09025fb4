//! The way of a packet: link, network, gateway, and so on until a host.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pinhole_sansio::FiveTuple;

use super::{Event, World};
use crate::arena::{DeviceId, GatewayId, LinkId, NetworkId};
use crate::drops::{Answer, DropReason, Refusal};
use crate::host::HostIndex;
use crate::icmp::{IcmpError, IcmpKind};
use crate::link::{Arrival, Direction, Owner};
use crate::nat::Exit;
use crate::packet::{Body, DEFAULT_HOP_LIMIT, Packet};
use crate::router::NextHop;
use crate::trace::Happening;

impl World {
    /// Puts a packet on a link.
    pub(super) fn transfer(&mut self, link: LinkId, direction: Direction, packet: Box<Packet>) {
        let pipe = self.links[link].pipe_mut(direction);
        match pipe.carry(packet.length(), self.now, &mut self.rng) {
            Ok(Arrival { at, copy_at }) => {
                if let Some(at) = copy_at {
                    let packet = packet.clone();
                    self.queue.schedule(at, Event::Arrival { link, direction, packet });
                }
                self.queue.schedule(at, Event::Arrival { link, direction, packet });
            }
            Err(refusal) => {
                let network = self.links[link].network;
                self.refuse_packet(None, network, refusal, packet);
            }
        }
    }

    /// A packet leaves a link.
    pub(super) fn arrive(&mut self, link: LinkId, direction: Direction, mut packet: Box<Packet>) {
        let (network, owner) = (self.links[link].network, self.links[link].owner);
        match (direction, owner) {
            (Direction::Up, _) => {
                packet.via = Some(link);
                self.route(network, packet);
            }
            (Direction::Down, Owner::Host(host)) => self.admit(host, packet),
            (Direction::Down, Owner::Gateway(gateway)) => self.forward_inbound(gateway, packet),
            (Direction::Down, Owner::Nobody) => {
                self.drop_packet(None, DropReason::HostDown, &packet);
            }
        }
    }

    /// Sends a packet on its way from within `network`.
    fn route(&mut self, network: NetworkId, packet: Box<Packet>) {
        match self.networks[network].next_hop(packet.destination.ip()) {
            NextHop::Link(link) if self.is_partitioned(packet.via, link) => {
                self.drop_packet(None, DropReason::Partitioned, &packet);
            }
            NextHop::Link(link) => self.transfer(link, Direction::Down, packet),
            NextHop::Gateway(gateway) => self.forward_outbound(gateway, network, packet),
            NextHop::Nowhere => {
                let answer =
                    self.networks[network].unroutable.map_or(Answer::Silence, Answer::Icmp);
                let refusal = Refusal { reason: DropReason::NoRoute, answer };
                self.refuse_packet(None, network, refusal, packet);
            }
        }
    }

    fn is_partitioned(&self, from: Option<LinkId>, to: LinkId) -> bool {
        from.is_some_and(|from| self.links[from].part != self.links[to].part)
    }

    fn forward_outbound(&mut self, gateway: GatewayId, inside: NetworkId, mut packet: Box<Packet>) {
        let state = &mut self.gateways[gateway];
        let device = state.device;
        self.trace.record(self.now, Some(device), Happening::Received, Some(&packet));
        match state.outbound(&mut packet, self.now, &mut self.rng) {
            Ok(Exit::Outside) => {
                let link = state.link;
                self.trace.record(self.now, Some(device), Happening::Sent, Some(&packet));
                self.transfer(link, Direction::Up, packet);
            }
            Ok(Exit::Hairpin) => self.enter(gateway, packet),
            Err(refusal) => self.refuse_packet(Some(device), inside, refusal, packet),
        }
    }

    fn forward_inbound(&mut self, gateway: GatewayId, mut packet: Box<Packet>) {
        let state = &mut self.gateways[gateway];
        let (device, link) = (state.device, state.link);
        self.trace.record(self.now, Some(device), Happening::Received, Some(&packet));
        match state.inbound(&mut packet, self.now) {
            Ok(()) => self.enter(gateway, packet),
            Err(refusal) => {
                let outside = self.links[link].network;
                self.refuse_packet(Some(device), outside, refusal, packet);
            }
        }
    }

    /// Brings a packet from a gateway into the inside network that knows its destination.
    fn enter(&mut self, gateway: GatewayId, mut packet: Box<Packet>) {
        let state = &self.gateways[gateway];
        let device = state.device;
        let destination = packet.destination.ip();
        let inside = state.insides.iter().find(|&&id| self.networks[id].reaches(destination));
        if let Some(&inside) = inside {
            packet.via = None;
            self.trace.record(self.now, Some(device), Happening::Sent, Some(&packet));
            self.route(inside, packet);
        } else {
            self.drop_packet(Some(device), DropReason::NoRoute, &packet);
        }
    }

    /// Drops a packet and answers its sender from within `network`.
    fn refuse_packet(
        &mut self,
        device: Option<DeviceId>,
        network: NetworkId,
        refusal: Refusal,
        packet: Box<Packet>,
    ) {
        self.drop_packet(device, refusal.reason, &packet);
        match refusal.answer {
            Answer::Silence => {}
            Answer::Icmp(kind) => self.report(network, kind, &packet),
            Answer::LateIcmp => {
                let at = self.now + SYN_PATIENCE;
                self.queue.schedule(at, Event::LateReport { network, packet });
            }
            Answer::Reset => {
                if let Body::Segment(segment) = &packet.body {
                    let body = Body::Segment(segment.refusal_of());
                    let reset =
                        self.number(packet.destination, packet.source, DEFAULT_HOP_LIMIT, body);
                    self.route(network, reset);
                }
            }
        }
    }

    /// Reports a SYN that nobody inside has answered with one of their own (RFC 5382 REQ-4).
    pub(super) fn report_late(&mut self, network: NetworkId, syn: &Packet) {
        let NextHop::Link(link) = self.networks[network].next_hop(syn.destination.ip()) else {
            return;
        };
        let Owner::Gateway(gateway) = self.links[link].owner else { return };
        let nat = self.gateways[gateway].nat.as_ref();
        if nat.is_some_and(|nat| !nat.has_session(syn, self.now)) {
            self.report(network, IcmpKind::PortUnreachable, syn);
        }
    }

    /// The router of `network` sends an ICMP error about `packet`.
    fn report(&mut self, network: NetworkId, kind: IcmpKind, packet: &Packet) {
        let router = self.networks[network].router_address(packet.source.ip());
        let error = router.and_then(|reporter| self.icmp_error(reporter, kind, packet));
        if let Some(error) = error {
            self.route(network, error);
        }
    }

    pub(super) fn drop_packet(
        &mut self,
        device: Option<DeviceId>,
        reason: DropReason,
        packet: &Packet,
    ) {
        self.drops.count(reason);
        self.trace.record(self.now, device, Happening::Dropped(reason), Some(packet));
    }

    /// An ICMP error about `packet`. About ICMP errors there is none (RFC 1122 §3.2.2).
    pub(super) fn icmp_error(
        &mut self,
        reporter: IpAddr,
        kind: IcmpKind,
        packet: &Packet,
    ) -> Option<Box<Packet>> {
        if matches!(packet.body, Body::Icmp(_)) {
            return None;
        }
        let error = IcmpError { kind, reporter, five_tuple: packet.five_tuple() };
        let source = SocketAddr::new(reporter, 0);
        let destination = SocketAddr::new(packet.source.ip(), 0);
        Some(self.number(source, destination, DEFAULT_HOP_LIMIT, Body::Icmp(Box::new(error))))
    }

    /// A new packet of `host`.
    pub(super) fn packet(
        &mut self,
        host: HostIndex,
        five_tuple: FiveTuple,
        body: Body,
    ) -> Box<Packet> {
        let hop_limit = self.hosts[host].hop_limit;
        self.number(five_tuple.local, five_tuple.remote, hop_limit, body)
    }

    fn number(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        hop_limit: u8,
        body: Body,
    ) -> Box<Packet> {
        let number = self.packets;
        self.packets += 1;
        Box::new(Packet { number, source, destination, hop_limit, via: None, body })
    }
}

/// RFC 5382 REQ-4: "at least 6 seconds after the packet is received".
const SYN_PATIENCE: Duration = Duration::from_secs(6);
