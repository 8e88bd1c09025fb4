use core::fmt;

use crate::text::Form;
use crate::{Description, Error, Limits, Media, Section};

/// A body of `application/trickle-ice-sdpfrag` (RFC 8840 §9): a part of a description that brings
/// candidates after it, in SIP INFO requests (RFC 8840 §4.4), and in PATCH requests of WHIP and WHEP
/// (RFC 9725 §4.3.1).
///
/// The credentials stand where the description has them: before the first section, or in each one. The
/// `m=` lines name no transport; a section is told by its mid.
///
/// ```
/// use pinhole_sdp::{Builder, Candidate, EndOfCandidates, Fragment, IcePassword, IceUfrag, Mid};
///
/// let fragment = Builder::fragment()
///     .attribute(IceUfrag("8hhY"))
///     .attribute(IcePassword("asd88fgpdd777uzjYhagZg"))
///     .media("audio", 9, "RTP/AVP", "0")
///     .attribute(Mid("0"))
///     .attribute(Candidate::from_line("candidate:1 1 udp 2130706431 192.0.2.1 49152 typ host"))
///     .attribute(EndOfCandidates)
///     .finish_fragment()?;
///
/// let text = fragment.to_string();
/// let read = Fragment::parse(&text)?;
/// let media = read.media_with_mid("0").expect("it was written");
/// assert_eq!(media.ice()?.map(|ice| ice.ufrag), Some("8hhY"));
/// assert!(media.end_of_candidates() && media.candidates().count() == 1);
/// # Ok::<(), pinhole_sdp::WriteError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Fragment<'a>(Description<'a>);

impl<'a> Fragment<'a> {
    /// The media type of such a body.
    pub const MEDIA_TYPE: &'static str = "application/trickle-ice-sdpfrag";

    /// Reads a fragment within the default [`Limits`].
    ///
    /// # Errors
    /// The first line that is no `a=` or `m=` line, or is not of the form that
    /// [`Description::parse`] wants of it.
    pub fn parse(text: &'a (impl AsRef<[u8]> + ?Sized)) -> Result<Self, Error> {
        Description::parse_form(text.as_ref(), Form::Fragment, &Limits::default()).map(Self)
    }

    /// The same fragment with a text of its own.
    #[must_use]
    pub fn into_owned(self) -> Fragment<'static> {
        Fragment(self.0.into_owned())
    }

    /// The text, byte for byte.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The lines before the first section.
    #[must_use]
    pub fn session(&self) -> Section<'_> {
        self.0.session()
    }

    /// The sections in order.
    pub fn media(&self) -> impl ExactSizeIterator<Item = Media<'_>> {
        self.0.media()
    }

    /// The section of this mid.
    #[must_use]
    pub fn media_with_mid(&self, mid: &str) -> Option<Media<'_>> {
        self.0.media_with_mid(mid)
    }
}

impl fmt::Display for Fragment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Fragment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fragment({} media sections)", self.media().len())
    }
}
