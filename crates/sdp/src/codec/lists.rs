//! Payload formats whose parameters have no names.

use core::fmt;
use core::ops::RangeInclusive;

use crate::{Reader, Value, ValueError};

/// The payload types that RED bundles, such as `111/111` (RFC 2198 §5); perhaps none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedParameters<'a>(&'a str);

impl RedParameters<'_> {
    /// The payload types, the primary one first.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> {
        self.0.split('/').filter_map(|number| number.parse().ok())
    }
}

impl<'a> Value<'a> for RedParameters<'a> {
    const SECTION: &'static str = "RFC 2198 §5";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let all = reader.rest().trim_end();
        while !reader.rest().is_empty() {
            payload_type(reader)?;
            if !reader.skip("/") {
                break;
            }
        }
        Ok(Self(all))
    }
}

impl fmt::Display for RedParameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The events that are understood, such as `0-15,66` (RFC 4733 §2.4.1).
///
/// ```
/// use pinhole_sdp::{TelephoneEventParameters, Value};
///
/// let events = TelephoneEventParameters::from_text("0-15,66")?;
/// assert!(events.has(11) && events.has(66) && !events.has(16));
/// # Ok::<(), pinhole_sdp::ValueError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEventParameters<'a>(&'a str);

impl TelephoneEventParameters<'_> {
    /// The events, as ranges.
    pub fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u8>> {
        self.0.split(',').filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
        })
    }

    /// Whether the event is understood; 0 to 9 are digits, 10 and 11 the star and the pound key.
    #[must_use]
    pub fn has(&self, event: u8) -> bool {
        self.ranges().any(|range| range.contains(&event))
    }
}

impl<'a> Value<'a> for TelephoneEventParameters<'a> {
    const SECTION: &'static str = "RFC 4733 §2.4.1";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let all = reader.rest().trim_end();
        loop {
            reader.skip_blanks();
            let first: u8 = reader.number("an event from 0 to 255")?;
            let range = reader.clone();
            if reader.skip("-") && reader.number::<u8>("an event from 0 to 255")? < first {
                return Err(range.expected("a range that grows"));
            }
            reader.skip_blanks();
            if !reader.skip(",") {
                return Ok(Self(all));
            }
        }
    }
}

impl fmt::Display for TelephoneEventParameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

fn payload_type(reader: &mut Reader<'_>) -> Result<u8, ValueError> {
    let refused = reader.expected("a payload type from 0 to 127");
    let number = reader.number("a payload type from 0 to 127")?;
    if number <= 127 { Ok(number) } else { Err(refused) }
}
