//! Answers that every server gives alike.

use crate::attribute::{ErrorCode, UnknownAttributesOf};
use crate::header::Class;
use crate::message::Message;
use crate::registry::AttributeType;
use crate::writer::{MessageWriter, WriteError};

/// Begins an error response with this code; the caller adds what belongs to it, the integrity and
/// FINGERPRINT (RFC 8489 §6.3.1.1).
///
/// # Errors
/// [`WriteError`].
pub fn error<'b>(
    request: &Message<'_>,
    code: ErrorCode<'_>,
    buffer: &'b mut [u8],
) -> Result<MessageWriter<'b>, WriteError> {
    let mut writer = MessageWriter::response_to(request, Class::ErrorResponse, buffer)?;
    writer.attribute(&code)?;
    Ok(writer)
}

/// Begins the 420 that answers a request with `unknown` comprehension-required attributes, as
/// [`Message::unknown_required`] finds them (RFC 8489 §6.3.1).
///
/// # Errors
/// [`WriteError`].
pub fn unknown_attributes<'b>(
    request: &Message<'_>,
    unknown: impl Iterator<Item = AttributeType> + Clone,
    buffer: &'b mut [u8],
) -> Result<MessageWriter<'b>, WriteError> {
    let mut writer = error(request, ErrorCode::bare(420), buffer)?;
    writer.attribute(&UnknownAttributesOf(unknown))?;
    Ok(writer)
}
