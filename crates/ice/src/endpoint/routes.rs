//! Whose a datagram is.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::time::Duration;

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use hashbrown::HashMap;
use pinhole_sansio::{Datagram, FiveTuple, Instant, Transmit};
use pinhole_stun::attribute::Username;
use pinhole_stun::{Class, Message, Method, PacketKind, TransactionId, classify};

use super::AgentKey;

/// What agents have claimed.
#[derive(Debug)]
pub(super) struct Routes {
    paths: HashMap<FiveTuple, AgentKey, SeedableRandomState>,
    ufrags: HashMap<Box<str>, AgentKey, SeedableRandomState>,
    transactions: HashMap<TransactionId, Asked, SeedableRandomState>,
}

/// A request that an agent has sent.
#[derive(Clone, Copy, Debug)]
struct Asked {
    by: AgentKey,
    /// Its latest transmission.
    sent: Instant,
}

/// What one agent has claimed, so that it can be forgotten in full.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// The user fragment of now, and the one before the last restart.
    ufrags: [Option<Box<str>>; 2],
    /// The oldest first.
    paths: VecDeque<FiveTuple>,
    /// The requests of late, in the order of their transmissions.
    sent: VecDeque<(Instant, TransactionId)>,
}

impl Routes {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            paths: HashMap::with_hasher(hasher(seed)),
            ufrags: HashMap::with_hasher(hasher(seed)),
            transactions: HashMap::with_hasher(hasher(seed)),
        }
    }

    /// The agent that a datagram is for.
    pub(super) fn find(&self, datagram: Datagram<'_>) -> Option<AgentKey> {
        let Datagram { five_tuple, payload } = datagram;
        let by_path = || self.paths.get(&five_tuple).copied();
        if classify(*payload.first()?) != PacketKind::Stun {
            return by_path();
        }
        let message = Message::parse_structure(payload).ok()?;
        match message.class() {
            Class::Request | Class::Indication => self.named_by(&message).or_else(by_path),
            Class::SuccessResponse | Class::ErrorResponse => {
                self.transactions.get(&message.transaction_id()).map(|asked| asked.by)
            }
        }
    }

    /// RFC 8445 §7.2.2: the user fragment of whoever is asked stands first.
    fn named_by(&self, message: &Message<'_>) -> Option<AgentKey> {
        let Username(name) = message.get::<Username<'_>>().ok()??;
        let (ufrag, _) = name.split_once(':')?;
        self.ufrags.get(ufrag).copied()
    }

    pub(super) fn has_ufrag(&self, ufrag: &str) -> bool {
        self.ufrags.contains_key(ufrag)
    }

    /// Takes note of an agent's user fragment, and forgets the one of two restarts ago: what its peer still asks under
    /// that name comes on a path that is known.
    pub(super) fn claim_ufrag(&mut self, key: AgentKey, claims: &mut Claims, ufrag: &str) {
        if claims.ufrags.first().is_some_and(|known| known.as_deref() == Some(ufrag)) {
            return;
        }
        let [latest, before] = core::mem::take(&mut claims.ufrags);
        before.iter().for_each(|gone| self.release_ufrag(key, gone));
        self.ufrags.entry(ufrag.into()).or_insert(key);
        claims.ufrags = [Some(ufrag.into()), latest];
    }

    /// The five-tuple of a pair that was validated. The latest claim counts: the NAT may have given a port that one
    /// client has left to another one.
    pub(super) fn claim_path(&mut self, key: AgentKey, claims: &mut Claims, path: FiveTuple) {
        if self.paths.insert(path, key) == Some(key) {
            return;
        }
        claims.paths.retain(|known| *known != path);
        claims.paths.push_back(path);
        if claims.paths.len() > MAX_PATHS {
            let oldest = claims.paths.pop_front();
            oldest.iter().for_each(|oldest| self.release_path(key, oldest));
        }
    }

    /// Learns from what an agent sends.
    pub(super) fn sent(
        &mut self,
        key: AgentKey,
        claims: &mut Claims,
        transmit: &Transmit,
        now: Instant,
    ) {
        self.forget_answered(claims, now);
        let Ok(message) = Message::parse_structure(&transmit.payload) else { return };
        let path = transmit.five_tuple;
        // A connection is between two agents alone; nobody who was refused has come so far.
        let is_connected = path.transport.is_reliable() && message.class() != Class::ErrorResponse;
        // One allocation for each five-tuple (RFC 8656 §5): all that its server sends there is this agent's.
        let is_allocation = message.method() != Method::BINDING;
        let is_free = self.paths.get(&path).is_none_or(|owner| *owner == key);
        if is_free && (is_connected || is_allocation) {
            self.claim_path(key, claims, path);
        }
        if message.class() == Class::Request {
            let id = message.transaction_id();
            self.transactions.insert(id, Asked { by: key, sent: now });
            claims.sent.push_back((now, id));
        }
    }

    /// Forgets a connection that has ended; whose it was.
    pub(super) fn disconnected(&mut self, path: FiveTuple) -> Option<AgentKey> {
        self.paths.remove(&path)
    }

    /// Forgets requests that no answer is waited for any more.
    fn forget_answered(&mut self, claims: &mut Claims, now: Instant) {
        while let Some((sent, id)) = claims.sent.front().copied()
            && sent + PATIENCE <= now
        {
            claims.sent.pop_front();
            if self.transactions.get(&id).is_some_and(|asked| asked.sent == sent) {
                self.transactions.remove(&id);
            }
        }
    }

    /// Forgets all that an agent has claimed and no other has taken over.
    pub(super) fn forget(&mut self, key: AgentKey, claims: &Claims) {
        claims.paths.iter().for_each(|path| self.release_path(key, path));
        claims.ufrags.iter().flatten().for_each(|ufrag| self.release_ufrag(key, ufrag));
        for (_, id) in &claims.sent {
            self.transactions.remove(id);
        }
    }

    fn release_path(&mut self, key: AgentKey, path: &FiveTuple) {
        if self.paths.get(path) == Some(&key) {
            self.paths.remove(path);
        }
    }

    fn release_ufrag(&mut self, key: AgentKey, ufrag: &str) {
        if self.ufrags.get(ufrag) == Some(&key) {
            self.ufrags.remove(ufrag);
        }
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> [usize; 3] {
        [self.paths.len(), self.ufrags.len(), self.transactions.len()]
    }
}

pub(super) fn hasher(seed: u64) -> SeedableRandomState {
    SeedableRandomState::with_seed(seed, SharedSeed::global_fixed())
}

/// Longer than an agent waits after a last transmission: a consent check expires after 30 s (RFC 7675 §5.1).
const PATIENCE: Duration = Duration::from_secs(40);
/// More than the checklist has pairs before and after a restart.
const MAX_PATHS: usize = 256;
