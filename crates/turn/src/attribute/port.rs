use core::fmt;

use pinhole_stun::attribute::{Attribute, AttributeError, AttributeWrite, ValueWriter};
use pinhole_stun::{AttributeType, TransactionId, WriteError};

use super::front;

/// The relayed port shall be even (RFC 8656 §18.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EvenPort {
    /// The R bit: reserve the next-higher port, and hand out a token for it.
    pub reserve_next: bool,
}

/// The R bit of EVEN-PORT.
const RESERVE: u8 = 0x80;

impl Attribute<'_> for EvenPort {
    const KIND: AttributeType = AttributeType::EVEN_PORT;

    fn decode(value: &[u8], _: TransactionId) -> Result<Self, AttributeError> {
        let [flags] = front::<Self, 1>(value)?;
        Ok(Self { reserve_next: flags & RESERVE != 0 })
    }
}

impl AttributeWrite for EvenPort {
    fn kind(&self) -> AttributeType {
        Self::KIND
    }

    fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
        value.put_u8(if self.reserve_next { RESERVE } else { 0 })
    }
}

/// Names a relayed transport address that the server holds back for the bearer (RFC 8656 §18.10).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReservationToken(pub [u8; 8]);

impl Attribute<'_> for ReservationToken {
    const KIND: AttributeType = AttributeType::RESERVATION_TOKEN;

    fn decode(value: &[u8], _: TransactionId) -> Result<Self, AttributeError> {
        front::<Self, 8>(value).map(Self)
    }
}

impl AttributeWrite for ReservationToken {
    fn kind(&self) -> AttributeType {
        Self::KIND
    }

    fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
        value.put(&self.0)
    }
}

impl fmt::Debug for ReservationToken {
    /// Nothing of the token, which is as good as the port.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReservationToken(..)")
    }
}
