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

impl Icmp {
    /// Whether the message tells an MTU: ICMPv6 "Packet Too Big", ICMP "Fragmentation Needed".
    const fn tells_mtu(self) -> bool {
        matches!((self.kind, self.code), (2, _) | (3, 4))
    }
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
        // "For other ICMPv6 types and ICMPv4 types and codes, the Error Data field MUST be set to zero": a
        // system may tell whatever its sender has written there.
        value.put_u32(if self.tells_mtu() { self.data } else { 0 })
    }
}
