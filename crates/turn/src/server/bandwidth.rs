use core::sync::atomic::{AtomicU64, Ordering};
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

    /// When a bucket that would have been full at this instant is full if the tokens of a datagram are
    /// taken; `None` if there are too few.
    #[inline]
    fn take(self, full_at: Instant, bytes: usize, now: Instant) -> Option<Instant> {
        let full_at = full_at.max(now) + self.time_for(bytes as u64);
        (full_at <= now + self.time_for(self.burst)).then_some(full_at)
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
        let taken = limit.take(self.full_at, bytes, now);
        self.full_at = taken.unwrap_or(self.full_at);
        taken.is_some()
    }

    /// Puts back what a datagram took that is not relayed.
    pub(super) fn put_back(&mut self, bytes: usize, limit: Option<Bandwidth>) {
        let time = limit.map_or(Duration::ZERO, |limit| limit.time_for(bytes as u64));
        self.full_at = Instant::ZERO + (self.full_at - Instant::ZERO).saturating_sub(time);
    }
}

/// A token bucket from which several allocations take, of one machine or of several. Their instants
/// have the same origin.
#[derive(Debug)]
pub struct SharedBucket {
    limit: Bandwidth,
    /// In nanoseconds.
    full_at: AtomicU64,
}

impl SharedBucket {
    /// A full bucket.
    #[must_use]
    pub const fn new(limit: Bandwidth) -> Self {
        Self { limit, full_at: AtomicU64::new(0) }
    }

    /// Takes the tokens of a datagram; false, and nothing taken, if there are too few.
    pub fn take(&self, bytes: usize, now: Instant) -> bool {
        let take = |full_at| {
            self.limit.take(Instant::from_nanos(full_at), bytes, now).map(Instant::as_nanos)
        };
        self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// Whether as much as ever can be taken at this instant.
    #[must_use]
    pub fn is_full(&self, now: Instant) -> bool {
        Instant::from_nanos(self.full_at.load(Ordering::Relaxed)) <= now
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
    fn a_shared_bucket_is_one_for_all() {
        let bucket = SharedBucket::new(LIMIT.unwrap());
        let now = Instant::from_millis(1);
        assert!(bucket.is_full(now));
        assert_eq!((0..10).filter(|_| bucket.take(1_000, now)).count(), 3);
        assert!(!bucket.is_full(now + Duration::from_millis(299)));
        assert!(bucket.is_full(now + Duration::from_millis(300)));
        assert!(bucket.take(1_000, now + Duration::from_millis(100)));
    }

    #[test]
    fn what_is_put_back_can_be_taken() {
        let (mut bucket, now) = (Bucket::default(), Instant::from_millis(1));
        for _ in 0..10 {
            assert!(bucket.take(3_000, LIMIT, now));
            bucket.put_back(3_000, LIMIT);
        }
    }

    #[test]
    fn what_is_within_the_rate_is_never_dropped() {
        assert_eq!(passed(&mut Bucket::default(), 0, 100, 1_000), 1_000);
        assert!(!Bucket::default().take(3_001, LIMIT, Instant::ZERO), "more than the burst");
        assert!(Bucket::default().take(usize::MAX, None, Instant::ZERO), "no limit");
    }
}
