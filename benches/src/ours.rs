//! pinhole-stun.

use pinhole_stun::attribute::{IceControlled, Priority, UseCandidate, Username, XorMappedAddress};
use pinhole_stun::{Class, IntegrityKey, Message, MessageWriter, Method, TransactionId};

use crate::Check;

/// Parse a check, and read what it says.
pub fn parse(bytes: &[u8]) -> Option<Check> {
    let message = Message::parse_structure(bytes).ok()?;
    read(&message)
}

/// Parse a check, FINGERPRINT and integrity included, and read what it says.
pub fn verify(bytes: &[u8], key: &IntegrityKey) -> Option<Check> {
    let message = Message::parse(bytes).ok()?;
    message.verify(key).ok()?;
    read(&message)
}

fn read(message: &Message<'_>) -> Option<Check> {
    Some(Check {
        username: message.get::<Username<'_>>().ok()??.0.len(),
        priority: message.get::<Priority>().ok()??.0,
        tie_breaker: message.get::<IceControlled>().ok()??.0,
        nominated: message.get::<UseCandidate>().ok()?.is_some(),
    })
}

/// Write a check; its length.
pub fn build(buffer: &mut [u8], key: &IntegrityKey) -> Option<usize> {
    let id = TransactionId::new(crate::ID);
    let mut writer = MessageWriter::new(buffer, Class::Request, Method::BINDING, id).ok()?;
    writer.attribute(&Username(crate::USERNAME)).ok()?;
    writer.attribute(&IceControlled(crate::TIE_BREAKER)).ok()?;
    writer.attribute(&Priority(crate::PRIORITY)).ok()?;
    writer.integrity(key).ok()?.fingerprint().ok()?;
    Some(writer.finish().len())
}

/// Write a success response; its length.
pub fn success(buffer: &mut [u8], key: &IntegrityKey) -> Option<usize> {
    let id = TransactionId::new(crate::ID);
    let class = Class::SuccessResponse;
    let mut writer = MessageWriter::new(buffer, class, Method::BINDING, id).ok()?;
    writer.attribute(&XorMappedAddress(crate::mapped())).ok()?;
    writer.integrity(key).ok()?.fingerprint().ok()?;
    Some(writer.finish().len())
}

/// Refuse what is no message.
pub fn refuse(bytes: &[u8]) -> bool {
    Message::parse(bytes).is_err()
}
