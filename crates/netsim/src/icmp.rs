use std::fmt;
use std::net::IpAddr;

use pinhole_sansio::FiveTuple;

/// An ICMP error that came back for a packet, as a socket's error queue tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpError {
    /// What went wrong.
    pub kind: IcmpKind,
    /// Who says so: a router, a gateway or the destination itself.
    pub reporter: IpAddr,
    /// The packet that could not be delivered, with the addresses that its sender gave it.
    pub five_tuple: FiveTuple,
}

/// Why a packet was not delivered (RFC 792, RFC 4443).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IcmpKind {
    /// No route to the destination's network.
    NetworkUnreachable,
    /// The destination's network has no such host.
    HostUnreachable,
    /// Nobody listens on the destination port.
    PortUnreachable,
    /// A firewall refuses.
    Prohibited,
    /// The packet exceeds the MTU of a link and may not be fragmented.
    PacketTooBig {
        /// The largest packet, in bytes with its IP header, that the link carries.
        mtu: u16,
    },
    /// The hop limit ran out.
    TimeExceeded,
}

impl IcmpKind {
    /// Type and code in the ICMP header (RFC 792, RFC 1191, RFC 1812 §5.2.7.1).
    #[must_use]
    pub const fn v4_type_and_code(self) -> (u8, u8) {
        match self {
            Self::NetworkUnreachable => (3, 0),
            Self::HostUnreachable => (3, 1),
            Self::PortUnreachable => (3, 3),
            Self::PacketTooBig { .. } => (3, 4),
            Self::Prohibited => (3, 13),
            Self::TimeExceeded => (11, 0),
        }
    }

    /// Type and code in the ICMPv6 header (RFC 4443 §3).
    #[must_use]
    pub const fn v6_type_and_code(self) -> (u8, u8) {
        match self {
            Self::NetworkUnreachable => (1, 0),
            Self::Prohibited => (1, 1),
            Self::HostUnreachable => (1, 3),
            Self::PortUnreachable => (1, 4),
            Self::PacketTooBig { .. } => (2, 0),
            Self::TimeExceeded => (3, 0),
        }
    }
}

impl fmt::Display for IcmpKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NetworkUnreachable => f.write_str("network unreachable"),
            Self::HostUnreachable => f.write_str("host unreachable"),
            Self::PortUnreachable => f.write_str("port unreachable"),
            Self::Prohibited => f.write_str("administratively prohibited"),
            Self::PacketTooBig { mtu } => write!(f, "packet too big for mtu {mtu}"),
            Self::TimeExceeded => f.write_str("hop limit exceeded"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_codes_are_those_of_the_registries() {
        let table = [
            (IcmpKind::NetworkUnreachable, (3, 0), (1, 0)),
            (IcmpKind::HostUnreachable, (3, 1), (1, 3)),
            (IcmpKind::PortUnreachable, (3, 3), (1, 4)),
            (IcmpKind::Prohibited, (3, 13), (1, 1)),
            (IcmpKind::PacketTooBig { mtu: 1_280 }, (3, 4), (2, 0)),
            (IcmpKind::TimeExceeded, (11, 0), (3, 0)),
        ];
        for (kind, v4, v6) in table {
            assert_eq!((kind.v4_type_and_code(), kind.v6_type_and_code()), (v4, v6), "{kind}");
        }
    }
}
