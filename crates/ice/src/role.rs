//! Who decides which pair is used, and what happens when both sides think they do (RFC 8445 §7.3.1.1).

use core::fmt;

/// An agent's part in the session: the controlling side nominates (RFC 8445 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Nominates the pair that both sides use.
    Controlling,
    /// Accepts the other side's nomination.
    Controlled,
}

impl Role {
    /// The other role.
    #[must_use]
    pub const fn switched(self) -> Self {
        match self {
            Self::Controlling => Self::Controlled,
            Self::Controlled => Self::Controlling,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Controlling => "controlling",
            Self::Controlled => "controlled",
        })
    }
}

/// The 64-bit number that settles a role conflict (RFC 8445 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TieBreaker(pub(crate) u64);

/// What to do with a request, as far as roles are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The two sides disagree about nothing.
    NoConflict,
    /// Answer 487 and keep the role.
    Refuse,
    /// Take the other role, then process the request.
    Switch,
}

/// RFC 8445 §7.3.1.1. `theirs` is the role and tie-breaker that the request claims for its sender.
pub(crate) fn resolve(ours: (Role, TieBreaker), theirs: (Role, TieBreaker)) -> Verdict {
    let (our_role, our_number) = ours;
    let (their_role, their_number) = theirs;
    match (our_role, their_role, our_number >= their_number) {
        (Role::Controlling, Role::Controlling, true) => Verdict::Refuse,
        (Role::Controlling, Role::Controlling, false) => Verdict::Switch,
        (Role::Controlled, Role::Controlled, true) => Verdict::Switch,
        (Role::Controlled, Role::Controlled, false) => Verdict::Refuse,
        (Role::Controlling, Role::Controlled, _) | (Role::Controlled, Role::Controlling, _) => {
            Verdict::NoConflict
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicts_end_with_one_side_controlling() {
        for (ours, theirs) in [(0, 0), (0, u64::MAX), (u64::MAX, 0), (u64::MAX, u64::MAX), (7, 8)] {
            for role in [Role::Controlling, Role::Controlled] {
                // Each side sees the other's request. Whoever switches, it must not be both or neither,
                // unless one side refuses and thereby tells the other to switch.
                let a = resolve((role, TieBreaker(ours)), (role, TieBreaker(theirs)));
                let b = resolve((role, TieBreaker(theirs)), (role, TieBreaker(ours)));
                assert_ne!(a, Verdict::NoConflict);
                assert_eq!(a == b, ours == theirs, "{role} {ours} {theirs}: {a:?} {b:?}");
            }
        }
    }

    #[test]
    fn opposite_roles_never_conflict() {
        let verdict =
            resolve((Role::Controlled, TieBreaker(1)), (Role::Controlling, TieBreaker(0)));
        assert_eq!(verdict, Verdict::NoConflict);
    }
}
