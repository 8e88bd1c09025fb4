//! Sending checks (RFC 8445 §6.1.4.2, §7.2.4).

use core::time::Duration;

use pinhole_sansio::Instant;
use pinhole_stun::Schedule;
use rand::Rng;

use super::Agent;
use super::backup::BACKUP;
use crate::candidate::Priority;
use crate::check::{Check, Due, Purpose, Timing};
use crate::checklist::Next;
use crate::event::Event;
use crate::pacer::check_retransmission;
use crate::pair::{PairFailure, PairId, PairState};
use crate::role::{Role, TieBreaker};
use crate::wire::{CheckRequest, Nominates};

impl Agent {
    /// Starts one transaction if the pacer lets it and there is one to start. Questions to servers and checks take
    /// turns, so that neither many servers nor many pairs hold the other up. What a TURN server is asked, its
    /// retransmissions included, takes such a turn too.
    pub(super) fn start_transaction(&mut self, now: Instant) {
        if self.is_over() || !self.wants_to_start(now) || !self.pacer.is_open(now) {
            return;
        }
        let asks_first = !self.asked_last;
        let started = match asks_first {
            true => self.start_question(now) || self.start_check(now),
            false => self.start_check(now) || self.start_question(now),
        };
        if started || self.repeat_check(now) {
            self.pacer.started(now);
        }
    }

    fn wants_to_start(&self, now: Instant) -> bool {
        self.start_wanted_at().is_some_and(|at| at <= now)
    }

    /// When there is a transaction to start, as far as the pacer lets it.
    pub(super) fn start_wanted_at(&self) -> Option<Instant> {
        let checks = self.generation.remote.session.is_some()
            && self.generation.checklist.has_next(self.valid_priority());
        let wants = self.gatherer.has_next() || checks;
        if wants {
            return Some(Instant::ZERO);
        }
        let repeat = self.generation.checklist.repeat_at(self.valid_priority());
        [self.relays.next_at(), self.search_wanted_at(), repeat].into_iter().flatten().min()
    }

    /// Checks a pair once more where there is nothing better to do, as a transaction of its own: "MUST NOT use an RTO
    /// value smaller than 500 ms" (RFC 8445 §14.3) is about retransmissions. A lost first flight then costs a fifth of a
    /// second.
    fn repeat_check(&mut self, now: Instant) -> bool {
        let valid = self.valid_priority();
        let Some(pair) = self.generation.checklist.next_repeat(valid, now) else { return false };
        self.generation.in_flight.cancel(pair, now);
        self.send_check(pair, Purpose::Connectivity, now);
        true
    }

    fn start_question(&mut self, now: Instant) -> bool {
        if let Some(request) = self.relays.next_request(now) {
            self.asked_last = true;
            self.transmits.push_back(request);
            return true;
        }
        if !self.gatherer.has_next() {
            return false;
        }
        self.asked_last = true;
        let id = self.fresh_transaction_id();
        self.gatherer.start_next(id, now)
    }

    fn start_check(&mut self, now: Instant) -> bool {
        if self.generation.remote.session.is_none() {
            return false;
        }
        let valid = self.valid_priority();
        let next = self.generation.checklist.next(valid, &mut self.events);
        let Some(next) = next.or_else(|| self.next_search(now)) else { return false };
        self.asked_last = false;
        let nominating =
            self.generation.conclusion.nominating.filter(|_| self.role == Role::Controlling);
        let (pair, purpose) = match next {
            Next::Triggered(pair) if nominating == Some(pair) => (pair, Purpose::Nomination),
            Next::Triggered(pair) | Next::Ordinary(pair)
                if self.may_renominate() && self.generation.conclusion.selected.is_some() =>
            {
                (pair, Purpose::Backup)
            }
            Next::Triggered(pair) => (pair, Purpose::Triggered),
            Next::Ordinary(pair) => (pair, Purpose::Connectivity),
        };
        if self.is_unconnected(pair) {
            self.connect_to_peer(pair, now);
            return true;
        }
        self.send_check(pair, purpose, now);
        // A pair that is valid, as that of a nomination, stays Succeeded until this check says otherwise.
        let is_valid = self.generation.checklist.get(pair).is_some_and(|pair| pair.valid.is_some());
        if !is_valid {
            self.generation.checklist.set_state(pair, PairState::InProgress, &mut self.events);
        }
        true
    }

    pub(super) fn send_check(&mut self, pair: PairId, purpose: Purpose, now: Instant) {
        let id = self.fresh_transaction_id();
        let nominates = self.nominates(purpose);
        let is_reliable = self.is_over_tcp(pair);
        let timing = self.check_timing(purpose, is_reliable, now);
        let opens = matches!(purpose, Purpose::Connectivity | Purpose::Triggered);
        let round_trip = if opens { self.known_round_trip() } else { None };
        let Some((session, pair)) =
            self.generation.remote.session.as_ref().zip(self.generation.checklist.get_mut(pair))
        else {
            return;
        };
        let base = self.local.candidates.base(pair.local);
        let component = self.local.candidates.component();
        let priority = base.map_or(Priority(1), |base| base.check_priority(component));
        let request = CheckRequest {
            id,
            username: &session.username,
            priority,
            role: (self.role, self.tie_breaker),
            nominates,
        };
        // The buffer has room for the longest credentials there are.
        let Ok(request) = request.write(&session.key) else { return };
        pair.stats.asked(purpose == Purpose::Consent);
        pair.first_check.get_or_insert(now);
        if opens {
            pair.plan_repeat(round_trip, now);
        }
        let Some(five_tuple) = pair.five_tuple() else { return };
        let check = Check {
            id,
            pair: pair.id,
            purpose,
            role: self.role,
            nominates: nominates != Nominates::No,
            priority,
            five_tuple,
            sent: now,
            last_sent: now,
            timing,
            request,
        };
        let transmit = check.transmit();
        self.generation.in_flight.push(check);
        self.transmit(transmit, now);
    }

