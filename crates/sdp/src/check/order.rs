//! Which lines a section has, how often, and in which order (RFC 8866 §5, §9).

use alloc::vec::Vec;

use crate::{Description, Error, Line, Section};

/// A kind of line in the grammar of a section.
struct Slot {
    kind: char,
    required: bool,
    repeated: bool,
    /// The error when it is absent.
    what: &'static str,
}

const fn slot(kind: char, required: bool, repeated: bool, what: &'static str) -> Slot {
    Slot { kind, required, repeated, what }
}

const SESSION: &[Slot] = &[
    slot('v', true, false, "a v= line"),
    slot('o', true, false, "an o= line"),
    slot('s', true, false, "an s= line"),
    slot('i', false, false, ""),
    slot('u', false, false, ""),
    slot('e', false, true, ""),
    slot('p', false, true, ""),
    slot('c', false, false, ""),
    slot('b', false, true, ""),
    slot('t', true, true, "a t= line"),
    slot('k', false, false, ""),
    slot('a', false, true, ""),
];

const MEDIA: &[Slot] = &[
    slot('m', true, false, "an m= line"),
    slot('i', false, false, ""),
    slot('c', false, true, ""),
    slot('b', false, true, ""),
    slot('k', false, false, ""),
    slot('a', false, true, ""),
];

pub(super) fn check(description: &Description<'_>, found: &mut Vec<Error>) {
    let session = description.session();
    check_section(&session, SESSION, found);
    for media in description.media() {
        check_section(&media, MEDIA, found);
        let has_connection = |section: &Section<'_>| section.lines().any(|l| l.kind() == Some('c'));
        if !has_connection(&session) && !has_connection(&media) {
            let what = "a c= line in this section or for the session";
            found.push(super::missing(&media, what, "RFC 8866 §5.7"));
        }
    }
}

/// Walks along the grammar with the lines of the section.
fn check_section(section: &Section<'_>, grammar: &[Slot], found: &mut Vec<Error>) {
    let mut at = 0;
    let mut count = 0;
    let mut last = None;
    for line in section.lines() {
        let mut refuse = |what| found.push(Error::expected(line.number() - 1, 0, what, SECTION));
        last = Some(line);
        let Some(kind) = line.kind() else {
            refuse("no blank line");
            continue;
        };
        if matches!(kind, 'r' | 'z') && grammar.get(at).is_some_and(|slot| slot.kind == 't') {
            continue;
        }
        match grammar.iter().position(|slot| slot.kind == kind) {
            None if matches!(kind, 'r' | 'z') => refuse("this line after the t= line of a session"),
            None => refuse("a letter that this section may have"),
            Some(place) if place < at => refuse("this line further up"),
            Some(place) if place == at => {
                count += 1;
                if count > 1 && !grammar.get(at).is_some_and(|slot| slot.repeated) {
                    refuse("no second line of this letter");
                }
            }
            Some(place) => {
                require(grammar, at..place, count, line, 0, found);
                (at, count) = (place, 1);
            }
        }
    }
    if let Some(line) = last {
        require(grammar, at..grammar.len(), count, line, line.bytes().len(), found);
    }
}

/// Reports the required lines among `passed` of which there was none; `count` is that of the first.
fn require(
    grammar: &[Slot],
    passed: core::ops::Range<usize>,
    count: usize,
    line: Line<'_>,
    column: usize,
    found: &mut Vec<Error>,
) {
    let seen = usize::from(count > 0);
    let absent = grammar.get(passed).into_iter().flatten().skip(seen).filter(|slot| slot.required);
    found.extend(absent.map(|slot| Error::expected(line.number() - 1, column, slot.what, SECTION)));
}

const SECTION: &str = "RFC 8866 §5";
