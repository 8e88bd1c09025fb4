use pinhole_stun::attribute::{Attribute, AttributeError, AttributeWrite, ValueWriter};
use pinhole_stun::{AttributeType, TransactionId, WriteError};

/// What is relayed, in Send and Data indications (RFC 8656 §18.4). It may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<'a>(pub &'a [u8]);

impl<'a> Attribute<'a> for Data<'a> {
    const KIND: AttributeType = AttributeType::DATA;

    fn decode(value: &'a [u8], _: TransactionId) -> Result<Self, AttributeError> {
        Ok(Self(value))
    }
}

impl AttributeWrite for Data<'_> {
    fn kind(&self) -> AttributeType {
        Self::KIND
    }

    fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
        value.put(self.0)
    }
}
