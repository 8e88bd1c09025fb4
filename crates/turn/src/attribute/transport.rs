use pinhole_stun::attribute::{Attribute, AttributeError, AttributeWrite, ValueWriter};
use pinhole_stun::{AttributeType, TransactionId, WriteError};

use super::front;

/// The protocol between the server and the peers, by its IP protocol number (RFC 8656 §18.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestedTransport(pub u8);

impl RequestedTransport {
    /// 17: datagrams.
    pub const UDP: Self = Self(17);
    /// 6: connections (RFC 6062 §4.1).
    pub const TCP: Self = Self(6);
}

impl Attribute<'_> for RequestedTransport {
    const KIND: AttributeType = AttributeType::REQUESTED_TRANSPORT;

    fn decode(value: &[u8], _: TransactionId) -> Result<Self, AttributeError> {
        front::<Self, 1>(value).map(|[protocol]| Self(protocol))
    }
}

impl AttributeWrite for RequestedTransport {
    fn kind(&self) -> AttributeType {
        Self::KIND
    }

    fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
        value.put(&[self.0, 0, 0, 0])
    }
}

/// The datagram to the peer shall carry the DF bit; in an Allocate request: whether the server can do
/// that (RFC 8656 §18.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DontFragment;

impl Attribute<'_> for DontFragment {
    const KIND: AttributeType = AttributeType::DONT_FRAGMENT;

    fn decode(_: &[u8], _: TransactionId) -> Result<Self, AttributeError> {
        Ok(Self)
    }
}

impl AttributeWrite for DontFragment {
    fn kind(&self) -> AttributeType {
        Self::KIND
    }

    fn write(&self, _: &mut ValueWriter<'_>) -> Result<(), WriteError> {
        Ok(())
    }
}
