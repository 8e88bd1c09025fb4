//! rtc-stun, the sans-IO webrtc-rs, with its default provider of cryptography.

use std::sync::Arc;

use crypto::RTCCryptoProvider;
use rtc_stun::attributes::{ATTR_ICE_CONTROLLED, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{
    BINDING_REQUEST, BINDING_SUCCESS, Message, MessageType, Setter, TransactionId,
};
use rtc_stun::textattrs::TextAttribute;
use rtc_stun::xoraddr::XorMappedAddress;

use crate::Check;

/// The provider.
pub fn provider() -> Arc<dyn RTCCryptoProvider> {
    crypto::default_provider().expect("ring")
}

/// Parse a check into `message`, and read what it says.
pub fn parse(bytes: &[u8], message: &mut Message) -> Option<Check> {
    message.unmarshal_binary(bytes).ok()?;
    read(message)
}

/// Parse a check, FINGERPRINT and integrity included, and read what it says.
pub fn verify(
    bytes: &[u8],
    message: &mut Message,
    provider: &dyn RTCCryptoProvider,
) -> Option<Check> {
    message.unmarshal_binary(bytes).ok()?;
    FINGERPRINT.check(message).ok()?;
    MessageIntegrity::check(message, crate::PASSWORD.as_bytes(), provider.crypto()).ok()?;
    read(message)
}

fn read(message: &Message) -> Option<Check> {
    let username = TextAttribute::get_from_as(message, ATTR_USERNAME).ok()?;
    Some(Check {
        username: username.text.len(),
        priority: u32::from_be_bytes(message.get(ATTR_PRIORITY).ok()?.try_into().ok()?),
        tie_breaker: u64::from_be_bytes(message.get(ATTR_ICE_CONTROLLED).ok()?.try_into().ok()?),
        nominated: message.contains(ATTR_USE_CANDIDATE),
    })
}

/// Write a check; its length.
pub fn build(message: &mut Message, provider: &dyn RTCCryptoProvider) -> Option<usize> {
    begin(message, BINDING_REQUEST)?;
    TextAttribute::new(ATTR_USERNAME, crate::USERNAME.to_owned()).add_to(message).ok()?;
    message.add(ATTR_ICE_CONTROLLED, &crate::TIE_BREAKER.to_be_bytes());
    message.add(ATTR_PRIORITY, &crate::PRIORITY.to_be_bytes());
    finish(message, provider)
}

/// Write a success response; its length.
pub fn success(message: &mut Message, provider: &dyn RTCCryptoProvider) -> Option<usize> {
    begin(message, BINDING_SUCCESS)?;
    let (ip, port) = (crate::mapped().ip(), crate::mapped().port());
    XorMappedAddress { ip, port }.add_to(message).ok()?;
    finish(message, provider)
}

fn begin(message: &mut Message, kind: MessageType) -> Option<()> {
    message.reset();
    message.write_header();
    message.set_type(kind);
    TransactionId(crate::ID).add_to(message).ok()?;
    Some(())
}

fn finish(message: &mut Message, provider: &dyn RTCCryptoProvider) -> Option<usize> {
    let key = crate::PASSWORD.as_bytes();
    MessageIntegrity::new_raw_integrity_with_provider(key, provider.crypto())
        .add_to(message)
        .ok()?;
    FINGERPRINT.add_to(message).ok()?;
    Some(message.raw.len())
}

/// Refuse what is no message.
pub fn refuse(bytes: &[u8], message: &mut Message) -> bool {
    message.unmarshal_binary(bytes).is_err()
}
