use pinhole_stun::attribute::{Attribute, AttributeError, AttributeWrite, ValueWriter};
use pinhole_stun::{AttributeType, TransactionId, WriteError};

use super::front;
use crate::ChannelNumber;

/// CHANNEL-NUMBER as it stands on the wire (RFC 8656 §18.1); [`Channel::number`] tells whether there
/// is such a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(pub u16);

impl Channel {
    /// The channel number, if it is in range.
    #[must_use]
    pub const fn number(self) -> Option<ChannelNumber> {
        ChannelNumber::new(self.0)
    }
}

impl From<ChannelNumber> for Channel {
    fn from(number: ChannelNumber) -> Self {
        Self(number.value())
    }
}

impl Attribute<'_> for Channel {
    const KIND: AttributeType = AttributeType::CHANNEL_NUMBER;

    fn decode(value: &[u8], _: TransactionId) -> Result<Self, AttributeError> {
        front::<Self, 2>(value).map(u16::from_be_bytes).map(Self)
    }
}

impl AttributeWrite for Channel {
    fn kind(&self) -> AttributeType {
        Self::KIND
    }

    fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
        value.put_u16(self.0)?;
        value.put_u16(0)
    }
}
