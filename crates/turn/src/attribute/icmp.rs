use pinhole_stun::attribute::{Attribute, AttributeError, AttributeWrite, ValueWriter};
use pinhole_stun::{AttributeType, TransactionId, WriteError};

use super::front;

/// The ICMP message that answered a relayed datagram (RFC 8656 §18.13). Type and code have eight bits
/// each, as erratum 8901 corrects the figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Icmp {
    /// The type, of ICMP or ICMPv6 according to the peer's family.
    pub kind: u8,
    /// The code.
    pub code: u8,
    /// The MTU of the next hop, where the type tells one; otherwise zero.
    pub data: u32,
}

impl Attribute<'_> for Icmp {
    const KIND: AttributeType = AttributeType::ICMP;

    fn decode(value: &[u8], _: TransactionId) -> Result<Self, AttributeError> {
        let [_, _, kind, code, data @ ..] = front::<Self, 8>(value)?;
        Ok(Self { kind, code, data: u32::from_be_bytes(data) })
    }
}

impl AttributeWrite for Icmp {
    fn kind(&self) -> AttributeType {
        Self::KIND
    }

    fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
        value.put(&[0, 0, self.kind, self.code])?;
        value.put_u32(self.data)
    }
}
