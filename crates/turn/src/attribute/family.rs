use pinhole_stun::attribute::{
    Attribute, AttributeError, AttributeWrite, ErrorCode, Family, ValueWriter,
};
use pinhole_stun::{AttributeType, TransactionId, WriteError};

use super::front;

/// Declares attributes that name an address family. One that is neither IPv4 nor IPv6 reads as
/// [`AttributeError::Family`], which deserves a 440.
macro_rules! family {
    ($($(#[$doc:meta])* $name:ident = $kind:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Family);

        impl Attribute<'_> for $name {
            const KIND: AttributeType = AttributeType::$kind;

            fn decode(value: &[u8], _: TransactionId) -> Result<Self, AttributeError> {
                let [family] = front::<Self, 1>(value)?;
                Family::new(family).map(Self).ok_or(AttributeError::Family(family))
            }
        }

        impl AttributeWrite for $name {
            fn kind(&self) -> AttributeType {
                AttributeType::$kind
            }

            fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
                value.put(&[self.0.value(), 0, 0, 0])
            }
        }
    )+};
}

family! {
    /// The family of the relayed address that the client wants (RFC 8656 §18.6).
    RequestedAddressFamily = REQUESTED_ADDRESS_FAMILY;
    /// Besides an IPv4 address, one of this family, which can only be IPv6 (RFC 8656 §18.11).
    AdditionalAddressFamily = ADDITIONAL_ADDRESS_FAMILY;
}

/// Why a dual allocation has no address of one family (RFC 8656 §18.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressErrorCode<'a> {
    /// The family that is missing.
    pub family: Family,
    /// 440 (not supported) or 508 (no capacity).
    pub error: ErrorCode<'a>,
}

impl<'a> Attribute<'a> for AddressErrorCode<'a> {
    const KIND: AttributeType = AttributeType::ADDRESS_ERROR_CODE;

    fn decode(value: &'a [u8], id: TransactionId) -> Result<Self, AttributeError> {
        let [family] = front::<Self, 1>(value)?;
        let family = Family::new(family).ok_or(AttributeError::Family(family))?;
        // After the family's byte the value is that of ERROR-CODE, which ignores that byte.
        Ok(Self { family, error: ErrorCode::decode(value, id)? })
    }
}

impl AttributeWrite for AddressErrorCode<'_> {
    fn kind(&self) -> AttributeType {
        Self::KIND
    }

    fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
        let ErrorCode { code, reason } = self.error;
        let class = u8::try_from(code / 100).ok().filter(|class| (3..=6).contains(class));
        let class = class.ok_or(WriteError::ErrorCode(code))?;
        value.put(&[self.family.value(), 0, class])?;
        value.put_u8((code % 100) as u8)?;
        value.put(reason.as_bytes())
    }
}
