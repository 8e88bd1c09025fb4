//! Network address translation after RFC 4787 (UDP), RFC 5382 (TCP) and RFC 7857 (both).

mod filtering;
mod mapping;
mod port;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pinhole_sansio::Instant;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use crate::drops::{DropReason, Refusal};
use crate::icmp::IcmpError;
use crate::packet::{Body, Packet, Protocol};

pub(crate) use filtering::Filter;
pub use mapping::Behavior;
use mapping::{Inside, Mapping, Outside, Table};
use port::PortPicker;
pub use port::{PortAllocation, PortPolicy};

/// How a NAT behaves, in the words of RFC 4787.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatConfig {
    /// Which remote endpoints see the same external port (RFC 4787 §4.1).
    pub mapping: Behavior,
    /// Which remote endpoints may answer through a mapping (RFC 4787 §5).
    pub filtering: Behavior,
    /// How external ports are chosen (RFC 4787 §4.2).
    pub ports: PortPolicy,
    /// How external addresses are chosen where there are several (RFC 4787 §4.1).
    pub pooling: Pooling,
    /// What happens to packets from the inside to an external address of the NAT (RFC 4787 §6).
    pub hairpin: Hairpin,
    /// How long a UDP mapping lives without refresh (RFC 4787 REQ-5).
    pub udp_lifetime: Duration,
    /// Whether packets that come in refresh a mapping; those that go out always do (RFC 4787 REQ-6).
    pub refresh_inbound: bool,
}

/// How external addresses are chosen where there are several (RFC 4787 §4.1, REQ-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// An internal address keeps one external address.
    Paired,
    /// Each mapping gets any of them.
    Arbitrary,
}

/// What happens to a packet from the inside to an external address of the same NAT (RFC 4787 §6, REQ-9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hairpin {
    /// It is dropped.
    Off,
    /// It arrives from the sender's external address and port.
    ExternalSource,
    /// It arrives from the sender's internal address and port, against REQ-9a.
    InternalSource,
}

impl NatConfig {
    /// Endpoint-independent mapping and filtering: anybody can answer.
    #[must_use]
    pub fn full_cone() -> Self {
        Self::cone(Behavior::EndpointIndependent)
    }

    /// Endpoint-independent mapping, address-dependent filtering.
    #[must_use]
    pub fn address_restricted() -> Self {
        Self::cone(Behavior::AddressDependent)
    }

    /// Endpoint-independent mapping, address- and port-dependent filtering: the usual home router.
    #[must_use]
    pub fn port_restricted() -> Self {
        Self::cone(Behavior::AddressAndPortDependent)
    }

    /// Mapping and filtering that both depend on address and port, with random ports.
    #[must_use]
    pub fn symmetric() -> Self {
        let dependent = Behavior::AddressAndPortDependent;
        let ports = PortPolicy {
            allocation: PortAllocation::Random,
            parity: false,
            ..PortPolicy::default()
        };
        Self { mapping: dependent, ports, ..Self::cone(dependent) }
    }

    /// The same with ports that count up, which a peer can guess.
    #[must_use]
    pub fn symmetric_sequential() -> Self {
        let mut config = Self::symmetric();
        config.ports.allocation = PortAllocation::Sequential;
        config
    }

    /// A carrier's NAT: endpoint-independent mapping and filtering, random ports, paired pooling (RFC 6888).
    #[must_use]
    pub fn carrier_grade() -> Self {
        let ports = PortPolicy {
            allocation: PortAllocation::Random,
            parity: false,
            ..PortPolicy::default()
        };
        Self { ports, ..Self::full_cone() }
    }

    /// The same without hairpinning.
    #[must_use]
    pub fn without_hairpin(self) -> Self {
        Self { hairpin: Hairpin::Off, ..self }
    }

    fn cone(filtering: Behavior) -> Self {
        Self {
            mapping: Behavior::EndpointIndependent,
            filtering,
            ports: PortPolicy::default(),
            pooling: Pooling::Paired,
            hairpin: Hairpin::ExternalSource,
            udp_lifetime: DEFAULT_UDP_LIFETIME,
            refresh_inbound: false,
        }
    }
}

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
        if let Body::Icmp(error) = &mut packet.body {
            let internal = self.inbound_error(error, now)?;
            packet.destination.set_ip(internal);
            return Ok(());
        }
        let outside = Outside { protocol: packet.protocol(), address: packet.destination };
        let lifetime = self.config.udp_lifetime;
        let mapping = self.table.get_mut(outside, now).ok_or(NO_MAPPING)?;
        if !mapping.filter.admits(packet.source, now) {
            return Err(Refusal::silent(DropReason::Filtered));
        }
        // RFC 7857 §7: only what passed the filter may refresh.
        if self.config.refresh_inbound {
            mapping.filter.open(packet.source, lifetime, now);
            mapping.expires = now + lifetime;
        }
        packet.destination = mapping.inside.address;
        Ok(())
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
        if let Body::Icmp(error) = &mut packet.body {
            let external = self.outbound_error(error, now)?;
            packet.source.set_ip(external);
            return Ok(());
        }
        packet.source = self.map(packet.protocol(), packet.source, packet.destination, now, rng)?;
        Ok(())
    }

    /// The external address of `internal` towards `remote`, opened to it and refreshed (REQ-6).
    fn map(
        &mut self,
        protocol: Protocol,
        internal: SocketAddr,
        remote: SocketAddr,
        now: Instant,
        rng: &mut ChaCha8Rng,
    ) -> Result<SocketAddr, Refusal> {
        let scope = self.config.mapping.scope(remote);
        let inside = Inside { protocol, address: internal, scope };
        let known = self.table.outside_of(inside, now);
        let outside = match known {
            Some(outside) => outside,
            None => self.create(inside, now, rng)?,
        };
        let lifetime = self.config.udp_lifetime;
        if let Some(mapping) = self.table.get_mut(outside, now) {
            mapping.filter.open(remote, lifetime, now);
            mapping.expires = now + lifetime;
        }
        Ok(outside.address)
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
        let expires = now + self.config.udp_lifetime;
        let filter = Filter::new(self.config.filtering);
        self.table.insert(outside, Mapping { inside, expires, filter });
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
    fn outbound_error(&self, error: &mut IcmpError, now: Instant) -> Result<IpAddr, Refusal> {
        let protocol = Protocol::of(error.five_tuple.transport);
        let scope = self.config.mapping.scope(error.five_tuple.local);
        let inside = Inside { protocol, address: error.five_tuple.remote, scope };
        let outside = self.table.outside_of(inside, now).ok_or(NO_MAPPING)?;
        error.five_tuple.remote = outside.address;
        error.reporter = outside.address.ip();
        Ok(outside.address.ip())
    }

    /// The outside refuses a packet of a mapping: its owner learns it, whoever says so, and the mapping
    /// stays (RFC 4787 REQ-12, RFC 5382 REQ-9 and REQ-10).
    fn inbound_error(&mut self, error: &mut IcmpError, now: Instant) -> Result<IpAddr, Refusal> {
        let protocol = Protocol::of(error.five_tuple.transport);
        let outside = Outside { protocol, address: error.five_tuple.local };
        let mapping = self.table.get_mut(outside, now).ok_or(NO_MAPPING)?;
        error.five_tuple.local = mapping.inside.address;
        Ok(mapping.inside.address.ip())
    }
}

const NO_MAPPING: Refusal = Refusal::silent(DropReason::NoMapping);

/// RFC 4787 REQ-5c: "a default value of five minutes or more" is recommended.
const DEFAULT_UDP_LIFETIME: Duration = Duration::from_secs(300);
