//! Watches one agent's wire for what must never happen. The names are those of the invariants that the project holds
//! itself to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use pinhole_ice::{Event, PairId, PairState, Role};
use pinhole_sansio::{Datagram, Instant, Transmit};
use pinhole_stun::{Class, Message, Method, TransactionId};

/// What one agent did so far, as far as the checks need it.
#[derive(Debug, Default)]
pub struct Monitor {
    last_request: Option<Instant>,
    transmissions: BTreeMap<TransactionId, Instant>,
    /// Bytes sent to addresses that have never sent anything.
    unanswered: BTreeMap<SocketAddr, usize>,
    /// When a success response last came from there.
    consented: BTreeMap<SocketAddr, Instant>,
    states: BTreeMap<PairId, PairState>,
    role_switches: usize,
    closed: bool,
    violations: Vec<String>,
    mutation: Option<Mutation>,
}

/// A lie about what happened, told to the monitor to see whether it notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Every request is seen twice (I1).
    DoubleRequests,
    /// Answers are not seen, so that data goes without consent (I3) and comes from strangers (I4).
    UnseenAnswers,
    /// Every datagram is seen a thousand times as long as it is (I19).
    Shouting,
    /// Every pair that succeeds is seen to fail and to succeed again (I10).
    FlickeringPairs,
    /// Every role is seen to switch thrice (I9).
    SwitchingRoles,
    /// The agent is seen as closed from the start (I18).
    ClosedEarly,
    /// Application data is seen from an address that was never validated (I4).
    ForeignData,
}

impl Monitor {
    /// A monitor that is lied to.
    #[must_use]
    pub fn deceived(mutation: Option<Mutation>) -> Self {
        Self { mutation, closed: mutation == Some(Mutation::ClosedEarly), ..Self::default() }
    }

    /// What was seen that must not be.
    #[must_use]
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    pub(crate) fn transmitted(
        &mut self,
        transmit: &Transmit,
        servers: &[SocketAddr],
        now: Instant,
    ) {
        if self.closed {
            self.violated("I18", now, "it sends after its end");
        }
        let remote = transmit.five_tuple.remote;
        let volume = if self.mutation == Some(Mutation::Shouting) { 1_000 } else { 1 };
        self.count_unanswered(remote, transmit.payload.len() * volume, servers, now);
        let Ok(message) = Message::parse(&transmit.payload) else {
            return self.sent_data(remote, now);
        };
        let is_request = message.class() == Class::Request && message.method() == Method::BINDING;
        if is_request {
            let times = if self.mutation == Some(Mutation::DoubleRequests) { 2 } else { 1 };
            for _ in 0..times {
                self.sent_request(message.transaction_id(), servers.contains(&remote), now);
            }
        }
    }

    pub(crate) fn received(&mut self, datagram: Datagram<'_>, now: Instant) {
        if self.mutation == Some(Mutation::UnseenAnswers) {
            return;
        }
        let remote = datagram.five_tuple.remote;
        self.unanswered.insert(remote, 0);
        let message = Message::parse(datagram.payload);
        if message.is_ok_and(|message| message.class() == Class::SuccessResponse) {
            self.consented.insert(remote, now);
        }
    }

    /// I4: application data comes from the remote of a validated pair only.
    pub(crate) fn delivered(&mut self, remote: SocketAddr, now: Instant) {
        let foreign = self.mutation == Some(Mutation::ForeignData);
        if foreign || !self.consented.contains_key(&remote) {
            self.violated("I4", now, &format!("data of {remote}, which never answered a check"));
        }
    }

    pub(crate) fn happened(&mut self, event: &Event, now: Instant) {
        match event {
            Event::PairStateChanged { pair, state } => {
                self.pair_changed(*pair, *state, now);
                if self.mutation == Some(Mutation::FlickeringPairs)
                    && *state == PairState::Succeeded
                {
                    self.pair_changed(*pair, PairState::InProgress, now);
                }
            }
            Event::RoleSwitched(role) => self.role_switched(*role, now),
            Event::StateChanged(_) if self.mutation == Some(Mutation::SwitchingRoles) => {
                self.role_switched(Role::Controlled, now);
            }
            _ => {}
        }
    }

    pub(crate) fn closed(&mut self) {
        self.closed = true;
    }

    /// I1: at most one request each Ta, and half a second between the transmissions of one.
    fn sent_request(&mut self, id: TransactionId, to_server: bool, now: Instant) {
        let again = self.transmissions.insert(id, now);
        if let Some(before) = again
            && now - before < MINIMUM_RTO
        {
            self.violated("I1", now, &format!("retransmitted after {:?}", now - before));
        }
        // Questions to servers are retransmitted by their own clock.
        if to_server && again.is_some() {
            return;
        }
        if let Some(before) = self.last_request.replace(now)
            && now - before < MINIMUM_TA
        {
            self.violated("I1", now, &format!("a request {:?} after the one before", now - before));
        }
    }

    /// I3: nothing but STUN to an address without consent of the last thirty seconds.
    fn sent_data(&mut self, remote: SocketAddr, now: Instant) {
        let consent = self.consented.get(&remote);
        if consent.is_none_or(|at| now - *at > CONSENT) {
            self.violated("I3", now, &format!("data to {remote} without consent"));
        }
    }

    /// I19: a bounded number of bytes to an address that never answers.
    fn count_unanswered(
        &mut self,
        remote: SocketAddr,
        bytes: usize,
        servers: &[SocketAddr],
        now: Instant,
    ) {
        let sent = self.unanswered.entry(remote).or_default();
        *sent += bytes;
        if *sent > MAX_UNANSWERED && !servers.contains(&remote) {
            let total = *sent;
            self.violated(
                "I19",
                now,
                &format!("{total} bytes to {remote}, which never sent anything"),
            );
        }
    }

    /// I9: one switch settles a conflict.
    fn role_switched(&mut self, role: Role, now: Instant) {
        self.role_switches += 1;
        if self.role_switches > 1 {
            self.violated("I9", now, &format!("switched for the second time, to {role}"));
        }
    }

    /// I10: Frozen, Waiting, In-Progress, then Succeeded or Failed; a triggered check may lead back to Waiting.
    fn pair_changed(&mut self, pair: PairId, to: PairState, now: Instant) {
        use PairState::{Failed, Frozen, InProgress, Succeeded, Waiting};
        let from = self.states.insert(pair, to).unwrap_or(Frozen);
        let allowed = matches!(
            (from, to),
            (Frozen | InProgress | Failed, Waiting)
                | (Waiting, InProgress)
                | (Waiting | InProgress, Succeeded | Failed)
                | (Succeeded | Failed, Failed)
                // A cancelled check's answer counts after all (RFC 8445 §7.3.1.4).
                | (Failed, Succeeded)
        );
        if !allowed {
            self.violated("I10", now, &format!("pair {pair} went from {from} to {to}"));
        }
    }

    fn violated(&mut self, invariant: &str, now: Instant, what: &str) {
        // One is enough to fail, and a few are enough to understand.
        if self.violations.len() < 8 {
            self.violations.push(format!("{invariant} at {now}: {what}"));
        }
    }
}

const MINIMUM_TA: Duration = Duration::from_millis(50);
const MINIMUM_RTO: Duration = Duration::from_millis(500);
/// RFC 7675 §5.1.
const CONSENT: Duration = Duration::from_secs(30);
/// A hundred checks with seven transmissions each.
const MAX_UNANSWERED: usize = 100 * 7 * 120;
