//! A digest of everything that a node has sent, for comparing two runs of one session.

use std::hash::{DefaultHasher, Hash, Hasher};

use pinhole_sansio::{Instant, Transmit};

/// All transmits so far, their times included. It tells two runs apart, and is no cryptography.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transcript(DefaultHasher);

impl Transcript {
    pub(crate) fn sent(&mut self, transmit: &Transmit, now: Instant) {
        now.hash(&mut self.0);
        transmit.five_tuple.hash(&mut self.0);
        transmit.payload.hash(&mut self.0);
    }

    pub(crate) fn digest(&self) -> u64 {
        self.0.finish()
    }
}

/// What tells these bytes from others.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
