use core::fmt;

use super::{Attribute, AttributeError, AttributeWrite, ValueWriter};
use crate::header::TransactionId;
use crate::reader::Reader;
use crate::registry::AttributeType;
use crate::writer::WriteError;

/// Why a request was refused (RFC 8489 §14.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode<'a> {
    /// 300 to 699.
    pub code: u16,
    /// A text for people; it may be empty.
    pub reason: &'a str,
}

impl ErrorCode<'_> {
    /// This code without a text: what a server sends that wants its answers small.
    #[must_use]
    pub const fn bare(code: u16) -> Self {
        ErrorCode { code, reason: "" }
    }

    /// This code with the text that the IANA registry recommends for it, if it does.
    #[must_use]
    pub const fn registered(code: u16) -> Self {
        let reason = match code {
            300 => "Try Alternate",
            400 => "Bad Request",
            401 => "Unauthenticated",
            403 => "Forbidden",
            405 => "Mobility Forbidden",
            420 => "Unknown Attribute",
            437 => "Allocation Mismatch",
            438 => "Stale Nonce",
            440 => "Address Family not Supported",
            441 => "Wrong Credentials",
            442 => "Unsupported Transport Protocol",
            443 => "Peer Address Family Mismatch",
            446 => "Connection Already Exists",
            447 => "Connection Timeout or Failure",
            486 => "Allocation Quota Reached",
            487 => "Role Conflict",
            500 => "Server Error",
            508 => "Insufficient Capacity",
            _ => "",
        };
        ErrorCode { code, reason }
    }
}

impl<'a> Attribute<'a> for ErrorCode<'a> {
    const KIND: AttributeType = AttributeType::ERROR_CODE;

    fn decode(value: &'a [u8], _: TransactionId) -> Result<Self, AttributeError> {
        let mut reader = Reader::new(value);
        let [_, _, class, number] = reader
            .array()
            .ok_or(AttributeError::Length { kind: Self::KIND, length: value.len() })?;
        let class = class & 0b111;
        if !(3..=6).contains(&class) || number > 99 {
            return Err(AttributeError::ErrorCode { class, number });
        }
        let reason =
            core::str::from_utf8(reader.rest()).map_err(|_| AttributeError::Text(Self::KIND))?;
        Ok(Self { code: u16::from(class) * 100 + u16::from(number), reason })
    }
}

impl AttributeWrite for ErrorCode<'_> {
    fn kind(&self) -> AttributeType {
        Self::KIND
    }

    fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
        if !(300..700).contains(&self.code) {
            return Err(WriteError::ErrorCode(self.code));
        }
        value.put_u16(0)?;
        value.put_u16(((self.code / 100) << 8) | (self.code % 100))?;
        value.put(self.reason.as_bytes())
    }
}

impl fmt::Display for ErrorCode<'_> {
    /// `401 Unauthenticated`, with the registered text where the peer sent none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self.reason {
            "" => ErrorCode::registered(self.code).reason,
            reason => reason,
        };
        write!(f, "{} {}", self.code, reason.escape_debug())
    }
}

/// The comprehension-required attributes that a server did not know (RFC 8489 §14.13), as received.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UnknownAttributes<'a>(&'a [u8]);

impl UnknownAttributes<'_> {
    /// The types in the list.
    pub fn iter(&self) -> impl Iterator<Item = AttributeType> + Clone + use<'_> {
        let (pairs, _) = self.0.as_chunks::<2>();
        pairs.iter().map(|pair| AttributeType::new(u16::from_be_bytes(*pair)))
    }
}

impl<'a> Attribute<'a> for UnknownAttributes<'a> {
    const KIND: AttributeType = AttributeType::UNKNOWN_ATTRIBUTES;

    fn decode(value: &'a [u8], _: TransactionId) -> Result<Self, AttributeError> {
        if value.len().is_multiple_of(2) {
            Ok(Self(value))
        } else {
            Err(AttributeError::Length { kind: Self::KIND, length: value.len() })
        }
    }
}

impl AttributeWrite for UnknownAttributes<'_> {
    fn kind(&self) -> AttributeType {
        Self::KIND
    }

    fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
        value.put(self.0)
    }
}

impl fmt::Debug for UnknownAttributes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// UNKNOWN-ATTRIBUTES to be written, from wherever the types come:
/// [`Message::unknown_required`](crate::Message::unknown_required), or a slice.
#[derive(Clone, Copy, Debug)]
pub struct UnknownAttributesOf<I>(pub I);

impl<I: Iterator<Item = AttributeType> + Clone> AttributeWrite for UnknownAttributesOf<I> {
    fn kind(&self) -> AttributeType {
        AttributeType::UNKNOWN_ATTRIBUTES
    }

    fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
        self.0.clone().try_for_each(|kind| value.put_u16(kind.value()))
    }
}
