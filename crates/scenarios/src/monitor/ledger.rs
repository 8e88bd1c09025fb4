//! What the checks on the wire, and signaling, have said so far.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use pinhole_sansio::Instant;
use pinhole_stun::attribute::{Priority, UseCandidate};
use pinhole_stun::{Class, Message, Method, TransactionId};

/// What an agent could know, if nobody has lied to it.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The priorities that checks from an address claimed.
    pub(super) claimed: BTreeMap<SocketAddr, BTreeSet<u32>>,
    /// The priorities that our own checks claimed.
    pub(super) offered: BTreeSet<u32>,
    /// Where nominations went to, and came from.
    pub(super) nominated: BTreeSet<SocketAddr>,
    /// Where a check was answered from, having been asked there.
    pub(super) answered: BTreeSet<SocketAddr>,
    /// What signaling told of the peer.
    pub(super) signalled: BTreeSet<SocketAddr>,
    /// When the last check went out that was no answer to one.
    pub(super) last_check: BTreeMap<SocketAddr, Instant>,
    asked: BTreeMap<TransactionId, SocketAddr>,
}

impl Ledger {
    pub(super) fn sent(&mut self, to: SocketAddr, message: &Message<'_>) {
        if !is_check(message) {
            return;
        }
        self.asked.insert(message.transaction_id(), to);
        self.offered.extend(priority_of(message));
        self.note_nomination(to, message);
    }

    /// Whether it is the first answer to one of our checks, from where it went.
    pub(super) fn received(&mut self, from: SocketAddr, message: &Message<'_>) -> bool {
        if is_check(message) {
            self.claimed.entry(from).or_default().extend(priority_of(message));
            self.note_nomination(from, message);
            return false;
        }
        let id = message.transaction_id();
        let answers =
            message.class() == Class::SuccessResponse && self.asked.get(&id) == Some(&from);
        if answers {
            self.answered.insert(from);
            self.asked.remove(&id);
        }
        answers
    }

    fn note_nomination(&mut self, address: SocketAddr, message: &Message<'_>) {
        if message.get::<UseCandidate>() == Ok(Some(UseCandidate)) {
            self.nominated.insert(address);
        }
    }
}

fn is_check(message: &Message<'_>) -> bool {
    (message.class(), message.method()) == (Class::Request, Method::BINDING)
}

fn priority_of(message: &Message<'_>) -> Option<u32> {
    message.get().ok().flatten().map(|Priority(priority)| priority)
}
