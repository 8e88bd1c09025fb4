//! The path that data takes, and what went over it.

use std::sync::atomic::{AtomicU64, Ordering};

use pinhole_ice::{Agent, Candidate, PairId};

/// The pair that data takes now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Path {
    /// Its name; `Agent::pair` tells more of it by [`Connection::inspect`](crate::Connection::inspect).
    pub pair: PairId,
    /// Our candidate, as the peer sees it.
    pub local: Candidate,
    /// The peer's candidate.
    pub remote: Candidate,
    /// Whether it was nominated. Until then a better one may follow.
    pub is_selected: bool,
    /// Whether a TURN server is on the way.
    pub is_relayed: bool,
}

impl Path {
    pub(crate) fn of(agent: &Agent, pair: PairId) -> Option<Self> {
        let info = agent.pair(pair)?;
        Some(Self {
            pair,
            local: info.local.clone(),
            remote: info.remote.clone(),
            is_selected: agent.selected_pair() == Some(pair),
            is_relayed: info.is_relayed(),
        })
    }
}

/// Counts of application data since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Datagrams sent.
    pub datagrams_sent: u64,
    /// Their bytes, without any header.
    pub bytes_sent: u64,
    /// Datagrams received, those included that the application was too slow for.
    pub datagrams_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
    /// Datagrams received and dropped, since too many were waiting.
    pub datagrams_dropped: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    datagrams_sent: AtomicU64,
    bytes_sent: AtomicU64,
    datagrams_received: AtomicU64,
    bytes_received: AtomicU64,
    datagrams_dropped: AtomicU64,
}

impl Counters {
    pub(crate) fn sent(&self, length: usize) {
        count(&self.datagrams_sent, &self.bytes_sent, length);
    }

    pub(crate) fn received(&self, length: usize) {
        count(&self.datagrams_received, &self.bytes_received, length);
    }

    pub(crate) fn dropped(&self) {
        self.datagrams_dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            datagrams_sent: self.datagrams_sent.load(Ordering::Relaxed),
            bytes_sent: self.bytes_sent.load(Ordering::Relaxed),
            datagrams_received: self.datagrams_received.load(Ordering::Relaxed),
            bytes_received: self.bytes_received.load(Ordering::Relaxed),
            datagrams_dropped: self.datagrams_dropped.load(Ordering::Relaxed),
        }
    }
}

fn count(datagrams: &AtomicU64, bytes: &AtomicU64, length: usize) {
    datagrams.fetch_add(1, Ordering::Relaxed);
    bytes.fetch_add(u64::try_from(length).unwrap_or(u64::MAX), Ordering::Relaxed);
}
