//! When the next transaction may start, and how long to wait for its answer (RFC 8445 §14).

use core::time::Duration;

use pinhole_sansio::Instant;
use pinhole_stun::Retransmission;

/// Lets one STUN transaction start each Ta, checks and gathering alike (RFC 8445 §14.2). Retransmissions of checks
/// and checks for consent wait for their turn too, so that an agent that was asleep wakes up without a burst.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pacer {
    interval: Duration,
    next: Instant,
}

impl Pacer {
    pub(crate) fn new(interval: Duration, now: Instant) -> Self {
        Self { interval: interval.max(MINIMUM_TA), next: now }
    }

    pub(crate) const fn interval(self) -> Duration {
        self.interval
    }

    /// The earliest start of the next transaction.
    pub(crate) const fn next(self) -> Instant {
        self.next
    }

    pub(crate) fn is_open(self, now: Instant) -> bool {
        self.next <= now
    }

    /// A transaction started.
    pub(crate) fn started(&mut self, now: Instant) {
        self.next = now + self.interval;
    }
}

/// `RTO = MAX (500ms, Ta * N * (Num-Waiting + Num-In-Progress))` (RFC 8445 §14.3), N being the one checklist.
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

    #[test]
    fn one_start_each_interval() {
        let mut pacer = Pacer::new(Duration::from_millis(1), Instant::ZERO);
        assert!(pacer.is_open(Instant::ZERO));
        pacer.started(Instant::ZERO);
        assert!(!pacer.is_open(Instant::from_millis(4)), "5 ms is the least that the RFC allows");
        assert!(pacer.is_open(Instant::from_millis(5)));
    }

    #[test]
    fn the_timeout_grows_with_the_number_of_pairs() {
        let (base, ta) = (Retransmission::default(), Duration::from_millis(50));
        assert_eq!(check_retransmission(base, ta, 1).rto, Duration::from_millis(500));
        assert_eq!(check_retransmission(base, ta, 100).rto, Duration::from_secs(5));
    }
}
