//! The STUN server side of a check (RFC 8445 §7.3).

use core::time::Duration;

use pinhole_sansio::{FiveTuple, Instant, Payload, Transmit};
use pinhole_stun::attribute::Username;
use pinhole_stun::{Message, WriteError};

use super::{Agent, DropReason};
use crate::abilities::Renomination;
use crate::candidate::{Candidate, CandidateKind};
use crate::pair::{Nominated, PairId, PairState};
use crate::role::{self, Role, Verdict};
use crate::wire::{self, ReceivedCheck};

/// A check that was answered before the peer's credentials were known, to be processed when they are
/// (RFC 8445 §7.3).
#[derive(Debug)]
pub(super) struct EarlyCheck {
    five_tuple: FiveTuple,
    remote_ufrag: alloc::string::String,
    check: ReceivedCheck,
}

/// A refusal, and whether the request was authentic, so that the answer can be signed.
struct Refusal {
    code: u16,
    authentic: bool,
}

impl Agent {
    pub(super) fn receive_request(
        &mut self,
        message: &Message<'_>,
        five_tuple: FiveTuple,
        now: Instant,
    ) -> Result<(), DropReason> {
        let id = message.transaction_id();
        match self.accept_request(message) {
            Ok((check, remote_ufrag)) => {
                self.answer(
                    five_tuple,
                    wire::success(id, five_tuple.remote, &self.generation.key),
                    now,
                );
                self.process_check(check, remote_ufrag, five_tuple, now);
                if let Some(pair) = self.generation.checklist.of_five_tuple_mut(five_tuple) {
                    pair.stats.was_asked_and_answers();
                }
                Ok(())
            }
            Err(Refusal { code: UNKNOWN_ATTRIBUTE, .. }) => {
                self.answer(
                    five_tuple,
                    wire::unknown_attributes(message, &self.generation.key),
                    now,
                );
                Err(DropReason::Refused(UNKNOWN_ATTRIBUTE))
            }
            Err(Refusal { code, authentic }) => {
                let key = authentic.then_some(&self.generation.key);
                self.answer(five_tuple, wire::error(id, code, key), now);
                Err(DropReason::Refused(code))
            }
        }
    }

