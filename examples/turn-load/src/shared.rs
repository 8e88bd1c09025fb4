//! What the workers and whoever conducts them have in common.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use pinhole_io::Clock;

use crate::settings::Settings;

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    /// Stands in every packet of this run.
    pub(crate) run: u32,
    phase: AtomicU8,
    pub(crate) counters: Counters,
}

/// What the workers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    Allocate,
    /// Permissions and channels.
    Bind,
    Send,
    /// Only receive, and keep the allocations alive.
    Hold,
    Close,
    Over,
}

impl Phase {
    const ALL: [Self; 6] =
        [Self::Allocate, Self::Bind, Self::Send, Self::Hold, Self::Close, Self::Over];
}

/// Running totals of all workers.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) allocated: AtomicU64,
    pub(crate) ready: AtomicU64,
    pub(crate) closed: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
    /// Packets that were due, and that the own socket did not take.
    pub(crate) unsent: AtomicU64,
    /// Packets that are no whole packets of this run.
    pub(crate) mangled: AtomicU64,
}

impl Shared {
    pub(crate) fn new(settings: Settings, run: u32) -> Self {
        let phase = AtomicU8::new(Phase::Allocate as u8);
        Self { settings, clock: Clock::start(), run, phase, counters: Counters::default() }
    }

    pub(crate) fn phase(&self) -> Phase {
        let number = usize::from(self.phase.load(Ordering::Acquire));
        Phase::ALL.get(number).copied().unwrap_or(Phase::Over)
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }
}

/// Reads a counter.
pub(crate) fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, more: u64) {
    if more > 0 {
        counter.fetch_add(more, Ordering::Relaxed);
    }
}
