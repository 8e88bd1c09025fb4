//! Keys inside the description (RFC 4568).

use core::fmt;

use crate::{Reader, TypedAttribute, Value, ValueError};

/// `a=crypto`: an SRTP key in the clear (RFC 4568 §4). Good only where nobody but the two ends reads the
/// description; WebRTC has DTLS-SRTP in its place (RFC 8827 §6.5). `Debug` does not print the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Crypto<'a> {
    /// A number that the answer takes up.
    pub tag: u32,
    /// The cipher and authentication, such as `AES_CM_128_HMAC_SHA1_80`.
    pub suite: &'a str,
    /// `inline:` and the key, its lifetime and its index, perhaps more than one, with semicolons.
    pub keys: &'a str,
    /// Parameters of the session, perhaps empty.
    pub session: &'a str,
}

impl<'a> Value<'a> for Crypto<'a> {
    const SECTION: &'static str = "RFC 4568 §9.1";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let tag = reader.number("a tag of at most 9 digits")?;
        reader.blank("a crypto suite")?;
        let suite = reader.word("a crypto suite")?;
        reader.blank("a key")?;
        let keys = reader.word("a key")?;
        Ok(Self { tag, suite, keys, session: reader.remainder().trim_start() })
    }
}

impl<'a> TypedAttribute<'a> for Crypto<'a> {
    const NAME: &'static str = "crypto";
}

impl fmt::Display for Crypto<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.tag, self.suite, self.keys)?;
        if self.session.is_empty() { Ok(()) } else { write!(f, " {}", self.session) }
    }
}

impl fmt::Debug for Crypto<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crypto({} {})", self.tag, self.suite)
    }
}
