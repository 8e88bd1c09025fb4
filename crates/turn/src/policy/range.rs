use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// The addresses of one family that begin with the same bits: `10.0.0.0/8`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Range {
    network: IpAddr,
    prefix: u8,
}

impl Range {
    /// The range around `address` that shares its first `prefix` bits.
    ///
    /// # Errors
    /// [`RangeError::Prefix`]: more bits than such an address has.
    pub const fn new(address: IpAddr, prefix: u8) -> Result<Self, RangeError> {
        match address {
            IpAddr::V4(address) if prefix <= 32 => Ok(Self::v4(address.to_bits(), prefix)),
            IpAddr::V6(address) if prefix <= 128 => Ok(Self::v6(address.to_bits(), prefix)),
            IpAddr::V4(_) | IpAddr::V6(_) => Err(RangeError::Prefix(prefix)),
        }
    }

    pub(super) const fn v4(bits: u32, prefix: u8) -> Self {
        let network = IpAddr::V4(Ipv4Addr::from_bits(bits & mask_v4(prefix)));
        Self { network, prefix }
    }

    pub(super) const fn v6(bits: u128, prefix: u8) -> Self {
        let network = IpAddr::V6(Ipv6Addr::from_bits(bits & mask_v6(prefix)));
        Self { network, prefix }
    }

    /// Whether the address is in the range. One of the other family never is.
    #[must_use]
    pub const fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                network.to_bits() == address.to_bits() & mask_v4(self.prefix)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                network.to_bits() == address.to_bits() & mask_v6(self.prefix)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

const fn mask_v4(prefix: u8) -> u32 {
    match u32::MAX.checked_shl(32 - prefix as u32) {
        Some(mask) => mask,
        None => 0,
    }
}

const fn mask_v6(prefix: u8) -> u128 {
    match u128::MAX.checked_shl(128 - prefix as u32) {
        Some(mask) => mask,
        None => 0,
    }
}

impl From<IpAddr> for Range {
    /// The range of this address alone.
    fn from(address: IpAddr) -> Self {
        Self { network: address, prefix: if address.is_ipv4() { 32 } else { 128 } }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

impl fmt::Debug for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Range {
    type Err = RangeError;

    /// Reads `address/prefix`, or an address alone. Bits after the prefix have to be zero, so that a
    /// slip of the pen does not open more than was meant.
    fn from_str(text: &str) -> Result<Self, RangeError> {
        let Some((address, prefix)) = text.split_once('/') else {
            return text
                .parse()
                .map(|address: IpAddr| address.into())
                .map_err(|_| RangeError::Text);
        };
        let address: IpAddr = address.parse().map_err(|_| RangeError::Text)?;
        let prefix = prefix.parse().map_err(|_| RangeError::Text)?;
        let range = Self::new(address, prefix)?;
        if range.network == address { Ok(range) } else { Err(RangeError::HostBits(prefix)) }
    }
}

/// Why a text is no range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RangeError {
    /// Neither an address nor an address, a slash and a number.
    #[error("a range is written as an address, or as address/prefix")]
    Text,
    /// More bits than the address has.
    #[error("a prefix of {0} bits is longer than the address")]
    Prefix(u8),
    /// The address goes on after the prefix.
    #[error("the address has bits set after the first {0}")]
    HostBits(u8),
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn a_range_prints_as_it_is_written() {
        for text in ["10.0.0.0/8", "0.0.0.0/0", "::/0", "2001:db8::/32", "::1/128"] {
            assert_eq!(text.parse::<Range>().unwrap().to_string(), text);
        }
        assert_eq!("192.0.2.1".parse::<Range>().unwrap().to_string(), "192.0.2.1/32");
    }

    #[test]
    fn a_slip_of_the_pen_is_refused() {
        assert_eq!("10.0.0.1/8".parse::<Range>(), Err(RangeError::HostBits(8)));
        assert_eq!("10.0.0.0/33".parse::<Range>(), Err(RangeError::Prefix(33)));
        for text in ["", "10.0.0.0/", "10.0.0/8", "/8", "10.0.0.0/8/8", "::/-1"] {
            assert_eq!(text.parse::<Range>(), Err(RangeError::Text), "{text}");
        }
    }
}
