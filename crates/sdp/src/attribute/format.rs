//! Payload formats: parameters, packet times, and RTP header extensions.

use core::fmt;

use super::{flag, wrapper};
use crate::{Decimal, Reader, TypedAttribute, Value, ValueError};

/// `a=fmtp`: parameters of one format of the `m=` line (RFC 8866 §6.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fmtp<'a> {
    /// The format: a payload type where the protocol is an RTP one.
    pub format: &'a str,
    /// The parameters as text. What they mean is up to the payload format.
    pub parameters: &'a str,
}

impl<'a> Fmtp<'a> {
    /// The parameters `name=value`, separated by semicolons, as nearly all payload formats have them.
    /// One without `=`, as of RED and telephone-event, has an empty name.
    pub fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let parameters = self.parameters.split(';').map(str::trim).filter(|text| !text.is_empty());
        parameters.map(|text| match text.split_once('=') {
            Some((name, value)) => (name.trim_end(), value.trim_start()),
            None => ("", text),
        })
    }

    /// The value of the parameter of this name, which is compared without regard to case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.pairs().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl<'a> Value<'a> for Fmtp<'a> {
    const SECTION: &'static str = "RFC 8866 §6.15";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let format = reader.token("a format of the m= line")?;
        reader.blank("parameters")?;
        Ok(Self { format, parameters: reader.remainder() })
    }
}

impl<'a> TypedAttribute<'a> for Fmtp<'a> {
    const NAME: &'static str = "fmtp";
}

impl fmt::Display for Fmtp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.format, self.parameters)
    }
}

wrapper! {
    /// `a=ptime`: milliseconds of media in a packet, as a wish (RFC 8866 §6.4).
    Ptime(Decimal), "ptime", "RFC 8866 §6.4",
    |reader: &mut Reader<'a>| Decimal::read(reader, "milliseconds")
}

wrapper! {
    /// `a=maxptime`: the most milliseconds of media in a packet (RFC 8866 §6.5).
    MaxPtime(Decimal), "maxptime", "RFC 8866 §6.5",
    |reader: &mut Reader<'a>| Decimal::read(reader, "milliseconds")
}

/// `a=extmap`: the local number of an RTP header extension (RFC 8285 §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extmap<'a> {
    /// The number in the packets, 1 to 14 or 255; or one from 4096 that is only proposed (§7).
    pub id: u16,
    /// In which directions it is used, seen from the sender of the description; as the media if absent.
    pub direction: Option<crate::Direction>,
    /// The URI that names the extension.
    pub uri: &'a str,
    /// Attributes of the extension's own, perhaps empty.
    pub attributes: &'a str,
}

impl<'a> Value<'a> for Extmap<'a> {
    const SECTION: &'static str = "RFC 8285 §8";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let id = reader.number("a number of a header extension")?;
        let mut direction = None;
        if reader.skip("/") {
            let unknown = reader.expected("a direction such as sendonly");
            let name = reader.take_while(|c| c.is_ascii_alphabetic());
            direction = Some(crate::Direction::from_name(name).ok_or(unknown)?);
        }
        reader.blank("the URI of a header extension")?;
        let uri = reader.word("the URI of a header extension")?;
        let attributes = reader.remainder().trim_start();
        Ok(Self { id, direction, uri, attributes })
    }
}

impl<'a> TypedAttribute<'a> for Extmap<'a> {
    const NAME: &'static str = "extmap";
}

impl fmt::Display for Extmap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        if let Some(direction) = self.direction {
            write!(f, "/{direction}")?;
        }
        write!(f, " {}", self.uri)?;
        if self.attributes.is_empty() { Ok(()) } else { write!(f, " {}", self.attributes) }
    }
}

flag! {
    /// `a=extmap-allow-mixed`: header extensions of one and of two bytes may be mixed (RFC 8285 §6).
    ExtmapAllowMixed, "extmap-allow-mixed", "RFC 8285 §6"
}
