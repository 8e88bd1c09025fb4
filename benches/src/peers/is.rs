//! is, str0m's ICE. It leaves FINGERPRINT alone, and derives the key anew for each message.

use is::stun::{StunMessage, TransId};
use is::{DefaultSha1HmacProvider, Sha1HmacProvider};

use crate::Check;

/// The transaction id of [`crate::CHECK`].
pub fn id() -> TransId {
    StunMessage::parse(&crate::CHECK).expect("the sample").trans_id()
}

/// Parse a check, and read what it says.
pub fn parse(bytes: &[u8]) -> Option<Check> {
    read(&StunMessage::parse(bytes).ok()?)
}

/// Parse a check, integrity included, and read what it says.
pub fn verify(bytes: &[u8]) -> Option<Check> {
    let message = StunMessage::parse(bytes).ok()?;
    if !message.verify(crate::PASSWORD.as_bytes(), hmac) {
        return None;
    }
    read(&message)
}

fn read(message: &StunMessage<'_>) -> Option<Check> {
    Some(Check {
        username: message.username()?.len(),
        priority: message.prio()?,
        tie_breaker: message.ice_controlled()?,
        nominated: message.use_candidate(),
    })
}

/// Write a check; its length.
pub fn build(buffer: &mut [u8], id: TransId) -> Option<usize> {
    let (name, role, priority) = (crate::USERNAME, crate::TIE_BREAKER, crate::PRIORITY);
    let message = StunMessage::binding_request(name, id, false, role, priority, false);
    message.to_bytes(Some(crate::PASSWORD.as_bytes()), buffer, hmac).ok()
}

/// Write a success response; its length.
pub fn success(buffer: &mut [u8], id: TransId) -> Option<usize> {
    let message = StunMessage::binding_reply(id, crate::mapped());
    message.to_bytes(Some(crate::PASSWORD.as_bytes()), buffer, hmac).ok()
}

/// Refuse what is no message.
pub fn refuse(bytes: &[u8]) -> bool {
    StunMessage::parse(bytes).is_err()
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 20] {
    DefaultSha1HmacProvider.sha1_hmac(key, parts)
}
