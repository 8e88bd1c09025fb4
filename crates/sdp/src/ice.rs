use core::time::Duration;

use crate::{
    Candidate, EndOfCandidates, Error, IceLite, IceOptions, IcePacing, IcePassword, IceUfrag,
    Media, TypedAttribute,
};

/// What a media section tells about its sender's ICE agent (RFC 8839), with what it inherits from
/// the session section. The candidates are [`Media::candidates`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IceDescription<'a> {
    /// The username fragment.
    pub ufrag: &'a str,
    /// The password.
    pub password: &'a str,
    /// The options that the agent supports; none where the attribute is absent.
    pub options: IceOptions<'a>,
    /// Whether the agent is a lite one.
    pub lite: bool,
    /// The Ta that the agent wishes: 50 ms unless it says otherwise (RFC 8839 §5.5).
    pub pacing: Duration,
}

impl IceDescription<'_> {
    /// Whether this one, in a later description of the same section, restarts ICE: fragment and
    /// password are new (RFC 8839 §4.4.1.1.1).
    #[must_use]
    pub fn restarts(&self, before: &IceDescription<'_>) -> bool {
        self.ufrag != before.ufrag && self.password != before.password
    }
}

impl<'d> Media<'d> {
    /// The ICE credentials and options of this section, `Ok(None)` where its sender does not use ICE.
    ///
    /// Fragment, password and options are those of the section, or else those of the session (RFC 8839
    /// §5.4, §5.6); lite and pacing are told by the session (§5.3, §5.5).
    ///
    /// # Errors
    /// Where a value does not follow its grammar, and where there is a fragment without a password.
    pub fn ice(&self) -> Result<Option<IceDescription<'d>>, Error> {
        let Some(IceUfrag(ufrag)) = self.get_or_inherit()? else {
            return Ok(None);
        };
        let Some(IcePassword(password)) = self.get_or_inherit()? else {
            let line = self.lines().next().map_or(0, |line| line.number() - 1);
            let what = "a=ice-pwd in this section or for the session";
            return Err(Error::expected(line, 0, what, "RFC 8839 §5.4"));
        };
        let IcePacing(pacing) = self.session().get()?.unwrap_or(DEFAULT_PACING);
        Ok(Some(IceDescription {
            ufrag,
            password,
            options: self.get_or_inherit()?.unwrap_or(IceOptions("")),
            lite: self.session().has(IceLite::NAME),
            pacing,
        }))
    }

    /// The values of the `a=candidate` attributes, from the foundation on, for the ICE agent to parse.
    pub fn candidates(&self) -> impl Iterator<Item = &'d str> + use<'d> {
        self.attributes_named(Candidate::NAME).filter_map(|attribute| attribute.value())
    }

    /// Whether no more candidates follow for this section (RFC 8840 §8).
    #[must_use]
    pub fn end_of_candidates(&self) -> bool {
        self.has(EndOfCandidates::NAME) || self.session().has(EndOfCandidates::NAME)
    }
}

/// "If absent in an offer or answer, the default value of the attribute is 50 ms" (RFC 8839 §5.5)
const DEFAULT_PACING: IcePacing = IcePacing(Duration::from_millis(50));
