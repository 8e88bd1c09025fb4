use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Range;

/// How an IPv6 address carries an IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Embedding {
    /// `::ffff:a.b.c.d` (RFC 4291 §2.5.5.2): the IPv4 address itself, in the words of IPv6.
    Mapped,
    /// `::a.b.c.d` (RFC 4291 §2.5.5.1), deprecated.
    Compatible,
    /// `64:ff9b::a.b.c.d` or `64:ff9b:1::a.b.c.d`, behind a translator (RFC 6052, RFC 8215).
    Nat64,
    /// `2002:aabb:ccdd::/48` (RFC 3056), a tunnel.
    SixToFour,
    /// `2001::/32`, with the client's address inverted in the last 32 bits (RFC 4380), a tunnel.
    Teredo,
    /// An interface identifier of `[02]00:5efe:a.b.c.d` (RFC 5214), a tunnel.
    Isatap,
}

impl Embedding {
    /// Whether packets to such an address may never be relayed, nor its requests be served: "a TURN server
    /// MUST NOT accept Teredo or 6to4 addresses", since tunnels make loops (RFC 8656 §21.4).
    #[must_use]
    pub const fn is_forbidden(self) -> bool {
        matches!(self, Self::SixToFour | Self::Teredo)
    }
}

impl fmt::Display for Embedding {
    /// What its RFC calls it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mapped => "IPv4-mapped",
            Self::Compatible => "IPv4-compatible",
            Self::Nat64 => "NAT64",
            Self::SixToFour => "6to4",
            Self::Teredo => "Teredo",
            Self::Isatap => "ISATAP",
        })
    }
}

/// The address as policies and permissions know it: IPv4-mapped addresses are IPv4 addresses.
#[must_use]
pub const fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The IPv4 address inside, and how it got there.
#[must_use]
pub fn embedded(address: Ipv6Addr) -> Option<(Embedding, Ipv4Addr)> {
    let bits = address.to_bits();
    let last = Ipv4Addr::from_bits((bits & 0xffff_ffff) as u32);
    let is_in = |range: Range| range.contains(IpAddr::V6(address));
    if is_in(MAPPED) {
        Some((Embedding::Mapped, last))
    } else if is_in(COMPATIBLE) && bits > 1 {
        Some((Embedding::Compatible, last))
    } else if is_in(NAT64) || is_in(NAT64_LOCAL) {
        Some((Embedding::Nat64, last))
    } else if is_in(SIX_TO_FOUR) {
        let first = Ipv4Addr::from_bits(((bits >> 80) & 0xffff_ffff) as u32);
        Some((Embedding::SixToFour, first))
    } else if is_in(TEREDO) {
        Some((Embedding::Teredo, Ipv4Addr::from_bits(!last.to_bits())))
    } else if (bits >> 32) & ISATAP_MASK == ISATAP {
        Some((Embedding::Isatap, last))
    } else {
        None
    }
}

const MAPPED: Range = Range::v6(0xffff_0000_0000, 96);
const COMPATIBLE: Range = Range::v6(0, 96);
const NAT64: Range = Range::v6(0x64_ff9b << 96, 96);
/// The local-use prefix, whose networks choose where in it the address stands; RFC 6052 §2.2 has it
/// last in prefixes of 96 bits, which are the usual ones. By default the whole of it is refused.
const NAT64_LOCAL: Range = Range::v6(0x64_ff9b_0001 << 80, 48);
const SIX_TO_FOUR: Range = Range::v6(0x2002 << 112, 16);
const TEREDO: Range = Range::v6(0x2001_0000 << 96, 32);
/// The upper half of the interface identifier, but for its universal/local bit.
const ISATAP: u128 = 0x0000_5efe;
const ISATAP_MASK: u128 = 0xfdff_ffff;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_gives_the_address_back() {
        for (text, embedding) in [
            ("::ffff:192.0.2.33", Embedding::Mapped),
            ("::192.0.2.33", Embedding::Compatible),
            ("64:ff9b::192.0.2.33", Embedding::Nat64),
            ("64:ff9b:1:fffe::192.0.2.33", Embedding::Nat64),
            ("2002:c000:221::1", Embedding::SixToFour),
            ("2001:0:4136:e378:8000:63bf:3fff:fdde", Embedding::Teredo),
            ("fe80::5efe:192.0.2.33", Embedding::Isatap),
            ("2001:db8::200:5efe:c000:221", Embedding::Isatap),
        ] {
            let expected = Some((embedding, Ipv4Addr::new(192, 0, 2, 33)));
            assert_eq!(embedded(text.parse().unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn ordinary_addresses_embed_nothing() {
        for text in ["::", "::1", "2001:db8::1", "fe80::1", "2600::5eff:c000:221", "64:ff9c::1"] {
            assert_eq!(embedded(text.parse().unwrap()), None, "{text}");
        }
    }
}
