use core::fmt;

use super::{Attribute, AttributeError, AttributeWrite, ValueWriter, integer_attribute};
use crate::header::TransactionId;
use crate::reader::Reader;
use crate::registry::AttributeType;
use crate::writer::WriteError;

integer_attribute! {
    /// How long the server has kept, or will keep, what it knows, in seconds (RFC 5780 §9.1).
    CacheTimeout(u32) = CACHE_TIMEOUT;
}

/// From where the response is to be sent (RFC 5780 §7.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ChangeRequest {
    /// From another address than the request was sent to.
    pub address: bool,
    /// From another port than the request was sent to.
    pub port: bool,
}

impl ChangeRequest {
    const ADDRESS: u32 = 0x4;
    const PORT: u32 = 0x2;
}

impl Attribute<'_> for ChangeRequest {
    const KIND: AttributeType = AttributeType::CHANGE_REQUEST;

    fn decode(value: &[u8], _: TransactionId) -> Result<Self, AttributeError> {
        let error = AttributeError::Length { kind: Self::KIND, length: value.len() };
        let flags = Reader::new(value).u32().ok_or(error)?;
        Ok(Self { address: flags & Self::ADDRESS != 0, port: flags & Self::PORT != 0 })
    }
}

impl AttributeWrite for ChangeRequest {
    fn kind(&self) -> AttributeType {
        Self::KIND
    }

    fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
        let address = if self.address { Self::ADDRESS } else { 0 };
        let port = if self.port { Self::PORT } else { 0 };
        value.put_u32(address | port)
    }
}

/// The port of the client to which the response is to be sent (RFC 5780 §7.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ResponsePort(pub u16);

impl Attribute<'_> for ResponsePort {
    const KIND: AttributeType = AttributeType::RESPONSE_PORT;

    fn decode(value: &[u8], _: TransactionId) -> Result<Self, AttributeError> {
        let error = AttributeError::Length { kind: Self::KIND, length: value.len() };
        Reader::new(value).u16().map(Self).ok_or(error)
    }
}

impl AttributeWrite for ResponsePort {
    fn kind(&self) -> AttributeType {
        Self::KIND
    }

    fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
        value.put_u16(self.0)?;
        value.put_u16(0)
    }
}

/// Bytes that make a message long, to find out whether fragments pass (RFC 5780 §7.6).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Padding<'a>(pub &'a [u8]);

impl<'a> Attribute<'a> for Padding<'a> {
    const KIND: AttributeType = AttributeType::PADDING;

    fn decode(value: &'a [u8], _: TransactionId) -> Result<Self, AttributeError> {
        Ok(Self(value))
    }
}

impl AttributeWrite for Padding<'_> {
    fn kind(&self) -> AttributeType {
        Self::KIND
    }

    fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
        value.put(self.0)
    }
}

impl fmt::Debug for Padding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Padding({} bytes)", self.0.len())
    }
}

/// Which transmission of a request this is, and how many responses it got (RFC 7982 §3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TransmitCounter {
    /// The number of this transmission of the request, from 1.
    pub request: u8,
    /// The number of this response to it, from 1; 0 from a server that does not count.
    pub response: u8,
}

impl Attribute<'_> for TransmitCounter {
    const KIND: AttributeType = AttributeType::TRANSACTION_TRANSMIT_COUNTER;

    fn decode(value: &[u8], _: TransactionId) -> Result<Self, AttributeError> {
        let error = AttributeError::Length { kind: Self::KIND, length: value.len() };
        let [_, _, request, response] = Reader::new(value).array().ok_or(error)?;
        Ok(Self { request, response })
    }
}

impl AttributeWrite for TransmitCounter {
    fn kind(&self) -> AttributeType {
        Self::KIND
    }

    fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
        value.put(&[0, 0, self.request, self.response])
    }
}
