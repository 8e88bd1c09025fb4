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
}

/// What to do when [`Pings::due`] is over.
#[derive(Debug)]
pub(crate) enum Step {
    /// Send this.
    Send(String),
    /// All answers that come have come.
    Report,
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
            self.next = None;
            return Step::Report;
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
