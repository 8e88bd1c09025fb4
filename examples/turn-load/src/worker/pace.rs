//! How many packets are due.

use std::time::Duration;

use pinhole_sansio::Instant;

/// A number of packets a second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    rate: u64,
    start: Instant,
    /// Since the start.
    given: u64,
}

impl Pace {
    pub(super) const fn new(rate: u64, start: Instant) -> Self {
        Self { rate, start, given: 0 }
    }

    /// How many packets are to be sent now, in whole rows of `row`. After a pause, those of the last few milliseconds
    /// only: a burst of all that were due would measure the buffers, not the server.
    pub(super) fn due(&mut self, row: u64, now: Instant) -> u64 {
        let elapsed = (now - self.start).as_nanos();
        let wanted = elapsed * u128::from(self.rate) / Duration::from_secs(1).as_nanos();
        let wanted = u64::try_from(wanted).unwrap_or(u64::MAX);
        let due = wanted.saturating_sub(self.given);
        let most = (self.rate / BURSTS_A_SECOND + 1).max(row);
        let now = due.min(most) / row * row;
        // What the cap cuts off is never sent.
        self.given = wanted - if due > most { 0 } else { due - now };
        now
    }
}

/// A burst is what falls due in 5 ms, at most.
const BURSTS_A_SECOND: u64 = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_of_any_length_add_up_to_the_rate() {
        for step in [1, 2, 3, 4] {
            let mut pace = Pace::new(12_345, Instant::ZERO);
            let ticks = (1..=12_000 / step).map(|tick| Instant::from_millis(tick * step));
            let total: u64 = ticks.map(|now| pace.due(1, now)).sum();
            assert_eq!(total, 12 * 12_345, "ticks of {step} ms");
        }
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let mut pace = Pace::new(10_000, Instant::ZERO);
        assert_eq!(pace.due(1, Instant::from_millis(1_000)), 51);
        assert_eq!(pace.due(1, Instant::from_millis(1_001)), 10);
    }

    #[test]
    fn rows_are_whole_and_nothing_is_lost_between_them() {
        let mut pace = Pace::new(12_345, Instant::ZERO);
        let dues = (1..=10_000).map(|tick| pace.due(32, Instant::from_millis(tick)));
        let dues: Vec<u64> = dues.collect();
        assert!(dues.iter().all(|due| due.is_multiple_of(32)));
        assert_eq!(dues.iter().sum::<u64>(), 123_450 / 32 * 32);
    }
}
