//! Log lines: an allocation's life, and what goes wrong.
//!
//! What others can cause at will is told at most once a second for each source and cause. No password,
//! key, nonce or ticket comes near a line.

use std::hash::BuildHasher;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use foldhash::quality::RandomState;
use pinhole_sansio::Instant;
use pinhole_turn::policy::Decision;
use pinhole_turn::server::Event;
use tracing::{info, warn};

/// An allocation has begun or ended, or has another peer.
pub(crate) fn event(event: &Event) {
    match event {
        Event::Allocated { client, user, relayed } => {
            info!(%user, client = %client.remote, by = %client.transport, %relayed, "allocated");
        }
        Event::Ended { client, user, reason, traffic } => info!(
            %user,
            client = %client.remote,
            by = %client.transport,
            ?reason,
            datagrams_to_peers = traffic.datagrams_to_peers,
            bytes_to_peers = traffic.bytes_to_peers,
            datagrams_to_client = traffic.datagrams_to_client,
            bytes_to_client = traffic.bytes_to_client,
            "ended",
        ),
        Event::PeerPermitted { client, user, peer } => {
            info!(%user, client = %client.remote, by = %client.transport, %peer, "peer permitted");
        }
        Event::PeerRefused { .. } | _ => {}
    }
}

/// Tells what goes wrong, and how often it has been silent about it.
pub(crate) struct Reporter {
    /// When each group of sources and causes may be told of again.
    quiet_until: Box<[Instant]>,
    hasher: RandomState,
    silent: u64,
}

/// What is told of a source.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Cause {
    PeerRefused,
    ConnectionRefused,
    Exhausted,
    NotOpened,
}

/// One line for each source and cause in this time.
const QUIET: Duration = Duration::from_secs(1);
/// The table does not grow with its sources: some of them share an entry.
const ENTRIES: usize = 4_096;

impl Reporter {
    pub(crate) fn new() -> Self {
        Self {
            quiet_until: vec![Instant::ZERO; ENTRIES].into_boxed_slice(),
            hasher: RandomState::default(),
            silent: 0,
        }
    }

    /// The policy forbids a peer.
    pub(crate) fn peer_refused(
        &mut self,
        client: SocketAddr,
        user: &str,
        decision: &Decision,
        now: Instant,
    ) {
        if let Some(silent) = self.may_tell(Cause::PeerRefused, Some(client.ip()), now) {
            info!(%user, %client, %decision, silent, "peer refused");
        }
    }

    /// A source has too many connections that have not authenticated, or there are too many in all.
    pub(crate) fn refused(&mut self, client: SocketAddr, now: Instant) {
        if let Some(silent) = self.may_tell(Cause::ConnectionRefused, Some(client.ip()), now) {
            warn!(%client, silent, "too many connections: refused");
        }
    }

    /// The system has no more descriptors, or no more memory.
    pub(crate) fn exhausted(&mut self, error: &io::Error, now: Instant) {
        if let Some(silent) = self.may_tell(Cause::Exhausted, None, now) {
            warn!(%error, silent, "the system has no socket to give");
        }
    }

    /// No relayed address can be opened on this address of the machine.
    pub(crate) fn not_opened(&mut self, relay_ip: IpAddr, error: &io::Error, now: Instant) {
        if let Some(silent) = self.may_tell(Cause::NotOpened, Some(relay_ip), now) {
            warn!(%relay_ip, %error, silent, "no relayed address can be opened");
        }
    }

    /// How many lines were not written since the last one; `None` for another one.
    fn may_tell(&mut self, cause: Cause, source: Option<IpAddr>, now: Instant) -> Option<u64> {
        let number = self.hasher.hash_one((cause, source)) as usize % ENTRIES;
        let entry = self.quiet_until.get_mut(number)?;
        if now < *entry {
            self.silent += 1;
            return None;
        }
        *entry = now + QUIET;
        Some(std::mem::replace(&mut self.silent, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_and_cause_is_told_of_once_a_second() {
        let mut reporter = Reporter::new();
        let source = Some("192.0.2.1".parse().unwrap());
        let mut told = |millis| {
            let now = Instant::from_millis(millis);
            reporter.may_tell(Cause::PeerRefused, source, now)
        };
        assert_eq!(told(5_000), Some(0));
        assert_eq!(told(5_001), None);
        assert_eq!(told(5_999), None);
        assert_eq!(told(6_000), Some(2));
    }
}
