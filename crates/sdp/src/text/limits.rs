use core::fmt;

/// How large a description may be before it is refused.
///
/// Parsing takes time and memory linear in the text, so the limits bound both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of the whole text. Texts beyond 4 GiB are refused whatever this says.
    pub bytes: usize,
    /// The most lines, blank ones included.
    pub lines: usize,
    /// The most media sections.
    pub media: usize,
}

impl Limits {
    /// No limit but the 4 GiB of the text itself.
    pub const NONE: Self = Self { bytes: usize::MAX, lines: usize::MAX, media: usize::MAX };
}

impl Default for Limits {
    /// 1 MiB, 65,536 lines, 1,024 media sections.
    fn default() -> Self {
        Self { bytes: 1 << 20, lines: 1 << 16, media: 1 << 10 }
    }
}

/// One of the [`Limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// [`Limits::bytes`]
    Bytes,
    /// [`Limits::lines`]
    Lines,
    /// [`Limits::media`]
    Media,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "bytes",
            Self::Lines => "lines",
            Self::Media => "media sections",
        })
    }
}
