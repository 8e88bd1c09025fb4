//! Checks that wait for their answers.

use alloc::vec::Vec;
use core::time::Duration;

use pinhole_sansio::{FiveTuple, Instant, Payload, Transmit};
use pinhole_stun::{Schedule, Step, TransactionId};

use crate::candidate::Priority;
use crate::pair::PairId;
use crate::role::Role;

/// A Binding request that was sent to the peer.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) id: TransactionId,
    pub(crate) pair: PairId,
    pub(crate) purpose: Purpose,
    /// The role that the request claimed, to tell a stale 487 from a fresh one.
    pub(crate) role: Role,
    /// Whether it asks the peer to use the pair.
    pub(crate) nominates: bool,
    /// The PRIORITY that it carried.
    pub(crate) priority: Priority,
    pub(crate) five_tuple: FiveTuple,
    pub(crate) sent: Instant,
    /// The latest transmission.
    pub(crate) last_sent: Instant,
    pub(crate) timing: Timing,
    pub(crate) request: Payload,
}

/// What a check is to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Whether the pair works.
    Connectivity,
    /// The same, now that the peer has shown that its side is open (RFC 8445 §7.3.1.4).
    Triggered,
    /// The same, with USE-CANDIDATE.
    Nomination,
    /// Whether the pair could stand in for the selected one.
    Backup,
    /// Whether the peer still wants to receive (RFC 7675).
    Consent,
}

/// How long an answer is waited for.
#[derive(Debug)]
pub(crate) enum Timing {
    /// Retransmitted until it is answered or times out.
    Retransmitted(Schedule),
    /// Sent once, for consent. An answer counts until then.
    Once { until: Instant },
    /// Not sent again (RFC 8445 §7.3.1.4). An answer counts until then.
    Cancelled { until: Instant, was_retransmitted: bool },
}

impl Check {
    fn deadline(&self) -> Instant {
        match &self.timing {
            Timing::Retransmitted(schedule) => schedule.deadline(),
            Timing::Once { until } | Timing::Cancelled { until, .. } => *until,
        }
    }

    /// The round-trip time, when it is clear which transmission an answer at `now` is to.
    pub(crate) fn round_trip(&self, now: Instant) -> Option<Duration> {
        let ambiguous = match &self.timing {
            Timing::Retransmitted(schedule) => schedule.transmissions() > 1,
            Timing::Cancelled { was_retransmitted, .. } => *was_retransmitted,
            Timing::Once { .. } => false,
        };
        (!ambiguous).then(|| now - self.sent)
    }

    pub(crate) fn transmit(&self) -> Transmit {
        Transmit { five_tuple: self.five_tuple, payload: self.request.clone() }
    }

    /// Whether its deadline, having come by `now`, brings a retransmission and not the end.
    fn sends_next(&self, now: Instant) -> bool {
        match self.timing {
            Timing::Retransmitted(mut schedule) => schedule.advance(now) == Step::Retransmit,
            Timing::Once { .. } | Timing::Cancelled { .. } => false,
        }
    }

    fn cancel(&mut self, now: Instant) {
        if let Timing::Retransmitted(schedule) = &self.timing {
            let was_retransmitted = schedule.transmissions() > 1;
            self.timing = Timing::Cancelled { until: now + CANCELLED_WAIT, was_retransmitted };
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        matches!(self.timing, Timing::Cancelled { .. })
    }
}

/// All checks on their way: for each pair one that is retransmitted, those that were cancelled for it in the last 8 s
/// (at most two a second), and the consent checks of the last 30 s.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Vec<Check>);

/// What a deadline brought.
#[derive(Debug)]
pub(crate) enum Due {
    /// Send the same bytes again.
    Retransmit(Transmit),
    /// Ask again, in another role.
    Reask(PairId, Purpose),
    /// Nobody answered.
    TimedOut(Check),
}

impl InFlight {
    pub(crate) fn push(&mut self, check: Check) {
        self.0.push(check);
    }

    pub(crate) fn find(&self, id: TransactionId) -> Option<&Check> {
        self.0.iter().find(|check| check.id == id)
    }

