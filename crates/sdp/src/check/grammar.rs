//! Whether each line follows its grammar to the letter (RFC 8866 §9, and the attributes' own).

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::str;

use crate::attribute::registry::{Level, known};
use crate::value::parse_value;
use crate::{
    Attribute, Bandwidth, Connection, Description, Error, Fingerprint, IcePassword, IceUfrag, Line,
    Mid, Origin, Reader, Section, Simulcast, SourceFilter, Timing, TypedAttribute, ValueError,
};

pub(super) fn check(description: &Description<'_>, found: &mut Vec<Error>) {
    check_endings(description, found);
    check_charset(description, found);
    for line in description.lines() {
        found.extend(check_line(line).err());
    }
    check_attributes(&description.session(), Level::Media, found);
    let mut mids = BTreeSet::new();
    for media in description.media() {
        check_attributes(&media, Level::Session, found);
        let mid = media.attribute(Mid::NAME);
        if let Some(again) = mid.filter(|mid| mid.value().is_some_and(|mid| !mids.insert(mid))) {
            found.push(at(again.line(), 6, "a tag that no other section has", "RFC 5888 §4"));
        }
    }
}

/// "The parser SHOULD be tolerant", but the lines end with CRLF (RFC 8866 §5, §9). Reported where the
/// ending changes, so that a text with LF only is reported once.
fn check_endings(description: &Description<'_>, found: &mut Vec<Error>) {
    let mut before: &[u8] = b"\r\n";
    for line in description.lines() {
        if line.ending() != before && line.ending() != b"\r\n" {
            found.push(at(line, line.bytes().len(), "CRLF", "RFC 8866 §5"));
        }
        before = line.ending();
    }
}

/// Text is UTF-8 unless `a=charset` says otherwise (RFC 8866 §6.10).
fn check_charset(description: &Description<'_>, found: &mut Vec<Error>) {
    if description.session().has("charset") {
        return;
    }
    for line in description.lines() {
        if let Err(error) = str::from_utf8(line.bytes()) {
            found.push(at(line, error.valid_up_to(), "UTF-8 text", "RFC 8866 §6.10"));
        }
    }
}

fn check_line(line: Line<'_>) -> Result<(), Error> {
    let value = line.value_bytes();
    match line.kind() {
        Some('o') => parse_value::<Origin<'_>>(line, 2, value).map(|_| ())?,
        Some('c') => parse_value::<Connection<'_>>(line, 2, value).map(|_| ())?,
        Some('b') => parse_value::<Bandwidth<'_>>(line, 2, value).map(|_| ())?,
        Some('t') => check_times(line, parse_value(line, 2, value)?)?,
        Some('m') => return check_media_line(line),
        Some('r' | 'z') => {}
        Some('s' | 'i' | 'u' | 'e' | 'p' | 'k') if value.is_empty() => {
            return Err(at(line, 2, "a value; s=- where there is no name", "RFC 8866 §9"));
        }
        _ => return Ok(()),
    }
    check_blanks(line)
}

/// A time is 0, or has at least ten digits, which it has had since 1931 (RFC 8866 §9).
fn check_times(line: Line<'_>, Timing { start, stop }: Timing) -> Result<(), Error> {
    let is_time = |time: u64| time == 0 || time >= 1_000_000_000;
    if is_time(start) && is_time(stop) {
        return Ok(());
    }
    Err(at(line, 2, "times of at least ten digits, or 0", "RFC 8866 §5.9"))
}

/// One blank stands between two parts of a line, and none at its ends.
fn check_blanks(line: Line<'_>) -> Result<(), Error> {
    let mut previous = b' ';
    for (column, byte) in line.value_bytes().iter().enumerate() {
        if *byte == b'\t' || (*byte == b' ' && previous == b' ') {
            return Err(at(line, 2 + column, "a single blank between two parts", "RFC 8866 §9"));
        }
        previous = *byte;
    }
    if previous == b' ' && !line.value_bytes().is_empty() {
        let end = line.bytes().len() - 1;
        return Err(at(line, end, "no blank at the end", "RFC 8866 §9"));
    }
    Ok(())
}

