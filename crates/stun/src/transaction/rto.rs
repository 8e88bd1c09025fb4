use core::time::Duration;

use pinhole_sansio::Instant;

/// Estimates the RTO towards one server from the round trips of finished transactions (RFC 8489
/// §6.2.1, RFC 6298), for the next [`Retransmission`](super::Retransmission) to start with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RtoEstimator {
    estimate: Option<Estimate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Estimate {
    smoothed: Duration,
    variation: Duration,
    at: Instant,
}

/// "the initial value for RTO SHOULD be greater than or equal to 500 ms" (RFC 8489 §6.2.1).
const INITIAL: Duration = Duration::from_millis(500);
/// "The value SHOULD be considered stale and discarded if no transactions have occurred to the same
/// server in the last 10 minutes."
const STALE: Duration = Duration::from_secs(600);
/// The clock granularity G of RFC 6298 §2: "a 1 ms accuracy SHOULD be maintained".
const GRANULARITY: Duration = Duration::from_millis(1);

impl RtoEstimator {
    /// Takes a round trip from [`ClientTransaction::round_trip`](super::ClientTransaction::round_trip), which follows
    /// Karn's algorithm.
    pub fn sample(&mut self, round_trip: Duration, now: Instant) {
        let (smoothed, variation) = match self.fresh(now) {
            None => (round_trip, round_trip / 2),
            Some(Estimate { smoothed, variation, .. }) => {
                let deviation = smoothed.abs_diff(round_trip);
                (smoothed * 7 / 8 + round_trip / 8, variation * 3 / 4 + deviation / 4)
            }
        };
        self.estimate = Some(Estimate { smoothed, variation, at: now });
    }

    /// The RTO for a transaction that begins now: SRTT + max(G, 4 × RTTVAR), or 500 ms without a
    /// recent sample.
    #[must_use]
    pub fn rto(&self, now: Instant) -> Duration {
        self.fresh(now).map_or(INITIAL, |estimate| {
            estimate.smoothed + (estimate.variation * 4).max(GRANULARITY)
        })
    }

    fn fresh(&self, now: Instant) -> Option<Estimate> {
        self.estimate.filter(|estimate| now < estimate.at + STALE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn the_first_sample_counts_thrice_and_steady_ones_converge() {
        let mut estimator = RtoEstimator::default();
        assert_eq!(estimator.rto(Instant::ZERO), MS(500));
        estimator.sample(MS(80), Instant::ZERO);
        assert_eq!(estimator.rto(Instant::ZERO), MS(80 + 4 * 40));
        for _ in 0..50 {
            estimator.sample(MS(80), Instant::ZERO);
        }
        assert!(estimator.rto(Instant::ZERO) < MS(82));
    }

    #[test]
    fn an_estimate_is_forgotten_after_ten_minutes() {
        let mut estimator = RtoEstimator::default();
        estimator.sample(MS(20), Instant::ZERO);
        assert_eq!(estimator.rto(Instant::ZERO + STALE), MS(500));
    }
}
