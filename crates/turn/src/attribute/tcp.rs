use pinhole_stun::attribute::{Attribute, AttributeError, AttributeWrite, ValueWriter};
use pinhole_stun::{AttributeType, TransactionId, WriteError};

use super::front;

/// Names a TCP connection between the server and a peer (RFC 6062 §6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u32);

impl Attribute<'_> for ConnectionId {
    const KIND: AttributeType = AttributeType::CONNECTION_ID;

    fn decode(value: &[u8], _: TransactionId) -> Result<Self, AttributeError> {
        front::<Self, 4>(value).map(u32::from_be_bytes).map(Self)
    }
}

impl AttributeWrite for ConnectionId {
    fn kind(&self) -> AttributeType {
        Self::KIND
    }

    fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
        value.put_u32(self.0)
    }
}
