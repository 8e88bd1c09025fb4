use pinhole_stun::attribute::{Attribute, AttributeError, AttributeWrite, ValueWriter};
use pinhole_stun::{AttributeType, TransactionId, WriteError};

/// What lets a client take its allocation to another five-tuple (RFC 8016 §5). Empty in the request
/// that asks for one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MobilityTicket<'a>(pub &'a [u8]);

impl<'a> Attribute<'a> for MobilityTicket<'a> {
    const KIND: AttributeType = AttributeType::MOBILITY_TICKET;

    fn decode(value: &'a [u8], _: TransactionId) -> Result<Self, AttributeError> {
        Ok(Self(value))
    }
}

impl AttributeWrite for MobilityTicket<'_> {
    fn kind(&self) -> AttributeType {
        Self::KIND
    }

    fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
        value.put(self.0)
    }
}

impl core::fmt::Debug for MobilityTicket<'_> {
    /// The length only: whoever has a ticket is half-way to the allocation.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "MobilityTicket({} bytes)", self.0.len())
    }
}
