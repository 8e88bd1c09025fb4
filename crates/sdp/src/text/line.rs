use core::str;

/// One line of a description: `<type>=<value>` and its ending, or a blank line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    number: usize,
    body: &'a [u8],
    ending: &'a [u8],
}

impl<'a> Line<'a> {
    /// `index` counts from 0.
    pub(crate) fn new(index: usize, body: &'a [u8], ending: &'a [u8]) -> Self {
        Self { number: index + 1, body, ending }
    }

    /// The number of the line in the whole text, from 1.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// The letter before `=`, `None` for a blank line.
    #[must_use]
    pub fn kind(&self) -> Option<char> {
        self.body.first().map(|byte| char::from(*byte))
    }

    /// What follows `=`, with trailing blanks removed; `None` where that is not UTF-8.
    ///
    /// Nothing in SDP ends with a blank, yet endpoints send them.
    #[must_use]
    pub fn value(&self) -> Option<&'a str> {
        str::from_utf8(self.value_bytes()).ok().map(|value| value.trim_end_matches([' ', '\t']))
    }

    /// The bytes after `=`, as they are.
    #[must_use]
    pub fn value_bytes(&self) -> &'a [u8] {
        self.body.split_at_checked(2).map_or(b"", |(_, value)| value)
    }

    /// The bytes of the line without its ending.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.body
    }

    /// What ends the line: CRLF, LF, more than one CR before an LF, or nothing at the end of the text.
    #[must_use]
    pub fn ending(&self) -> &'a [u8] {
        self.ending
    }

    /// The name and value of an `a=` line, `None` for others and where the name is not UTF-8.
    #[must_use]
    pub fn attribute(&self) -> Option<Attribute<'a>> {
        let content = self.body.strip_prefix(b"a=")?;
        let length = content.iter().position(|byte| *byte == b':').unwrap_or(content.len());
        let (name, value) = content.split_at_checked(length)?;
        let name = str::from_utf8(name).ok()?.trim_end_matches([' ', '\t']);
        Some(Attribute { line: *self, name, value: value.strip_prefix(b":") })
    }
}

/// An attribute, `a=<name>` or `a=<name>:<value>` (RFC 8866 §5.13), as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    line: Line<'a>,
    name: &'a str,
    value: Option<&'a [u8]>,
}

impl<'a> Attribute<'a> {
    /// The name, which is case-sensitive.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// What follows the colon, with trailing blanks removed; `None` without a colon, and where it is
    /// not UTF-8.
    #[must_use]
    pub fn value(&self) -> Option<&'a str> {
        str::from_utf8(self.value?).ok().map(|value| value.trim_end_matches([' ', '\t']))
    }

    /// The bytes after the colon, as they are; `None` without a colon.
    #[must_use]
    pub fn value_bytes(&self) -> Option<&'a [u8]> {
        self.value
    }

    /// The line that the attribute stands in.
    #[must_use]
    pub fn line(&self) -> Line<'a> {
        self.line
    }
}
