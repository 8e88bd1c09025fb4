//! What an agent tells of itself beside its credentials (RFC 8839 §5.3, §5.5, §5.6).

use alloc::string::String;
use core::time::Duration;

/// What an agent can do: `a=ice-options`, `a=ice-pacing` and `a=ice-lite`, to be signalled with the credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// A lite agent: it only answers checks (RFC 8445 §2.5).
    pub lite: bool,
    /// `ice2`: it follows RFC 8445, not RFC 5245 (RFC 8445 §10).
    pub ice2: bool,
    /// `renomination2`: the selected pair may change, as draft-thatcher-tsvwg-renomination has it.
    pub renomination2: bool,
    /// `renomination`: the same with the attribute of libwebrtc, an earlier form of that draft.
    pub renomination: bool,
    /// `ice-pacing`: the Ta that it wishes; the larger of both sides' is used (RFC 8445 §14.2).
    pub pacing: Duration,
}

/// How a nomination is numbered, where both sides have agreed that it may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renomination {
    /// NOMINATION of the draft, which both sides must understand.
    Draft,
    /// The attribute of libwebrtc.
    Libwebrtc,
}

impl Default for Abilities {
    /// What is to be thought of an agent that says nothing.
    fn default() -> Self {
        Self {
            lite: false,
            ice2: true,
            renomination2: false,
            renomination: false,
            pacing: Self::DEFAULT_PACING,
        }
    }
}

impl Abilities {
    /// Ta where nobody has said another (RFC 8445 §14.2).
    pub const DEFAULT_PACING: Duration = Duration::from_millis(50);

    /// Reads the value of `a=ice-options`, such as `trickle ice2 renomination`. The rest is as if nothing were said.
    #[must_use]
    pub fn from_options(options: &str) -> Self {
        let has = |wanted| options.split(' ').any(|option| option == wanted);
        Self {
            ice2: has(ICE2),
            renomination2: has(RENOMINATION2),
            renomination: has(RENOMINATION),
            ..Self::default()
        }
    }

    /// The value for `a=ice-options`, with `trickle`, which all agents of this crate can do.
    #[must_use]
    pub fn options(&self) -> String {
        let mut options = String::from("trickle");
        let named = [
            (self.ice2, ICE2),
            (self.renomination2, RENOMINATION2),
            (self.renomination, RENOMINATION),
        ];
        for (_, name) in named.into_iter().filter(|(has, _)| *has) {
            options.push(' ');
            options.push_str(name);
        }
        options
    }

    /// How nominations are numbered between two agents; `None` where one nomination is all there is.
    pub(crate) const fn renomination_with(self, peer: Self) -> Option<Renomination> {
        if self.renomination2 && peer.renomination2 {
            Some(Renomination::Draft)
        } else if self.renomination && peer.renomination {
            Some(Renomination::Libwebrtc)
        } else {
            None
        }
    }
}

const ICE2: &str = "ice2";
const RENOMINATION: &str = "renomination";
const RENOMINATION2: &str = "renomination2";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_read_back() {
        let told = Abilities { renomination: true, renomination2: true, ..Abilities::default() };
        assert_eq!(told.options(), "trickle ice2 renomination2 renomination");
        assert_eq!(Abilities::from_options(&told.options()), told);
        assert!(!Abilities::from_options("trickle").ice2, "a peer of RFC 5245");
    }

    #[test]
    fn nominations_change_where_both_sides_say_so_and_as_the_draft_has_it_if_both_can() {
        let none = Abilities::default();
        let old = Abilities { renomination: true, ..none };
        let both = Abilities { renomination2: true, ..old };
        assert_eq!(both.renomination_with(both), Some(Renomination::Draft));
        assert_eq!(both.renomination_with(old), Some(Renomination::Libwebrtc));
        assert_eq!(both.renomination_with(none), None);
    }
}
