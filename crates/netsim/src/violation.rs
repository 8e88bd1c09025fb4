use pinhole_sansio::Instant;

use crate::seed::Seed;

/// A machine broke its contract with the world.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{culprit} at {at}: {breach}\nseed {seed}\n{trace}")]
pub struct Violation {
    /// The name of the host, or of what else is to blame.
    pub culprit: String,
    /// When.
    pub at: Instant,
    /// What the machine did.
    pub breach: Breach,
    /// The world's seed.
    pub seed: Seed,
    /// The end of the trace, as text.
    pub trace: String,
}

/// What a machine did against its contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Breach {
    /// After `handle_timeout` the deadline must lie in the future.
    #[error("the deadline {deadline} is still due after handle_timeout({now})")]
    DeadlineStillDue {
        /// What `poll_timeout` answered.
        deadline: Instant,
        /// The node's time.
        now: Instant,
    },
    /// Deadlines must not follow each other without end.
    #[error("{wakes} deadlines within a millisecond")]
    Spins {
        /// How many.
        wakes: u32,
    },
    /// Machines must not answer each other without end while no time passes.
    #[error("{events} events at one instant")]
    StandsStill {
        /// How many.
        events: u32,
    },
    /// One input must cause bounded output.
    #[error("more than {transmits} transmits after one input")]
    Floods {
        /// How many were taken.
        transmits: u32,
    },
}

/// More events at one instant mean that the machines of the world keep each other busy.
pub(crate) const MAX_EVENTS_AT_ONCE: u32 = 1_000_000;

/// More wake-ups of a host in a millisecond are a spin.
pub(crate) const MAX_WAKES: u32 = 1_000;

/// More transmits after one input are a flood.
pub(crate) const MAX_TRANSMITS: u32 = 10_000;
