//! The user fragment and password of one ICE session (RFC 8445 §5.3, RFC 8839 §5.4).

use alloc::string::String;
use core::fmt;
use core::ops::RangeInclusive;

use rand::{Rng, RngExt};

/// The name part of a session's credentials, 4 to 256 characters of [`ice-char`](is_ice_char).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ufrag(String);

/// The secret part of a session's credentials, 22 to 256 characters of [`ice-char`](is_ice_char).
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

/// What a peer needs to know to send connectivity checks to an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// `ice-ufrag`.
    pub ufrag: Ufrag,
    /// `ice-pwd`.
    pub password: Password,
}

impl Ufrag {
    /// Checks length and alphabet.
    ///
    /// # Errors
    /// [`CredentialError`] says which of the two is wrong.
    pub fn new(text: &str) -> Result<Self, CredentialError> {
        check(text, UFRAG_LENGTH).map(Self)
    }

    /// The characters, as they stand behind `a=ice-ufrag:`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Password {
    /// Checks length and alphabet.
    ///
    /// # Errors
    /// [`CredentialError`] says which of the two is wrong.
    pub fn new(text: &str) -> Result<Self, CredentialError> {
        check(text, PASSWORD_LENGTH).map(Self)
    }

    /// The characters, as they stand behind `a=ice-pwd:`. A secret: keep it out of logs.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Credentials {
    /// Checks both parts.
    ///
    /// # Errors
    /// [`CredentialError`] for the first part that is wrong.
    pub fn new(ufrag: &str, password: &str) -> Result<Self, CredentialError> {
        Ok(Self { ufrag: Ufrag::new(ufrag)?, password: Password::new(password)? })
    }

    /// Fresh credentials: 48 random bits of user fragment, 144 of password (RFC 8445 §5.3 asks for at
    /// least 24 and 128).
    pub(crate) fn random(rng: &mut impl Rng) -> Self {
        Self { ufrag: Ufrag(random_text(rng, 8)), password: Password(random_text(rng, 24)) }
    }
}

impl fmt::Display for Ufrag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Ufrag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ufrag({})", self.0)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// Why a text is not a user fragment or password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// RFC 8839 §5.4 bounds both lengths.
    #[error("length {actual} is outside {minimum}..={maximum}")]
    Length {
        /// Characters given.
        actual: usize,
        /// Fewest that are allowed.
        minimum: usize,
        /// Most that are allowed.
        maximum: usize,
    },
    /// A character other than a letter, a digit, `+` or `/`.
    #[error("{0:?} is not an ice-char")]
    Character(char),
}

/// `ice-char = ALPHA / DIGIT / "+" / "/"` (RFC 8839 §5.1).
#[must_use]
pub const fn is_ice_char(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '+' | '/')
}

fn check(text: &str, length: RangeInclusive<usize>) -> Result<String, CredentialError> {
    if let Some(character) = text.chars().find(|c| !is_accepted(*c)) {
        return Err(CredentialError::Character(character));
    }
    if !length.contains(&text.len()) {
        let (minimum, maximum) = length.into_inner();
        return Err(CredentialError::Length { actual: text.len(), minimum, maximum });
    }
    Ok(String::from(text))
}

/// `-` and `_` are no ice-chars, but endpoints that encode base64url send them.
const fn is_accepted(character: char) -> bool {
    is_ice_char(character) || matches!(character, '-' | '_')
}

/// `length` characters of six random bits each.
pub(crate) fn random_text(rng: &mut impl Rng, length: usize) -> String {
    (0..length)
        .map(|_| ICE_CHARS.get(rng.random_range(0..64)).map_or('/', |c| char::from(*c)))
        .collect()
}

/// RFC 8839 §5.4: `ice-ufrag` is 4*256ice-char.
const UFRAG_LENGTH: RangeInclusive<usize> = 4..=256;
/// RFC 8839 §5.4: `ice-pwd` is 22*256ice-char.
const PASSWORD_LENGTH: RangeInclusive<usize> = 22..=256;
const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use rand::SeedableRng;
    use rand::rngs::ChaCha12Rng;

    #[test]
    fn lengths_outside_the_grammar_are_refused() {
        // CHECKLIST 51: both parts count, each by its own bounds.
        let pwd = "p".repeat(22);
        assert!(Credentials::new("abcd", &pwd).is_ok());
        assert!(Credentials::new("abc", &pwd).is_err());
        assert!(Credentials::new(&"a".repeat(257), &pwd).is_err());
        assert_eq!(
            Credentials::new("abcd", &"p".repeat(21)),
            Err(CredentialError::Length { actual: 21, minimum: 22, maximum: 256 })
        );
        assert!(Credentials::new("abcd", &"p".repeat(257)).is_err());
        assert_eq!(Ufrag::new("a:cd"), Err(CredentialError::Character(':')));
    }

    #[test]
    fn fresh_credentials_are_valid_and_differ() {
        let mut rng = ChaCha12Rng::from_seed([1; 32]);
        let (one, two) = (Credentials::random(&mut rng), Credentials::random(&mut rng));
        assert_ne!(one, two);
        assert_eq!(Credentials::new(one.ufrag.as_str(), one.password.as_str()), Ok(one));
    }

    #[test]
    fn debug_output_hides_the_password() {
        let credentials = Credentials::new("user", "a-secret-of-22-letters").expect("both fit");
        assert!(!format!("{credentials:?}").contains("secret"));
    }
}
