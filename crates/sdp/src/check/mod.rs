//! What is wrong with a description that could be read, by the rules of a profile.

mod grammar;
mod order;
mod webrtc;

use alloc::vec::Vec;

use crate::{Description, Error, Section};

/// A set of rules for descriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// What [`Description::parse`] takes: what real endpoints send.
    Lenient,
    /// RFC 8866 §9 to the letter, and the grammars of all attributes that this crate has types for.
    Strict,
    /// As `Strict`, and what RFC 9429 §5 asks of every description in WebRTC.
    WebRtc,
}

impl<'a> Description<'a> {
    /// Reads a description that has to follow the rules of a profile, within the default limits.
    ///
    /// # Errors
    /// The first place where it does not.
    pub fn parse_as(
        text: &'a (impl AsRef<[u8]> + ?Sized),
        profile: Profile,
    ) -> Result<Self, Error> {
        let description = Self::parse(text)?;
        match description.check(profile).first() {
            Some(error) => Err(*error),
            None => Ok(description),
        }
    }

    /// All places where the description does not follow the rules of a profile, in order: for a
    /// description that was parsed, the warnings.
    #[must_use]
    pub fn check(&self, profile: Profile) -> Vec<Error> {
        let mut found = Vec::new();
        if profile != Profile::Lenient {
            order::check(self, &mut found);
            grammar::check(self, &mut found);
        }
        if profile == Profile::WebRtc {
            webrtc::check(self, &mut found);
        }
        found.sort_by_key(|error| (error.line(), error.column()));
        found
    }
}

/// That `what` should stand in the section, as an error at its first line.
pub(crate) fn missing(section: &Section<'_>, what: &'static str, rfc: &'static str) -> Error {
    let line = section.lines().next().map_or(0, |line| line.number() - 1);
    Error::expected(line, 0, what, rfc)
}
