//! How the session stands: gathering, consent, failure (RFC 7675, RFC 8863).

use core::fmt;
use core::time::Duration;

use pinhole_sansio::{Instant, Transmit};

use super::Agent;
use super::generation::Generation;
use crate::check::Purpose;
use crate::consent::{ConsentConfig, Liveness, Power};
use crate::event::Event;
use crate::pair::{Pair, PairFailure, PairId, PairState};
use crate::wire;

/// How a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The peer's credentials are not known yet.
    New,
    /// Pairs are being checked; none works so far.
    Checking,
    /// Data can flow; the pair may still change for a better one.
    Connected,
    /// Data can flow, and the pair is nominated.
    Completed,
    /// The latest consent checks went unanswered. Data may still flow, and an answer mends it.
    Disconnected,
    /// No pair works, or the one that did has been silent for 30 s. Only an ICE restart would help.
    Failed,
    /// The application ended the session.
    Closed,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::New => "new",
            Self::Checking => "checking",
            Self::Connected => "connected",
            Self::Completed => "completed",
            Self::Disconnected => "disconnected",
            Self::Failed => "failed",
            Self::Closed => "closed",
        })
    }
}

impl Agent {
    /// Tells once that gathering is over.
    pub(super) fn conclude_gathering(&mut self) {
        if self.local.bases_ended && !self.local.gathered && self.has_gathered() {
            self.local.gathered = true;
            self.events.push(Event::GatheringCompleted);
        }
    }

    fn has_gathered(&self) -> bool {
        self.gatherer.is_complete() && self.relays.is_complete()
    }

    /// Asks the peer, on each pair in use, whether it still wants to receive (RFC 7675 §5.1), and gives up
    /// pairs where it has not said so for too long.
    pub(super) fn handle_consent(&mut self, now: Instant) {
        while let Some((id, step)) = self.next_consent_step(now) {
            match step {
                ConsentStep::Ask => {
                    self.send_check(id, Purpose::Consent, now);
                    self.pacer.started(now);
                }
                ConsentStep::KeepAlive => self.send_keepalive(id, now),
                ConsentStep::GiveUp => self.fail_pair(id, PairFailure::ConsentLost),
            }
        }
    }

    fn next_consent_step(&mut self, now: Instant) -> Option<(PairId, ConsentStep)> {
        let may_renominate = self.may_renominate();
        let (config, liveness) = (self.consent_config(), self.config.liveness);
        let Self { generation, rng, pacer, .. } = self;
        let Generation { checklist, conclusion, .. } = generation;
        checklist.iter_mut().filter(|pair| conclusion.is_in_use(pair)).find_map(|pair| {
            let valid = pair.valid.as_mut()?;
            let patience = may_renominate.then(|| answer_patience(valid.rtt));
            let consent = &mut valid.consent;
            consent.note_missed(now);
            if !consent.is_fresh(now) {
                return Some((pair.id, ConsentStep::GiveUp));
            }
            if liveness == Liveness::KeepaliveOnly && consent.is_due(now) {
                let quiet_at =
                    pair.stats.last_packet_sent.map_or(now, |sent| sent + config.interval);
                consent.kept_alive(quiet_at.max(now + config.interval));
                return (quiet_at <= now).then_some((pair.id, ConsentStep::KeepAlive));
            }
            let asks = consent.is_due(now) && pacer.is_open(now);
            if asks {
                consent.asked(config, patience, rng, now);
            }
            asks.then_some((pair.id, ConsentStep::Ask))
        })
    }

    /// What holds for consent now.
    pub(super) fn consent_config(&self) -> ConsentConfig {
        self.config.consent.adapted(self.config.liveness, self.power)
    }

    /// Spends more or less on staying connected from now on.
    pub const fn set_power(&mut self, power: Power) {
        self.power = power;
    }

    /// Tells that something came on this pair that only the peer can have sent, such as a packet of an authenticated
    /// DTLS or SRTP session. It counts with [`Liveness::PayloadAssisted`].
    pub fn peer_is_alive(&mut self, pair: PairId, now: Instant) {
        let config = self.consent_config();
        let pair = self.generation.checklist.get_mut(pair);
        let valid = pair.and_then(|pair| pair.valid.as_mut());
        if let Some(valid) = valid.filter(|_| self.config.liveness == Liveness::PayloadAssisted) {
            valid.consent.peer_is_alive(config, now);
        }
        self.after_input(now);
    }

