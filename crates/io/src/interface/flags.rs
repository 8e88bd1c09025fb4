//! What the system knows about IPv6 addresses beyond their bits.

use std::net::Ipv6Addr;

/// How an IPv6 address stands (RFC 4862 §5.5.4, RFC 8981 §3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    /// Made up for a while, so that its owner cannot be followed.
    pub(super) is_temporary: bool,
    /// Not to be used for what begins now.
    pub(super) is_deprecated: bool,
    /// Not known to be unique yet, or known not to be: it cannot be bound.
    pub(super) is_tentative: bool,
}

/// Nothing where the system has no table of the kind that Linux has.
pub(super) fn of_ipv6_addresses() -> Vec<(Ipv6Addr, Flags)> {
    let table = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    table.lines().filter_map(parse).collect()
}

/// `address index prefix scope flags name`, in hexadecimal.
fn parse(line: &str) -> Option<(Ipv6Addr, Flags)> {
    let mut fields = line.split_ascii_whitespace();
    let address = u128::from_str_radix(fields.next()?, 16).ok()?;
    let flags = u32::from_str_radix(fields.nth(3)?, 16).ok()?;
    let flags = Flags {
        is_temporary: flags & TEMPORARY != 0,
        is_deprecated: flags & DEPRECATED != 0,
        is_tentative: flags & (TENTATIVE | DAD_FAILED) != 0,
    };
    Some((Ipv6Addr::from_bits(address), flags))
}

/// `IFA_F_…` of Linux's `if_addr.h`.
const TEMPORARY: u32 = 0x01;
const DAD_FAILED: u32 = 0x08;
const DEPRECATED: u32 = 0x20;
const TENTATIVE: u32 = 0x40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_is_read_and_what_is_no_line_of_it_is_passed_over() {
        let line = "20010db8000000000000000000000001 04 40 00 21     eth0";
        let flags = Flags { is_temporary: true, is_deprecated: true, is_tentative: false };
        let address: Ipv6Addr = "2001:db8::1".parse().expect("an address");
        assert_eq!(parse(line), Some((address, flags)));
        assert_eq!(
            parse("fe800000000000000000000000000001 04 40 20 80 eth0").unwrap().1,
            Flags::default()
        );
        for line in ["", "xyz 04 40 00 21 eth0", "20010db8000000000000000000000001 04 40"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
