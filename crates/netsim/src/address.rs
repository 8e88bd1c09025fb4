use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A block of addresses: `192.168.1.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    first: IpAddr,
    length: u8,
}

impl Prefix {
    /// The block of all addresses that share the first `length` bits of `address`.
    ///
    /// # Panics
    ///
    /// When `length` exceeds 32 bits of IPv4 or 128 bits of IPv6.
    #[must_use]
    pub fn new(address: IpAddr, length: u8) -> Self {
        let bits = width(address);
        assert!(length <= bits, "prefix length {length} exceeds the {bits} bits of {address}");
        let block = Self { first: address, length };
        Self { first: from_number(address, number(address) & block.mask()), length }
    }

    /// Whether `address` lies in the block.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4()
            && number(address) & self.mask() == number(self.first)
    }

    /// The address `offset` after the first one, if the block has it.
    #[must_use]
    pub fn nth(&self, offset: u32) -> Option<IpAddr> {
        let address = from_number(self.first, number(self.first).wrapping_add(u128::from(offset)));
        self.contains(address).then_some(address)
    }

    fn mask(&self) -> u128 {
        let host_bits = width(self.first) - self.length;
        u128::MAX.checked_shl(u32::from(host_bits)).unwrap_or(0)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.length)
    }
}

/// Which addresses a host asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Family {
    /// One IPv4 address.
    #[default]
    V4,
    /// One IPv6 address.
    V6,
    /// One of each.
    Dual,
}

impl Family {
    /// The families of `addresses`.
    pub(crate) fn of(addresses: &[IpAddr]) -> Self {
        match (addresses.iter().any(IpAddr::is_ipv4), addresses.iter().any(IpAddr::is_ipv6)) {
            (true, true) => Self::Dual,
            (false, true) => Self::V6,
            (_, false) => Self::V4,
        }
    }

    pub(crate) const fn has_v4(self) -> bool {
        matches!(self, Self::V4 | Self::Dual)
    }

    pub(crate) const fn has_v6(self) -> bool {
        matches!(self, Self::V6 | Self::Dual)
    }
}

/// Hands out the addresses of one block in ascending order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pool {
    pub(crate) prefix: Prefix,
    next: u32,
}

impl Pool {
    /// Keeps the block's first address, and `.1` for the router.
    pub(crate) const fn new(prefix: Prefix) -> Self {
        Self { prefix, next: 2 }
    }

    pub(crate) fn router(&self) -> IpAddr {
        self.prefix.nth(1).unwrap_or(self.prefix.first)
    }

    pub(crate) fn take(&mut self) -> Option<IpAddr> {
        let address = self.prefix.nth(self.next);
        self.next += 1;
        address
    }
}

const fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn from_number(like: IpAddr, number: u128) -> IpAddr {
    match like {
        IpAddr::V4(_) => Ipv4Addr::from_bits((number & u128::from(u32::MAX)) as u32).into(),
        IpAddr::V6(_) => Ipv6Addr::from_bits(number).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(address: &str, length: u8) -> Prefix {
        Prefix::new(address.parse().unwrap(), length)
    }

    #[test]
    fn a_block_contains_its_addresses_and_no_others() {
        let block = prefix("192.168.7.9", 24);
        assert_eq!(block.to_string(), "192.168.7.0/24");
        assert!(block.contains("192.168.7.255".parse().unwrap()));
        assert!(!block.contains("192.168.8.0".parse().unwrap()));
        assert!(!block.contains("::192.168.7.1".parse().unwrap()));
        assert!(prefix("::", 0).contains("ffff::1".parse().unwrap()));
        assert!(prefix("10.0.0.1", 32).contains("10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn addresses_are_counted_within_the_block() {
        let block = prefix("2001:db8:1::", 64);
        assert_eq!(block.nth(10).unwrap().to_string(), "2001:db8:1::a");
        assert_eq!(prefix("10.0.0.0", 30).nth(3).unwrap().to_string(), "10.0.0.3");
        assert_eq!(prefix("10.0.0.0", 30).nth(4), None);
    }
}