    /// How long an answer takes over the slowest of the paths that work.
    fn known_round_trip(&self) -> Option<Duration> {
        let valid = self.generation.checklist.iter().filter_map(|pair| pair.valid.as_ref());
        valid.filter_map(|valid| valid.rtt).max()
    }

    fn is_over_tcp(&self, id: PairId) -> bool {
        self.generation.checklist.get(id).is_some_and(|pair| !pair.local.is_udp())
    }

    fn is_unconnected(&self, id: PairId) -> bool {
        self.generation.checklist.get(id).is_some_and(|pair| pair.five_tuple().is_none())
    }

    fn check_timing(&self, purpose: Purpose, is_reliable: bool, now: Instant) -> Timing {
        match purpose {
            // RFC 7675 §5.1: a consent check is transmitted once only.
            Purpose::Consent => return Timing::Once { until: now + self.consent_config().expiry },
            // TCP retransmits by itself (RFC 6544 §7.1).
            _ if is_reliable => return Timing::Once { until: now + self.config.checks.ti },
            Purpose::Backup => return Timing::Retransmitted(Schedule::start(BACKUP, now)),
            Purpose::Nomination if self.generation.conclusion.selected.is_some() => {
                return Timing::Retransmitted(Schedule::start(BACKUP, now));
            }
            // What else is tried does not matter so much any more (§14.3: "MAY calculate [it] using other mechanisms").
            Purpose::Nomination => {
                return Timing::Retransmitted(Schedule::start(self.config.checks, now));
            }
            Purpose::Connectivity | Purpose::Triggered => {}
        }
        let unsettled =
            self.generation.checklist.iter().filter(|pair| is_unsettled(pair.state)).count();
        let config = check_retransmission(
            self.config.checks,
            self.pacer.interval(),
            unsettled.saturating_mul(self.checklists),
        );
        Timing::Retransmitted(Schedule::start(config, now))
    }

    /// Retransmits what is due, as the pacer allows, and gives up what was never answered (§7.2.5.2.3).
    pub(super) fn handle_check_deadlines(&mut self, now: Instant) {
        loop {
            let retransmits = self.generation.in_flight.retransmits(now);
            let may_send = retransmits && self.pacer.is_open(now);
            let role = self.role;
            let Some(due) = self.generation.in_flight.next_due(may_send, role, now) else { return };
            match due {
                Due::Reask(pair, purpose) => {
                    // To nominate is the other side's business now.
                    let nominates = purpose == Purpose::Nomination;
                    let purpose = if nominates { Purpose::Connectivity } else { purpose };
                    self.send_check(pair, purpose, now);
                    self.pacer.started(now);
                }
                Due::Retransmit(transmit) => {
                    self.transmit(transmit, now);
                    self.pacer.started(now);
                }
                Due::TimedOut(check)
                    if check.is_cancelled() || check.purpose == Purpose::Consent => {}
                Due::TimedOut(check) => self.fail_pair(check.pair, PairFailure::Timeout),
            }
        }
    }

    /// The pair is of no use (§7.2.5.2). A nomination that fails is the end of the session (§7.2.5.3.4): the peer may
    /// have taken the pair, and would not follow to another one.
    pub(super) fn fail_pair(&mut self, id: PairId, failure: PairFailure) {
        let may_renominate = self.may_renominate();
        let Some(pair) = self.generation.checklist.get_mut(id) else { return };
        let connection = pair.connection.take();
        pair.connecting_until = None;
        pair.failure = Some(failure);
        pair.valid = None;
        pair.nominate_when_valid = None;
        if self.generation.conclusion.nominating == Some(id) {
            self.generation.conclusion.nominating = None;
            self.generation.conclusion.nomination_failed = !may_renominate;
        }
        self.hang_up(connection);
        self.generation.in_flight.forget(id);
        self.generation.checklist.untrigger(id);
        self.generation.checklist.set_state(id, PairState::Failed, &mut self.events);
    }

    /// Takes the other role and reorders the pairs (§7.3.1.1).
    pub(super) fn switch_role(&mut self) {
        self.role = self.role.switched();
        if let Some(pair) = self.generation.conclusion.nominating.take() {
            self.generation.checklist.untrigger(pair);
        }
        self.reprioritize();
        self.events.push(Event::RoleSwitched(self.role));
    }

    /// After a 487 the number MUST change (§7.2.5.1), lest both sides refuse each other for ever.
    pub(super) fn change_tie_breaker(&mut self) {
        self.tie_breaker = TieBreaker(self.rng.next_u64());
    }
}

pub(super) const fn is_unsettled(state: PairState) -> bool {
    matches!(state, PairState::Frozen | PairState::Waiting | PairState::InProgress)
}
