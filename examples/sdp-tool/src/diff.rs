use std::collections::BTreeMap;
use std::io::{self, Write};

use pinhole_sdp::{Description, Fmtp, IceOptions, Line, Section, TypedAttribute};

use crate::input::Input;

/// Prints what the two say differently; good is when they say the same.
pub(crate) fn run(a: &str, b: &str, out: &mut impl Write) -> io::Result<bool> {
    let (a, b) = (Input::read(a)?, Input::read(b)?);
    let (left, right) = match (a.parse(), b.parse()) {
        (Ok(left), Ok(right)) => (left, right),
        (left, right) => {
            for (input, error) in [(&a, left.err()), (&b, right.err())] {
                if let Some(error) = error {
                    writeln!(out, "{}", input.show("error", error))?;
                }
            }
            return Ok(false);
        }
    };
    let (left, right) = (sections(&left), sections(&right));
    let mut same = true;
    let names =
        left.iter().chain(right.iter().filter(|(name, _)| !left.iter().any(|(n, _)| n == name)));
    for (name, _) in names {
        let of = |sections: &[(String, Statements)]| {
            sections.iter().find(|(own, _)| own == name).map(|(_, said)| said.clone())
        };
        same &= print(name, &of(&left).unwrap_or_default(), &of(&right).unwrap_or_default(), out)?;
    }
    Ok(same)
}

/// What a section says, and how often.
type Statements = BTreeMap<String, usize>;

/// The sections with their names. A media section is named by its mid, or else by its index.
fn sections(description: &Description<'_>) -> Vec<(String, Statements)> {
    let session = ("session".to_owned(), statements(&description.session()));
    let media = description.media().map(|media| {
        let name = match media.mid() {
            Some(mid) => format!("media section with mid {mid}"),
            None => format!("media section {}", media.index()),
        };
        (name, statements(&media))
    });
    std::iter::once(session).chain(media).collect()
}

fn statements(section: &Section<'_>) -> Statements {
    let mut statements = Statements::new();
    for line in section.lines().filter(|line| line.kind().is_some()) {
        *statements.entry(normalized(&line)).or_default() += 1;
    }
    statements
}

/// The line with single blanks, and with parameters in order where their order says nothing.
fn normalized(line: &Line<'_>) -> String {
    let text = String::from_utf8_lossy(line.bytes());
    let words: Vec<_> = text.split_whitespace().collect();
    let Some(attribute) = line.attribute() else {
        return words.join(" ");
    };
    match attribute.name() {
        Fmtp::NAME => attribute.parse::<Fmtp<'_>>().map_or(words.join(" "), |fmtp| {
            let mut pairs: Vec<_> = fmtp.pairs().collect();
            pairs.sort_unstable();
            let text: Vec<_> =
                pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("a=fmtp:{} {}", fmtp.format, text.join(";"))
        }),
        IceOptions::NAME => {
            attribute.parse::<IceOptions<'_>>().map_or(words.join(" "), |options| {
                let mut tags: Vec<_> = options.tags().collect();
                tags.sort_unstable();
                format!("a=ice-options:{}", tags.join(" "))
            })
        }
        _ => words.join(" "),
    }
}

/// Prints what is only in one of them, under the name of the section.
fn print(name: &str, a: &Statements, b: &Statements, out: &mut impl Write) -> io::Result<bool> {
    let only = |own: &Statements, other: &Statements, sign: char| -> Vec<String> {
        let more = own.iter().flat_map(|(statement, count)| {
            let others = other.get(statement).copied().unwrap_or(0);
            std::iter::repeat_n(format!("{sign} {statement}"), count.saturating_sub(others))
        });
        more.collect()
    };
    let lines = [only(a, b, '-'), only(b, a, '+')].concat();
    if lines.is_empty() {
        return Ok(true);
    }
    writeln!(out, "{name}")?;
    for line in lines {
        writeln!(out, "  {line}")?;
    }
    Ok(false)
}
