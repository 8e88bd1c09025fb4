use alloc::vec::Vec;
use core::str;

use super::{Error, Limit, Limits, Reader, ValueError};

/// A range of bytes in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

/// The parts of an `m=` line, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MediaSpan {
    /// The index of the line.
    pub(crate) line: usize,
    pub(crate) kind: Span,
    pub(crate) port: u16,
    pub(crate) port_count: u32,
    pub(crate) protocol: Span,
    pub(crate) formats: Span,
}

/// What kind of text it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A session description: it begins with `v=0`.
    Description,
    /// A part of one that trickles candidates: `a=` and `m=` lines only (RFC 8840 §9).
    Fragment,
}

/// Where the lines of a text are, and which of them open a media section.
///
/// Each line costs 8 bytes: its content, without the ending.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Index {
    pub(crate) lines: Vec<Span>,
    pub(crate) media: Vec<MediaSpan>,
}

impl Span {
    /// `None` where the text is longer than 4 GiB.
    fn new(start: usize, end: usize) -> Option<Self> {
        Some(Self { start: u32::try_from(start).ok()?, end: u32::try_from(end).ok()? })
    }

    /// The part of `text` that the span covers; spans are only used with the text they were made for.
    pub(crate) fn of(self, text: &[u8]) -> &[u8] {
        text.get(self.start()..self.end()).unwrap_or(b"")
    }

    /// As [`Span::of`], for a span that was found in a `str`.
    pub(crate) fn text_of(self, text: &[u8]) -> &str {
        str::from_utf8(self.of(text)).unwrap_or("")
    }

    pub(crate) fn start(self) -> usize {
        self.start as usize
    }

    pub(crate) fn end(self) -> usize {
        self.end as usize
    }
}

impl Index {
    /// Finds the lines and media sections of `text` in one pass.
    pub(crate) fn build(text: &[u8], form: Form, limits: &Limits) -> Result<Self, Error> {
        let most = limits.bytes.min(u32::MAX as usize);
        if text.len() > most {
            return Err(Error::too_large(0, Limit::Bytes, most));
        }
        let mut index = Self::default();
        index.lines.reserve_exact(text.len().div_ceil(TYPICAL_LINE).min(limits.lines));
        let mut rest = text;
        let mut begun = form == Form::Fragment;
        while !rest.is_empty() {
            let number = index.lines.len();
            if number == limits.lines {
                return Err(Error::too_large(number, Limit::Lines, limits.lines));
            }
            let (body, after) = split_line(rest, number)?;
            if !begun && !body.is_empty() {
                begun = body.starts_with(b"v=");
                if !begun {
                    return Err(Error::expected(number, 0, "v=0", "RFC 8866 §5.1"));
                }
            }
            if form == Form::Fragment && !matches!(body, [] | [b'a' | b'm', ..]) {
                return Err(Error::expected(number, 0, "an a= or m= line", "RFC 8840 §9.2"));
            }
            index.add(text.len() - rest.len(), body, limits)?;
            rest = after;
        }
        if begun { Ok(index) } else { Err(Error::expected(0, 0, "v=0", "RFC 8866 §5.1")) }
    }

    fn add(&mut self, start: usize, body: &[u8], limits: &Limits) -> Result<(), Error> {
        let number = self.lines.len();
        match body {
            [] => {}
            [b'v', b'=', version @ ..] => check_version(version, number)?,
            [b'm', b'=', ..] if self.media.len() == limits.media => {
                return Err(Error::too_large(number, Limit::Media, limits.media));
            }
            [b'm', b'=', value @ ..] => self.media.push(MediaSpan::parse(number, start, value)?),
            [kind, b'=', ..] if kind.is_ascii_alphabetic() => {}
            [kind, ..] => {
                let column = usize::from(kind.is_ascii_alphabetic());
                let what = "a line of the form <letter>=<value>";
                return Err(Error::expected(number, column, what, "RFC 8866 §5"));
            }
        }
        let span = Span::new(start, start + body.len());
        self.lines.extend(span);
        Ok(())
    }
}

impl MediaSpan {
    /// Parses `<media> <port>[/<number>] <proto> <fmt> ...` (RFC 8866 §5.14). The formats may be absent.
    fn parse(line: usize, start: usize, value: &[u8]) -> Result<Self, Error> {
        let fail = |error: ValueError| Error::expected(line, 2 + error.offset, error.what, SECTION);
        let text = str::from_utf8(value)
            .map_err(|e| fail(ValueError { offset: e.valid_up_to(), what: "UTF-8 text" }))?;
        let mut reader = Reader::new(text);
        let span = |reader: &mut Reader<'_>, what| {
            let before = text.len() - reader.rest().len();
            let word = reader.word(what).map_err(fail)?;
            Ok(span_within(start, before, word.len()))
        };
        let kind = span(&mut reader, "a media type such as audio")?;
        reader.blank("a port").map_err(fail)?;
        let port = reader.number("a port number from 0 to 65535").map_err(fail)?;
        let port_count =
            if reader.skip("/") { reader.number("a number of ports").map_err(fail)? } else { 1 };
        reader.blank("a transport protocol").map_err(fail)?;
        let protocol = span(&mut reader, "a transport protocol")?;
        let _ = reader.blank("formats");
        let formats = reader.rest().trim_end_matches([' ', '\t']);
        let formats = span_within(start, text.len() - reader.rest().len(), formats.len());
        Ok(Self { line, kind, port, port_count, protocol, formats })
    }
}

/// The span of `length` bytes, `before` bytes into the value of the line that begins at `start`.
fn span_within(start: usize, before: usize, length: usize) -> Span {
    let first = start + 2 + before;
    Span::new(first, first + length).unwrap_or_default()
}

/// Cuts the first line off `text`: its content, and all that follows its ending.
fn split_line(text: &[u8], number: usize) -> Result<(&[u8], &[u8]), Error> {
    let stop = text.iter().position(|byte| matches!(byte, b'\n' | b'\r' | 0));
    let Some((body, ending)) = stop.and_then(|stop| text.split_at_checked(stop)) else {
        return Ok((text, b""));
    };
    let mut rest = ending;
    while let [b'\r', after @ ..] = rest {
        rest = after;
    }
    match rest {
        [b'\n', after @ ..] => Ok((body, after)),
        // The last line may have lost its LF.
        [] => Ok((body, b"")),
        _ => {
            let what = "no NUL, and no CR without LF";
            Err(Error::expected(number, body.len(), what, "RFC 8866 §5"))
        }
    }
}

fn check_version(version: &[u8], line: usize) -> Result<(), Error> {
    let is_zero = version.trim_ascii_end() == b"0";
    if is_zero { Ok(()) } else { Err(Error::expected(line, 2, "version 0", "RFC 8866 §5.1")) }
}

const SECTION: &str = "RFC 8866 §5.14";

/// Bytes a line, guessed low, so that the list of lines is allocated once.
const TYPICAL_LINE: usize = 24;