    /// RFC 8445 §11: "a Binding Indication ... MUST NOT utilize any authentication mechanism. It SHOULD contain the
    /// FINGERPRINT attribute".
    fn send_keepalive(&mut self, id: PairId, now: Instant) {
        let Some(five_tuple) = self.generation.checklist.get(id).and_then(Pair::five_tuple) else {
            return;
        };
        if let Ok(payload) = wire::keepalive(self.fresh_transaction_id()) {
            self.transmit(Transmit { five_tuple, payload }, now);
        }
    }

    pub(super) fn revoke_consent(&mut self, id: PairId, now: Instant) {
        if let Some(valid) =
            self.generation.checklist.get_mut(id).and_then(|pair| pair.valid.as_mut())
        {
            valid.consent.revoke(now);
        }
        self.handle_consent(now);
    }

    /// When the last hope ends, if there is none but time: no pair is valid or on its way.
    pub(super) fn failure_deadline(&self) -> Option<Instant> {
        let hopeless = self.generation.checklist.iter().all(|pair| pair.state == PairState::Failed);
        // RFC 8863 §5: the timer also stands in for an end-of-candidates that never comes.
        let ends = self.generation.remote.session.as_ref()?.patience_ends;
        let is_told = self.previous.is_some() && self.generation.failure_told;
        (hopeless && !is_told && self.local.gathered).then_some(ends)
    }

    pub(super) fn update_state(&mut self, now: Instant) {
        let is_hopeless = self.failure_deadline().is_some_and(|deadline| deadline <= now);
        let has_failed = is_hopeless || self.generation.conclusion.nomination_failed;
        if self.previous.is_some() && has_failed && !self.generation.failure_told {
            self.generation.failure_told = true;
            self.events.push(Event::RestartFailed);
        }
        self.set_state(self.current_state(now));
        if self.is_over() {
            // Allocations stay: a restart may use them, and `close` gives them back.
            self.gatherer.stop();
        }
    }

    pub(super) fn current_state(&self, now: Instant) -> State {
        if let Some(selected) = self.selected() {
            return match &selected.valid {
                Some(valid) if valid.consent.is_in_doubt() => State::Disconnected,
                Some(_) => State::Completed,
                None if self.best_valid(now).is_some() => State::Connected,
                None if self.may_recover() => State::Disconnected,
                None => State::Failed,
            };
        }
        if self.generation.conclusion.nomination_failed {
            return self.previous.as_ref().map_or(State::Failed, Generation::interim_state);
        }
        if self.generation.checklist.iter().any(|pair| pair.valid.is_some()) {
            return State::Connected;
        }
        if let Some(previous) = &self.previous {
            return previous.interim_state();
        }
        if self.failure_deadline().is_some_and(|deadline| deadline <= now) {
            return State::Failed;
        }
        if self.generation.remote.session.is_some() { State::Checking } else { State::New }
    }

    pub(super) fn set_state(&mut self, state: State) {
        if self.state != state {
            self.state = state;
            self.events.push(Event::StateChanged(state));
        }
    }
}

/// How long the answer to a consent check may take: "based on the estimated round-trip time with an allowance for
/// variation" (RFC 7675 §5.1).
fn answer_patience(rtt: Option<Duration>) -> Duration {
    (rtt.unwrap_or_default() * 3).max(Duration::from_millis(500))
}

/// What a pair's consent needs now.
enum ConsentStep {
    Ask,
    KeepAlive,
    GiveUp,
}

impl Generation {
    /// The state while this generation's path serves and the next one looks for its own.
    fn interim_state(&self) -> State {
        let valid =
            self.conclusion.route.and_then(|route| self.checklist.get(route)?.valid.as_ref());
        match valid {
            Some(valid) if !valid.consent.is_in_doubt() => State::Connected,
            Some(_) | None => State::Disconnected,
        }
    }

    /// When a check of this generation is due, or its consent.
    pub(super) fn deadline(&self, may_send: Instant) -> Option<Instant> {
        [self.in_flight.deadline(may_send), self.consent_deadline(may_send)]
            .into_iter()
            .flatten()
            .min()
    }

    fn consent_deadline(&self, may_send: Instant) -> Option<Instant> {
        let in_use = self.checklist.iter().filter(|pair| self.conclusion.is_in_use(pair));
        in_use.filter_map(|pair| pair.valid.as_ref()?.consent.deadline(may_send)).min()
    }
}

impl super::generation::Conclusion {
    /// Consent is kept on the selected pair and on the one that data takes; until one is selected, on all that are
    /// valid.
    fn is_in_use(&self, pair: &Pair) -> bool {
        let carries = [self.selected, self.route].contains(&Some(pair.id));
        pair.valid.is_some() && (self.selected.is_none() || carries)
    }
}
