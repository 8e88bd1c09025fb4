//! DTLS and TLS: who connects (RFC 4145, RFC 8842), and with which certificate (RFC 8122).

use core::fmt;

use super::wrapper;
use crate::{Reader, TypedAttribute, Value, ValueError};

/// `a=setup`: which side opens the connection (RFC 4145 §4), here the DTLS association (RFC 8842 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// The sender connects: the DTLS client.
    Active,
    /// The sender waits: the DTLS server.
    Passive,
    /// The sender can do either, and lets the answerer choose. Only in offers.
    ActPass,
    /// No connection for now. Not used with DTLS (RFC 8842 §5.1).
    HoldConn,
}

impl Setup {
    const ALL: [Self; 4] = [Self::Active, Self::Passive, Self::ActPass, Self::HoldConn];

    /// The word in the attribute.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::ActPass => "actpass",
            Self::HoldConn => "holdconn",
        }
    }
}

impl Value<'_> for Setup {
    const SECTION: &'static str = "RFC 4145 §4";

    fn parse(reader: &mut Reader<'_>) -> Result<Self, ValueError> {
        let unknown = reader.expected("active, passive, actpass or holdconn");
        let word = reader.take_while(|c| c.is_ascii_alphabetic());
        Self::ALL.into_iter().find(|setup| setup.as_str() == word).ok_or(unknown)
    }
}

impl TypedAttribute<'_> for Setup {
    const NAME: &'static str = "setup";
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `a=fingerprint`: the hash of the certificate that the sender will present (RFC 8122 §5).
///
/// ```
/// use pinhole_sdp::{Fingerprint, Value};
///
/// let sha256 = Fingerprint::sha256([0xa5; 32]);
/// assert_eq!(Fingerprint::from_text(&sha256.to_string()), Ok(sha256));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint<'a> {
    hash: &'a str,
    length: usize,
    bytes: [u8; Fingerprint::LONGEST],
}

impl<'a> Fingerprint<'a> {
    /// The most bytes of a hash value that are taken, those of SHA-512.
    pub const LONGEST: usize = 64;

    /// The fingerprint by SHA-256, which RFC 8122 §5 prefers.
    #[must_use]
    pub fn sha256(hash_value: [u8; 32]) -> Self {
        let mut bytes = [0; Self::LONGEST];
        for (to, from) in bytes.iter_mut().zip(hash_value) {
            *to = from;
        }
        Self { hash: "sha-256", length: hash_value.len(), bytes }
    }

    /// The name of the hash function, such as `sha-256`; compare it without regard to case.
    #[must_use]
    pub fn hash_function(&self) -> &'a str {
        self.hash
    }

    /// The hash value.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }
}

impl<'a> Value<'a> for Fingerprint<'a> {
    const SECTION: &'static str = "RFC 8122 §5";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let hash = reader.token("a hash function such as sha-256")?;
        reader.blank("a hash value")?;
        let mut bytes = [0; Self::LONGEST];
        for (before, byte) in bytes.iter_mut().enumerate() {
            *byte = hex_byte(reader)?;
            if !reader.skip(":") {
                return Ok(Self { hash, length: before + 1, bytes });
            }
        }
        Err(reader.expected("no more than 64 bytes"))
    }
}

impl<'a> TypedAttribute<'a> for Fingerprint<'a> {
    const NAME: &'static str = "fingerprint";
}

impl fmt::Display for Fingerprint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.hash)?;
        for (i, byte) in self.bytes().iter().enumerate() {
            let colon = if i == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

wrapper! {
    /// `a=tls-id`: changes when a new DTLS association is wanted, 20 to 255 characters (RFC 8842 §4).
    TlsId<'a>(&'a str), "tls-id", "RFC 8842 §4",
    |reader: &mut Reader<'a>| {
        let refused = reader.expected("20 to 255 letters, digits, or + / - _");
        let id = reader.take_while(|c| c.is_ascii_alphanumeric() || "+/-_".contains(c));
        if (20..=255).contains(&id.len()) { Ok(id) } else { Err(refused) }
    }
}

/// Two hexadecimal digits. RFC 8122 §5 has them in upper case; endpoints send lower case as well.
fn hex_byte(reader: &mut Reader<'_>) -> Result<u8, ValueError> {
    let refused = reader.expected("two hexadecimal digits");
    let digits = reader.take_while(|c| c.is_ascii_hexdigit());
    let byte = u8::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 2);
    byte.ok_or(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_fingerprint_in_lower_case_is_read_and_written_in_upper_case() {
        let fingerprint = Fingerprint::from_text("sha-1 0a:ff").unwrap();
        assert_eq!(fingerprint.bytes(), [0x0a, 0xff]);
        assert_eq!(fingerprint.to_string(), "sha-1 0A:FF");
    }

    #[test]
    fn a_fingerprint_that_is_no_row_of_bytes_is_refused_where_it_goes_wrong() {
        for (text, offset) in [
            ("sha-256", 7),
            ("sha-256 ", 7),
            ("sha-256 A", 8),
            ("sha-256 AB:C", 11),
            ("sha-256 ABC", 8),
        ] {
            assert_eq!(Fingerprint::from_text(text).unwrap_err().offset, offset, "{text}");
        }
        let long = alloc::vec!["AB"; 65].join(":");
        assert!(Fingerprint::from_text(&alloc::format!("sha-512 {long}")).is_err());
    }
}
