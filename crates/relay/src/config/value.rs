//! The forms in which single values are written, in files and in flags.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pinhole_stun::third_party::TokenKey;
use pinhole_stun::{Credentials, Scheme, Uri};
use serde::Deserialize;

/// Ports from one to another: `49152-65535`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// A user: `name:password`.
#[derive(Clone, PartialEq, Eq)]
pub struct UserEntry {
    name: String,
    password: String,
}

/// A secret of time-limited credentials, which is shared with whoever issues them.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretEntry(String);

/// A key that an authorization server encrypts access tokens with (RFC 7635): `name:key`, the key of 16 or 32
/// bytes as base64.
#[derive(Clone, Debug)]
pub struct TokenKeyEntry {
    name: String,
    key: TokenKey,
}

/// The address that peers reach relayed addresses at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExternalIp {
    /// This one.
    Address(IpAddr),
    /// The one that a STUN server sees when the server starts: `stun:stun.example.org`.
    Ask(Uri),
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// An object a line.
    Json,
}

/// Why a text is not such a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// No range of ports.
    #[error("a range of ports is written as first-last, such as 49152-65535")]
    Ports,
    /// No port is left.
    #[error("the first port, {0}, comes after the last, {1}")]
    Order(u16, u16),
    /// No user.
    #[error("a user is written as name:password, neither of them empty")]
    User,
    /// Not allowed in names and passwords.
    #[error("the name or the password has characters that RFC 8265 forbids")]
    Characters,
    /// No secret.
    #[error("a secret is not empty")]
    Secret,
    /// No key of tokens.
    #[error("a key of tokens is written as name:key, the key being 16 or 32 bytes as base64")]
    TokenKey,
    /// No external address.
    #[error("an external address is written as an IP address, or as stun:host to ask there")]
    External,
    /// No log format.
    #[error("a log is text or json")]
    Log,
}

impl PortRange {
    /// The ports of RFC 8656 §7.2: "the Dynamic and/or Private Port range".
    pub const DYNAMIC: Self = Self { first: 49_152, last: 65_535 };

    /// From the first to the last.
    #[must_use]
    pub const fn ports(self) -> RangeInclusive<u16> {
        self.first..=self.last
    }

    /// How many there are.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.last as u32 - self.first as u32 + 1
    }
}

impl UserEntry {
    /// The user's credentials.
    ///
    /// # Errors
    /// [`ValueError::Characters`].
    pub fn credentials(&self) -> Result<Credentials, ValueError> {
        Credentials::new(&self.name, &self.password).map_err(|_| ValueError::Characters)
    }
}

impl SecretEntry {
    /// A secret of 32 random bytes, in hexadecimal.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// What it is, as both sides know it.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl TokenKeyEntry {
    /// Its name, the `kid`, which clients send as USERNAME.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn key(&self) -> &TokenKey {
        &self.key
    }
}

impl ExternalIp {
    /// The address, if nobody has to be asked for it.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Ask(_) => None,
        }
    }
}

impl FromStr for TokenKeyEntry {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (name, key) = text.rsplit_once(':').ok_or(ValueError::TokenKey)?;
        let mut bytes = [0; 33];
        let length = STANDARD.decode_slice(key, &mut bytes).map_err(|_| ValueError::TokenKey)?;
        let bytes = bytes.get(..length).unwrap_or_default();
        let long = bytes.try_into().map(TokenKey::aes_256).ok();
        let key = long.or_else(|| bytes.try_into().map(TokenKey::aes_128).ok());
        let key = key.filter(|_| !name.is_empty()).ok_or(ValueError::TokenKey)?;
        Ok(Self { name: name.into(), key })
    }
}

impl FromStr for PortRange {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (first, last) = text.split_once('-').ok_or(ValueError::Ports)?;
        let port = |text: &str| text.trim().parse::<u16>().map_err(|_| ValueError::Ports);
        let (first, last) = (port(first)?, port(last)?);
        match first {
            0 => Err(ValueError::Ports),
            _ if first > last => Err(ValueError::Order(first, last)),
            _ => Ok(Self { first, last }),
        }
    }
}

impl FromStr for UserEntry {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (name, password) = text.split_once(':').ok_or(ValueError::User)?;
        if name.is_empty() || password.is_empty() {
            return Err(ValueError::User);
        }
        let entry = Self { name: name.into(), password: password.into() };
        entry.credentials()?;
        Ok(entry)
    }
}

impl FromStr for SecretEntry {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.is_empty() { Err(ValueError::Secret) } else { Ok(Self(text.into())) }
    }
}

impl FromStr for ExternalIp {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let server: Uri = text.parse().map_err(|_| ValueError::External)?;
        if server.scheme == Scheme::Stun {
            Ok(Self::Ask(server))
        } else {
            Err(ValueError::External)
        }
    }
}

impl FromStr for LogFormat {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(ValueError::Log),
        }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl fmt::Debug for UserEntry {
    /// The name only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserEntry({:?})", self.name)
    }
}

impl fmt::Debug for SecretEntry {
    /// Nothing of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretEntry")
    }
}

impl fmt::Display for ExternalIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Ask(server) => write!(f, "what {server} sees"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_refused() {
        assert_eq!("2-1".parse::<PortRange>(), Err(ValueError::Order(2, 1)));
        for text in ["", "1", "0-5", "1-65536", "a-b", "-"] {
            assert_eq!(text.parse::<PortRange>(), Err(ValueError::Ports), "{text}");
        }
        assert_eq!("".parse::<SecretEntry>(), Err(ValueError::Secret));
        for text in ["alice", ":password", "alice:"] {
            assert_eq!(text.parse::<UserEntry>(), Err(ValueError::User), "{text}");
        }
        for text in ["example.org", "stun:", "turn:192.0.2.1", "stuns:192.0.2.1", "192.0.2"] {
            assert_eq!(text.parse::<ExternalIp>(), Err(ValueError::External), "{text}");
        }
        for text in ["", "kid", "kid:", "kid:AAAA", ":AAAAAAAAAAAAAAAAAAAAAA==", "kid:?"] {
            assert_eq!(text.parse::<TokenKeyEntry>().err(), Some(ValueError::TokenKey), "{text}");
        }
        for text in
            ["kid:AAAAAAAAAAAAAAAAAAAAAA==", "a:b:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
        {
            let key: TokenKeyEntry = text.parse().unwrap();
            assert!(text.starts_with(key.name()) && !key.name().is_empty());
        }
    }

    #[test]
    fn debug_output_has_no_password() {
        let user: UserEntry = "alice:north:south".parse().unwrap();
        assert_eq!(format!("{user:?}"), "UserEntry(\"alice\")");
        let secret: SecretEntry = "north".parse().unwrap();
        assert_eq!(format!("{secret:?}"), "SecretEntry");
    }
}
