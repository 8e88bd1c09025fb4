//! The peer's consent to receive, kept fresh by Binding requests (RFC 7675 §5.1).

use core::time::Duration;

use pinhole_sansio::Instant;
use rand::{Rng, RngExt};

/// How often consent is asked for and how long it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsentConfig {
    /// The least time between two checks, which is drawn anew each time up to 1.2 times as long; 5 s, and never
    /// less.
    pub interval: Duration,
    /// How long one answer lasts; 30 s.
    pub expiry: Duration,
}

impl Default for ConsentConfig {
    fn default() -> Self {
        Self { interval: Duration::from_secs(5), expiry: Duration::from_secs(30) }
    }
}

/// How an agent knows that the peer is still there, and still wants to receive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Liveness {
    /// By asking (RFC 7675). What a web browser must do, and everybody should.
    #[default]
    Consent,
    /// By asking half as often or less while the application tells of authenticated traffic from the peer
    /// ([`Agent::peer_is_alive`](crate::Agent::peer_is_alive)), which keeps the pair out of doubt, too.
    PayloadAssisted,
    /// Not at all: consent never ends, and a Binding indication goes out where nothing was sent for 15 s, to keep NATs
    /// open (RFC 8445 §11). For closed networks and peers that answer no checks.
    KeepaliveOnly,
}

/// How much is spent on the selected pair and on those in reserve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Power {
    /// As configured.
    #[default]
    Normal,
    /// As little as keeps the session: consent is asked for every 12 s or longer, and nothing stands in reserve.
    Saving,
}

impl ConsentConfig {
    /// What holds in this mode.
    pub(crate) fn adapted(self, liveness: Liveness, power: Power) -> Self {
        let interval = match power {
            Power::Normal => self.interval,
            Power::Saving => self.interval.max(SAVING),
        };
        match liveness {
            Liveness::Consent | Liveness::PayloadAssisted => Self { interval, ..self },
            Liveness::KeepaliveOnly => Self { interval: KEEPALIVE, expiry: Duration::MAX },
        }
    }
}

/// The consent of one valid pair.
#[derive(Debug)]
pub(crate) struct Consent {
    /// No application data from here on.
    expires: Instant,
    next_check: Instant,
    /// Checks sent since the last answer.
    unanswered: u32,
    /// When the answer to the latest check is overdue.
    overdue_at: Option<Instant>,
    /// Answers that were overdue since the last one came.
    missed: u32,
}

impl Consent {
    /// Consent as a connectivity check's success gives it.
    pub(crate) fn granted(config: ConsentConfig, rng: &mut impl Rng, now: Instant) -> Self {
        Self {
            expires: now + config.expiry,
            next_check: now + next_interval(config, rng),
            unanswered: 0,
            overdue_at: None,
            missed: 0,
        }
    }

    /// Consent that nobody asks for, on a pair that is used without a check. It lasts until further notice.
    pub(crate) const fn unasked() -> Self {
        let (expires, next_check) = (NEVER, NEVER);
        Self { expires, next_check, unanswered: 0, overdue_at: None, missed: 0 }
    }

    /// The peer has shown that it is there, and is expected to do so again until then.
    pub(crate) fn expect_until(&mut self, expires: Instant) {
        self.expires = expires;
    }

    /// An authenticated success response came. Consent that ran out does not come back.
    pub(crate) fn answered(&mut self, config: ConsentConfig, now: Instant) {
        if self.is_fresh(now) {
            self.expires = now + config.expiry;
            self.unanswered = 0;
            self.missed = 0;
            self.overdue_at = None;
        }
    }

    /// The peer took its consent back (RFC 7675 §5.2).
    pub(crate) fn revoke(&mut self, now: Instant) {
        self.expires = now;
    }

    pub(crate) fn is_fresh(&self, now: Instant) -> bool {
        now < self.expires
    }

