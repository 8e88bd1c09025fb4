//! stun_codec.

use bytecodec::{DecodeExt, EncodeExt};
use stun_codec::rfc5245::attributes::{IceControlled, Priority, UseCandidate};
use stun_codec::rfc5389::attributes::{
    Fingerprint, MessageIntegrity, Software, Username, XorMappedAddress,
};
use stun_codec::rfc5389::methods::BINDING;
use stun_codec::{
    Message, MessageClass, MessageDecoder, MessageEncoder, TransactionId, define_attribute_enums,
};

use crate::Check;

define_attribute_enums!(
    Attribute,
    AttributeDecoder,
    AttributeEncoder,
    [
        IceControlled,
        Priority,
        UseCandidate,
        Fingerprint,
        MessageIntegrity,
        Software,
        Username,
        XorMappedAddress
    ]
);

/// Parse a check, and read what it says.
pub fn parse(bytes: &[u8]) -> Option<Check> {
    read(&decode(bytes)?)
}

/// Parse a check, FINGERPRINT (which the decoder verifies) and integrity included, and read what it says.
pub fn verify(bytes: &[u8]) -> Option<Check> {
    let message = decode(bytes)?;
    let integrity = message.get_attribute::<MessageIntegrity>()?;
    integrity.check_short_term_credential(crate::PASSWORD).ok()?;
    read(&message)
}

fn decode(bytes: &[u8]) -> Option<Message<Attribute>> {
    MessageDecoder::<Attribute>::new().decode_from_bytes(bytes).ok()?.ok()
}

fn read(message: &Message<Attribute>) -> Option<Check> {
    Some(Check {
        username: message.get_attribute::<Username>()?.name().len(),
        priority: message.get_attribute::<Priority>()?.prio(),
        tie_breaker: message.get_attribute::<IceControlled>()?.prio(),
        nominated: message.get_attribute::<UseCandidate>().is_some(),
    })
}

/// Write a check; its length.
pub fn build() -> Option<usize> {
    let mut message = Message::new(MessageClass::Request, BINDING, TransactionId::new(crate::ID));
    message.add_attribute(Username::new(crate::USERNAME.to_owned()).ok()?);
    message.add_attribute(IceControlled::new(crate::TIE_BREAKER));
    message.add_attribute(Priority::new(crate::PRIORITY));
    finish(message)
}

/// Write a success response; its length.
pub fn success() -> Option<usize> {
    let class = MessageClass::SuccessResponse;
    let mut message = Message::new(class, BINDING, TransactionId::new(crate::ID));
    message.add_attribute(XorMappedAddress::new(crate::mapped()));
    finish(message)
}

fn finish(mut message: Message<Attribute>) -> Option<usize> {
    let integrity = MessageIntegrity::new_short_term_credential(&message, crate::PASSWORD).ok()?;
    message.add_attribute(integrity);
    let fingerprint = Fingerprint::new(&message).ok()?;
    message.add_attribute(fingerprint);
    Some(MessageEncoder::new().encode_into_bytes(message).ok()?.len())
}

/// Refuse what is no message.
pub fn refuse(bytes: &[u8]) -> bool {
    decode(bytes).is_none()
}
