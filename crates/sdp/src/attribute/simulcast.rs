//! Several versions of one media at a time (RFC 8851, RFC 8853).

use alloc::vec::Vec;
use core::fmt;

use crate::{Reader, TypedAttribute, Value, ValueError};

/// `a=rid`: a name for an RTP stream, and what it is restricted to (RFC 8851 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rid<'a> {
    /// The name.
    pub id: &'a str,
    /// Whether the sender of the description sends or receives it.
    pub way: Way,
    /// The restrictions as text, `pt=` and others, separated by semicolons; perhaps empty.
    pub restrictions: &'a str,
}

/// Seen from the sender of the description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `send`
    Send,
    /// `recv`
    Recv,
}

impl Way {
    /// The word in the attribute.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Recv => "recv",
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ValueError> {
        let unknown = reader.expected("send or recv");
        let word = reader.take_while(|c| c.is_ascii_alphabetic());
        [Self::Send, Self::Recv].into_iter().find(|way| way.as_str() == word).ok_or(unknown)
    }
}

impl<'a> Rid<'a> {
    /// The restriction of this name: `max-width`, `max-fps`, `pt` and others (RFC 8851 §5).
    #[must_use]
    pub fn restriction(&self, name: &str) -> Option<&'a str> {
        let restrictions = self.restrictions.split(';').map(str::trim);
        restrictions
            .filter_map(|text| text.split_once('='))
            .find(|(own, _)| *own == name)
            .map(|(_, v)| v)
    }
}

impl<'a> Value<'a> for Rid<'a> {
    const SECTION: &'static str = "RFC 8851 §10";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let id = rid(reader)?;
        reader.blank("send or recv")?;
        let way = Way::read(reader)?;
        Ok(Self { id, way, restrictions: reader.remainder().trim_start() })
    }
}

impl<'a> TypedAttribute<'a> for Rid<'a> {
    const NAME: &'static str = "rid";
}

impl fmt::Display for Rid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.way.as_str())?;
        if self.restrictions.is_empty() { Ok(()) } else { write!(f, " {}", self.restrictions) }
    }
}

/// `a=simulcast`: the streams that are sent or received side by side (RFC 8853 §5.1).
///
/// The form of the draft's older versions, `send rid=1;2`, is read as well.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Simulcast<'a> {
    /// The streams that the sender of the description offers to send, in order of preference.
    pub send: Vec<Stream<'a>>,
    /// The streams that it offers to receive.
    pub recv: Vec<Stream<'a>>,
}

/// One stream of a simulcast: formats of which one is used at a time, in order of preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream<'a>(pub Vec<Alternative<'a>>);

/// One format of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alternative<'a> {
    /// The name of an `a=rid` in the same section.
    pub rid: &'a str,
    /// Whether it is paused to begin with.
    pub paused: bool,
}

impl<'a> Stream<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let mut alternatives = Vec::new();
        loop {
            let paused = reader.skip("~");
            alternatives.push(Alternative { rid: rid(reader)?, paused });
            if !reader.skip(",") {
                return Ok(Self(alternatives));
            }
        }
    }
}

impl<'a> Value<'a> for Simulcast<'a> {
    const SECTION: &'static str = "RFC 8853 §5.1";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let mut simulcast = Self::default();
        loop {
            let again = reader.expected("send and recv once each");
            let streams = match Way::read(reader)? {
                Way::Send => &mut simulcast.send,
                Way::Recv => &mut simulcast.recv,
            };
            if !streams.is_empty() {
                return Err(again);
            }
            reader.blank("names of a=rid attributes")?;
            reader.skip("rid=");
            streams.push(Stream::read(reader)?);
            while reader.skip(";") {
                streams.push(Stream::read(reader)?);
            }
            if reader.rest().is_empty() {
                return Ok(simulcast);
            }
            reader.blank("send or recv")?;
        }
    }
}

impl<'a> TypedAttribute<'a> for Simulcast<'a> {
    const NAME: &'static str = "simulcast";
}

impl fmt::Display for Simulcast<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ways = [(Way::Send, &self.send), (Way::Recv, &self.recv)];
        let mut blank = "";
        for (way, streams) in ways.into_iter().filter(|(_, streams)| !streams.is_empty()) {
            write!(f, "{blank}{} ", way.as_str())?;
            blank = " ";
            for (i, stream) in streams.iter().enumerate() {
                write!(f, "{}{stream}", if i == 0 { "" } else { ";" })?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Stream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Alternative { rid, paused }) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{}{rid}", if *paused { "~" } else { "" })?;
        }
        Ok(())
    }
}

/// RFC 8851 §10: `rid-id`
fn rid<'a>(reader: &mut Reader<'a>) -> Result<&'a str, ValueError> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    reader.take_some("a name of letters, digits, - or _", is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn both_forms_of_simulcast_are_read_and_the_one_of_the_rfc_written() {
        for (text, written) in [
            ("send 1,~4;2;3 recv c", "send 1,~4;2;3 recv c"),
            ("recv a;b send c", "send c recv a;b"),
            ("send rid=foo;bar", "send foo;bar"),
        ] {
            assert_eq!(Simulcast::from_text(text).unwrap().to_string(), written);
        }
    }

    #[test]
    fn a_simulcast_that_leaves_its_grammar_is_refused_there() {
        for (text, offset) in [
            ("", 0),
            ("send", 4),
            ("send ;a", 5),
            ("send a, b", 7),
            ("send a send b", 7),
            ("pt 1", 0),
        ] {
            assert_eq!(Simulcast::from_text(text).unwrap_err().offset, offset, "{text}");
        }
    }

    #[test]
    fn a_rid_knows_its_restrictions() {
        let rid = Rid::from_text("hi send pt=96,97;max-width=1280;max-fps=30").unwrap();
        assert_eq!((rid.id, rid.way), ("hi", Way::Send));
        assert_eq!(rid.restriction("max-fps"), Some("30"));
        assert_eq!(rid.restriction("pt"), Some("96,97"));
        assert_eq!(rid.restriction("max-height"), None);
    }
}
