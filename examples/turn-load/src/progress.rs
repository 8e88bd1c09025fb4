//! Word of how it goes.

use std::fmt;

use crate::shared::{Phase, Shared, count};

/// Where a run stands.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    phase: Phase,
    allocations: u64,
    allocated: u64,
    ready: u64,
    sent: u64,
    received: u64,
    closed: u64,
}

impl Progress {
    pub(crate) fn of(shared: &Shared) -> Self {
        let counters = &shared.counters;
        Self {
            phase: shared.phase(),
            allocations: shared.settings.allocations as u64,
            allocated: count(&counters.allocated),
            ready: count(&counters.ready),
            sent: count(&counters.sent),
            received: count(&counters.received),
            closed: count(&counters.closed),
        }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { allocations, allocated, ready, sent, received, closed, .. } = self;
        match self.phase {
            Phase::Allocate => write!(f, "{allocated} of {allocations} allocations made"),
            Phase::Bind => write!(f, "{ready} of {allocations} permissions and channels made"),
            Phase::Hold if *sent == 0 => write!(f, "{allocated} allocations held"),
            Phase::Send | Phase::Hold => {
                let missing = sent.saturating_sub(*received);
                write!(f, "{received} packets relayed, {missing} lost or on their way")
            }
            Phase::Close | Phase::Over => write!(f, "{closed} of {allocations} allocations ended"),
        }
    }
}
