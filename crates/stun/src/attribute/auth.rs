use core::fmt;

use super::{Attribute, AttributeError, AttributeWrite, ValueWriter};
use crate::header::TransactionId;
use crate::reader::Reader;
use crate::registry::AttributeType;
use crate::writer::WriteError;

/// Declares attributes that wrap bytes of any value.
macro_rules! bytes_attribute {
    ($($(#[$doc:meta])* $name:ident = $kind:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a>(pub &'a [u8]);

        impl<'a> Attribute<'a> for $name<'a> {
            const KIND: AttributeType = AttributeType::$kind;

            fn decode(value: &'a [u8], _: TransactionId) -> Result<Self, AttributeError> {
                Ok(Self(value))
            }
        }

        impl AttributeWrite for $name<'_> {
            fn kind(&self) -> AttributeType {
                AttributeType::$kind
            }

            fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
                value.put(self.0)
            }
        }
    )+};
}

bytes_attribute! {
    /// A token that an authorization server issued (RFC 7635 §6.2), opaque to the client.
    AccessToken = ACCESS_TOKEN;
    /// The name of the server that wants a token (RFC 7635 §6.1).
    ThirdPartyAuthorization = THIRD_PARTY_AUTHORIZATION;
}

/// The SHA-256 of user name and realm, instead of the user name (RFC 8489 §14.4); see
/// [`userhash`](crate::userhash).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserHash(pub [u8; 32]);

impl Attribute<'_> for UserHash {
    const KIND: AttributeType = AttributeType::USERHASH;

    fn decode(value: &[u8], _: TransactionId) -> Result<Self, AttributeError> {
        let error = AttributeError::Length { kind: Self::KIND, length: value.len() };
        value.try_into().map(Self).map_err(|_| error)
    }
}

impl AttributeWrite for UserHash {
    fn kind(&self) -> AttributeType {
        Self::KIND
    }

    fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
        value.put(&self.0)
    }
}

impl fmt::Debug for UserHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// How a long-term password becomes a key (RFC 8489 §18.5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Algorithm(u16);

impl Algorithm {
    /// MD5 over user name, realm and password.
    pub const MD5: Self = Self(1);
    /// SHA-256 over the same.
    pub const SHA256: Self = Self(2);

    /// The algorithm with this number, known or not.
    #[must_use]
    pub const fn new(value: u16) -> Self {
        Self(value)
    }

    /// The number in the IANA registry.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.0
    }
}

impl fmt::Debug for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::MD5 => f.write_str("MD5"),
            Self::SHA256 => f.write_str("SHA-256"),
            Self(value) => write!(f, "password algorithm {value}"),
        }
    }
}

/// The algorithm that the server has to use, which has no parameters (RFC 8489 §14.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordAlgorithm(pub Algorithm);

impl Attribute<'_> for PasswordAlgorithm {
    const KIND: AttributeType = AttributeType::PASSWORD_ALGORITHM;

    fn decode(value: &[u8], _: TransactionId) -> Result<Self, AttributeError> {
        let error = AttributeError::Length { kind: Self::KIND, length: value.len() };
        let mut reader = Reader::new(value);
        let algorithm = next_algorithm(&mut reader).ok_or(error)?;
        if reader.is_empty() { Ok(Self(algorithm)) } else { Err(error) }
    }
}

impl AttributeWrite for PasswordAlgorithm {
    fn kind(&self) -> AttributeType {
        Self::KIND
    }

    fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
        value.put_u16(self.0.value())?;
        value.put_u16(0)
    }
}

/// The algorithms that a server offers, the preferred one first (RFC 8489 §14.11): the attribute's
/// value as it stands, since a client has to send it back unchanged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PasswordAlgorithms<'a>(&'a [u8]);

impl PasswordAlgorithms<'static> {
    /// SHA-256, then MD5.
    pub const SHA256_AND_MD5: Self = Self(&[0, 2, 0, 0, 0, 1, 0, 0]);
    /// SHA-256 only.
    pub const SHA256: Self = Self(&[0, 2, 0, 0]);
}

impl<'a> PasswordAlgorithms<'a> {
    /// The algorithms in the list.
    pub fn iter(&self) -> impl Iterator<Item = Algorithm> + use<'a> {
        let mut reader = Reader::new(self.0);
        core::iter::from_fn(move || next_algorithm(&mut reader))
    }

    /// The attribute's value.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

impl<'a> Attribute<'a> for PasswordAlgorithms<'a> {
    const KIND: AttributeType = AttributeType::PASSWORD_ALGORITHMS;

    fn decode(value: &'a [u8], _: TransactionId) -> Result<Self, AttributeError> {
        let mut reader = Reader::new(value);
        while !reader.is_empty() {
            let error = AttributeError::Length { kind: Self::KIND, length: value.len() };
            next_algorithm(&mut reader).ok_or(error)?;
        }
        Ok(Self(value))
    }
}

impl AttributeWrite for PasswordAlgorithms<'_> {
    fn kind(&self) -> AttributeType {
        Self::KIND
    }

    fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
        value.put(self.0)
    }
}

impl fmt::Debug for PasswordAlgorithms<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// An algorithm with its parameters, which none has so far, and their padding, which may be missing
/// at the end of the attribute.
fn next_algorithm(reader: &mut Reader<'_>) -> Option<Algorithm> {
    let algorithm = Algorithm(reader.u16()?);
    let length = usize::from(reader.u16()?);
    reader.take(length)?;
    let padding = length.next_multiple_of(4) - length;
    reader.take(padding.min(reader.rest().len()))?;
    Some(algorithm)
}
