use alloc::string::String;
use core::fmt;

use super::Limit;

/// Why a text, or one value in it, was refused, and where.
///
/// The error is small and keeps nothing of the text. [`Error::pointing_at`] shows it under the line
/// that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {kind}")]
pub struct Error {
    line: u32,
    column: u32,
    kind: ErrorKind,
}

/// What was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Something else was expected at this place.
    #[error("expected {what} ({section})")]
    Expected {
        /// What should stand here.
        what: &'static str,
        /// The section that says so, such as `RFC 8866 §5.14`.
        section: &'static str,
    },
    /// The text exceeds one of the [`Limits`](crate::Limits).
    #[error("more than {at_most} {limit}")]
    TooLarge {
        /// The limit that was met.
        limit: Limit,
        /// Its value.
        at_most: usize,
    },
}

impl Error {
    /// `line` and `column` count from 0.
    pub(crate) fn expected(
        line: usize,
        column: usize,
        what: &'static str,
        section: &'static str,
    ) -> Self {
        Self::new(line, column, ErrorKind::Expected { what, section })
    }

    pub(crate) fn too_large(line: usize, limit: Limit, at_most: usize) -> Self {
        Self::new(line, 0, ErrorKind::TooLarge { limit, at_most })
    }

    fn new(line: usize, column: usize, kind: ErrorKind) -> Self {
        let one_based = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
        Self { line: one_based(line), column: one_based(column), kind }
    }

    /// The number of the line, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line as usize
    }

    /// The byte within the line, from 1; one past its last byte where more was expected.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column as usize
    }

    /// What was wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The error with its line, and a pointer under the place. `text` is what was parsed.
    pub fn pointing_at<'a>(&self, text: &'a (impl AsRef<[u8]> + ?Sized)) -> Pointer<'a> {
        Pointer { error: *self, text: text.as_ref() }
    }
}

/// Displays an [`Error`] under the line that it is about.
///
/// ```text
/// line 4, column 9: expected a port number from 0 to 65535 (RFC 8866 §5.14)
///   |
/// 4 | m=audio xyz RTP/AVP 0
///   |         ^
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Pointer<'a> {
    error: Error,
    text: &'a [u8],
}

impl Pointer<'_> {
    /// The line as printable characters, clipped around the column, and the pointer's place in it.
    fn excerpt(&self) -> (String, usize) {
        let line = self.text.split(|byte| *byte == b'\n').nth(self.error.line() - 1).unwrap_or(b"");
        let (before, after) = line.split_at_checked(self.error.column() - 1).unwrap_or((line, b""));
        let before = printable(before);
        let clipped = before.chars().count().saturating_sub(BEFORE);
        let mut excerpt: String = before.chars().skip(clipped).collect();
        if clipped > 0 {
            excerpt.insert(0, '…');
        }
        let column = excerpt.chars().count();
        let after = printable(after);
        excerpt.extend(after.chars().take(AFTER));
        if after.chars().count() > AFTER {
            excerpt.push('…');
        }
        (excerpt, column)
    }
}

impl fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (excerpt, column) = self.excerpt();
        let line = self.error.line;
        let margin = line.checked_ilog10().unwrap_or(0) as usize + 1;
        writeln!(f, "{}", self.error)?;
        writeln!(f, "{:margin$} |", "")?;
        writeln!(f, "{line} | {}", excerpt.trim_end())?;
        write!(f, "{:margin$} | {:column$}^", "", "")
    }
}

fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter(|c| *c != '\r').map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// How many characters of a long line are shown before the pointer.
const BEFORE: usize = 48;
/// How many are shown after it.
const AFTER: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn the_pointer_stands_under_the_column() {
        let error = Error::expected(1, 4, "a letter", "RFC 0 §1");
        let shown = error.pointing_at("v=0\r\né=\txé\r\n").to_string();
        let lines: [&str; 4] =
            ["line 2, column 5: expected a letter (RFC 0 §1)", "  |", "2 | é= xé", "  |    ^"];
        assert_eq!(shown, lines.join("\n"));
    }

    #[test]
    fn a_long_line_is_clipped_around_the_column() {
        let text = "x".repeat(5_000);
        let error = Error::expected(0, 2_500, "less", "RFC 0 §1");
        let shown = error.pointing_at(&text).to_string();
        assert!(shown.lines().all(|line| line.chars().count() < 120), "{shown}");
        assert_eq!(shown.matches('…').count(), 2);
    }

    #[test]
    fn a_text_that_is_not_the_one_parsed_is_no_reason_to_panic() {
        let error = Error::expected(70, 9, "more", "RFC 0 §1");
        assert!(error.pointing_at("v=0").to_string().contains("71 |"));
    }
}
