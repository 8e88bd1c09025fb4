//! Peers of RFC 3489, which know no magic cookie (RFC 8489 §11, RFC 5389 §12).
//!
//! A server that wants to serve them asks [`Request::parse`] after [`Message::parse`](crate::Message::parse)
//! has failed with [`ParseError::Cookie`](crate::ParseError::Cookie). Nothing here happens by itself.

use core::net::SocketAddr;

use crate::attribute::{Attribute, ChangeRequest, ChangedAddress, MappedAddress, SourceAddress};
use crate::header::{Class, MAGIC_COOKIE, Method, TransactionId};
use crate::reader::Reader;
use crate::registry::AttributeType;
use crate::writer::{MessageWriter, WriteError};

/// A Binding request of RFC 3489.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    cookie: [u8; 4],
    id: TransactionId,
    change: ChangeRequest,
}

/// What a Binding response of RFC 3489 says (§11.2). Its addresses are IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// MAPPED-ADDRESS: the source of the request.
    pub mapped: SocketAddr,
    /// SOURCE-ADDRESS: where this response is sent from.
    pub source: Option<SocketAddr>,
    /// CHANGED-ADDRESS: where it would be sent from after "change IP" and "change port".
    pub changed: Option<SocketAddr>,
}

impl Request {
    /// Reads a Binding request without the magic cookie; `None` if the bytes are not one, or one that
    /// deserves no answer: with USERNAME and MESSAGE-INTEGRITY, since nobody issues shared secrets
    /// (RFC 3489 §9.3) any more, or with RESPONSE-ADDRESS, which would send the answer to somebody
    /// else.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let (kind, length) = (reader.u16()?, reader.u16()?);
        let (cookie, id) = (reader.array()?, reader.array().map(TransactionId::new)?);
        let is_binding = kind == 0x0001 && usize::from(length) == reader.rest().len();
        if !is_binding || u32::from_be_bytes(cookie) == MAGIC_COOKIE {
            return None;
        }
        let mut request = Self { cookie, id, change: ChangeRequest::default() };
        while !reader.is_empty() {
            let kind = AttributeType::new(reader.u16()?);
            let length = usize::from(reader.u16()?);
            let value = reader.take(length)?;
            if kind == AttributeType::CHANGE_REQUEST {
                request.change = ChangeRequest::decode(value, id).ok()?;
            } else if kind.is_comprehension_required() {
                return None;
            }
        }
        Some(request)
    }

    /// From where the response is to be sent.
    #[must_use]
    pub const fn change(&self) -> ChangeRequest {
        self.change
    }

    /// Writes the response, with the sixteen bytes that were the transaction id then.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn respond<'b>(
        &self,
        response: &Response,
        buffer: &'b mut [u8],
    ) -> Result<&'b [u8], WriteError> {
        let mut writer =
            MessageWriter::new(buffer, Class::SuccessResponse, Method::BINDING, self.id)?;
        writer.attribute(&MappedAddress(response.mapped))?;
        if let Some(source) = response.source {
            writer.attribute(&SourceAddress(source))?;
        }
        if let Some(changed) = response.changed {
            writer.attribute(&ChangedAddress(changed))?;
        }
        writer.replace_cookie(self.cookie);
        Ok(writer.finish())
    }
}

/// What an error code means for whoever received it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Advice {
    /// Send the request again, after what the code asks for.
    Retry,
    /// The same server will say the same again.
    GiveUp,
}

/// Classifies the error codes that RFC 3489 had and RFC 8489 has not; `None` for any other.
///
/// 430 (stale credentials), 431 (integrity check failure) and 432 (missing user name) can be retried
/// with other or with any credentials, 433 (use TLS) elsewhere; "any attributes between 600 and 699
/// are treated like a 600", which is final (RFC 3489 §9.4, §11.2.9).
#[must_use]
pub const fn advice(code: u16) -> Option<Advice> {
    match code {
        430..=433 => Some(Advice::Retry),
        600..=699 => Some(Advice::GiveUp),
        _ => None,
    }
}
