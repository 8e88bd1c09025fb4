use std::time::Duration;

use pinhole_sansio::Instant;

/// When to believe that something is lost: the retransmission timer (RFC 6298), with timestamps (RFC 7323), the probe
/// for the last segment and the wait for reordered ones (RFC 8985), and the constants of Linux.
pub(super) struct Timer {
    alarm: Option<(Instant, Alarm)>,
    timeout: Duration,
    /// SRTT and RTTVAR, and the timeout that follows from them.
    smoothed: Option<(Duration, Duration)>,
    /// How often it was sent again what has not been acknowledged since.
    expiries: u32,
    /// The last segment was probed, and nothing has been acknowledged since.
    probed: bool,
}

/// What the timer is set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alarm {
    /// The last segment may be lost (RFC 8985 §7).
    Probe,
    /// A later segment has arrived, so that the first one is lost if it is not just late (RFC 8985 §6.2).
    Overtaken,
    /// Everything is lost (RFC 6298 §5).
    Retransmission,
}

impl Timer {
    pub(super) const fn new() -> Self {
        let (alarm, smoothed) = (None, None);
        Self { alarm, timeout: INITIAL_TIMEOUT, smoothed, expiries: 0, probed: false }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.alarm.map(|(at, _)| at)
    }

    pub(super) const fn expiries(&self) -> u32 {
        self.expiries
    }

    /// A segment was sent, the only one that is not acknowledged or one of several.
    pub(super) fn sent(&mut self, is_single: bool, now: Instant) {
        // The probe is for what was sent last (RFC 8985 §7.2).
        if self.alarm.is_none_or(|(_, alarm)| alarm == Alarm::Probe) {
            self.alarm = Some(self.next_alarm(is_single, now));
        }
    }

    /// Something new was acknowledged; what the peer has heard last was sent at `echo`. Of what is left, `waiting` tells
    /// whether it is one segment.
    pub(super) fn acknowledged(
        &mut self,
        echo: Option<Instant>,
        waiting: Option<bool>,
        now: Instant,
    ) {
        if let Some(echo) = echo {
            self.measure(now - echo);
        }
        self.expiries = 0;
        self.probed = false;
        self.alarm = waiting.map(|is_single| self.next_alarm(is_single, now));
    }

    /// When a segment is lost that was sent then, if later ones have arrived; `None` until a round-trip time is known.
    pub(super) fn lost_at(&self, sent_at: Instant) -> Option<Instant> {
        self.smoothed.map(|(smoothed, _)| sent_at + smoothed * 5 / 4)
    }

    /// What was overtaken may still come until then.
    pub(super) fn expect_overtaken(&mut self, until: Instant) {
        if self.alarm.is_none_or(|(at, _)| until < at) {
            self.alarm = Some((until, Alarm::Overtaken));
        }
    }

    /// The deadline has passed; what it was for.
    pub(super) fn expire(&mut self, now: Instant) -> Alarm {
        let alarm = self.alarm.map_or(Alarm::Retransmission, |(_, alarm)| alarm);
        match alarm {
            Alarm::Probe => self.probed = true,
            Alarm::Overtaken => {}
            Alarm::Retransmission => {
                self.expiries += 1;
                // The first SYNs follow one another at the same pace.
                if self.smoothed.is_some() || self.expiries > LINEAR_OPENINGS {
                    self.timeout = (self.timeout * 2).min(MAX_TIMEOUT);
                }
            }
        }
        self.alarm = Some((now + self.timeout, Alarm::Retransmission));
        alarm
    }

    fn next_alarm(&self, is_single: bool, now: Instant) -> (Instant, Alarm) {
        let is_calm = self.expiries == 0 && !self.probed;
        match self.smoothed.filter(|_| is_calm) {
            None => (now + self.timeout, Alarm::Retransmission),
            Some((smoothed, _)) => {
                // The peer may hold back the acknowledgment of a single segment.
                let margin = if is_single { MIN_TIMEOUT } else { PROBE_MARGIN };
                (now + (smoothed * 2 + margin).min(self.timeout), Alarm::Probe)
            }
        }
    }

    /// RFC 6298 §2.2 and §2.3, with every acknowledgment (RFC 7323 §4.1): a timeout that was doubled is itself again.
    fn measure(&mut self, round_trip: Duration) {
        let (smoothed, variation) = match self.smoothed {
            None => (round_trip, round_trip / 2),
            Some((smoothed, variation)) => {
                let deviation = smoothed.abs_diff(round_trip);
                (smoothed * 7 / 8 + round_trip / 8, variation * 3 / 4 + deviation / 4)
            }
        };
        self.smoothed = Some((smoothed, variation));
        self.timeout = (smoothed + (variation * 4).max(MIN_TIMEOUT)).min(MAX_TIMEOUT);
    }
}

/// RFC 6298 §2.1: one second until a round-trip time is known.
const INITIAL_TIMEOUT: Duration = Duration::from_secs(1);
/// What the timeout is longer than the round-trip time, at least: below the one second of RFC 6298 §2.4, as
/// everywhere in the field.
const MIN_TIMEOUT: Duration = Duration::from_millis(200);
const MAX_TIMEOUT: Duration = Duration::from_secs(120);
/// How much longer than two round trips the last of several segments is waited for.
const PROBE_MARGIN: Duration = Duration::from_millis(2);
/// How many SYNs are repeated at the same pace.
const LINEAR_OPENINGS: u32 = 4;
