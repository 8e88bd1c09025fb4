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

    /// HMAC-SHA1 over a message that consists of these parts.
    pub(crate) fn sha1<'p>(&self, parts: impl IntoIterator<Item = &'p [u8]>) -> [u8; 20] {
        mac(&self.sha1, parts)
    }

    /// HMAC-SHA256 over a message that consists of these parts.
    pub(crate) fn sha256<'p>(&self, parts: impl IntoIterator<Item = &'p [u8]>) -> [u8; 32] {
        mac(&self.sha256, parts)
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

fn mac<'p, M: Mac + Clone, const N: usize>(
    prepared: &M,
    parts: impl IntoIterator<Item = &'p [u8]>,
) -> [u8; N]
where
    hmac::digest::Output<M>: Into<[u8; N]>,
{
    let mut mac = prepared.clone();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
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
