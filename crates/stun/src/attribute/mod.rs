//! The attributes: one type for each, that reads and writes its value.
//!
//! [`Message::get`](crate::Message::get) reads one, [`MessageWriter::attribute`](crate::MessageWriter::attribute)
//! writes one. An attribute that is defined elsewhere implements [`Attribute`] and [`AttributeWrite`],
//! and is then as good as those here.

mod address;
mod auth;
mod discovery;
mod error;
mod ice;
mod text;

pub use address::{
    AlternateServer, ChangedAddress, Family, MappedAddress, OtherAddress, ResponseOrigin,
    SourceAddress, XorMappedAddress, read_address, read_xor_address, write_address,
    write_xor_address,
};
pub use auth::{
    AccessToken, Algorithm, PasswordAlgorithm, PasswordAlgorithms, ThirdPartyAuthorization,
    UserHash,
};
pub use discovery::{CacheTimeout, ChangeRequest, Padding, ResponsePort, TransmitCounter};
pub use error::{ErrorCode, UnknownAttributes, UnknownAttributesOf};
pub use ice::{GoogNomination, IceControlled, IceControlling, Nomination, Priority, UseCandidate};
pub use text::{AlternateDomain, Nonce, Realm, Software, Username};

use crate::header::TransactionId;
use crate::registry::AttributeType;
pub use crate::writer::{AttributeWrite, ValueWriter};

/// A value that can be read from an attribute.
pub trait Attribute<'a>: Sized {
    /// The attribute's type.
    const KIND: AttributeType;

    /// Reads the value, whose length is within the bounds of [`Attribute::KIND`], in a message with
    /// this transaction id.
    ///
    /// # Errors
    /// [`AttributeError`]: no such value exists.
    fn decode(value: &'a [u8], id: TransactionId) -> Result<Self, AttributeError>;
}

/// Why an attribute's value cannot be read. A request that carries one deserves a 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttributeError {
    /// No value of this type has this length.
    #[error("{kind} cannot have {length} bytes")]
    Length {
        /// The attribute's type.
        kind: AttributeType,
        /// The length of its value.
        length: usize,
    },
    /// A text that is not UTF-8, or that has other characters than the attribute allows.
    #[error("{0} is not valid text")]
    Text(AttributeType),
    /// The address family is neither IPv4 (1) nor IPv6 (2), or does not fit the length.
    #[error("address family {0} does not fit")]
    Family(u8),
    /// An error code outside 300 to 699.
    #[error("error class {class} and number {number} make no error code")]
    ErrorCode {
        /// The hundreds, which should be 3 to 6.
        class: u8,
        /// The rest, which should be at most 99.
        number: u8,
    },
}

/// Declares attributes that wrap one big-endian integer.
macro_rules! integer_attribute {
    ($($(#[$doc:meta])* $name:ident($integer:ty) = $kind:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $integer);

        impl $crate::attribute::Attribute<'_> for $name {
            const KIND: $crate::AttributeType = $crate::AttributeType::$kind;

            fn decode(
                value: &[u8],
                _: $crate::TransactionId,
            ) -> Result<Self, $crate::attribute::AttributeError> {
                let error = $crate::attribute::AttributeError::Length {
                    kind: Self::KIND,
                    length: value.len(),
                };
                value.try_into().map(<$integer>::from_be_bytes).map(Self).map_err(|_| error)
            }
        }

        impl $crate::attribute::AttributeWrite for $name {
            fn kind(&self) -> $crate::AttributeType {
                $crate::AttributeType::$kind
            }

            fn write(
                &self,
                value: &mut $crate::attribute::ValueWriter<'_>,
            ) -> Result<(), $crate::WriteError> {
                value.put(&self.0.to_be_bytes())
            }
        }
    )+};
}
pub(crate) use integer_attribute;