fn check_media_line(line: Line<'_>) -> Result<(), Error> {
    check_blanks(line)?;
    let text = str::from_utf8(line.value_bytes()).unwrap_or("");
    let mut reader = Reader::new(text);
    let mut check = || -> Result<(), ValueError> {
        reader.token("a media type such as audio")?;
        reader.blank("a port")?;
        reader.word("a port")?;
        reader.blank("a transport protocol")?;
        reader.token("a transport protocol")?;
        while reader.skip("/") {
            reader.token("a part of a transport protocol")?;
        }
        reader.blank("a format")?;
        reader.token("a format")?;
        while !reader.rest().is_empty() {
            reader.blank("a format")?;
            reader.token("a format")?;
        }
        Ok(())
    };
    check().map_err(|error| at(line, 2 + error.offset, error.what, "RFC 8866 §5.14"))
}

/// Checks the attributes of a section in which those of the level `foreign` must not stand.
fn check_attributes(section: &Section<'_>, foreign: Level, found: &mut Vec<Error>) {
    let mut once = BTreeSet::new();
    for line in section.lines().filter(|line| line.kind() == Some('a')) {
        let Some(attribute) = line.attribute() else {
            found.push(at(line, 2, "the name of an attribute", "RFC 8866 §5.13"));
            continue;
        };
        if let Err(error) = check_attribute(&attribute) {
            found.push(error);
        }
        let Some(known) = known(attribute.name()) else { continue };
        if known.level == foreign {
            let what = match foreign {
                Level::Session => "an attribute of the session further up",
                Level::Media | Level::Either => "an attribute of a media section further down",
            };
            found.push(at(line, 2, what, "RFC 8866 §5.13"));
        }
        if known.once && !once.insert(known.name) {
            found.push(at(line, 2, "no second attribute of this name", "RFC 8866 §5.13"));
        }
    }
}

fn check_attribute(attribute: &Attribute<'_>) -> Result<(), Error> {
    let line = attribute.line();
    let after_name = 2 + attribute.name().len();
    let mut name = Reader::new(attribute.name());
    let is_token = name.token("").is_ok() && name.rest().is_empty();
    if !is_token || attribute.name().len() != line_name_length(line) {
        return Err(at(line, 2, "a token as the name of an attribute", "RFC 8866 §5.13"));
    }
    if attribute.value_bytes() == Some(b"") {
        return Err(at(line, after_name + 1, "a value after the colon", "RFC 8866 §9"));
    }
    let Some(known) = known(attribute.name()) else {
        return Ok(());
    };
    (known.check)(attribute)?;
    check_no_blank_before(attribute, after_name + 1)?;
    check_leniencies(attribute)
}

/// How long the name is with the blanks that [`Attribute::name`] leaves off.
fn line_name_length(line: Line<'_>) -> usize {
    let content = line.value_bytes();
    content.iter().position(|byte| *byte == b':').unwrap_or(content.len())
}

/// RFC 4570 §3 alone has a blank after the colon.
fn check_no_blank_before(attribute: &Attribute<'_>, column: usize) -> Result<(), Error> {
    let line = attribute.line();
    match line.bytes().get(column) {
        Some(b' ' | b'\t') if attribute.name() != SourceFilter::NAME => {
            Err(at(line, column, "no blank after the colon", "RFC 8866 §9"))
        }
        _ => Ok(()),
    }
}

/// What the types take although their grammars do not have it.
fn check_leniencies(attribute: &Attribute<'_>) -> Result<(), Error> {
    let value = attribute.value().unwrap_or("");
    let refused = match attribute.name() {
        IceUfrag::NAME | IcePassword::NAME => {
            let is_ice_char = |c: char| c.is_ascii_alphanumeric() || c == '+' || c == '/';
            let place = value.find(|c| !is_ice_char(c));
            place.map(|place| (place, "a letter, a digit, + or /", "RFC 8839 §5.4"))
        }
        Fingerprint::NAME => {
            let bytes = value.find(' ').unwrap_or(0);
            let lower = value.char_indices().skip(bytes).find(|(_, c)| c.is_ascii_lowercase());
            lower.map(|(place, _)| (place, "hexadecimal digits in upper case", "RFC 8122 §5"))
        }
        Simulcast::NAME => {
            value.find("rid=").map(|place| (place, "names without rid=", "RFC 8853 §5.1"))
        }
        _ => None,
    };
    match refused {
        None => Ok(()),
        Some((place, what, section)) => {
            let column = 3 + attribute.name().len() + place;
            Err(at(attribute.line(), column, what, section))
        }
    }
}

/// `column` counts from 0.
fn at(line: Line<'_>, column: usize, what: &'static str, section: &'static str) -> Error {
    Error::expected(line.number() - 1, column, what, section)
}
