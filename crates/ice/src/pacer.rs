//! When the next transaction may start, and how long to wait for its answer (RFC 8445 §14).

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use pinhole_sansio::Instant;
use pinhole_stun::Retransmission;

use crate::abilities::Abilities;

/// One pace for all agents of a process: "the combination of all transactions from all agents (if a given
/// implementation runs several concurrent agents) MUST NOT be sent more often than once every 5 ms" (RFC 8445
/// §14.2). Give each agent a clone of one, or what [`since`](Self::since) gives where their instants have another
/// origin.
#[derive(Clone, Debug, Default)]
pub struct SharedPacer {
    next: Arc<AtomicU64>,
    /// From the origin of `next` to that of its user's instants.
    offset: Duration,
}

/// Lets one STUN transaction start each Ta, checks and gathering alike (RFC 8445 §14.2). Retransmissions
/// and checks for consent wait for their turn too, so that an agent that was asleep wakes up without a burst.
#[derive(Clone, Debug)]
pub(crate) struct Pacer {
    /// What this side wishes.
    wished: Duration,
    interval: Duration,
    next: Instant,
    /// When the latest transaction started.
    last: Option<Instant>,
    shared: Option<SharedPacer>,
    /// The turn among all agents that was taken and not used yet.
    turn: Option<Instant>,
}

impl SharedPacer {
    /// The same one for an agent whose instants count from `offset` later on.
    #[must_use]
    pub fn since(&self, offset: Duration) -> Self {
        Self { next: self.next.clone(), offset: self.offset + offset }
    }

    /// Takes the next free turn, now or later.
    fn take(&self, now: Instant) -> Instant {
        let shared_now = now + self.offset;
        let turn = |next: u64| Instant::from_nanos(next).max(shared_now);
        let after = |next: u64| Some((turn(next) + MINIMUM_TA).as_nanos());
        let before = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after);
        now + (turn(before.unwrap_or_else(|next| next)) - shared_now)
    }
}

impl Pacer {
    pub(crate) fn new(wished: Duration, shared: Option<SharedPacer>, now: Instant) -> Self {
        let wished = wished.max(MINIMUM_TA);
        // Less than the default takes both sides' word.
        let interval = wished.max(Abilities::DEFAULT_PACING);
        Self { wished, interval, next: now, last: None, shared, turn: None }
    }

    /// The Ta that this side wishes.
    pub(crate) const fn wished(&self) -> Duration {
        self.wished
    }

    /// "Both agents MUST use the higher value of the proposed values" (§14.2).
    pub(crate) fn agree(&mut self, peer: Duration) {
        self.interval = self.wished.max(peer);
        if let Some(last) = self.last {
            self.next = last + self.interval;
        }
    }

    pub(crate) const fn interval(&self) -> Duration {
        self.interval
    }

    /// The earliest start of the next transaction.
    pub(crate) const fn next(&self) -> Instant {
        self.next
    }

    /// Whether a transaction may start now. Ask only when there is one: it takes a turn among all agents.
    pub(crate) fn is_open(&mut self, now: Instant) -> bool {
        if now < self.next {
            return false;
        }
        let Some(shared) = &self.shared else { return true };
        if self.turn.is_some_and(|turn| now < turn + MINIMUM_TA) {
            return true;
        }
        let turn = shared.take(now);
        self.turn = Some(turn);
        self.next = turn;
        turn <= now
    }

    /// Somebody else has started a transaction.
    pub(crate) fn wait_until(&mut self, next: Instant) {
        self.next = self.next.max(next);
    }

    /// A transaction started.
    pub(crate) fn started(&mut self, now: Instant) {
        self.next = now + self.interval;
        self.last = Some(now);
        self.turn = None;
    }
}

/// `RTO = MAX (500ms, Ta * N * (Num-Waiting + Num-In-Progress))` (RFC 8445 §14.3), with the product of N, the number of
/// checklists, and of the pairs on this one as `unsettled`.
pub(crate) fn check_retransmission(
    configured: Retransmission,
    ta: Duration,
    unsettled: usize,
) -> Retransmission {
    let pairs = u32::try_from(unsettled).unwrap_or(u32::MAX);
    let rto = configured.rto.max(ta.saturating_mul(pairs));
    if rto == configured.rto {
        return configured;
    }
    // As long as with the shorter interval, but for the least that RFC 8489 §6.2.1 has.
    let times = configured.rto.as_millis() * u128::from(configured.rc) / rto.as_millis().max(1);
    let rc = u32::try_from(times).unwrap_or(u32::MAX).max(configured.rc.min(LEAST));
    Retransmission { rto, rc, ..configured }
}

/// Rc of RFC 8489 §6.2.1.
const LEAST: u32 = 7;
/// RFC 8445 §14.2: Ta MUST NOT be less than 5 ms.
const MINIMUM_TA: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn one_start_each_interval_and_less_than_50_ms_only_when_both_sides_say_so() {
        let mut pacer = Pacer::new(millis(1), None, Instant::ZERO);
        assert!(pacer.is_open(Instant::ZERO));
        pacer.started(Instant::ZERO);
        assert!(!pacer.is_open(Instant::from_millis(49)), "the peer has said nothing");
        assert!(pacer.is_open(Instant::from_millis(50)));
        pacer.agree(millis(1));
        pacer.started(Instant::from_millis(50));
        assert!(!pacer.is_open(Instant::from_millis(54)), "5 ms is the least that the RFC allows");
        assert!(pacer.is_open(Instant::from_millis(55)));
        pacer.agree(millis(80));
        assert_eq!(pacer.interval(), millis(80), "the higher of the two");
        assert_eq!(pacer.next(), Instant::from_millis(130), "from the latest start on");
    }

    #[test]
    fn all_agents_together_start_one_transaction_each_5_ms() {
        // RFC 8445 §14.2, CHECKLIST 41.
        let shared = SharedPacer::default();
        let pacer = |offset| {
            let shared = shared.since(millis(offset));
            (millis(offset), Pacer::new(millis(50), Some(shared), Instant::ZERO))
        };
        let mut pacers: Vec<_> = (0..100).map(|index| pacer(index % 2 * 7)).collect();
        let mut starts = Vec::new();
        for now in (0..2_000).map(Instant::from_millis) {
            for (offset, pacer) in &mut pacers {
                let own = Instant::ZERO + (now - (Instant::ZERO + *offset));
                if now >= Instant::ZERO + *offset && pacer.next() <= own && pacer.is_open(own) {
                    pacer.started(own);
                    starts.push(now);
                }
            }
        }
        assert!(starts.windows(2).all(|pair| pair[1] - pair[0] >= MINIMUM_TA));
        assert_eq!(starts.len(), 2_000 / 5, "no turn is lost");
    }

    #[test]
    fn the_timeout_grows_with_the_number_of_pairs() {
        let (base, ta) = (Retransmission::default(), millis(50));
        assert_eq!(check_retransmission(base, ta, 1).rto, millis(500));
        assert_eq!(check_retransmission(base, ta, 100).rto, Duration::from_secs(5));
    }
}
