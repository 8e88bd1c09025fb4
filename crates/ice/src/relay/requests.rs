//! What TURN servers are asked, and when it really goes out.

use alloc::collections::VecDeque;
use core::time::Duration;

use pinhole_sansio::{Instant, Transmit};
use pinhole_stun::{Message, TransactionId};

/// Requests that wait for the pacer, and those that it has let go lately: a client machine that does not know
/// how long its request has waited repeats it too early.
#[derive(Debug, Default)]
pub(super) struct Requests {
    pub(super) queued: VecDeque<Transmit>,
    recent: VecDeque<(TransactionId, Instant)>,
}

impl Requests {
    /// Takes one, unless the same waits already.
    pub(super) fn push(&mut self, request: Option<Transmit>) {
        let Some(request) = request else { return };
        let is_new = self.queued.iter().all(|queued| id_of(queued) != id_of(&request));
        if is_new {
            self.queued.push_back(request);
        }
    }

    pub(super) fn next(&mut self, now: Instant) -> Option<Transmit> {
        while self.recent.front().is_some_and(|(_, until)| *until <= now) {
            self.recent.pop_front();
        }
        let index = self.queued.iter().position(|request| self.held_until(request).is_none())?;
        let request = self.queued.remove(index)?;
        self.recent.extend(id_of(&request).map(|id| (id, now + MINIMUM_RTO)));
        Some(request)
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        self.queued.iter().map(|request| self.held_until(request).unwrap_or(Instant::ZERO)).min()
    }

    fn held_until(&self, request: &Transmit) -> Option<Instant> {
        let id = id_of(request);
        self.recent.iter().find(|(recent, _)| Some(*recent) == id).map(|(_, until)| *until)
    }
}

fn id_of(request: &Transmit) -> Option<TransactionId> {
    Message::parse_structure(&request.payload).ok().map(|message| message.transaction_id())
}

/// A request is not repeated earlier (RFC 8445 §14.3).
const MINIMUM_RTO: Duration = Duration::from_millis(500);
