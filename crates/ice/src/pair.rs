//! Candidate pairs: a local and a remote address that may or may not reach each other (RFC 8445 §6.1.2).

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use pinhole_sansio::{FiveTuple, Instant};

use crate::candidate::{Priority, TransportAddress};
use crate::consent::Consent;
use crate::role::Role;
use crate::stats::PairStats;

/// Names a pair for the lifetime of its agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PairId(pub(crate) u32);

impl fmt::Display for PairId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// How far the checks of a pair have come (RFC 8445 §6.1.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PairState {
    /// Held back until a pair of the same foundation has been tried.
    Frozen,
    /// To be checked at the next opportunity.
    Waiting,
    /// A check was sent and is not answered yet.
    InProgress,
    /// A check was answered: data can flow.
    Succeeded,
    /// The check failed; [`PairFailure`] says how.
    Failed,
}

impl fmt::Display for PairState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Frozen => "frozen",
            Self::Waiting => "waiting",
            Self::InProgress => "in progress",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        })
    }
}

/// Why a pair failed (RFC 8445 §7.2.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PairFailure {
    /// All retransmissions went unanswered (§7.2.5.2.3).
    #[error("no answer")]
    Timeout,
    /// The answer came from another address than the one asked, or to another than the one that asked
    /// (§7.2.5.2.1).
    #[error("answered from {0}, which was not asked")]
    NotSymmetric(SocketAddr),
    /// A STUN error that asking again would not mend (§7.2.5.2.4).
    #[error("the peer answered with error {0}")]
    ErrorResponse(u16),
    /// A success response that cannot be used: the mapped address is missing, or an attribute is unknown
    /// that must be understood.
    #[error("the peer's answer was malformed")]
    MalformedResponse,
    /// The TURN server has taken the relayed address away.
    #[error("the relayed address was lost")]
    RelayLost,
    /// The TCP connection cannot be had, or has ended.
    #[error("no connection")]
    NotConnected,
    /// The application has taken the socket away.
    #[error("its socket was removed")]
    BaseRemoved,
    /// The peer has taken its candidate back.
    #[error("the peer has taken its candidate back")]
    CandidateRemoved,
    /// The peer's consent to receive ran out or was taken back (RFC 7675 §5).
    #[error("consent was lost")]
    ConsentLost,
}

/// The priority of a pair, equal on both sides (RFC 8445 §6.1.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PairPriority(pub u64);

impl PairPriority {
    /// `2^32 * min(G, D) + 2 * max(G, D) + (G > D)`, where G is the controlling side's priority.
    #[must_use]
    pub fn new(role: Role, local: Priority, remote: Priority) -> Self {
        let (controlling, controlled) = match role {
            Role::Controlling => (u64::from(local.0), u64::from(remote.0)),
            Role::Controlled => (u64::from(remote.0), u64::from(local.0)),
        };
        let (low, high) = (controlling.min(controlled), controlling.max(controlled));
        // The largest inputs wrap by one bit, which only a peer outside the RFC's range can cause.
        Self((low << 32).wrapping_add(high << 1).wrapping_add(u64::from(controlling > controlled)))
    }

    /// The type preference of the worse of the two candidates (§5.1.2.1).
    pub(crate) const fn kind(self) -> u8 {
        self.0.to_be_bytes()[0]
    }
}

/// A pair on the checklist. Its local candidate is always a base (RFC 8445 §6.1.2.4).
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) id: PairId,
    pub(crate) local: TransportAddress,
    pub(crate) remote: TransportAddress,
    /// The connection that carries it, where it is one of TCP candidates and is open.
    pub(crate) connection: Option<FiveTuple>,
    /// How long it is waited for.
    pub(crate) connecting_until: Option<Instant>,
    /// The numbers of the local and the remote foundation.
    pub(crate) foundation: (u16, u16),
    pub(crate) priority: PairPriority,
    pub(crate) state: PairState,
    /// The entry on the valid list that checks of this pair made (RFC 8445 §7.2.5.3.2).
    pub(crate) valid: Option<Valid>,
    /// The controlling side asked for this pair before it was valid here (RFC 8445 §7.3.1.5), with this number.
    pub(crate) nominate_when_valid: Option<Nominated>,
    pub(crate) nominated: bool,
    /// The peer has checked the pair, and so does this side again then, unless its own check was answered.
    pub(crate) trigger_at: Option<Instant>,
    pub(crate) repeat: Repeat,
    /// It fell silent while it was selected, and is not gone back to before.
    pub(crate) shunned_until: Option<Instant>,
    pub(crate) first_check: Option<Instant>,
    pub(crate) stats: PairStats,
    pub(crate) failure: Option<PairFailure>,
}

