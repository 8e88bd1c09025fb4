use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Attribute, AttributeError, AttributeWrite, ValueWriter};
use crate::header::{MAGIC_COOKIE, TransactionId};
use crate::reader::Reader;
use crate::registry::AttributeType;
use crate::writer::WriteError;

/// An address family, with the number that STUN gives it (RFC 8489 §14.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// 1: addresses of four bytes.
    Ipv4,
    /// 2: addresses of sixteen bytes.
    Ipv6,
}

impl Family {
    /// The family of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn value(self) -> u8 {
        match self {
            Self::Ipv4 => 1,
            Self::Ipv6 => 2,
        }
    }

    /// The family with this number.
    #[must_use]
    pub const fn new(value: u8) -> Option<Self> {
        match value {
            1 => Some(Self::Ipv4),
            2 => Some(Self::Ipv6),
            _ => None,
        }
    }
}

/// Declares attributes that wrap a transport address, plain or under XOR.
macro_rules! address_attribute {
    ($($(#[$doc:meta])* $name:ident = $kind:ident, $read:expr, $write:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub SocketAddr);

        impl Attribute<'_> for $name {
            const KIND: AttributeType = AttributeType::$kind;

            fn decode(value: &[u8], id: TransactionId) -> Result<Self, AttributeError> {
                $read(Self::KIND, value, id).map(Self)
            }
        }

        impl AttributeWrite for $name {
            fn kind(&self) -> AttributeType {
                AttributeType::$kind
            }

            fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
                $write(self.0, value)
            }
        }
    )+};
}

address_attribute! {
    /// The source of the request as the server saw it (RFC 8489 §14.2).
    XorMappedAddress = XOR_MAPPED_ADDRESS, read_xor_address, write_xor_address;
    /// The same in clear, for RFC 3489 clients (RFC 8489 §14.1).
    MappedAddress = MAPPED_ADDRESS, read_address, write_address;
    /// The server to try instead (RFC 8489 §14.15).
    AlternateServer = ALTERNATE_SERVER, read_address, write_address;
    /// RFC 3489's name for RESPONSE-ORIGIN (§11.2.5).
    SourceAddress = SOURCE_ADDRESS, read_address, write_address;
    /// RFC 3489's name for OTHER-ADDRESS (§11.2.3).
    ChangedAddress = CHANGED_ADDRESS, read_address, write_address;
    /// Where the response was sent from (RFC 5780 §7.3).
    ResponseOrigin = RESPONSE_ORIGIN, read_address, write_address;
    /// Where a response would come from after "change IP" and "change port" (RFC 5780 §7.4).
    OtherAddress = OTHER_ADDRESS, read_address, write_address;
}

/// Reads an address that is encoded as in MAPPED-ADDRESS (RFC 8489 §14.1).
///
/// # Errors
/// [`AttributeError::Family`] or [`AttributeError::Length`], the latter with `kind`.
pub fn read_address(
    kind: AttributeType,
    value: &[u8],
    _: TransactionId,
) -> Result<SocketAddr, AttributeError> {
    read(kind, value, 0)
}

/// Reads an address that is encoded as in XOR-MAPPED-ADDRESS (RFC 8489 §14.2).
///
/// # Errors
/// As [`read_address`].
pub fn read_xor_address(
    kind: AttributeType,
    value: &[u8],
    id: TransactionId,
) -> Result<SocketAddr, AttributeError> {
    read(kind, value, mask(id))
}

/// Writes an address as in MAPPED-ADDRESS (RFC 8489 §14.1).
///
/// # Errors
/// [`WriteError::Full`].
pub fn write_address(address: SocketAddr, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
    write(address, value, 0)
}

/// Writes an address as in XOR-MAPPED-ADDRESS (RFC 8489 §14.2).
///
/// # Errors
/// [`WriteError::Full`].
pub fn write_xor_address(
    address: SocketAddr,
    value: &mut ValueWriter<'_>,
) -> Result<(), WriteError> {
    let mask = mask(value.transaction_id());
    write(address, value, mask)
}

/// What an address is combined with: the magic cookie and the transaction id. An IPv4 address
/// takes the first 32 bits, a port the first 16.
fn mask(id: TransactionId) -> u128 {
    let [a, b, c, d] = MAGIC_COOKIE.to_be_bytes();
    let [e, f, g, h, i, j, k, l, m, n, o, p] = *id.as_bytes();
    u128::from_be_bytes([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
}

fn first_u32(mask: u128) -> u32 {
    (mask >> 96) as u32
}

fn first_u16(mask: u128) -> u16 {
    (mask >> 112) as u16
}

fn read(kind: AttributeType, value: &[u8], mask: u128) -> Result<SocketAddr, AttributeError> {
    let error = AttributeError::Length { kind, length: value.len() };
    let mut reader = Reader::new(value);
    let [_, family, p0, p1] = reader.array().ok_or(error)?;
    let port = u16::from_be_bytes([p0, p1]) ^ first_u16(mask);
    let address = match (Family::new(family), reader.rest().len()) {
        (Some(Family::Ipv4), 4) => {
            let bits = reader.u32().ok_or(error)? ^ first_u32(mask);
            IpAddr::V4(Ipv4Addr::from_bits(bits))
        }
        (Some(Family::Ipv6), 16) => {
            let bits = reader.array().map(u128::from_be_bytes).ok_or(error)? ^ mask;
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
        _ => return Err(AttributeError::Family(family)),
    };
    Ok(SocketAddr::new(address, port))
}

fn write(address: SocketAddr, value: &mut ValueWriter<'_>, mask: u128) -> Result<(), WriteError> {
    let [p0, p1] = (address.port() ^ first_u16(mask)).to_be_bytes();
    value.put(&[0, Family::of(address.ip()).value(), p0, p1])?;
    match address.ip() {
        IpAddr::V4(address) => value.put_u32(address.to_bits() ^ first_u32(mask)),
        IpAddr::V6(address) => value.put(&(address.to_bits() ^ mask).to_be_bytes()),
    }
}
