use alloc::borrow::Cow;
use alloc::string::String;
use core::{fmt, str};

use crate::text::{Form, Index, Span};
use crate::{Error, Limits, Line, Media, Section};

/// A session description (RFC 8866): a text, and where its lines and media sections are.
///
/// A parsed description borrows the text and copies none of it. Every byte is kept: written out, an
/// unedited description is the text that was parsed. [`Description::into_owned`] lets go of the borrow.
#[derive(Clone, PartialEq, Eq)]
pub struct Description<'a> {
    pub(crate) text: Cow<'a, [u8]>,
    pub(crate) index: Index,
    pub(crate) form: Form,
    pub(crate) limits: Limits,
}

impl<'a> Description<'a> {
    /// Reads a description, accepting what real endpoints send, within the default [`Limits`].
    ///
    /// What has to be right is what tells the lines and sections apart: the first line is `v=0`; each
    /// line is blank or `<letter>=<value>` and ends with LF, CRLF, or more CRs before an LF; an `m=`
    /// line has a type, a port from 0 to 65535, and a protocol. Everything else is kept as it is, and
    /// looked at when it is asked for.
    ///
    /// # Errors
    /// The first place where the text is not of that form, or exceeds a limit.
    pub fn parse(text: &'a (impl AsRef<[u8]> + ?Sized)) -> Result<Self, Error> {
        Self::parse_within(text, &Limits::default())
    }

    /// As [`Description::parse`], with limits of the caller's own.
    ///
    /// # Errors
    /// As [`Description::parse`].
    pub fn parse_within(
        text: &'a (impl AsRef<[u8]> + ?Sized),
        limits: &Limits,
    ) -> Result<Self, Error> {
        Self::parse_form(text.as_ref(), Form::Description, limits)
    }

    pub(crate) fn parse_form(text: &'a [u8], form: Form, limits: &Limits) -> Result<Self, Error> {
        let index = Index::build(text, form, limits)?;
        Ok(Self { text: Cow::Borrowed(text), index, form, limits: *limits })
    }

    /// The same description with a text of its own.
    #[must_use]
    pub fn into_owned(self) -> Description<'static> {
        let text = Cow::Owned(self.text.into_owned());
        Description { text, index: self.index, form: self.form, limits: self.limits }
    }

    /// The text, byte for byte.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    /// The text, `None` where it is not UTF-8 (RFC 8866 §4.5 allows other character sets).
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        str::from_utf8(&self.text).ok()
    }

    /// All lines in order, from the `v=` line to the last one.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        (0..self.index.lines.len()).map_while(|index| self.line(index))
    }

    /// The session section: all lines before the first `m=` line.
    #[must_use]
    pub fn session(&self) -> Section<'_> {
        Section::new(self, 0, self.section_end(0))
    }

    /// The media sections in order. Each begins with its `m=` line.
    pub fn media(&self) -> impl ExactSizeIterator<Item = Media<'_>> {
        let sections = self.index.media.iter().enumerate();
        sections.map(|(index, span)| {
            Media::new(Section::new(self, span.line, self.section_end(index + 1)), index, span)
        })
    }

    /// The media section whose `a=mid` (RFC 5888 §4) is `mid`.
    #[must_use]
    pub fn media_with_mid(&self, mid: &str) -> Option<Media<'_>> {
        self.media().find(|media| media.mid() == Some(mid))
    }

    /// The line at `index`, counted from 0.
    pub(crate) fn line(&self, index: usize) -> Option<Line<'_>> {
        let span = self.index.lines.get(index)?;
        let next = self.index.lines.get(index + 1).map_or(self.text.len(), |next| next.start());
        let ending = self.text.get(span.end()..next).unwrap_or(b"");
        Some(Line::new(index, span.of(&self.text), ending))
    }

    pub(crate) fn spans(&self, first: usize, end: usize) -> &[Span] {
        self.index.lines.get(first..end).unwrap_or(&[])
    }

    /// The index of the line after the session section (0) or after the media section before `media`.
    pub(crate) fn section_end(&self, media: usize) -> usize {
        self.index.media.get(media).map_or(self.index.lines.len(), |span| span.line)
    }
}

impl AsRef<[u8]> for Description<'_> {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Display for Description<'_> {
    /// The text; bytes that are not UTF-8 are shown as U+FFFD, [`Description::as_bytes`] has them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.text))
    }
}

impl fmt::Debug for Description<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lines, media) = (self.index.lines.len(), self.index.media.len());
        write!(f, "Description({lines} lines, {media} media sections)")
    }
}
