use core::time::Duration;

use pinhole_sansio::{Instant, Transport};

/// How often, and how long, a client tries (RFC 8489 §6.2.1, §6.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retransmission {
    /// The time between the first two transmissions; it doubles with each one, up to `longest`.
    pub rto: Duration,
    /// The longest time between two transmissions; no limit by default.
    pub longest: Duration,
    /// Rc: how many times the request is sent in all. 0 counts as 1.
    pub rc: u32,
    /// Rm: after the last one, the client waits Rm times the *first* RTO.
    pub rm: u32,
    /// Ti: how long a client waits on a transport that is reliable itself.
    pub ti: Duration,
}

impl Default for Retransmission {
    /// "an RTO of 500 ms", "Rc SHOULD be configurable and SHOULD have a default of 7", "Rm SHOULD
    /// be configurable and SHOULD have a default of 16" (§6.2.1), "Ti SHOULD be configurable and
    /// SHOULD have a default of 39.5 s" (§6.2.2).
    fn default() -> Self {
        Self {
            rto: Duration::from_millis(500),
            longest: Duration::MAX,
            rc: 7,
            rm: 16,
            ti: Duration::from_millis(39_500),
        }
    }
}

/// The timing of one request whose bytes the caller keeps.
///
/// The first transmission is the caller's, at the instant that [`Schedule::start`] is told. Then
/// [`Schedule::advance`] is called when [`Schedule::deadline`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    config: Retransmission,
    sent: u32,
    interval: Duration,
    deadline: Instant,
    timed_out: bool,
}

/// What is to be done now; see [`Schedule::advance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing before the deadline.
    Wait,
    /// Send the request once more, now.
    Retransmit,
    /// Nobody has answered in time; it stays like that.
    TimedOut,
}

impl Schedule {
    /// The schedule of a request over UDP that is being sent now.
    #[must_use]
    pub fn start(config: Retransmission, now: Instant) -> Self {
        let mut schedule =
            Self { config, sent: 1, interval: config.rto, deadline: now, timed_out: false };
        schedule.arm(now);
        schedule
    }

    /// The schedule of a request over this transport: on a reliable one, it is sent once and then
    /// awaited for Ti (RFC 8489 §6.2.2).
    #[must_use]
    pub fn start_on(transport: Transport, config: Retransmission, now: Instant) -> Self {
        if transport.is_reliable() {
            Self::start(Retransmission { rto: config.ti, rc: 1, rm: 1, ..config }, now)
        } else {
            Self::start(config, now)
        }
    }

    /// Tells what to do at `now`, and takes for granted that it is done.
    ///
    /// Early calls answer [`Step::Wait`] and change nothing. A late call delays the transmissions
    /// that follow, so that they never come in a burst.
    pub fn advance(&mut self, now: Instant) -> Step {
        if self.timed_out {
            return Step::TimedOut;
        }
        if now < self.deadline {
            return Step::Wait;
        }
        if self.sent >= self.config.rc {
            self.timed_out = true;
            return Step::TimedOut;
        }
        self.sent += 1;
        self.interval =
            self.interval.saturating_mul(2).min(self.config.longest).max(self.config.rto);
        self.arm(now);
        Step::Retransmit
    }

    /// When [`Schedule::advance`] has something to say next; in the past after a time-out.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// How many times the request has been sent.
    #[must_use]
    pub const fn transmissions(&self) -> u32 {
        self.sent
    }

    fn arm(&mut self, now: Instant) {
        let is_last = self.sent >= self.config.rc;
        let wait =
            if is_last { self.config.rto.saturating_mul(self.config.rm) } else { self.interval };
        self.deadline = now + wait;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    /// The instants, in milliseconds, of all transmissions and of the time-out.
    fn run(mut schedule: Schedule) -> (Vec<u64>, u64) {
        let mut sent = vec![0];
        loop {
            let now = schedule.deadline();
            match schedule.advance(now) {
                Step::Wait => panic!("asked at its own deadline"),
                Step::Retransmit => sent.push(now.as_nanos() / 1_000_000),
                Step::TimedOut => return (sent, now.as_nanos() / 1_000_000),
            }
        }
    }

    /// RFC 8489 §6.2.1: "requests would be sent at times 0 ms, 500 ms, 1500 ms, 3500 ms, 7500 ms,
    /// 15500 ms, and 31500 ms. [...] the client will consider the transaction to have timed out
    /// at 39500 ms."
    #[test]
    fn the_defaults_give_the_times_of_the_rfc() {
        let schedule = Schedule::start(Retransmission::default(), Instant::ZERO);
        let expected = vec![0, 500, 1_500, 3_500, 7_500, 15_500, 31_500];
        assert_eq!(run(schedule), (expected, 39_500));
    }

    #[test]
    fn the_interval_grows_to_its_limit_and_never_below_the_first() {
        let limited = |longest| {
            let longest = Duration::from_millis(longest);
            run(Schedule::start(
                Retransmission { longest, rc: 5, rm: 1, ..Retransmission::default() },
                Instant::ZERO,
            ))
            .0
        };
        assert_eq!(limited(1_200), [0, 500, 1_500, 2_700, 3_900]);
        assert_eq!(limited(0), [0, 500, 1_000, 1_500, 2_000]);
    }

    #[test]
    fn a_reliable_transport_gets_one_transmission_and_ti() {
        let config = Retransmission::default();
        let schedule = Schedule::start_on(Transport::Tcp, config, Instant::ZERO);
        assert_eq!(run(schedule), (vec![0], 39_500));
    }

    #[test]
    fn early_calls_do_nothing_and_a_time_out_stays() {
        let config = Retransmission { rc: 1, rm: 1, ..Retransmission::default() };
        let mut schedule = Schedule::start(config, Instant::ZERO);
        let before = schedule;
        assert_eq!(schedule.advance(Instant::from_millis(499)), Step::Wait);
        assert_eq!(schedule, before);
        assert_eq!(schedule.advance(Instant::from_millis(500)), Step::TimedOut);
        assert_eq!(schedule.advance(Instant::ZERO), Step::TimedOut);
    }

    #[test]
    fn a_late_call_does_not_cause_a_burst() {
        let mut schedule = Schedule::start(Retransmission::default(), Instant::ZERO);
        let late = Instant::from_millis(20_000);
        assert_eq!(schedule.advance(late), Step::Retransmit);
        assert_eq!(schedule.advance(late), Step::Wait);
        assert_eq!(schedule.deadline(), late + Duration::from_secs(1));
    }
}
