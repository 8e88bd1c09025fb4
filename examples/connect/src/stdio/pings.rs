//! Ten pings each way, as proof that data flows.

use std::time::Duration;

use tokio::time::Instant;

/// Sends `ping 0` to `ping 9`, 20 ms apart, answers the other side's with `echo`, and counts.
#[derive(Debug, Default)]
pub(crate) struct Pings {
    next: Option<Instant>,
    pub(crate) sent: u32,
    pub(crate) ping: u32,
    pub(crate) echo: u32,
    pub(crate) other: u32,
    waited: u32,
}

/// What to do when [`Pings::due`] is over.
#[derive(Debug)]
pub(crate) enum Step {
    /// Send this.
    Send(String),
    /// All answers that come have come.
    Report,
    /// Nobody has answered: the other side may not listen yet.
    Wait,
}

impl Pings {
    /// Starts, if it has not.
    pub(crate) fn start(&mut self) {
        if self.sent == 0 {
            self.next.get_or_insert(Instant::now());
        }
    }

    /// Waits for the next step; for ever, when there is none. Cancel-safe.
    pub(crate) async fn due(&self) {
        match self.next {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    pub(crate) fn step(&mut self) -> Step {
        if self.sent == COUNT {
            // Other datagrams come from a peer that speaks something else, and will not echo.
            let is_heard = self.echo + self.other > 0;
            let is_patient = !is_heard && self.waited < MAX_WAITS;
            self.waited += 1;
            self.next = is_patient.then(|| Instant::now() + SETTLE);
            return if is_patient { Step::Wait } else { Step::Report };
        }
        let ping = format!("ping {}", self.sent);
        self.sent += 1;
        let wait = if self.sent == COUNT { SETTLE } else { INTERVAL };
        self.next = Some(Instant::now() + wait);
        Step::Send(ping)
    }

    /// Counts a datagram, and gives the answer to it.
    pub(crate) fn received(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        if let Some(number) = payload.strip_prefix(b"ping") {
            self.ping += 1;
            return Some([b"echo", number].concat());
        }
        let counter = if payload.starts_with(b"echo") { &mut self.echo } else { &mut self.other };
        *counter += 1;
        None
    }
}

const COUNT: u32 = 10;
const INTERVAL: Duration = Duration::from_millis(20);
const SETTLE: Duration = Duration::from_millis(600);
/// How often that time is waited for once more: a peer that listens only after a check of its own may need seconds where
/// packets get lost.
const MAX_WAITS: u32 = 15;

#[cfg(test)]
mod tests {
    use super::*;

    fn all_sent() -> Pings {
        let mut pings = Pings::default();
        pings.start();
        for number in 0..COUNT {
            assert!(matches!(pings.step(), Step::Send(ping) if ping == format!("ping {number}")));
        }
        pings
    }

    #[test]
    fn the_report_waits_for_the_first_echo_and_not_for_ever() {
        let mut pings = all_sent();
        assert!(matches!(pings.step(), Step::Wait));
        assert_eq!(pings.received(b"echo 3"), None);
        assert!(matches!(pings.step(), Step::Report));
        assert!(pings.next.is_none());
        let mut pings = all_sent();
        assert_eq!(pings.received(&[22, 254, 253]), None);
        assert!(matches!(pings.step(), Step::Report));
        let mut pings = all_sent();
        assert!((0..MAX_WAITS).all(|_| matches!(pings.step(), Step::Wait)));
        assert!(matches!(pings.step(), Step::Report));
    }

    #[test]
    fn pings_are_echoed_and_all_is_counted() {
        let mut pings = Pings::default();
        assert_eq!(pings.received(b"ping 7").as_deref(), Some(&b"echo 7"[..]));
        assert_eq!((pings.received(b"echo 1"), pings.received(b"?")), (None, None));
        assert_eq!((pings.ping, pings.echo, pings.other), (1, 1, 1));
    }
}
