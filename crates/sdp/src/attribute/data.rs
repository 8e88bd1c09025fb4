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

impl<'a> Dcmap<'a> {
    /// The options: names and values, these without their quotation marks.
    pub fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut reader = Reader::new(self.options);
        core::iter::from_fn(move || {
            reader.skip(";");
            option(&mut reader).ok()
        })
    }

    /// The value of the option of this name: `label`, `subprotocol`, `max-retr`, `max-time`, `priority`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.pairs().find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    /// Whether messages arrive in order: they do unless it says otherwise (RFC 8864 §5.1.7).
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        self.get("ordered") != Some("false")
    }
}

/// `name=value`, or `name="value"` with perhaps semicolons in it.
fn option<'a>(reader: &mut Reader<'a>) -> Result<(&'a str, &'a str), ValueError> {
    let name = reader.token("an option such as label")?;
    if !reader.skip("=") {
        return Err(reader.expected("= and a value"));
    }
    if !reader.skip("\"") {
        return Ok((name, reader.take_some("a value", |c| c != ';')?));
    }
    let value = reader.take_while(|c| c != '"');
    if reader.skip("\"") { Ok((name, value)) } else { Err(reader.expected("a quotation mark")) }
}

impl<'a> Value<'a> for Dcmap<'a> {
    const SECTION: &'static str = "RFC 8864 §5.1";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let stream = reader.number("an SCTP stream from 0 to 65535")?;
        if reader.rest().is_empty() {
            return Ok(Self { stream, options: "" });
        }
        reader.blank("options")?;
        let options = reader.rest();
        option(reader)?;
        while reader.skip(";") {
            option(reader)?;
        }
        let length = options.len() - reader.rest().len();
        Ok(Self { stream, options: options.split_at_checked(length).map_or("", |(own, _)| own) })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_a_channel_are_read_with_what_is_quoted() {
        let text = "2 subprotocol=\"bfcp\";label=\"a;b\";ordered=false;max-retr=3";
        let dcmap = Dcmap::from_text(text).unwrap();
        assert_eq!((dcmap.get("label"), dcmap.get("max-retr")), (Some("a;b"), Some("3")));
        assert!(!dcmap.is_ordered() && dcmap.pairs().count() == 4);
        assert!(Dcmap::from_text("0").unwrap().is_ordered());
        for (text, offset) in [("1 label", 7), ("1 label=\"x", 10), ("1 a=b;", 6), ("1 a=", 4)] {
            assert_eq!(Dcmap::from_text(text).unwrap_err().offset, offset, "{text}");
        }
    }
}
