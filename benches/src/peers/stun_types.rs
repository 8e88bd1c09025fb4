//! stun-types, whose parser verifies FINGERPRINT; it has no types for ICE's attributes.

use stun_types::attribute::{AttributeType, RawAttribute, Username, XorMappedAddress};
use stun_types::message::{
    BINDING, IntegrityAlgorithm, IntegrityKey, Message, MessageClass, MessageType,
    MessageWriteMutSlice, ShortTermCredentials,
};
use stun_types::prelude::*;

use crate::Check;

/// The key of [`crate::PASSWORD`].
pub fn key() -> IntegrityKey {
    ShortTermCredentials::new(crate::PASSWORD.to_owned()).make_key()
}

/// Parse a check, and read what it says.
pub fn parse(bytes: &[u8]) -> Option<Check> {
    read(&Message::from_bytes(bytes).ok()?)
}

/// Parse a check, FINGERPRINT and integrity included, and read what it says.
pub fn verify(bytes: &[u8], key: &IntegrityKey) -> Option<Check> {
    let message = Message::from_bytes(bytes).ok()?;
    message.validate_integrity_with_key(key).ok()?;
    read(&message)
}

fn read(message: &Message<'_>) -> Option<Check> {
    let raw = |kind| message.raw_attribute(AttributeType::new(kind));
    Some(Check {
        username: message.attribute::<Username>().ok()?.username().len(),
        priority: u32::from_be_bytes((*raw(0x0024)?.value).try_into().ok()?),
        tie_breaker: u64::from_be_bytes((*raw(0x8029)?.value).try_into().ok()?),
        nominated: raw(0x0025).is_some(),
    })
}

/// Write a check; its length.
pub fn build(buffer: &mut [u8], key: &IntegrityKey) -> Option<usize> {
    let kind = MessageType::from_class_method(MessageClass::Request, BINDING);
    let mut writer = Message::builder(kind, id().into(), MessageWriteMutSlice::new(buffer));
    writer.add_attribute(&Username::new(crate::USERNAME).ok()?).ok()?;
    let (role, priority) = (crate::TIE_BREAKER.to_be_bytes(), crate::PRIORITY.to_be_bytes());
    writer.add_attribute(&RawAttribute::new(AttributeType::new(0x8029), &role)).ok()?;
    writer.add_attribute(&RawAttribute::new(AttributeType::new(0x0024), &priority)).ok()?;
    writer.add_message_integrity_with_key(key, IntegrityAlgorithm::Sha1).ok()?;
    writer.add_fingerprint().ok()?;
    Some(writer.finish())
}

/// Write a success response; its length.
pub fn success(buffer: &mut [u8], key: &IntegrityKey) -> Option<usize> {
    let kind = MessageType::from_class_method(MessageClass::Success, BINDING);
    let mut writer = Message::builder(kind, id().into(), MessageWriteMutSlice::new(buffer));
    writer.add_attribute(&XorMappedAddress::new(crate::mapped(), id().into())).ok()?;
    writer.add_message_integrity_with_key(key, IntegrityAlgorithm::Sha1).ok()?;
    writer.add_fingerprint().ok()?;
    Some(writer.finish())
}

/// Refuse what is no message.
pub fn refuse(bytes: &[u8]) -> bool {
    Message::from_bytes(bytes).is_err()
}

fn id() -> u128 {
    crate::ID.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte))
}

/// The channel's number and the length of the data, as its sister crate `turn-types` reads them.
pub fn channel(bytes: &[u8]) -> Option<(u16, usize)> {
    let channel = turn_types::channel::ChannelData::parse(bytes).ok()?;
    Some((channel.id(), channel.data().len()))
}
