//! Image sizes (RFC 6236).

use alloc::vec::Vec;
use core::fmt;

use crate::{Reader, TypedAttribute, Value, ValueError, Way};

/// `a=imageattr`: the sizes of the image that are sent or received (RFC 6236 §3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageAttr<'a> {
    /// The payload type, `None` for `*`: all of the section.
    pub payload_type: Option<u8>,
    /// What is said of each direction, in order and with its grammar checked.
    text: &'a str,
}

/// Sizes that go together: one of `x` with one of `y`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSet<'a> {
    /// The widths in pixels.
    pub x: ImageSizes,
    /// The heights in pixels.
    pub y: ImageSizes,
    /// Further keys as text: the sample and picture aspect ratios `sar`, `par`, and the preference `q`.
    pub keys: Vec<(&'a str, &'a str)>,
}

/// One or more sizes in pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageSizes {
    /// These.
    Listed(Vec<u32>),
    /// From the first one to the last one, in steps.
    Range {
        /// The least one.
        first: u32,
        /// The difference of neighbours; 1 where it is not told.
        step: u32,
        /// The largest one.
        last: u32,
    },
}

impl ImageSizes {
    /// Whether the size is one of them.
    #[must_use]
    pub fn has(&self, size: u32) -> bool {
        match self {
            Self::Listed(sizes) => sizes.contains(&size),
            Self::Range { first, step, last } => {
                (first..=last).contains(&&size) && (size - first).is_multiple_of((*step).max(1))
            }
        }
    }
}

impl<'a> ImageAttr<'a> {
    /// What may be sent, or received: `None` where nothing is said of it, no sets where any size may (`*`).
    #[must_use]
    pub fn sets(&self, way: Way) -> Option<Vec<ImageSet<'a>>> {
        let mut reader = Reader::new(self.text);
        while let Ok((own, sets)) = direction(&mut reader) {
            if own == way {
                return Some(sets);
            }
        }
        None
    }
}

impl<'a> Value<'a> for ImageAttr<'a> {
    const SECTION: &'static str = "RFC 6236 §3.1.1";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let payload_type =
            if reader.skip("*") { None } else { Some(reader.number("a payload type or *")?) };
        let text = reader.rest();
        direction(reader)?;
        reader.skip_blanks();
        while !reader.rest().is_empty() {
            direction(reader)?;
            reader.skip_blanks();
        }
        Ok(Self { payload_type, text: text.trim() })
    }
}

impl<'a> TypedAttribute<'a> for ImageAttr<'a> {
    const NAME: &'static str = "imageattr";
}

impl fmt::Display for ImageAttr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.payload_type {
            Some(number) => write!(f, "{number} {}", self.text),
            None => write!(f, "* {}", self.text),
        }
    }
}

/// `send` or `recv`, and `*` or its sets.
fn direction<'a>(reader: &mut Reader<'a>) -> Result<(Way, Vec<ImageSet<'a>>), ValueError> {
    reader.skip_blanks();
    let way = match () {
        () if reader.skip("send") => Way::Send,
        () if reader.skip("recv") => Way::Recv,
        () => return Err(reader.expected("send or recv")),
    };
    reader.blank("* or [")?;
    let mut sets = Vec::new();
    if reader.skip("*") {
        return Ok((way, sets));
    }
    loop {
        sets.push(set(reader)?);
        reader.skip_blanks();
        if !reader.rest().starts_with('[') {
            return Ok((way, sets));
        }
    }
}

/// `[x=<sizes>,y=<sizes>,<key>=<value>]`
fn set<'a>(reader: &mut Reader<'a>) -> Result<ImageSet<'a>, ValueError> {
    expect(reader, "[x=", "[x= and a width")?;
    let x = sizes(reader)?;
    expect(reader, ",y=", ",y= and a height")?;
    let y = sizes(reader)?;
    let mut keys = Vec::new();
    while reader.skip(",") {
        let key = reader.take_some("a key such as sar", |c| c.is_ascii_alphanumeric())?;
        expect(reader, "=", "= and a value")?;
        keys.push((key, value(reader)?));
    }
    expect(reader, "]", "]")?;
    Ok(ImageSet { x, y, keys })
}

/// A value, in brackets where it has commas.
fn value<'a>(reader: &mut Reader<'a>) -> Result<&'a str, ValueError> {
    if !reader.skip("[") {
        return reader.take_some("a value", |c| !",]".contains(c));
    }
    let value = reader.take_some("a value", |c| c != ']')?;
    expect(reader, "]", "]")?;
    Ok(value)
}

/// `<size>`, `[<size>,<size>]`, `[<first>:<last>]` or `[<first>:<step>:<last>]`
fn sizes(reader: &mut Reader<'_>) -> Result<ImageSizes, ValueError> {
    const SIZE: &str = "a number of pixels";
    let in_brackets = reader.skip("[");
    let first = reader.number(SIZE)?;
    let mut all = Vec::from([first]);
    if !in_brackets {
        return Ok(ImageSizes::Listed(all));
    }
    let sizes = if reader.skip(":") {
        let second = reader.number(SIZE)?;
        let (step, last) =
            if reader.skip(":") { (second, reader.number(SIZE)?) } else { (1, second) };
        ImageSizes::Range { first, step, last }
    } else {
        while reader.skip(",") {
            all.push(reader.number(SIZE)?);
        }
        ImageSizes::Listed(all)
    };
    expect(reader, "]", "]")?;
    Ok(sizes)
}

fn expect(reader: &mut Reader<'_>, literal: &str, what: &'static str) -> Result<(), ValueError> {
    if reader.skip(literal) { Ok(()) } else { Err(reader.expected(what)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn sizes_are_told_for_each_direction() {
        let text = "97 send [x=800,y=640,sar=1.1,q=0.6] [x=480,y=[320,240]] recv [x=[480:16:800],y=[1:9],par=[1.2-1.3]]";
        let attribute = ImageAttr::from_text(text).unwrap();
        assert_eq!(attribute.to_string(), text);
        let sent = attribute.sets(Way::Send).unwrap();
        assert_eq!(sent.len(), 2);
        assert_eq!(sent[0].keys, [("sar", "1.1"), ("q", "0.6")]);
        assert!(sent[1].y.has(240) && !sent[1].y.has(640));
        let received = attribute.sets(Way::Recv).unwrap();
        let x = &received[0].x;
        assert!(x.has(480) && x.has(496) && x.has(800) && !x.has(481) && !x.has(816));
        assert_eq!(received[0].keys, [("par", "1.2-1.3")]);
        let any = ImageAttr::from_text("* recv *").unwrap();
        assert_eq!((any.sets(Way::Send), any.sets(Way::Recv)), (None, Some(Vec::new())));
    }

    #[test]
    fn what_is_no_size_is_refused_where_it_stands() {
        for (text, offset) in [
            ("97", 2),
            ("97 both *", 3),
            ("97 send", 7),
            ("97 send [y=1]", 8),
            ("97 send [x=1,y=]", 15),
            ("97 send [x=[1:2,y=1]", 15),
            ("97 send [x=1,y=1", 16),
        ] {
            assert_eq!(ImageAttr::from_text(text).unwrap_err().offset, offset, "{text}");
        }
    }
}
