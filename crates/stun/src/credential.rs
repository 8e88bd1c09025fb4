use alloc::borrow::{Cow, ToOwned};
use alloc::string::String;
use core::fmt;

use crate::attribute::Algorithm;
use crate::integrity::{IntegrityKey, userhash};

/// Prepares a user name, realm or password as RFC 8489 §9 wants it: with the OpaqueString profile of
/// RFC 8265 §4.2.
///
/// Without the feature `std` only printable ASCII is prepared, which the profile leaves as it is.
///
/// # Errors
/// [`CredentialError::Characters`]: the text is empty, or has characters that the profile forbids.
pub fn opaque_string(text: &str) -> Result<Cow<'_, str>, CredentialError> {
    let is_plain = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    if !text.is_empty() && text.bytes().all(is_plain) {
        return Ok(Cow::Borrowed(text));
    }
    prepare(text)
}

#[cfg(feature = "std")]
fn prepare(text: &str) -> Result<Cow<'_, str>, CredentialError> {
    use precis_profiles::OpaqueString;
    use precis_profiles::precis_core::profile::PrecisFastInvocation;
    OpaqueString::enforce(text).map_err(|_| CredentialError::Characters)
}

#[cfg(not(feature = "std"))]
fn prepare(_: &str) -> Result<Cow<'_, str>, CredentialError> {
    Err(CredentialError::Characters)
}

/// A user's long-term name and password, prepared (RFC 8489 §9.2).
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    username: String,
    password: String,
}

impl Credentials {
    /// Prepares a name and a password.
    ///
    /// # Errors
    /// [`CredentialError`]: one of them is not an OpaqueString, or the name is too long to be sent.
    pub fn new(username: &str, password: &str) -> Result<Self, CredentialError> {
        let username = opaque_string(username)?.into_owned();
        if username.len() > 508 {
            return Err(CredentialError::Length(username.len()));
        }
        Ok(Self { username, password: opaque_string(password)?.into_owned() })
    }

    /// The prepared user name.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The key in this realm (RFC 8489 §9.2.2, §18.5.1); `None` for an algorithm that nobody knows.
    #[must_use]
    pub fn key(&self, realm: &str, algorithm: Algorithm) -> Option<IntegrityKey> {
        let derive = match algorithm {
            Algorithm::MD5 => IntegrityKey::long_term_md5,
            Algorithm::SHA256 => IntegrityKey::long_term_sha256,
            _ => return None,
        };
        let realm = trim_realm(realm);
        let realm = opaque_string(realm).unwrap_or_else(|_| Cow::Owned(realm.to_owned()));
        Some(derive(&self.username, &realm, &self.password))
    }

    /// The value of USERHASH in this realm (RFC 8489 §14.4).
    #[must_use]
    pub fn userhash(&self, realm: &str) -> [u8; 32] {
        userhash(&self.username, trim_realm(realm))
    }
}

impl fmt::Debug for Credentials {
    /// The name only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({:?})", self.username)
    }
}

/// "the realm, with any quotes and trailing nulls removed" (RFC 8489 §9.2.2).
fn trim_realm(realm: &str) -> &str {
    realm.trim_end_matches('\0').trim_matches('"')
}

/// Why a name or password cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// Empty, or with characters that OpaqueString forbids.
    #[error("the text is empty or has characters that OpaqueString forbids")]
    Characters,
    /// USERNAME is sent with "fewer than 509 bytes" (RFC 8489 §14.3).
    #[error("a user name of {0} bytes exceeds 508")]
    Length(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_and_names_of_the_rfc_are_left_alone() {
        for text in ["user", "pass word", "\u{30de}\u{30c8}\u{30ea}"] {
            assert_eq!(opaque_string(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn spaces_become_ascii_and_letters_are_composed() {
        assert_eq!(opaque_string("a\u{3000}b").as_deref(), Ok("a b"));
        assert_eq!(opaque_string("e\u{301}").as_deref(), Ok("\u{e9}"));
    }

    #[test]
    fn control_characters_and_nothing_are_refused() {
        for text in ["", "a\nb", "soft\u{ad}hyphen"] {
            assert_eq!(opaque_string(text), Err(CredentialError::Characters), "{text:?}");
        }
    }

    /// RFC 8489 §9.2.2: the hash of "user:realm:pass" is 0x8493fbc5...
    #[test]
    fn the_key_of_the_rfc_comes_from_the_password_and_the_realm() {
        let credentials = Credentials::new("user", "pass").unwrap();
        let key = [
            0x84, 0x93, 0xfb, 0xc5, 0x3b, 0xa5, 0x82, 0xfb, 0x4c, 0x04, 0x4c, 0x45, 0x6b, 0xdc,
            0x40, 0xeb,
        ];
        let expected = IntegrityKey::new(&key).sha1(b"text");
        for realm in ["realm", "\"realm\"", "realm\0"] {
            let derived = credentials.key(realm, Algorithm::MD5).unwrap();
            assert_eq!(derived.sha1(b"text"), expected);
        }
    }

    #[test]
    fn debug_output_has_no_secret() {
        let credentials = Credentials::new("user", "secret").unwrap();
        assert_eq!(alloc::format!("{credentials:?}"), "Credentials(\"user\")");
    }
}