/// A second check soon after the first, by which a lost packet costs less than the RTO of half a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// No check was sent yet.
    #[default]
    Unplanned,
    At(Instant),
    /// It was sent, or there was something better to do.
    Over,
}

/// What a successful check established.
#[derive(Debug)]
pub(crate) struct Valid {
    /// Our address as the peer sees it.
    pub(crate) mapped: TransportAddress,
    /// Priority with the mapped candidate in place of the base.
    pub(crate) priority: PairPriority,
    /// `None` when only retransmitted checks were answered, which says nothing about time.
    pub(crate) rtt: Option<Duration>,
    /// Over several measurements.
    pub(crate) mean: MeanRoundTrip,
    /// The latest answer to a check.
    pub(crate) answered: Instant,
    pub(crate) consent: Consent,
}

/// What the controlling side said when it nominated a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nominated {
    /// "For good", as RFC 8445 has it; of several the best pair counts.
    ForGood,
    /// Until a higher number comes.
    Numbered(u32),
}

/// A round-trip time that settles: the smoothed one of RFC 6298 §2.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MeanRoundTrip {
    smoothed: Duration,
    samples: u32,
}

impl MeanRoundTrip {
    pub(crate) fn add(&mut self, sample: Duration) {
        self.smoothed = match self.samples {
            0 => sample,
            _ => self.smoothed - self.smoothed / 8 + sample / 8,
        };
        self.samples = self.samples.saturating_add(1);
    }

    /// What little is known.
    pub(crate) fn so_far(self) -> Option<Duration> {
        (self.samples > 0).then_some(self.smoothed)
    }

    /// Once there are enough samples to go by.
    pub(crate) fn settled(self) -> Option<Duration> {
        (self.samples >= ENOUGH).then_some(self.smoothed)
    }
}

/// Most paths have answered by then.
const REPEAT_AFTER: Duration = Duration::from_millis(200);
/// Samples that a mean takes to be of use.
const ENOUGH: u32 = 3;

impl Pair {
    /// Notes the connection that a check has come on.
    pub(crate) fn carried_by(&mut self, five_tuple: FiveTuple) {
        if !self.local.is_udp() {
            self.connection.get_or_insert(five_tuple);
        }
    }

    /// A check that opens or tries the path was sent; another path takes `round_trip`, if there is one that works.
    pub(crate) fn plan_repeat(&mut self, round_trip: Option<Duration>, now: Instant) {
        if self.repeat != Repeat::Over && self.valid.is_none() && self.local.is_udp() {
            let after = round_trip.map_or(REPEAT_AFTER, |known| (known * 3 / 2).min(REPEAT_AFTER));
            self.repeat = Repeat::At(now + after);
        }
    }

    /// When to repeat the check that is on its way, if the pair is worth it beside one that works: it is better, or the
    /// peer wants to use it.
    pub(crate) fn repeat_at(&self, valid: Option<PairPriority>) -> Option<Instant> {
        let is_better = valid.is_none_or(|valid| self.priority > valid);
        let is_wanted = is_better || self.nominate_when_valid.is_some();
        match self.repeat {
            Repeat::At(at) if self.state == PairState::InProgress && is_wanted => Some(at),
            Repeat::At(_) | Repeat::Unplanned | Repeat::Over => None,
        }
    }

    /// What it is sent on; `None` while there is no connection.
    pub(crate) fn five_tuple(&self) -> Option<FiveTuple> {
        match self.local.is_udp() {
            true => Some(FiveTuple::udp(self.local.address, self.remote.address)),
            false => self.connection,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_compute_the_same_priority() {
        // CHECKLIST I16, RFC 8445 §6.1.2.3.
        for (g, d) in [
            (1, 2),
            (2, 1),
            (7, 7),
            (2_130_706_431, 1_694_498_815),
            (0, u32::MAX),
            (u32::MAX, u32::MAX),
        ] {
            let controlling = PairPriority::new(Role::Controlling, Priority(g), Priority(d));
            let controlled = PairPriority::new(Role::Controlled, Priority(d), Priority(g));
            assert_eq!(controlling, controlled);
        }
    }

    #[test]
    fn the_formula_orders_by_the_worse_candidate_first() {
        let priority = |g, d| PairPriority::new(Role::Controlling, Priority(g), Priority(d));
        assert!(priority(10, 10) > priority(9, 1_000));
        assert_eq!(priority(1, 2).0, (1 << 32) + 4);
        assert_eq!(priority(2, 1).0, (1 << 32) + 5);
    }
}
