//! RTCP: where it goes, and which feedback is wanted.

use core::fmt;

use super::flag;
use crate::{Connection, Reader, TypedAttribute, Value, ValueError};

/// `a=rtcp`: the port of RTCP where it is not the next one (RFC 3605 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rtcp<'a> {
    /// The port.
    pub port: u16,
    /// The address, where it is another one than that of RTP.
    pub address: Option<Connection<'a>>,
}

impl<'a> Value<'a> for Rtcp<'a> {
    const SECTION: &'static str = "RFC 3605 §2.1";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let port = reader.number("a port number from 0 to 65535")?;
        if reader.rest().is_empty() {
            return Ok(Self { port, address: None });
        }
        reader.blank("an address")?;
        Ok(Self { port, address: Some(Connection::parse(reader)?) })
    }
}

impl<'a> TypedAttribute<'a> for Rtcp<'a> {
    const NAME: &'static str = "rtcp";
}

impl fmt::Display for Rtcp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.port)?;
        self.address.map_or(Ok(()), |address| write!(f, " {address}"))
    }
}

/// `a=rtcp-fb`: a kind of feedback that is understood (RFC 4585 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtcpFb<'a> {
    /// The format that it is for, `*` for all of them.
    pub format: &'a str,
    /// The kind and its parameters, such as `nack pli`.
    pub feedback: &'a str,
}

impl<'a> RtcpFb<'a> {
    /// Whether it is for this format, by name or by `*`.
    #[must_use]
    pub fn applies_to(&self, format: &str) -> bool {
        self.format == "*" || self.format == format
    }
}

impl<'a> Value<'a> for RtcpFb<'a> {
    const SECTION: &'static str = "RFC 4585 §4.2";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let format = reader.token("a format of the m= line or *")?;
        reader.blank("a kind of feedback")?;
        match reader.remainder() {
            "" => Err(reader.expected("a kind of feedback")),
            feedback => Ok(Self { format, feedback }),
        }
    }
}

impl<'a> TypedAttribute<'a> for RtcpFb<'a> {
    const NAME: &'static str = "rtcp-fb";
}

impl fmt::Display for RtcpFb<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.format, self.feedback)
    }
}

flag! {
    /// `a=rtcp-mux`: RTP and RTCP may share a port (RFC 5761 §5.1.1).
    RtcpMux, "rtcp-mux", "RFC 5761 §5.1.1"
}

flag! {
    /// `a=rtcp-mux-only`: RTP and RTCP must share a port (RFC 8858 §3).
    RtcpMuxOnly, "rtcp-mux-only", "RFC 8858 §3"
}

flag! {
    /// `a=rtcp-rsize`: RTCP packets may be of reduced size (RFC 5506 §5.1).
    RtcpRsize, "rtcp-rsize", "RFC 5506 §5.1"
}
