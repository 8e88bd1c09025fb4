//! Network address translation after RFC 4787 (UDP), RFC 5382 (TCP) and RFC 7857 (both).

mod config;
mod filtering;
mod mapping;
mod opening;
mod port;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use pinhole_sansio::Instant;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use crate::drops::{DropReason, Refusal};
use crate::packet::{Body, Packet, Protocol};

pub use config::{Hairpin, NatConfig, Pooling, UnsolicitedSyn};
pub use mapping::Behavior;
use mapping::{Inside, Mapping, Outside, Table};
pub use opening::Lifetimes;
pub(crate) use opening::{Opening, Traffic};
use port::PortPicker;
pub use port::{PortAllocation, PortPolicy};

/// A NAT at work.
pub(crate) struct Nat {
    config: NatConfig,
    addresses: Vec<IpAddr>,
    paired: BTreeMap<IpAddr, IpAddr>,
    ports: PortPicker,
    table: Table,
}

/// Where an outbound packet leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// On the outside.
    Outside,
    /// On the inside again.
    Hairpin,
}

impl Nat {
    pub(crate) fn new(config: NatConfig, addresses: Vec<IpAddr>) -> Self {
        let ports = PortPicker::new(config.ports.clone());
        Self { config, addresses, paired: BTreeMap::new(), ports, table: Table::default() }
    }

    /// Translates a packet from the inside.
    pub(crate) fn outbound(
        &mut self,
        packet: &mut Packet,
        now: Instant,
        rng: &mut ChaCha8Rng,
    ) -> Result<Exit, Refusal> {
        let internal = packet.source;
        self.translate_outbound(packet, now, rng)?;
        if !self.addresses.contains(&packet.destination.ip()) {
            return Ok(Exit::Outside);
        }
        if self.config.hairpin == Hairpin::Off {
            return Err(Refusal::silent(DropReason::NoHairpin));
        }
        self.inbound(packet, now)?;
        if self.config.hairpin == Hairpin::InternalSource {
            packet.source = internal;
        }
        Ok(Exit::Hairpin)
    }

    /// Translates a packet from the outside.
    pub(crate) fn inbound(&mut self, packet: &mut Packet, now: Instant) -> Result<(), Refusal> {
        let Some(traffic) = Traffic::of(packet) else { return self.inbound_error(packet, now) };
        let answer = self.config.unsolicited_syn.answer(traffic);
        let refused = |reason| Refusal { reason, answer };
        let outside = Outside { protocol: packet.protocol(), address: packet.destination };
        let mapping = self.table.get_mut(outside, now).ok_or(refused(DropReason::NoMapping))?;
        if !mapping.opening.inbound(packet.source, traffic, &self.config.lifetimes, now) {
            return Err(refused(DropReason::Filtered));
        }
        packet.destination = mapping.inside.address;
        Ok(())
    }

    /// Whether the inside has meanwhile opened the TCP connection that this SYN asked for.
    pub(crate) fn has_session(&self, syn: &Packet, now: Instant) -> bool {
        let outside = Outside { protocol: syn.protocol(), address: syn.destination };
        let mapping = self.table.get(outside, now);
        mapping.is_some_and(|mapping| mapping.opening.has_session(syn.source, now))
    }

    /// Loses all state, as in a reboot.
    pub(crate) fn reboot(&mut self) {
        self.table.clear();
        self.paired.clear();
        self.ports.reset();
    }

    /// Gets other external addresses; every mapping to the old ones is lost.
    pub(crate) fn readdress(&mut self, addresses: Vec<IpAddr>) {
        self.addresses = addresses;
        self.reboot();
    }

    pub(crate) fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    pub(crate) fn mappings(&self, now: Instant) -> usize {
        self.table.len(now)
    }

    fn translate_outbound(
        &mut self,
        packet: &mut Packet,
        now: Instant,
        rng: &mut ChaCha8Rng,
    ) -> Result<(), Refusal> {
        let Some(traffic) = Traffic::of(packet) else { return self.outbound_error(packet, now) };
        let outside = self.mapping_for(packet, traffic, now, rng)?;
        // An outbound packet always refreshes (RFC 4787 REQ-6).
        if let Some(mapping) = self.table.entry(outside) {
            let remote = packet.destination;
            mapping.opening.outbound(remote, traffic, &self.config.lifetimes, now);
        }
        packet.source = outside.address;
        Ok(())
    }

