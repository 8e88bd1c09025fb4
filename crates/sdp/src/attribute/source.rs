//! RTP sources and the streams and tracks that they belong to.

use alloc::vec::Vec;
use core::fmt;

use crate::{Reader, TypedAttribute, Value, ValueError};

/// `a=ssrc`: an attribute of one RTP source (RFC 5576 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ssrc<'a> {
    /// The source.
    pub id: u32,
    /// The attribute's name, such as `cname`.
    pub attribute: &'a str,
    /// What follows its colon, if there is one.
    pub value: Option<&'a str>,
}

impl<'a> Value<'a> for Ssrc<'a> {
    const SECTION: &'static str = "RFC 5576 §4.1";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let id = reader.number("an SSRC of 32 bits")?;
        reader.blank("a source attribute such as cname")?;
        let attribute = reader.token("a source attribute such as cname")?;
        let value = reader.skip(":").then(|| reader.remainder());
        Ok(Self { id, attribute, value })
    }
}

impl<'a> TypedAttribute<'a> for Ssrc<'a> {
    const NAME: &'static str = "ssrc";
}

impl fmt::Display for Ssrc<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.attribute)?;
        self.value.map_or(Ok(()), |value| write!(f, ":{value}"))
    }
}

/// `a=ssrc-group`: RTP sources that belong together (RFC 5576 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SsrcGroup<'a> {
    /// In which way: [`FID`](Self::FID), [`FEC_FR`](Self::FEC_FR), [`SIM`](Self::SIM) or another.
    pub semantics: &'a str,
    /// The sources, in an order that the semantics give a meaning.
    pub ids: Vec<u32>,
}

impl SsrcGroup<'_> {
    /// A source and its retransmissions (RFC 5576 §4.2, RFC 4588 §5.3).
    pub const FID: &'static str = "FID";
    /// A source and what repairs it (RFC 5956 §4.3).
    pub const FEC_FR: &'static str = "FEC-FR";
    /// Versions of one source, from the smallest on, as browsers wrote it before RFC 8853.
    pub const SIM: &'static str = "SIM";
}

impl<'a> Value<'a> for SsrcGroup<'a> {
    const SECTION: &'static str = "RFC 5576 §4.2";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let semantics = reader.token("group semantics such as FID")?;
        let mut ids = Vec::new();
        while !reader.rest().is_empty() {
            reader.blank("an SSRC of 32 bits")?;
            ids.push(reader.number("an SSRC of 32 bits")?);
        }
        Ok(Self { semantics, ids })
    }
}

impl<'a> TypedAttribute<'a> for SsrcGroup<'a> {
    const NAME: &'static str = "ssrc-group";
}

impl fmt::Display for SsrcGroup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.semantics)?;
        self.ids.iter().try_for_each(|id| write!(f, " {id}"))
    }
}

/// `a=msid`: the media stream and track that the section carries (RFC 8830 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Msid<'a> {
    /// The stream, `-` for a track in no stream.
    pub stream: &'a str,
    /// The track, which recent browsers no longer send.
    pub track: Option<&'a str>,
}

impl<'a> Value<'a> for Msid<'a> {
    const SECTION: &'static str = "RFC 8830 §2";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let stream = reader.word("a media stream or -")?;
        if reader.rest().is_empty() {
            return Ok(Self { stream, track: None });
        }
        reader.blank("a track")?;
        Ok(Self { stream, track: Some(reader.word("a track")?) })
    }
}

impl<'a> TypedAttribute<'a> for Msid<'a> {
    const NAME: &'static str = "msid";
}

impl fmt::Display for Msid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.stream)?;
        self.track.map_or(Ok(()), |track| write!(f, " {track}"))
    }
}
