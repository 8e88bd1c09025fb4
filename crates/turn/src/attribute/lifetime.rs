use core::time::Duration;

use pinhole_stun::attribute::{Attribute, AttributeError, AttributeWrite, ValueWriter};
use pinhole_stun::{AttributeType, TransactionId, WriteError};

use super::front;

/// How long an allocation lives without a refresh, in whole seconds (RFC 8656 §18.2). Zero ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lifetime(pub Duration);

impl Attribute<'_> for Lifetime {
    const KIND: AttributeType = AttributeType::LIFETIME;

    fn decode(value: &[u8], _: TransactionId) -> Result<Self, AttributeError> {
        let seconds = front::<Self, 4>(value).map(u32::from_be_bytes)?;
        Ok(Self(Duration::from_secs(seconds.into())))
    }
}

impl AttributeWrite for Lifetime {
    fn kind(&self) -> AttributeType {
        Self::KIND
    }

    fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
        value.put_u32(u32::try_from(self.0.as_secs()).unwrap_or(u32::MAX))
    }
}
