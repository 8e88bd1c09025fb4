//! Streaming and broadcast: RTSP, multicast sources, clocks, and what a person wants to know.

use core::fmt;

use super::wrapper;
use crate::{Decimal, Reader, TypedAttribute, Value, ValueError};

wrapper! {
    /// `a=control`: the URL to control the session or the media with, absolute or relative (RFC 2326
    /// §C.1.1). `*` is the URL of the description itself.
    Control<'a>(&'a str), "control", "RFC 2326 §C.1.1",
    |reader: &mut Reader<'a>| reader.word("a URL or *")
}

wrapper! {
    /// `a=range`: the time span of the session, such as `npt=0-7.741` (RFC 2326 §C.1.5).
    Range<'a>(&'a str), "range", "RFC 2326 §C.1.5",
    |reader: &mut Reader<'a>| text(reader, "a range such as npt=0-")
}

wrapper! {
    /// `a=ts-refclk`: the clock that timestamps refer to (RFC 7273 §4.8).
    TsRefclk<'a>(&'a str), "ts-refclk", "RFC 7273 §4.8",
    |reader: &mut Reader<'a>| text(reader, "a clock such as ptp=IEEE1588-2008:traceable")
}

wrapper! {
    /// `a=mediaclk`: how the media clock relates to the reference clock (RFC 7273 §5.4).
    MediaClk<'a>(&'a str), "mediaclk", "RFC 7273 §5.4",
    |reader: &mut Reader<'a>| text(reader, "a media clock such as direct=0")
}

wrapper! {
    /// `a=label`: a name of the media for other documents (RFC 4574 §4).
    Label<'a>(&'a str), "label", "RFC 4574 §4",
    |reader: &mut Reader<'a>| reader.token("a label")
}

wrapper! {
    /// `a=content`: what the media shows, such as `slides`, separated by commas (RFC 4796 §5).
    Content<'a>(&'a str), "content", "RFC 4796 §5",
    |reader: &mut Reader<'a>| text(reader, "a content such as slides")
}

wrapper! {
    /// `a=framerate`: the most frames a second (RFC 8866 §6.13).
    Framerate(Decimal), "framerate", "RFC 8866 §6.13",
    |reader: &mut Reader<'a>| Decimal::read(reader, "frames a second")
}

wrapper! {
    /// `a=quality`: 0 for the worst to 10 for the best still image (RFC 8866 §6.14).
    Quality(u8), "quality", "RFC 8866 §6.14",
    |reader: &mut Reader<'a>| {
        let refused = reader.expected("a quality from 0 to 10");
        let quality = reader.number(refused.what)?;
        if quality <= 10 { Ok(quality) } else { Err(refused) }
    }
}

wrapper! {
    /// `a=lang`: the language of the session or media, as a tag of RFC 5646 (RFC 8866 §6.12).
    Lang<'a>(&'a str), "lang", "RFC 8866 §6.12",
    |reader: &mut Reader<'a>| reader.word("a language tag")
}

wrapper! {
    /// `a=identity`: an assertion of who the sender is, in base64, and its extensions (RFC 8827 §5).
    Identity<'a>(&'a str), "identity", "RFC 8827 §5",
    |reader: &mut Reader<'a>| text(reader, "an identity assertion")
}

/// `a=source-filter`: the sources that a multicast group is taken from, or not (RFC 4570 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceFilter<'a> {
    /// Whether the sources are the ones to take; else they are the ones to leave out.
    pub include: bool,
    /// `IP4`, `IP6`, or `*` for either, of the network type `IN`.
    pub address_type: &'a str,
    /// The group, `*` for every one that a `c=` line names.
    pub destination: &'a str,
    /// The sources, separated by blanks.
    pub sources: &'a str,
}

impl<'a> Value<'a> for SourceFilter<'a> {
    const SECTION: &'static str = "RFC 4570 §3";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let include = reader.skip("incl");
        if !include && !reader.skip("excl") {
            return Err(reader.expected("incl or excl"));
        }
        if !reader.skip(" IN ") {
            return Err(reader.expected("a blank and the network type IN"));
        }
        let address_type = reader.token("an address type such as IP4")?;
        reader.blank("a destination")?;
        let destination = reader.word("a destination")?;
        reader.blank("a source")?;
        Ok(Self { include, address_type, destination, sources: text(reader, "a source")? })
    }
}

impl<'a> TypedAttribute<'a> for SourceFilter<'a> {
    const NAME: &'static str = "source-filter";
}

impl fmt::Display for SourceFilter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = if self.include { "incl" } else { "excl" };
        let Self { address_type, destination, sources, .. } = self;
        write!(f, " {mode} IN {address_type} {destination} {sources}")
    }
}

/// All that is left, which must be something.
pub(super) fn text<'a>(reader: &mut Reader<'a>, what: &'static str) -> Result<&'a str, ValueError> {
    match reader.remainder() {
        "" => Err(reader.expected(what)),
        text => Ok(text),
    }
}
