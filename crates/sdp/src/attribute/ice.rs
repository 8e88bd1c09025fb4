//! ICE (RFC 8839), trickled (RFC 8840).

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::{flag, wrapper};
use crate::{Reader, TypedAttribute, Value, ValueError};

wrapper! {
    /// `a=ice-ufrag`: the username fragment, 4 to 256 ice-chars (RFC 8839 §5.4). One that is sent must
    /// not be longer than 32.
    IceUfrag<'a>(&'a str), "ice-ufrag", "RFC 8839 §5.4",
    |reader: &mut Reader<'a>| ice_chars(reader, 4, "a fragment of 4 to 256 ice-chars")
}

wrapper! {
    /// `a=ice-pwd`: the password, 22 to 256 ice-chars (RFC 8839 §5.4).
    IcePassword<'a>(&'a str), "ice-pwd", "RFC 8839 §5.4",
    |reader: &mut Reader<'a>| ice_chars(reader, 22, "a password of 22 to 256 ice-chars")
}

wrapper! {
    /// `a=ice-options`: the extensions that the agent supports, separated by blanks (RFC 8839 §5.6).
    ///
    /// Any words are taken, since tags that are unknown must be ignored (RFC 8839 §4.2.3).
    IceOptions<'a>(&'a str), "ice-options", "RFC 8839 §5.6",
    |reader: &mut Reader<'a>| match reader.remainder() {
        "" => Err(reader.expected("an option tag")),
        tags => Ok(tags),
    }
}

impl<'a> IceOptions<'a> {
    /// Candidates may follow one by one (RFC 8838 §4).
    pub const TRICKLE: &'static str = "trickle";
    /// The agent follows RFC 8445, not RFC 5245 (RFC 8445 §10).
    pub const ICE2: &'static str = "ice2";
    /// The controlling agent may nominate anew at any time (draft-thatcher-tsvwg-renomination).
    pub const RENOMINATION: &'static str = "renomination";

    /// The tags in order.
    pub fn tags(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.0.split_ascii_whitespace()
    }

    /// Whether `tag` is among them.
    #[must_use]
    pub fn has(&self, tag: &str) -> bool {
        self.tags().any(|own| own == tag)
    }
}

flag! {
    /// `a=ice-lite`, at session level: the agent is a lite one (RFC 8839 §5.3).
    IceLite, "ice-lite", "RFC 8839 §5.3"
}

flag! {
    /// `a=ice-mismatch`: the default candidate of the offer was not among its candidates, and ICE is not
    /// used (RFC 8839 §5.3).
    IceMismatch, "ice-mismatch", "RFC 8839 §5.3"
}

/// `a=ice-pacing`, at session level: the Ta that the agent wishes, 50 ms if absent (RFC 8839 §5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcePacing(pub Duration);

impl Value<'_> for IcePacing {
    const SECTION: &'static str = "RFC 8839 §5.5";

    fn parse(reader: &mut Reader<'_>) -> Result<Self, ValueError> {
        reader.number("milliseconds").map(|millis: u32| Self(Duration::from_millis(millis.into())))
    }
}

impl TypedAttribute<'_> for IcePacing {
    const NAME: &'static str = "ice-pacing";
}

impl fmt::Display for IcePacing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_millis())
    }
}

wrapper! {
    /// `a=candidate`: the value as text (RFC 8839 §5.1), from the foundation on. Its grammar belongs
    /// to whoever runs ICE.
    Candidate<'a>(&'a str), "candidate", "RFC 8839 §5.1",
    |reader: &mut Reader<'a>| match reader.remainder() {
        "" => Err(reader.expected("a candidate")),
        text => Ok(text),
    }
}

impl<'a> Candidate<'a> {
    /// From the form with the name in front, `candidate:…`, that browsers and the agent's own
    /// `Display` use; without the name the text is taken as it is.
    #[must_use]
    pub fn from_line(text: &'a str) -> Self {
        let text = text.strip_prefix("a=").unwrap_or(text);
        Self(text.strip_prefix("candidate:").unwrap_or(text))
    }
}

/// `a=remote-candidates`: in an offer of the controlling agent after ICE is completed, the remote
/// candidates that it uses (RFC 8839 §5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteCandidates<'a>(pub Vec<RemoteCandidate<'a>>);

/// The remote candidate of one component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteCandidate<'a> {
    /// The component.
    pub component: u16,
    /// Its address.
    pub address: &'a str,
    /// Its port.
    pub port: u16,
}

impl<'a> Value<'a> for RemoteCandidates<'a> {
    const SECTION: &'static str = "RFC 8839 §5.2";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let mut candidates = Vec::new();
        loop {
            let component = reader.number("a component id")?;
            reader.blank("an address")?;
            let address = reader.word("an address")?;
            reader.blank("a port number from 0 to 65535")?;
            let port = reader.number("a port number from 0 to 65535")?;
            candidates.push(RemoteCandidate { component, address, port });
            if reader.rest().is_empty() {
                return Ok(Self(candidates));
            }
            reader.blank("a component id")?;
        }
    }
}

impl<'a> TypedAttribute<'a> for RemoteCandidates<'a> {
    const NAME: &'static str = "remote-candidates";
}

impl fmt::Display for RemoteCandidates<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, RemoteCandidate { component, address, port }) in self.0.iter().enumerate() {
            write!(f, "{}{component} {address} {port}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

flag! {
    /// `a=end-of-candidates`: no more candidates follow for this section, or for all of them at
    /// session level (RFC 8840 §4.2).
    EndOfCandidates, "end-of-candidates", "RFC 8840 §8.2"
}

/// `least` to 256 of the characters that RFC 8839 §5.1 calls ice-char, or of the four others that
/// endpoints in the field send: `-`, `_`, `=` and `#`.
fn ice_chars<'a>(
    reader: &mut Reader<'a>,
    least: usize,
    what: &'static str,
) -> Result<&'a str, ValueError> {
    let refused = reader.expected(what);
    let chars = reader.take_while(|c| c.is_ascii_alphanumeric() || "+/-_=#".contains(c));
    if (least..=256).contains(&chars.len()) { Ok(chars) } else { Err(refused) }
}
