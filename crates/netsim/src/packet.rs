use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use pinhole_sansio::{FiveTuple, Transport};

use crate::arena::LinkId;
use crate::icmp::IcmpError;
use crate::stream::Segment;

/// What an IP packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// A UDP datagram.
    Udp,
    /// A TCP segment.
    Tcp,
    /// An ICMP or ICMPv6 error.
    Icmp,
}

impl Protocol {
    /// The protocol that carries `transport`.
    pub(crate) const fn of(transport: Transport) -> Self {
        match transport {
            Transport::Udp | Transport::Dtls => Self::Udp,
            Transport::Tcp | Transport::Tls => Self::Tcp,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Icmp => "icmp",
        })
    }
}

/// One packet of the simulated Internet. A NAT rewrites its addresses; the number stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    /// Counts the packets of a world in the order in which they were sent.
    pub(crate) number: u64,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    /// How many gateways it may still pass.
    pub(crate) hop_limit: u8,
    /// The link that brought it to the network that it is in.
    pub(crate) via: Option<LinkId>,
    pub(crate) body: Body,
}

/// What a packet carries. Bytes are shared, since packets move and are remembered more often than read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Datagram { transport: Transport, payload: Arc<[u8]> },
    Segment(Segment),
    Icmp(Box<IcmpError>),
}

impl Packet {
    pub(crate) const fn protocol(&self) -> Protocol {
        match &self.body {
            Body::Datagram { .. } => Protocol::Udp,
            Body::Segment(_) => Protocol::Tcp,
            Body::Icmp(_) => Protocol::Icmp,
        }
    }

    /// Bytes on the wire from the IP header on.
    pub(crate) fn length(&self) -> usize {
        self.ip_header_length() + self.body.length(self.source.is_ipv6())
    }

    /// The packet as its sender names it.
    pub(crate) const fn five_tuple(&self) -> FiveTuple {
        let transport = match &self.body {
            Body::Datagram { transport, .. } => *transport,
            Body::Segment(_) => Transport::Tcp,
            Body::Icmp(error) => error.five_tuple.transport,
        };
        FiveTuple { transport, local: self.source, remote: self.destination }
    }

    const fn ip_header_length(&self) -> usize {
        if self.source.is_ipv6() { 40 } else { 20 }
    }
}

impl Body {
    fn length(&self, ipv6: bool) -> usize {
        match self {
            Self::Datagram { payload, .. } => UDP_HEADER + payload.len(),
            Self::Segment(segment) => TCP_HEADER + segment.options() + segment.payload.len(),
            Self::Icmp(_) => ICMP_HEADER + if ipv6 { 40 } else { 20 } + UDP_HEADER,
        }
    }
}

/// What hosts and routers put into new packets.
pub(crate) const DEFAULT_HOP_LIMIT: u8 = 64;
const UDP_HEADER: usize = 8;
const TCP_HEADER: usize = 20;
const ICMP_HEADER: usize = 8;
