use core::time::Duration;

use pinhole_sansio::Instant;

/// How much an allocation may relay, both directions together, payloads only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// Bytes a second, in the long run; at least one.
    pub bytes_per_second: u64,
    /// Bytes at once, after a pause.
    pub burst: u64,
}

impl Bandwidth {
    /// The time in which so many bytes may be relayed.
    const fn time_for(self, bytes: u64) -> Duration {
        let rate = if self.bytes_per_second == 0 { 1 } else { self.bytes_per_second };
        let whole = Duration::from_secs(bytes / rate);
        let rest = (bytes % rate) as u128 * 1_000_000_000 / rate as u128;
        whole.saturating_add(Duration::from_nanos(rest as u64))
    }
}

/// A token bucket: one instant, at which it will be full again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    full_at: Instant,
}

impl Bucket {
    /// Takes the tokens of a datagram; false, and nothing taken, if there are too few. Nothing is queued:
    /// a server "should discard application data traffic that exceeds the bandwidth quota" (RFC 8656 §5).
    #[inline]
    pub(super) fn take(&mut self, bytes: usize, limit: Option<Bandwidth>, now: Instant) -> bool {
        let Some(limit) = limit else { return true };
        let full_at = self.full_at.max(now) + limit.time_for(bytes as u64);
        let fits = full_at <= now + limit.time_for(limit.burst);
        if fits {
            self.full_at = full_at;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Option<Bandwidth> = Some(Bandwidth { bytes_per_second: 10_000, burst: 3_000 });

    /// How many of the datagrams of 1,000 bytes pass that come every `step` milliseconds.
    fn passed(bucket: &mut Bucket, start: u64, step: u64, count: u64) -> usize {
        let times = (0..count).map(|number| Instant::from_millis(start + number * step));
        times.filter(|now| bucket.take(1_000, LIMIT, *now)).count()
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let mut bucket = Bucket::default();
        assert_eq!(passed(&mut bucket, 0, 0, 10), 3);
        assert_eq!(passed(&mut bucket, 10, 10, 1_000), 100, "ten seconds of 100,000 bytes each");
        assert_eq!(passed(&mut bucket, 20_000, 0, 10), 3, "no more than a burst after a pause");
    }

    #[test]
    fn what_is_within_the_rate_is_never_dropped() {
        assert_eq!(passed(&mut Bucket::default(), 0, 100, 1_000), 1_000);
        assert!(!Bucket::default().take(3_001, LIMIT, Instant::ZERO), "more than the burst");
        assert!(Bucket::default().take(usize::MAX, None, Instant::ZERO), "no limit");
    }
}