    /// The mapping of an outbound packet, which is there or may be created by it.
    fn mapping_for(
        &mut self,
        packet: &Packet,
        traffic: Traffic,
        now: Instant,
        rng: &mut ChaCha8Rng,
    ) -> Result<Outside, Refusal> {
        let protocol = packet.protocol();
        let scope = self.config.mapping.scope(packet.destination);
        let inside = Inside { protocol, address: packet.source, scope };
        match self.table.outside_of(inside, now) {
            Some(outside) => Ok(outside),
            None if traffic.begins() => self.create(inside, now, rng),
            None => Err(NO_MAPPING),
        }
    }

    fn create(
        &mut self,
        inside: Inside,
        now: Instant,
        rng: &mut ChaCha8Rng,
    ) -> Result<Outside, Refusal> {
        let Inside { protocol, address: internal, .. } = inside;
        let address = self.external_address(internal.ip(), rng)?;
        let neighbour = self.contiguous_port(protocol, internal, now);
        let table = &self.table;
        let outside = |port| Outside { protocol, address: SocketAddr::new(address, port) };
        let is_free = |port| table.is_free(outside(port), now);
        let port = self.ports.pick(internal.port(), neighbour, is_free, rng);
        let outside = outside(port.ok_or(Refusal::silent(DropReason::PortsExhausted))?);
        let opening = Opening::new(self.config.filtering);
        self.table.insert(outside, Mapping { inside, opening });
        Ok(outside)
    }

    fn external_address(
        &mut self,
        internal: IpAddr,
        rng: &mut ChaCha8Rng,
    ) -> Result<IpAddr, Refusal> {
        if let Some(&address) = self.paired.get(&internal) {
            return Ok(address);
        }
        let count = u32::try_from(self.addresses.len()).unwrap_or(u32::MAX);
        let chosen = if count > 1 { rng.random_range(0..count) } else { 0 };
        let address = *self.addresses.get(chosen as usize).ok_or(NO_MAPPING)?;
        if self.config.pooling == Pooling::Paired {
            self.paired.insert(internal, address);
        }
        Ok(address)
    }

    /// The external port beside that of the internal neighbour, even below odd (RFC 4787 §4.2.3).
    fn contiguous_port(
        &self,
        protocol: Protocol,
        internal: SocketAddr,
        now: Instant,
    ) -> Option<u16> {
        if !self.ports.wants_contiguity() {
            return None;
        }
        let is_even = internal.port().is_multiple_of(2);
        let neighbour = SocketAddr::new(internal.ip(), internal.port() ^ 1);
        let port = self.table.port_of(protocol, neighbour, now)?;
        if is_even { port.checked_sub(1) } else { port.checked_add(1) }
    }

    /// An internal host refuses a packet that came through a mapping: the outside learns it under the
    /// external name. The mapping stays (RFC 4787 REQ-12).
    fn outbound_error(&self, packet: &mut Packet, now: Instant) -> Result<(), Refusal> {
        let Body::Icmp(error) = &mut packet.body else { return Ok(()) };
        let protocol = Protocol::of(error.five_tuple.transport);
        let scope = self.config.mapping.scope(error.five_tuple.local);
        let inside = Inside { protocol, address: error.five_tuple.remote, scope };
        let outside = self.table.outside_of(inside, now).ok_or(NO_MAPPING)?;
        error.five_tuple.remote = outside.address;
        error.reporter = outside.address.ip();
        packet.source.set_ip(outside.address.ip());
        Ok(())
    }

    /// The outside refuses a packet of a mapping: its owner learns it, whoever says so, and the mapping
    /// stays (RFC 4787 REQ-12, RFC 5382 REQ-9 and REQ-10).
    fn inbound_error(&self, packet: &mut Packet, now: Instant) -> Result<(), Refusal> {
        let Body::Icmp(error) = &mut packet.body else { return Ok(()) };
        let protocol = Protocol::of(error.five_tuple.transport);
        let outside = Outside { protocol, address: error.five_tuple.local };
        let mapping = self.table.get(outside, now).ok_or(NO_MAPPING)?;
        error.five_tuple.local = mapping.inside.address;
        packet.destination.set_ip(mapping.inside.address.ip());
        Ok(())
    }
}

const NO_MAPPING: Refusal = Refusal::silent(DropReason::NoMapping);
