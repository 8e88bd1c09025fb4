use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use pinhole_sansio::Instant;

use super::mapping::{Behavior, Scope};

/// Which remote endpoints an internal one has opened itself to (RFC 4787 §5).
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    behavior: Behavior,
    opened: BTreeMap<Scope, Instant>,
}

impl Filter {
    pub(crate) const fn new(behavior: Behavior) -> Self {
        Self { behavior, opened: BTreeMap::new() }
    }

    /// Packets from `remote` pass until `now + lifetime`.
    pub(crate) fn open(&mut self, remote: SocketAddr, lifetime: Duration, now: Instant) {
        self.opened.insert(self.behavior.scope(remote), now + lifetime);
    }

    /// Whether a packet from `remote` passes.
    pub(crate) fn admits(&self, remote: SocketAddr, now: Instant) -> bool {
        self.opened.get(&self.behavior.scope(remote)).is_some_and(|&until| now < until)
    }
}
