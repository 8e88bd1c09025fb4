//! Data channels over SCTP (RFC 8841, RFC 8864).

use core::fmt;

use super::wrapper;
use crate::{Reader, TypedAttribute, Value, ValueError};

wrapper! {
    /// `a=sctp-port`: the SCTP port inside DTLS (RFC 8841 §5); zero closes the association.
    SctpPort(u16), "sctp-port", "RFC 8841 §5",
    |reader: &mut Reader<'a>| reader.number("an SCTP port from 0 to 65535")
}

wrapper! {
    /// `a=max-message-size`: the most bytes of one message that the sender of the attribute takes
    /// (RFC 8841 §6). Zero means any size; 65,536 where the attribute is absent.
    MaxMessageSize(u64), "max-message-size", "RFC 8841 §6",
    |reader: &mut Reader<'a>| reader.number("a number of bytes")
}

/// `a=sctpmap`: what older endpoints send in place of [`SctpPort`] (draft-ietf-mmusic-sctp-sdp-05 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sctpmap<'a> {
    /// The SCTP port inside DTLS, which is the format in the `m=` line.
    pub port: u16,
    /// What SCTP carries: `webrtc-datachannel`.
    pub protocol: &'a str,
    /// The number of streams, if told.
    pub streams: Option<u16>,
}

impl<'a> Value<'a> for Sctpmap<'a> {
    const SECTION: &'static str = "draft-ietf-mmusic-sctp-sdp-05 §6";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let port = reader.number("an SCTP port from 0 to 65535")?;
        reader.blank("a protocol such as webrtc-datachannel")?;
        let protocol = reader.token("a protocol such as webrtc-datachannel")?;
        if reader.rest().is_empty() {
            return Ok(Self { port, protocol, streams: None });
        }
        reader.blank("a number of streams")?;
        Ok(Self { port, protocol, streams: Some(reader.number("a number of streams")?) })
    }
}

impl<'a> TypedAttribute<'a> for Sctpmap<'a> {
    const NAME: &'static str = "sctpmap";
}

impl fmt::Display for Sctpmap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.port, self.protocol)?;
        self.streams.map_or(Ok(()), |streams| write!(f, " {streams}"))
    }
}

/// `a=dcmap`: a data channel that both sides open without asking (RFC 8864 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dcmap<'a> {
    /// The SCTP stream.
    pub stream: u16,
    /// `name=value` options as text, separated by semicolons; perhaps empty.
    pub options: &'a str,
}

impl<'a> Value<'a> for Dcmap<'a> {
    const SECTION: &'static str = "RFC 8864 §5.1";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let stream = reader.number("an SCTP stream from 0 to 65535")?;
        if !reader.rest().is_empty() {
            reader.blank("options")?;
        }
        Ok(Self { stream, options: reader.remainder() })
    }
}

impl<'a> TypedAttribute<'a> for Dcmap<'a> {
    const NAME: &'static str = "dcmap";
}

impl fmt::Display for Dcmap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.stream)?;
        if self.options.is_empty() { Ok(()) } else { write!(f, " {}", self.options) }
    }
}
