use std::collections::BTreeMap;
use std::net::SocketAddr;

use pinhole_sansio::Instant;

use super::mapping::{Behavior, Scope};

/// Which remote endpoints an internal one has opened itself to (RFC 4787 §5).
#[derive(Clone, Debug)]
pub(super) struct Filter {
    behavior: Behavior,
    opened: BTreeMap<Scope, Instant>,
}

impl Filter {
    pub(super) const fn new(behavior: Behavior) -> Self {
        Self { behavior, opened: BTreeMap::new() }
    }

    /// Packets from `remote` pass at least until `until`.
    pub(super) fn open(&mut self, remote: SocketAddr, until: Instant) {
        let opened = self.opened.entry(self.behavior.scope(remote)).or_insert(until);
        *opened = until.max(*opened);
    }

    /// No packets pass any more.
    pub(super) fn close(&mut self) {
        self.opened.clear();
    }

    /// Whether a packet from `remote` passes.
    pub(super) fn admits(&self, remote: SocketAddr, now: Instant) -> bool {
        self.opened.get(&self.behavior.scope(remote)).is_some_and(|&until| now < until)
    }
}
