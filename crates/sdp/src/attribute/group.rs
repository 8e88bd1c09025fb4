//! Media sections that belong together (RFC 5888, RFC 9143).

use alloc::vec::Vec;
use core::fmt;

use super::{flag, wrapper};
use crate::{Reader, TypedAttribute, Value, ValueError};

wrapper! {
    /// `a=mid`: the identification tag of a media section, unique in its description (RFC 5888 §4).
    Mid<'a>(&'a str), "mid", "RFC 5888 §4",
    |reader: &mut Reader<'a>| reader.token("an identification tag")
}

/// `a=group`: media sections that belong together, named by their [`Mid`]s (RFC 5888 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    /// In which way they belong together: [`BUNDLE`](Self::BUNDLE), [`LS`](Self::LS), [`FID`](Self::FID),
    /// [`FEC_FR`](Self::FEC_FR) or another.
    pub semantics: &'a str,
    /// The tags. In a BUNDLE group of an answer, the first one decides the address (RFC 9143 §7.3).
    pub mids: Vec<&'a str>,
}

impl<'a> Group<'a> {
    /// One transport for several media sections (RFC 9143).
    pub const BUNDLE: &'static str = "BUNDLE";
    /// Played in step: lip synchronization (RFC 5888 §7).
    pub const LS: &'static str = "LS";
    /// One flow in several sections, such as one of each codec (RFC 5888 §8).
    pub const FID: &'static str = "FID";
    /// A source and what repairs it (RFC 5956 §4.1).
    pub const FEC_FR: &'static str = "FEC-FR";

    /// A BUNDLE group of these sections.
    pub fn bundle(mids: impl IntoIterator<Item = &'a str>) -> Self {
        Self { semantics: Self::BUNDLE, mids: mids.into_iter().collect() }
    }
}

impl<'a> Value<'a> for Group<'a> {
    const SECTION: &'static str = "RFC 5888 §5";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let semantics = reader.token("group semantics such as BUNDLE")?;
        let mids = reader.remainder().split_ascii_whitespace().collect();
        Ok(Self { semantics, mids })
    }
}

impl<'a> TypedAttribute<'a> for Group<'a> {
    const NAME: &'static str = "group";
}

impl fmt::Display for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.semantics)?;
        self.mids.iter().try_for_each(|mid| write!(f, " {mid}"))
    }
}

flag! {
    /// `a=bundle-only`, beside port zero in an offer: the section is wanted if it is bundled, and not
    /// otherwise (RFC 9143 §6).
    BundleOnly, "bundle-only", "RFC 9143 §6"
}
