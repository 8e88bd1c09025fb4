use std::net::SocketAddr;

use pinhole_sansio::Instant;

use super::{Entry, Happening, Trace};
use crate::packet::{Body, Packet, Protocol};

/// One thing that happened, to look at: for oracles and invariants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// When.
    pub at: Instant,
    /// The name of the host or gateway, if it happened at one.
    pub device: Option<&'a str>,
    /// What.
    pub happening: &'a Happening,
    /// The packet that it happened to.
    pub packet: Option<PacketRecord<'a>>,
}

/// A packet as it was at the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketRecord<'a> {
    /// Stays the same on the whole way, whoever rewrites the addresses. Copies share it.
    pub number: u64,
    /// What it carries.
    pub protocol: Protocol,
    /// Where it says that it comes from. The port is zero for ICMP.
    pub source: SocketAddr,
    /// Where it goes. The port is zero for ICMP.
    pub destination: SocketAddr,
    /// What the UDP datagram or TCP segment carries; nothing for ICMP.
    pub payload: &'a [u8],
}

impl Trace {
    /// What happened, in order, as far as it is remembered.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        self.entries.iter().map(|entry| self.view(entry))
    }

    fn view<'a>(&'a self, entry: &'a Entry) -> Record<'a> {
        Record {
            at: entry.at,
            device: entry.device.map(|device| self.name(device)),
            happening: &entry.happening,
            packet: entry.packet.as_ref().map(Packet::view),
        }
    }
}

impl Packet {
    fn view(&self) -> PacketRecord<'_> {
        let payload = match &self.body {
            Body::Datagram { payload, .. } => payload,
            Body::Segment(segment) => &*segment.payload,
            Body::Icmp(_) => &[],
        };
        PacketRecord {
            number: self.number,
            protocol: self.protocol(),
            source: self.source,
            destination: self.destination,
            payload,
        }
    }
}
