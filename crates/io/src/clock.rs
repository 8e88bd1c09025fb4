use std::sync::LazyLock;
use std::time::Duration;

use pinhole_ice::SharedPacer;
use pinhole_sansio::Instant;

/// The system's monotonic clock as machines want it: nanoseconds since the clock was made.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: tokio::time::Instant,
}

impl Clock {
    /// A clock whose origin is now.
    #[must_use]
    pub fn start() -> Self {
        LazyLock::force(&PACER);
        Self { origin: tokio::time::Instant::now() }
    }

    /// The time now.
    #[must_use]
    pub fn now(self) -> Instant {
        Instant::ZERO + self.origin.elapsed()
    }

    /// The pace of all agents of the process, for one that uses this clock (RFC 8445 §14.2).
    pub(crate) fn pacer(self) -> SharedPacer {
        let (origin, pacer) = &*PACER;
        pacer.since(self.origin.saturating_duration_since(*origin))
    }

    /// Sleeps until a machine's deadline. Cancel-safe.
    pub async fn sleep_until(self, deadline: Instant) {
        let after = deadline.saturating_duration_since(Instant::ZERO).min(FAR);
        tokio::time::sleep_until(self.origin + after).await;
    }
}

/// Begun before the clock of any agent that is paced by it.
static PACER: LazyLock<(tokio::time::Instant, SharedPacer)> =
    LazyLock::new(|| (tokio::time::Instant::now(), SharedPacer::default()));

/// What a sleep can be told without overflow; nothing sleeps so long.
const FAR: Duration = Duration::from_secs(365 * 24 * 3_600);
