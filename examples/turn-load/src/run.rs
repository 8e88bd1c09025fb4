//! The course of a run.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hdrhistogram::Histogram;
use pinhole_sansio::Instant;

use crate::failure::Failure;
use crate::process::Process;
use crate::progress::Progress;
use crate::report::{Latency, Report, Traffic, Usage};
use crate::settings::Settings;
use crate::shared::{Counters, Phase, Shared, count};
use crate::worker::{self, Worker};

/// Puts the load on the server, and measures; tells its progress once a second.
///
/// # Errors
/// [`Failure`]. The server is told to end the allocations that were made by then.
pub fn run(settings: Settings, progress: impl FnMut(Progress)) -> Result<Report, Failure> {
    // Two sockets for each allocation, and some.
    let _ = rlimit::increase_nofile_limit(settings.allocations as u64 * 2 + 1_024);
    let process = settings.pid.map(Process::new);
    let before = Sample::take(process.as_ref())?;
    let mut conductor = Conductor::start(settings, progress)?;
    let measured = conductor.measure(process.as_ref(), before);
    conductor.shared.enter(Phase::Over);
    let latency = conductor.join()?;
    Ok(measured?.report(&latency))
}

/// What the server's process has used up to a moment.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    cpu: Duration,
    resident: u64,
}

impl Sample {
    fn take(process: Option<&Process>) -> io::Result<Self> {
        match process {
            Some(process) => Ok(Self { cpu: process.cpu()?, resident: process.resident()? }),
            None => Ok(Self::default()),
        }
    }
}

struct Conductor<P> {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<Histogram<u64>>>,
    reports: Receiver<worker::Report>,
    progress: P,
    start: Instant,
}

/// The samples between the phases, and what the workers had counted when they ended.
struct Measured {
    has_process: bool,
    allocations: u64,
    allocating: Duration,
    sending: Option<Sending>,
    before: Sample,
    allocated: Sample,
}

struct Sending {
    bound: Sample,
    over: Sample,
    sent: u64,
    received: u64,
    mangled: u64,
    asked: u64,
    seconds: f64,
}

impl<P: FnMut(Progress)> Conductor<P> {
    fn start(settings: Settings, progress: P) -> Result<Self, Failure> {
        let threads = settings.threads.clamp(1, settings.allocations.max(1));
        let allocations = settings.allocations;
        let seed = pinhole_io::seed()?;
        let [r0, r1, r2, r3, ..] = seed;
        let shared = Arc::new(Shared::new(settings, u32::from_be_bytes([r0, r1, r2, r3])));
        let (reporter, reports) = mpsc::channel();
        let start = shared.clock.now();
        let mut workers = Vec::new();
        for index in 0..threads {
            let share = allocations / threads + usize::from(index < allocations % threads);
            let worker =
                Worker::new(Arc::clone(&shared), share, pinhole_io::seed()?, reporter.clone())?;
            workers.push(thread::spawn(move || worker.run()));
        }
        Ok(Self { shared, workers, reports, progress, start })
    }

    fn measure(&mut self, process: Option<&Process>, before: Sample) -> Result<Measured, Failure> {
        let end = self.complete(Phase::Allocate)?;
        let allocated = Sample::take(process)?;
        let rate = self.shared.settings.rate;
        let sending = if rate > 0 { Some(self.send(process)?) } else { None };
        if sending.is_none() {
            self.shared.enter(Phase::Hold);
            self.pass(self.shared.settings.duration)?;
        }
        // Politeness, and no part of what is measured: a server that does not answer to it changes nothing.
        if let Err(failure @ (Failure::Worker | Failure::Io(_))) = self.complete(Phase::Close) {
            return Err(failure);
        }
        Ok(Measured {
            has_process: process.is_some(),
            allocations: self.shared.settings.allocations as u64,
            allocating: end - self.start,
            sending,
            before,
            allocated,
        })
    }

    fn send(&mut self, process: Option<&Process>) -> Result<Sending, Failure> {
        self.complete(Phase::Bind)?;
        let bound = Sample::take(process)?;
        let start = self.shared.clock.now();
        self.shared.enter(Phase::Send);
        self.pass(self.shared.settings.duration)?;
        self.shared.enter(Phase::Hold);
        let seconds = (self.shared.clock.now() - start).as_secs_f64();
        self.await_the_last()?;
        let over = Sample::take(process)?;
        let Shared { settings, counters, .. } = &*self.shared;
        Ok(Sending {
            bound,
            over,
            sent: count(&counters.sent),
            received: count(&counters.received),
            mangled: count(&counters.mangled),
            asked: asked(settings.rate, self.workers.len() * settings.row(), seconds),
            seconds,
        })
    }

    /// Waits until all workers are through with a phase; when the last one was.
    fn complete(&mut self, phase: Phase) -> Result<Instant, Failure> {
        self.shared.enter(phase);
        let mut finished = 0;
        let mut last = Instant::ZERO;
        let (mut done, mut moved) = (0, self.shared.clock.now());
        while finished < self.workers.len() {
            if let Some(at) = self.next(PROGRESS)? {
                finished += 1;
                last = last.max(at);
            }
            let counter = phase.counter(&self.shared.counters);
            if count(counter) > done {
                (done, moved) = (count(counter), self.shared.clock.now());
            }
            if self.shared.clock.now() - moved > STALLED {
                let total = self.shared.settings.allocations as u64;
                let (what, seconds) = (phase.name(), STALLED.as_secs());
                return Err(Failure::Stalled { what, done, total, seconds });
            }
        }
        Ok(last)
    }

