use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pinhole_sansio::Instant;

use crate::socket::monotonic;

/// The system's monotonic clock, in nanoseconds since its own origin, which is the same for all threads.
///
/// It is asked as the system has it: [`std::time::Instant`] tells differences only, which takes each turn of
/// a worker another forty instructions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock;

impl Clock {
    #[inline]
    pub(crate) fn now(self) -> Instant {
        Instant::from_nanos(monotonic())
    }
}

/// The time since the Unix epoch; zero on a machine whose clock stands before it.
#[must_use]
pub fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
