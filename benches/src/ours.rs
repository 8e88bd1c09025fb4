//! pinhole-stun.

use pinhole_stun::attribute::{IceControlled, Priority, Username, XorMappedAddress};
use pinhole_stun::{
    AttributeType, Class, IntegrityKey, Message, MessageWriter, Method, TransactionId,
};
use pinhole_turn::ChannelData;

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

/// All four in one walk.
fn read(message: &Message<'_>) -> Option<Check> {
    let id = message.transaction_id();
    let (mut username, mut priority, mut tie_breaker, mut nominated) = (None, None, None, false);
    for attribute in message.unsealed() {
        match attribute.kind {
            AttributeType::USERNAME => {
                username = username.or(attribute.decode::<Username<'_>>(id).ok()?)
            }
            AttributeType::PRIORITY => {
                priority = priority.or(attribute.decode::<Priority>(id).ok()?)
            }
            AttributeType::ICE_CONTROLLED => {
                tie_breaker = tie_breaker.or(attribute.decode::<IceControlled>(id).ok()?);
            }
            AttributeType::USE_CANDIDATE => nominated = true,
            _ => {}
        }
    }
    Some(Check {
        username: username?.0.len(),
        priority: priority?.0,
        tie_breaker: tie_breaker?.0,
        nominated,
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

/// The channel's number and the length of the data.
pub fn channel(bytes: &[u8]) -> Option<(u16, usize)> {
    let channel = ChannelData::parse(bytes)?;
    Some((channel.number.value(), channel.data.len()))
}
