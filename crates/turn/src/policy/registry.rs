//! The IANA registries of special-purpose addresses (RFC 6890), as one table.

use core::fmt;
use core::net::IpAddr;

use super::Range;

/// One row: a block of addresses and what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Special {
    /// The block.
    pub range: Range,
    /// What it is.
    pub name: &'static str,
    /// The RFC that says so.
    pub rfc: u16,
    /// Whether a policy without rules relays there: where a translator is, whose IPv4 addresses are judged in
    /// turn. Nowhere else, whatever the registry's column "Globally Reachable" says: nobody's peer is there, but
    /// the nearest port control or TURN server may be, which is that of the server's own network (RFC 7723,
    /// RFC 8155).
    pub allowed: bool,
}

impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {} (RFC {})", self.range, self.name, self.rfc)
    }
}

/// The row of the most specific block that holds the address, if one does.
#[must_use]
pub fn special_purpose(address: IpAddr) -> Option<&'static Special> {
    SPECIAL_PURPOSE.iter().find(|special| special.range.contains(address))
}

const fn v4([a, b, c, d]: [u8; 4], prefix: u8, name: &'static str, rfc: u16) -> Special {
    let range = Range::v4(u32::from_be_bytes([a, b, c, d]), prefix);
    Special { range, name, rfc, allowed: false }
}

/// `high` are the first 64 bits.
const fn v6(high: u64, prefix: u8, name: &'static str, rfc: u16) -> Special {
    let range = Range::v6((high as u128) << 64, prefix);
    Special { range, name, rfc, allowed: false }
}

/// Both registries, and the blocks beside them that are no global unicast addresses. A block stands
/// before the wider block that contains it.
pub const SPECIAL_PURPOSE: &[Special] = &[
    v4([0, 0, 0, 0], 8, "this network", 791),
    v4([10, 0, 0, 0], 8, "private use", 1918),
    v4([100, 64, 0, 0], 10, "shared address space", 6598),
    v4([127, 0, 0, 0], 8, "loopback", 1122),
    v4([169, 254, 0, 0], 16, "link local", 3927),
    v4([172, 16, 0, 0], 12, "private use", 1918),
    v4([192, 0, 0, 9], 32, "port control protocol anycast", 7723),
    v4([192, 0, 0, 10], 32, "TURN anycast", 8155),
    v4([192, 0, 0, 0], 24, "IETF protocol assignments", 6890),
    v4([192, 0, 2, 0], 24, "documentation", 5737),
    v4([192, 31, 196, 0], 24, "AS112", 7535),
    v4([192, 52, 193, 0], 24, "automatic multicast tunneling", 7450),
    v4([192, 88, 99, 0], 24, "6to4 relay anycast", 7526),
    v4([192, 168, 0, 0], 16, "private use", 1918),
    v4([192, 175, 48, 0], 24, "AS112", 7534),
    v4([198, 18, 0, 0], 15, "benchmarking", 2544),
    v4([198, 51, 100, 0], 24, "documentation", 5737),
    v4([203, 0, 113, 0], 24, "documentation", 5737),
    v4([224, 0, 0, 0], 4, "multicast", 5771),
    v4([255, 255, 255, 255], 32, "limited broadcast", 8190),
    v4([240, 0, 0, 0], 4, "reserved", 1112),
    Special {
        range: Range::v6(0, 128),
        name: "the unspecified address",
        rfc: 4291,
        allowed: false,
    },
    Special { range: Range::v6(1, 128), name: "loopback", rfc: 4291, allowed: false },
    Special { range: Range::v6(0, 96), name: "IPv4-compatible", rfc: 4291, allowed: false },
    Special {
        range: Range::v6(0x64_ff9b << 96, 96),
        name: "IPv4-IPv6 translation",
        rfc: 6052,
        allowed: true,
    },
    v6(0x0064_ff9b_0001_0000, 48, "local IPv4-IPv6 translation", 8215),
    v6(0x0100_0000_0000_0000, 64, "discard only", 6666),
    v6(0x0100_0000_0000_0001, 64, "dummy prefix", 9780),
    v6(0x2001_0000_0000_0000, 32, "Teredo", 4380),
    v6(0x2001_0002_0000_0000, 48, "benchmarking", 5180),
    v6(0x2001_0003_0000_0000, 32, "automatic multicast tunneling", 7450),
    v6(0x2001_0004_0112_0000, 48, "AS112", 7535),
    v6(0x2001_0020_0000_0000, 28, "ORCHIDv2", 7343),
    v6(0x2001_0030_0000_0000, 28, "drone remote identification", 9374),
    v6(0x2001_0000_0000_0000, 23, "IETF protocol assignments", 2928),
    v6(0x2001_0db8_0000_0000, 32, "documentation", 3849),
    v6(0x2002_0000_0000_0000, 16, "6to4", 3056),
    v6(0x2620_004f_8000_0000, 48, "AS112", 7534),
    v6(0x3fff_0000_0000_0000, 20, "documentation", 9637),
    v6(0x5f00_0000_0000_0000, 16, "segment routing", 9602),
    v6(0xfc00_0000_0000_0000, 7, "unique local", 4193),
    v6(0xfe80_0000_0000_0000, 10, "link local", 4291),
    v6(0xfec0_0000_0000_0000, 10, "site local", 3879),
    v6(0xff00_0000_0000_0000, 8, "multicast", 4291),
    v6(0x0000_0000_0000_0000, 3, "no global unicast", 4291),
    v6(0x4000_0000_0000_0000, 2, "no global unicast", 4291),
    v6(0x8000_0000_0000_0000, 1, "no global unicast", 4291),
];
