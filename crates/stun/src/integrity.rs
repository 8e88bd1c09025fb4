use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;

/// A key for MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256, with the HMAC pads already hashed.
///
/// Hashing the pads costs two compressions for each algorithm; a prepared key pays them once, not
/// once a message. Names and passwords go in as [`opaque_string`](crate::opaque_string) leaves them.
#[derive(Clone)]
pub struct IntegrityKey {
    sha1: Hmac<Sha1>,
    sha256: Hmac<Sha256>,
}

impl IntegrityKey {
    /// The key that consists of these bytes.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        let reason = "HMAC takes keys of every length";
        Self {
            sha1: Hmac::new_from_slice(key).expect(reason),
            sha256: Hmac::new_from_slice(key).expect(reason),
        }
    }

    /// The key of the short-term mechanism: the password itself (RFC 8489 §9.1.1).
    #[must_use]
    pub fn short_term(password: &str) -> Self {
        Self::new(password.as_bytes())
    }

    /// The key of the long-term mechanism with the MD5 algorithm, and of every server that
    /// predates RFC 8489 (§9.2.2, §18.5.1.1).
    #[must_use]
    pub fn long_term_md5(username: &str, realm: &str, password: &str) -> Self {
        Self::new(&joined::<Md5>(&[username, realm, password]))
    }

    /// The key of the long-term mechanism with the SHA-256 algorithm (RFC 8489 §18.5.1.2).
    #[must_use]
    pub fn long_term_sha256(username: &str, realm: &str, password: &str) -> Self {
        Self::new(&joined::<Sha256>(&[username, realm, password]))
    }

    /// HMAC-SHA1 over a message.
    pub(crate) fn sha1(&self, message: &[u8]) -> [u8; 20] {
        self.sha1.clone().chain_update(message).finalize().into_bytes().into()
    }

    /// HMAC-SHA256 over a message.
    pub(crate) fn sha256(&self, message: &[u8]) -> [u8; 32] {
        self.sha256.clone().chain_update(message).finalize().into_bytes().into()
    }

    /// Compares `tag` with the HMAC-SHA1 over header and attributes, in constant time.
    pub(crate) fn is_sha1(&self, header: &[u8], attributes: &[u8], tag: &[u8]) -> bool {
        self.sha1.clone().chain_update(header).chain_update(attributes).verify_slice(tag).is_ok()
    }

    /// Compares `tag` with the HMAC-SHA256 over header and attributes, in constant time.
    pub(crate) fn is_sha256(&self, header: &[u8], attributes: &[u8], tag: &[u8]) -> bool {
        self.sha256.clone().chain_update(header).chain_update(attributes).verify_slice(tag).is_ok()
    }
}

impl fmt::Debug for IntegrityKey {
    /// Nothing of the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IntegrityKey(..)")
    }
}

/// Why a message does not count as authentic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IntegrityError {
    /// The attribute asked for is not there.
    #[error("the message carries no such integrity attribute")]
    Missing,
    /// The attribute has a length that this algorithm does not have.
    #[error("{0} bytes of message integrity")]
    Length(usize),
    /// Another key, or altered bytes.
    #[error("the message integrity does not match")]
    Mismatch,
}

/// The SHA-256 of "user:realm" that stands in for the user name (RFC 8489 §14.4).
#[must_use]
pub fn userhash(username: &str, realm: &str) -> [u8; 32] {
    joined::<Sha256>(&[username, realm]).into()
}

/// The hash of the parts with a colon between them.
fn joined<D: Digest>(parts: &[&str]) -> md5::digest::Output<D> {
    let mut hash = D::new();
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            hash.update(b":");
        }
        hash.update(part.as_bytes());
    }
    hash.finalize()
}
