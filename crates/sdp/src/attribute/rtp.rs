//! RTP payload formats and directions (RFC 8866 §6).

use core::fmt;

use crate::{Reader, TypedAttribute, Value, ValueError};

/// `a=rtpmap`: what a payload type stands for (RFC 8866 §6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rtpmap<'a> {
    /// The payload type, 0 to 127.
    pub payload_type: u8,
    /// The name of the payload format, such as `opus`; compare it without regard to case.
    pub encoding: &'a str,
    /// RTP timestamp units a second.
    pub clock_rate: u32,
    /// Audio channels, where the attribute tells them; one if it does not.
    pub channels: Option<u32>,
}

impl<'a> Value<'a> for Rtpmap<'a> {
    const SECTION: &'static str = "RFC 8866 §6.6";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let refused = reader.expected("a payload type from 0 to 127");
        let payload_type = reader.number(refused.what)?;
        if payload_type > 127 {
            return Err(refused);
        }
        reader.blank("an encoding name")?;
        let encoding = reader.token("an encoding name")?;
        if !reader.skip("/") {
            return Err(reader.expected("a slash and a clock rate"));
        }
        let clock_rate = reader.number("a clock rate")?;
        let channels =
            if reader.skip("/") { Some(reader.number("a number of channels")?) } else { None };
        Ok(Self { payload_type, encoding, clock_rate, channels })
    }
}

impl<'a> TypedAttribute<'a> for Rtpmap<'a> {
    const NAME: &'static str = "rtpmap";
}

impl fmt::Display for Rtpmap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.payload_type, self.encoding, self.clock_rate)?;
        self.channels.map_or(Ok(()), |channels| write!(f, "/{channels}"))
    }
}

/// `a=sendrecv` and its kin: in which directions media flows, seen from the sender of the description
/// (RFC 8866 §6.7). `SendRecv` where none is stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// From the sender of the description only.
    SendOnly,
    /// To the sender of the description only.
    RecvOnly,
    /// Neither way.
    Inactive,
}

impl Direction {
    const ALL: [Self; 4] = [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive];

    /// The direction whose attribute has this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|direction| direction.name() == name)
    }

    /// The name of the attribute.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// Whether media flows from the side that states it.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether media flows to the side that states it.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The direction in which media flows as told.
    pub(crate) const fn from_flow(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// The same flow seen from the other side.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            Self::SendRecv | Self::Inactive => self,
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