    /// Lets time go by.
    fn pass(&mut self, duration: Duration) -> Result<(), Failure> {
        let end = self.shared.clock.now() + duration;
        loop {
            let left = end - self.shared.clock.now();
            if left.is_zero() {
                return Ok(());
            }
            self.next(left.min(PROGRESS))?;
        }
    }

    /// Waits until nothing comes any more.
    fn await_the_last(&mut self) -> Result<(), Failure> {
        let mut received = u64::MAX;
        while count(&self.shared.counters.received) != received {
            received = count(&self.shared.counters.received);
            if received == count(&self.shared.counters.sent) {
                break;
            }
            self.pass(QUIET)?;
        }
        Ok(())
    }

    /// A worker's report within this time, and otherwise word of the progress.
    fn next(&mut self, patience: Duration) -> Result<Option<Instant>, Failure> {
        match self.reports.recv_timeout(patience) {
            Ok(worker::Report::Finished(at)) => Ok(Some(at)),
            Ok(worker::Report::Failed(failure)) => Err(failure),
            Err(RecvTimeoutError::Timeout) => {
                if patience == PROGRESS {
                    (self.progress)(Progress::of(&self.shared));
                }
                Ok(None)
            }
            Err(RecvTimeoutError::Disconnected) => Err(Failure::Worker),
        }
    }

    fn join(self) -> Result<Histogram<u64>, Failure> {
        let mut latency = Histogram::new(3).map_err(|_| Failure::Worker)?;
        for worker in self.workers {
            let seen = worker.join().map_err(|_| Failure::Worker)?;
            latency.add(seen).map_err(|_| Failure::Worker)?;
        }
        Ok(latency)
    }
}

impl Measured {
    fn report(&self, latency: &Histogram<u64>) -> Report {
        let allocations_per_second = self.allocations as f64 / self.allocating.as_secs_f64();
        Report {
            allocations: self.allocations,
            allocations_per_second,
            traffic: self.sending.as_ref().map(|sending| sending.traffic(latency)),
            server: self.has_process.then(|| self.usage()),
        }
    }

    fn usage(&self) -> Usage {
        let each = |amount: f64| amount / self.allocations as f64;
        let grown = |to: Sample| each(to.resident as f64 - self.before.resident as f64);
        let cpu = |from: Sample, to: Sample| to.cpu.saturating_sub(from.cpu).as_secs_f64() * 1e6;
        Usage {
            cpu_us_per_allocation: each(cpu(self.before, self.allocated)),
            bytes_per_allocation: grown(self.allocated),
            bytes_per_bound_allocation: self.sending.as_ref().map(|sending| grown(sending.bound)),
            cpu_seconds_per_million: self
                .sending
                .as_ref()
                .map(|sending| cpu(sending.bound, sending.over) / sending.received.max(1) as f64),
        }
    }
}

impl Sending {
    fn traffic(&self, latency: &Histogram<u64>) -> Traffic {
        let microseconds = |nanoseconds: u64| nanoseconds as f64 / 1_000.0;
        Traffic {
            sent: self.sent,
            relayed: self.received,
            lost: self.sent.saturating_sub(self.received),
            mangled: self.mangled,
            missed: self.asked.saturating_sub(self.sent),
            seconds: self.seconds,
            packets_per_second: self.received as f64 / self.seconds,
            latency_us: Latency {
                p50: microseconds(latency.value_at_quantile(0.50)),
                p99: microseconds(latency.value_at_quantile(0.99)),
                max: microseconds(latency.max()),
            },
        }
    }
}

/// How many packets of so many a second are to be sent at least. A hundredth is the time that the workers take to begin,
/// and the last row of each of them may not be due in full.
fn asked(rate: u64, last_rows: usize, seconds: f64) -> u64 {
    let due = (rate as f64 * seconds * 0.99) as u64;
    due.saturating_sub(last_rows as u64)
}

impl Phase {
    const fn counter(self, counters: &Counters) -> &std::sync::atomic::AtomicU64 {
        match self {
            Self::Allocate => &counters.allocated,
            Self::Bind => &counters.ready,
            Self::Send | Self::Hold => &counters.received,
            Self::Close | Self::Over => &counters.closed,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Allocate => "allocations made",
            Self::Bind => "permissions and channels made",
            Self::Send | Self::Hold => "packets relayed",
            Self::Close | Self::Over => "allocations ended",
        }
    }
}

/// How often the progress is told.
const PROGRESS: Duration = Duration::from_secs(1);
/// Longer than any request of the client machine takes to fail.
const STALLED: Duration = Duration::from_secs(60);
/// When nothing has come for so long, nothing is on its way any more. A busy machine may stand still for most of it.
const QUIET: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_no_packet_that_was_missed() {
        // Three workers, each of which has 33 packets a second to send, and may be a moment late.
        assert_eq!(asked(100, 3, 1.0), 96);
        // Nine whole rows of 32 are 288.
        assert!((200..=288).contains(&asked(300, 32, 1.0)));
        assert_eq!(asked(10, 32, 1.0), 0);
    }
}
