//! Watches one agent's wire for what must never happen. The names are those of the invariants that the project holds
//! itself to.

mod ledger;
mod tunnel;
mod view;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use pinhole_ice::{CandidatePolicy, Config, Event, PairId, PairState, Role, State};
use pinhole_sansio::{Datagram, Instant, Transmit};
use pinhole_stun::{Class, Message, Method, TransactionId};

use crate::mutation::Mutation;
use ledger::Ledger;
use tunnel::{Hop, Tunnels};
use view::Foundations;

pub(crate) use view::Before;

/// What one agent did so far, as far as the checks need it.
#[derive(Debug, Default)]
pub struct Monitor {
    last_request: Option<Instant>,
    /// When the clock was last found to have jumped, and how many requests went out at that instant.
    jumped: Option<(Instant, usize)>,
    transmissions: BTreeMap<TransactionId, Instant>,
    /// Bytes sent to where nothing has ever come from.
    unanswered: BTreeMap<Hop, usize>,
    /// When a success response last came from there.
    consented: BTreeMap<Hop, Instant>,
    /// When a check was last answered from there that had not been answered before.
    heard: BTreeMap<Hop, Instant>,
    tunnels: Tunnels,
    ledger: Ledger,
    foundations: Foundations,
    /// The peer has no more candidates.
    peer_ended: bool,
    /// Since when the session is quiet.
    quiet_since: Option<Instant>,
    turn_servers: Vec<SocketAddr>,
    servers: Vec<SocketAddr>,
    policy: CandidatePolicy,
    /// A fault is to come, after which nothing is quiet.
    is_disturbed: bool,
    /// After the agent's end, how many messages it may still send: one to each TURN server.
    farewells: usize,
    states: BTreeMap<PairId, PairState>,
    role_switches: usize,
    /// The state when the agent was last looked at.
    state: Option<State>,
    closed: bool,
    violations: Vec<String>,
    mutation: Option<Mutation>,
}

impl Monitor {
    /// A monitor of an agent with these settings, which is lied to if that is wanted.
    #[must_use]
    pub fn new(config: &Config, is_disturbed: bool, mutation: Option<Mutation>) -> Self {
        let turn_servers: Vec<SocketAddr> =
            config.turn_servers.iter().map(|server| server.address).collect();
        Self {
            tunnels: Tunnels::new(turn_servers.clone()),
            servers: [&config.stun_servers[..], &turn_servers].concat(),
            turn_servers,
            policy: config.candidates,
            is_disturbed,
            mutation,
            closed: mutation == Some(Mutation::ClosedEarly),
            ..Self::default()
        }
    }

    /// What was seen that must not be.
    #[must_use]
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    pub(crate) fn transmitted(&mut self, transmit: &Transmit, now: Instant) {
        let outer = Datagram { five_tuple: transmit.five_tuple, payload: &transmit.payload };
        if self.closed {
            self.sent_after_end(outer, now);
        }
        self.tunnels.sent(outer);
        self.stays_private(outer, now);
        let (hop, payload) = self.tunnels.open(outer);
        let to_server = hop.via.is_none() && self.servers.contains(&hop.remote);
        let volume = if self.mutation == Some(Mutation::Shouting) { 1_000 } else { 1 };
        if !to_server {
            self.count_unanswered(hop, payload.len() * volume, now);
        }
        let Ok(message) = Message::parse(payload) else {
            return self.sent_data(hop, now);
        };
        self.ledger.sent(hop.remote, &message);
        if message.class() == Class::Request && !to_server {
            self.stays_quiet(hop.remote, now);
        }
        if message.class() == Class::Request && !self.closed {
            self.sent_after_jump(now);
            let times = if self.mutation == Some(Mutation::DoubleRequests) { 2 } else { 1 };
            for _ in 0..times {
                self.sent_request(message.transaction_id(), to_server, now);
            }
        }
    }

    pub(crate) fn received(&mut self, datagram: Datagram<'_>, now: Instant) {
        if self.mutation == Some(Mutation::UnseenAnswers) {
            return;
        }
        let (hop, payload) = self.tunnels.open(datagram);
        self.unanswered.insert(hop, 0);
        let Ok(message) = Message::parse(payload) else { return };
        if self.ledger.received(hop.remote, &message) {
            self.heard.insert(hop, now);
        }
        if message.class() == Class::SuccessResponse {
            self.consented.insert(hop, now);
        }
    }

    /// The clock is beyond a deadline by so much that it must have jumped.
    pub(crate) fn woke_late(&mut self, now: Instant) {
        self.jumped = Some((now, 0));
    }