    pub(crate) fn take(&mut self, id: TransactionId) -> Option<Check> {
        let index = self.0.iter().position(|check| check.id == id)?;
        Some(self.0.remove(index))
    }

    /// Stops all retransmissions, but for these pairs.
    pub(crate) fn cancel_all_but(&mut self, kept: &[PairId], now: Instant) {
        let others = self.0.iter_mut().filter(|check| !kept.contains(&check.pair));
        others.for_each(|check| check.cancel(now));
    }

    /// Stops the retransmissions for a pair; an answer still counts (RFC 8445 §7.3.1.4).
    pub(crate) fn cancel(&mut self, pair: PairId, now: Instant) {
        let of_pair = self.0.iter_mut().filter(|check| check.pair == pair);
        of_pair.for_each(|check| check.cancel(now));
    }

    /// Whether a triggered check of the pair was sent less than `recent` ago, and may still be answered.
    pub(crate) fn has_triggered(&self, pair: PairId, recent: Duration, now: Instant) -> bool {
        self.0.iter().any(|check| {
            let is_triggered = matches!(check.purpose, Purpose::Triggered | Purpose::Backup);
            let on_its_way = is_triggered && !check.is_cancelled();
            check.pair == pair && on_its_way && now < check.last_sent + recent
        })
    }

    /// When the check of the pair that is on its way was sent, unless it was sent again since.
    pub(crate) fn first_sent(&self, pair: PairId) -> Option<Instant> {
        let is_on_its_way = |check: &&Check| check.pair == pair && !check.is_cancelled();
        let check = self.0.iter().find(is_on_its_way)?;
        (check.sent == check.last_sent).then_some(check.sent)
    }

    /// Whether a check of the pair is on its way.
    pub(crate) fn is_asking(&self, pair: PairId) -> bool {
        self.0.iter().any(|check| check.pair == pair && !check.is_cancelled())
    }

    /// Forgets all but checks for consent.
    pub(crate) fn keep_consent(&mut self) {
        self.0.retain(|check| check.purpose == Purpose::Consent);
    }

    /// Forgets all that is on its way for a pair.
    pub(crate) fn forget(&mut self, pair: PairId) {
        self.0.retain(|check| check.pair != pair);
    }

    /// Whether a retransmission is due.
    pub(crate) fn retransmits(&self, now: Instant) -> bool {
        self.0.iter().any(|check| check.deadline() <= now && check.sends_next(now))
    }

    /// Handles one deadline that has passed, if any has, first that of a nomination. A retransmission waits until
    /// `may_send`, the pacer's word. One that claims another role than `role` would bring a 487 (RFC 8445 §7.3.1.1), and
    /// is not sent.
    pub(crate) fn next_due(&mut self, may_send: bool, role: Role, now: Instant) -> Option<Due> {
        let is_due =
            |check: &Check| check.deadline() <= now && (may_send || !check.sends_next(now));
        let due = self.0.iter().enumerate().filter(|(_, check)| is_due(check));
        let (index, _) = due.min_by_key(|(_, check)| check.purpose != Purpose::Nomination)?;
        let check = self.0.get_mut(index)?;
        if check.role != role && check.sends_next(now) {
            check.cancel(now);
            return Some(Due::Reask(check.pair, check.purpose));
        }
        if let Timing::Retransmitted(schedule) = &mut check.timing
            && schedule.advance(now) == Step::Retransmit
        {
            check.last_sent = now;
            return Some(Due::Retransmit(check.transmit()));
        }
        Some(Due::TimedOut(self.0.remove(index)))
    }

    /// When [`next_due`](Self::next_due) has something to do, with retransmissions no earlier than `may_send`.
    pub(crate) fn deadline(&self, may_send: Instant) -> Option<Instant> {
        let deadline = |check: &Check| {
            let at = check.deadline();
            if check.sends_next(at) { at.max(may_send) } else { at }
        };
        self.0.iter().map(deadline).min()
    }
}

/// How long the answer to a cancelled check counts: Rm * RTO, as after a last transmission.
const CANCELLED_WAIT: Duration = Duration::from_secs(8);