    /// Authenticates (RFC 8489 §9.1.3), then looks for unknown attributes (§6.3.1), then settles the roles
    /// (RFC 8445 §7.3.1.1). Gives what the check says, and whom it says it is from.
    fn accept_request<'a>(
        &mut self,
        message: &Message<'a>,
    ) -> Result<(ReceivedCheck, &'a str), Refusal> {
        let unauthentic = |code| Refusal { code, authentic: false };
        let authentic = |code| Refusal { code, authentic: true };

        let username = message.get::<Username<'_>>().ok().flatten();
        let Some(Username(username)) = username.filter(|_| message.has_integrity()) else {
            return Err(unauthentic(BAD_REQUEST));
        };
        let (ours, theirs) = username.split_once(':').ok_or(unauthentic(UNAUTHENTICATED))?;
        if ours != self.generation.credentials.ufrag.as_str()
            || message.verify(&self.generation.key).is_err()
        {
            return Err(unauthentic(UNAUTHENTICATED));
        }
        if message.unknown_required(wire::KNOWN).next().is_some() {
            return Err(authentic(UNKNOWN_ATTRIBUTE));
        }
        let check = ReceivedCheck::read(message).ok_or(authentic(BAD_REQUEST))?;
        match check.role.map(|theirs| role::resolve((self.role, self.tie_breaker), theirs)) {
            Some(Verdict::Refuse) => return Err(authentic(ROLE_CONFLICT)),
            Some(Verdict::Switch) => self.switch_role(),
            Some(Verdict::NoConflict) | None => {}
        }
        Ok((check, theirs))
    }

    fn process_check(
        &mut self,
        check: ReceivedCheck,
        remote_ufrag: &str,
        five_tuple: FiveTuple,
        now: Instant,
    ) {
        match &self.generation.remote.session {
            Some(session) if session.credentials.ufrag.as_str() == remote_ufrag => {
                self.learn_from_check(five_tuple, check, now);
            }
            // Another generation's, or another peer's in a forked call.
            Some(_) => {}
            None => self.keep_early_check(EarlyCheck {
                five_tuple,
                remote_ufrag: remote_ufrag.into(),
                check,
            }),
        }
    }

    /// Peer-reflexive candidates, triggered checks, nomination (§7.3.1.3 to §7.3.1.5).
    fn learn_from_check(&mut self, five_tuple: FiveTuple, check: ReceivedCheck, now: Instant) {
        let nominated = self.nomination_in(check);
        let Some((base, source)) = self.ends_of(five_tuple) else { return };
        if self.generation.is_retired {
            return;
        }
        if self.config.lite {
            return self.learn_as_lite(five_tuple, check.priority, nominated, now);
        }
        // Once a pair is selected for good, only another nomination is worth a new check (§8.1.2).
        let is_settled = self.generation.conclusion.selected.is_some() && !self.may_renominate();
        if is_settled && nominated.is_none() {
            return;
        }
        let limit = self.config.max_remote_candidates;
        if !self.generation.remote.candidates.learn(source, check.priority, limit) {
            return;
        }
        let Some(id) = self.find_or_insert_pair(base, source) else { return };
        let Some(pair) = self.generation.checklist.get_mut(id) else { return };
        pair.carried_by(five_tuple);
        pair.nominate_when_valid = nominated.or(pair.nominate_when_valid);
        let consents = pair.valid.as_ref().is_some_and(|valid| valid.consent.is_fresh(now));
        match (pair.state, nominated) {
            (PairState::Succeeded, Some(nominated)) if consents => {
                self.nominated(id, nominated, now)
            }
            (PairState::Succeeded, Some(_)) => self.generation.checklist.trigger(id),
            (PairState::Succeeded, None) => {}
            // It was sent after the peer's first check; another one now would only cross the next one of the peer's.
            (PairState::InProgress, _)
                if self.generation.in_flight.has_triggered(id, TRIGGER_AGAIN, now) => {}
            (PairState::InProgress, _) => match self.answer_expected_by(id, now) {
                Some(at) => self.trigger_unless_answered(id, at),
                None => self.trigger(id, now),
            },
            (PairState::Waiting | PairState::Frozen | PairState::Failed, _) => {
                self.trigger(id, now);
            }
        }
    }

    /// Whether an authentic check nominates its pair, as far as the two sides have agreed about that
    /// (draft-thatcher-tsvwg-renomination §3.3).
    fn nomination_in(&self, check: ReceivedCheck) -> Option<Nominated> {
        if self.role == Role::Controlling {
            return None;
        }
        match (self.renomination(), check.nomination) {
            (Some(_), Some(number)) => Some(Nominated::Numbered(number)),
            (Some(Renomination::Draft), None) => None,
            (Some(Renomination::Libwebrtc), None) => {
                check.use_candidate.then_some(Nominated::Numbered(FIRST_NOMINATION))
            }
            (None, _) => check.use_candidate.then_some(Nominated::ForGood),
        }
    }

    fn trigger(&mut self, id: PairId, now: Instant) {
        self.generation.in_flight.cancel(id, now);
        self.generation.checklist.set_state(id, PairState::Waiting, &mut self.events);
        self.generation.checklist.trigger(id);
    }

    fn trigger_unless_answered(&mut self, id: PairId, at: Instant) {
        if let Some(pair) = self.generation.checklist.get_mut(id) {
            pair.trigger_at.get_or_insert(at);
        }
    }

    /// When the answer to the check on its way should be here, if that check is likely to have arrived. What makes a
    /// triggered check worth its while is a NAT that swallowed ours before the peer's opened it (RFC 8445 Appendix B.4);
    /// between two host addresses there is none. Two sides that began together see each other's checks after half a
    /// round trip, and the answers after as long again.
    fn answer_expected_by(&self, id: PairId, now: Instant) -> Option<Instant> {
        let pair = self.generation.checklist.get(id)?;
        let local = self.local.candidates.find(pair.local, pair.local)?;
        let remote = self.generation.remote.candidates.find(pair.remote)?;
        let is_host = |candidate: &Candidate| candidate.kind == CandidateKind::Host;
        let meets_no_nat = is_host(&local.candidate) && is_host(&remote.candidate);
        let elapsed = now - self.generation.in_flight.first_sent(id)?;
        (meets_no_nat && elapsed <= LONGEST_HALF).then(|| now + elapsed + elapsed / 4 + SLACK)
    }

    /// Makes up for answers that were waited for in vain.
    pub(super) fn trigger_overdue(&mut self, now: Instant) {
        while let Some(id) = self.generation.checklist.next_overdue(now) {
            self.trigger(id, now);
        }
    }

    /// Keeps a check for later, once for each path; the newest are dropped when there are too many.
    fn keep_early_check(&mut self, check: EarlyCheck) {
        let early = &mut self.generation.remote.early;
        let is_same = |known: &EarlyCheck| known.five_tuple == check.five_tuple;
        if let Some(known) = early.iter_mut().find(|known| is_same(known)) {
            known.check.use_candidate |= check.check.use_candidate;
            known.check.nomination = known.check.nomination.max(check.check.nomination);
        } else if early.len() < MAX_EARLY_CHECKS {
            early.push_back(check);
        }
    }

    pub(super) fn replay_early_checks(&mut self, now: Instant) {
        while let Some(check) = self.generation.remote.early.pop_front() {
            let session = self.generation.remote.session.as_ref();
            if session
                .is_some_and(|session| session.credentials.ufrag.as_str() == check.remote_ufrag)
            {
                self.learn_from_check(check.five_tuple, check.check, now);
            }
        }
    }

    fn answer(
        &mut self,
        five_tuple: FiveTuple,
        payload: Result<Payload, WriteError>,
        now: Instant,
    ) {
        if let Ok(payload) = payload {
            self.transmit(Transmit { five_tuple, payload }, now);
        }
    }
}

const BAD_REQUEST: u16 = 400;
const UNAUTHENTICATED: u16 = 401;
const UNKNOWN_ATTRIBUTE: u16 = 420;
const ROLE_CONFLICT: u16 = 487;
/// What libwebrtc makes of a USE-CANDIDATE without a number.
const FIRST_NOMINATION: u32 = 1;
/// As many paths as a peer with many candidates can try before its answer arrives.
const MAX_EARLY_CHECKS: usize = 100;
/// Half of a long round trip, more than which one of the two sides is likely to have begun later.
const LONGEST_HALF: Duration = Duration::from_millis(100);
/// Two triggered checks of a pair are at least this far apart: enough that two sides do not set each other off.
const TRIGGER_AGAIN: Duration = Duration::from_millis(50);
/// For the peer to think.
const SLACK: Duration = Duration::from_millis(1);
