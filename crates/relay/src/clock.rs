use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};
use pinhole_sansio::Instant;

/// The system's monotonic clock, in nanoseconds since its own origin, which is the same for all threads.
///
/// It is asked as the system has it: [`std::time::Instant`] tells differences only, which takes each turn of
/// a worker another forty instructions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock;

impl Clock {
    #[inline]
    pub(crate) fn now(self) -> Instant {
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every Linux has this clock");
        let seconds = u64::try_from(now.tv_sec()).unwrap_or_default();
        let nanos = u64::try_from(now.tv_nsec()).unwrap_or_default();
        Instant::from_nanos(seconds * 1_000_000_000 + nanos)
    }
}

/// The time since the Unix epoch; zero on a machine whose clock stands before it.
#[must_use]
pub fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