    /// Whether the answers to the latest checks are overdue while consent still lasts.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.unanswered > TOLERATED
    }

    /// Whether a check is to be sent now.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.next_check <= now
    }

    /// A check was sent; the next one is planned. `patience`, where it matters, is how long its answer may take.
    pub(crate) fn asked(
        &mut self,
        config: ConsentConfig,
        patience: Option<Duration>,
        rng: &mut impl Rng,
        now: Instant,
    ) {
        self.next_check = now + next_interval(config, rng);
        self.unanswered = self.unanswered.saturating_add(1);
        self.overdue_at = patience.map(|patience| now + patience);
    }

    /// A keepalive was sent, or need not be; no answer is expected.
    pub(crate) fn kept_alive(&mut self, next: Instant) {
        self.next_check = next;
    }

    /// Authentic traffic came from the peer: it is there, whatever became of the latest checks.
    pub(crate) fn peer_is_alive(&mut self, config: ConsentConfig, now: Instant) {
        if self.is_fresh(now) {
            (self.unanswered, self.missed, self.overdue_at) = (0, 0, None);
            // Three checks still fit into the time that consent lasts.
            let spare = (self.expires - now).saturating_sub(config.interval * 3);
            self.next_check = self.next_check.max(now + spare);
        }
    }

    /// Counts an answer that has not come in time.
    pub(crate) fn note_missed(&mut self, now: Instant) {
        if self.overdue_at.is_some_and(|at| at <= now) {
            self.overdue_at = None;
            self.missed = self.missed.saturating_add(1);
        }
    }

    /// Answers in a row that have not come in time.
    pub(crate) const fn missed(&self) -> u32 {
        self.missed
    }

    /// When a check is due, no earlier than `may_send`, or an answer is overdue, or consent ends.
    pub(crate) fn deadline(&self, may_send: Instant) -> Option<Instant> {
        let wakes = self.next_check.max(may_send).min(self.expires);
        let wakes = self.overdue_at.map_or(wakes, |at| at.min(wakes));
        (wakes != NEVER).then_some(wakes)
    }
}

/// RFC 7675 §5.1: "each interval MUST be randomized from between 0.8 and 1.2 times the basic period". The upper half of
/// that, so that no minute has more than twelve.
fn next_interval(config: ConsentConfig, rng: &mut impl Rng) -> Duration {
    let basic = config.interval.max(MINIMUM_INTERVAL);
    basic.mul_f64(rng.random_range(1.0..=1.2))
}

/// RFC 7675 §5.1: "SHOULD set a default interval of 5 seconds", and "MUST NOT set the period between checks to less
/// than 4 seconds".
const MINIMUM_INTERVAL: Duration = Duration::from_secs(5);
/// No deadline at all.
const NEVER: Instant = Instant::from_nanos(u64::MAX);
/// Two checks, each up to a fifth later, within the 30 s that consent lasts.
const SAVING: Duration = Duration::from_secs(12);
/// RFC 8445 §11: Tr, "15 seconds" by default.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// Unanswered checks before the path counts as in doubt: one may be lost, and one may be on its way.
const TOLERATED: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha12Rng;

    #[test]
    fn intervals_are_up_to_a_fifth_longer_than_the_period() {
        // CHECKLIST 48.
        let mut rng = ChaCha12Rng::from_seed([3; 32]);
        for asked in [1, 5, 15] {
            let config =
                ConsentConfig { interval: Duration::from_secs(asked), ..ConsentConfig::default() };
            let basic = config.interval.max(Duration::from_secs(5));
            let (mut least, mut most) = (Duration::MAX, Duration::ZERO);
            for _ in 0..10_000 {
                let interval = next_interval(config, &mut rng);
                (least, most) = (least.min(interval), most.max(interval));
            }
            assert!(basic <= least && most <= basic.mul_f64(1.2), "{least:?} {most:?}");
            assert!(
                least < basic.mul_f64(1.01) && basic.mul_f64(1.19) < most,
                "{least:?} {most:?}"
            );
        }
    }

    #[test]
    fn consent_ends_thirty_seconds_after_the_last_answer_and_stays_gone() {
        let (config, mut rng) = (ConsentConfig::default(), ChaCha12Rng::from_seed([3; 32]));
        let mut consent = Consent::granted(config, &mut rng, Instant::ZERO);
        consent.answered(config, Instant::from_millis(7_000));
        assert!(consent.is_fresh(Instant::from_millis(36_999)));
        assert!(!consent.is_fresh(Instant::from_millis(37_000)));
        consent.answered(config, Instant::from_millis(37_001));
        assert!(!consent.is_fresh(Instant::from_millis(37_001)));
    }
}
