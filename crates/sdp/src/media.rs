use core::ops::Deref;

use crate::text::MediaSpan;
use crate::{Error, Mid, Section, TypedAttribute};

/// A media section: an `m=` line (RFC 8866 §5.14) and the lines that belong to it.
///
/// It dereferences to its [`Section`].
#[derive(Clone, Copy)]
pub struct Media<'d> {
    section: Section<'d>,
    index: usize,
    span: &'d MediaSpan,
}

impl<'d> Media<'d> {
    pub(crate) fn new(section: Section<'d>, index: usize, span: &'d MediaSpan) -> Self {
        Self { section, index, span }
    }

    /// The place among the media sections, from 0: `sdpMLineIndex` of a trickled candidate.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The media type: `audio`, `video`, `application` or another.
    #[must_use]
    pub fn kind(&self) -> &'d str {
        self.span.kind.text_of(self.text())
    }

    /// The transport port. Zero means that the section is rejected (RFC 3264 §6), unless
    /// `a=bundle-only` stands in it (RFC 9143 §6).
    #[must_use]
    pub fn port(&self) -> u16 {
        self.span.port
    }

    /// How many ports follow from the first one, 1 where the line does not tell.
    #[must_use]
    pub fn port_count(&self) -> u32 {
        self.span.port_count
    }

    /// The transport protocol, such as `UDP/TLS/RTP/SAVPF`.
    #[must_use]
    pub fn protocol(&self) -> &'d str {
        self.span.protocol.text_of(self.text())
    }

    /// The media formats in order of preference: payload types where the protocol is an RTP one.
    pub fn formats(&self) -> impl Iterator<Item = &'d str> + use<'d> {
        self.span.formats.text_of(self.text()).split_ascii_whitespace()
    }

    /// The identification tag (RFC 5888 §4): `sdpMid` of a trickled candidate.
    #[must_use]
    pub fn mid(&self) -> Option<&'d str> {
        self.attribute(Mid::NAME)?.value().filter(|mid| !mid.is_empty())
    }

    /// Whether the section is rejected: port zero without `a=bundle-only` (RFC 3264 §6, RFC 9143 §6).
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        self.port() == 0 && !self.has("bundle-only")
    }

    /// The session section of the same description.
    #[must_use]
    pub fn session(&self) -> Section<'d> {
        self.description().session()
    }

    /// The first attribute of type `T` in this section, or else in the session section: for
    /// attributes whose session-level value is the default of every section.
    ///
    /// # Errors
    /// Where its value does not follow its grammar.
    pub fn get_or_inherit<T: TypedAttribute<'d>>(&self) -> Result<Option<T>, Error> {
        match self.get()? {
            Some(own) => Ok(Some(own)),
            None => self.session().get(),
        }
    }

    fn text(&self) -> &'d [u8] {
        self.description().as_bytes()
    }
}

impl<'d> Deref for Media<'d> {
    type Target = Section<'d>;

    fn deref(&self) -> &Section<'d> {
        &self.section
    }
}