    /// I4: application data comes from the remote of a validated pair only.
    pub(crate) fn delivered(&mut self, datagram: Datagram<'_>, now: Instant) {
        let (hop, _) = self.tunnels.open(datagram);
        let foreign = self.mutation == Some(Mutation::ForeignData);
        if foreign || !self.consented.contains_key(&hop) {
            let remote = hop.remote;
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
            Event::StateChanged(state) => {
                self.quiet_since = (*state == State::Completed).then_some(now);
                if self.mutation == Some(Mutation::SwitchingRoles) {
                    self.role_switched(Role::Controlled, now);
                }
            }
            _ => {}
        }
    }

    /// I5: a message that fails its integrity check changes nothing.
    pub(crate) fn forged(&mut self, is_unchanged: bool, now: Instant) {
        if !is_unchanged || self.mutation == Some(Mutation::BelievedForgery) {
            self.violated("I5", now, "a forged message has changed something");
        }
    }

    /// The agent was closed, and has this to say to its TURN servers.
    pub(crate) fn closed(&mut self, farewells: usize) {
        self.closed = true;
        self.farewells = farewells;
    }

    /// I18: nothing but the end of each allocation, once.
    fn sent_after_end(&mut self, datagram: Datagram<'_>, now: Instant) {
        let ends_allocation = Message::parse(datagram.payload)
            .is_ok_and(|message| message.method() == Method::REFRESH)
            && self.turn_servers.contains(&datagram.five_tuple.remote);
        if !ends_allocation || self.farewells == 0 {
            self.violated("I18", now, "it sends after its end");
        }
        self.farewells = self.farewells.saturating_sub(1);
    }

    /// I15: with the policy that says so, nothing goes anywhere but to a TURN server.
    fn stays_private(&mut self, datagram: Datagram<'_>, now: Instant) {
        let remote = datagram.five_tuple.remote;
        let leaks = self.mutation == Some(Mutation::Leaking);
        let is_hidden = self.policy == CandidatePolicy::Relay;
        if leaks || (is_hidden && !self.turn_servers.contains(&remote)) {
            self.violated("I15", now, &format!("a datagram to {remote}, which is no TURN server"));
        }
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

    /// I20: whatever is due after a jump of the clock goes out one by one.
    fn sent_after_jump(&mut self, now: Instant) {
        let bursts = self.mutation == Some(Mutation::Bursts);
        let Some((at, sent)) = self.jumped.as_mut().filter(|(at, _)| *at == now) else { return };
        *sent += 1;
        if *sent > 1 || bursts {
            let (at, sent) = (*at, *sent);
            self.violated("I20", at, &format!("{sent} requests at once after the clock jumped"));
        }
    }

    /// I17: once a pair is selected and both sides have settled, nothing but a check for consent every four seconds.
    fn stays_quiet(&mut self, remote: SocketAddr, now: Instant) {
        let before = self.ledger.last_check.insert(remote, now);
        let has_settled = self.quiet_since.is_some_and(|since| since + SETTLING <= now);
        let is_quiet = has_settled && !self.is_disturbed;
        let hasty = self.mutation == Some(Mutation::HastyConsent);
        let at_least = if hasty { CONSENT } else { CONSENT_INTERVAL };
        if is_quiet && before.is_some_and(|before| now - before < at_least) {
            self.violated("I17", now, &format!("a check to {remote} soon after the one before"));
        }
    }

    /// I3: nothing but STUN to an address without consent of the last thirty seconds.
    fn sent_data(&mut self, hop: Hop, now: Instant) {
        let consent = self.consented.get(&hop);
        if consent.is_none_or(|at| now - *at > CONSENT) {
            self.violated("I3", now, &format!("data to {} without consent", hop.remote));
        }
    }

    /// I19: a bounded number of bytes to an address that never answers.
    fn count_unanswered(&mut self, hop: Hop, bytes: usize, now: Instant) {
        let sent = self.unanswered.entry(hop).or_default();
        *sent += bytes;
        if *sent > MAX_UNANSWERED {
            let what = format!("{sent} bytes to {}, which never sent anything", hop.remote);
            self.violated("I19", now, &what);
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
/// After a selection, checks that were on their way are still answered and repeated.
const SETTLING: Duration = Duration::from_secs(10);
/// RFC 7675 §5.1: 0.8 times five seconds.
const CONSENT_INTERVAL: Duration = Duration::from_secs(4);
/// RFC 7675 §5.1.
const CONSENT: Duration = Duration::from_secs(30);
/// A hundred checks with seven transmissions each.
const MAX_UNANSWERED: usize = 100 * 7 * 120;
