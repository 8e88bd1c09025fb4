//! The STUN client side of a check: what an answer means (RFC 8445 §7.2.5).

use core::net::SocketAddr;

use pinhole_sansio::{FiveTuple, Instant};
use pinhole_stun::attribute::{ErrorCode, XorMappedAddress};
use pinhole_stun::{Class, Message};

use super::generation::Generation;
use super::{Agent, DropReason};
use crate::candidate::TransportAddress;
use crate::check::{Check, Purpose};
use crate::consent::Consent;
use crate::event::{Event, SelectionReason};
use crate::gather::{Answer, Query};
use crate::pair::{MeanRoundTrip, PairFailure, PairId, PairPriority, PairState, Valid};
use crate::role::Role;
use crate::wire;

impl Agent {
    pub(super) fn receive_response(
        &mut self,
        message: &Message<'_>,
        five_tuple: FiveTuple,
        now: Instant,
    ) -> Result<(), DropReason> {
        let id = message.transaction_id();
        self.generation.in_flight.find(id).ok_or(DropReason::UnknownTransaction)?;
        let session =
            self.generation.remote.session.as_ref().ok_or(DropReason::UnknownTransaction)?;
        // An answer that is not the peer's changes nothing, errors included: the real one may follow
        // (RFC 8489 §9.1.4).
        message.verify(&session.key).map_err(|_| DropReason::Integrity)?;
        let check = self.generation.in_flight.take(id).ok_or(DropReason::UnknownTransaction)?;
        if check.five_tuple != five_tuple {
            self.fail_pair(check.pair, PairFailure::NotSymmetric(five_tuple.remote));
            return Ok(());
        }
        if let Some(pair) = self.generation.checklist.get_mut(check.pair) {
            pair.stats.was_answered(check.round_trip(now));
        }
        match message.class() {
            Class::SuccessResponse => match mapped_address(message) {
                Some(mapped) => self.check_succeeded(&check, mapped, now),
                None => self.fail_pair(check.pair, PairFailure::MalformedResponse),
            },
            Class::ErrorResponse => self.check_refused(&check, error_code(message), now),
            Class::Request | Class::Indication => {}
        }
        Ok(())
    }

    /// §7.2.5.3.
    fn check_succeeded(&mut self, check: &Check, mapped: SocketAddr, now: Instant) {
        let Some(pair) = self.generation.checklist.get(check.pair) else { return };
        let (base, known) = (pair.local, pair.valid.as_ref().map(|valid| valid.mapped));
        if check.purpose == Purpose::Consent && known.is_none() {
            return;
        }
        let mapped = TransportAddress { transport: base.transport, address: mapped };
        let mapped_priority = self.local.candidates.mapped(mapped, base, check.priority);
        self.validate(check, mapped, mapped_priority, now);
        self.generation.conclusion.first_valid.get_or_insert(now);
        if self.generation.conclusion.nominating != Some(check.pair) {
            self.generation.checklist.untrigger(check.pair);
        }
        self.generation.checklist.set_state(check.pair, PairState::Succeeded, &mut self.events);
        self.generation.checklist.unfreeze(&mut self.events);

        let Some(pair) = self.generation.checklist.get_mut(check.pair) else { return };
        match (check.purpose, self.role, pair.nominate_when_valid.take()) {
            (Purpose::Nomination, Role::Controlling, _) => {
                self.nomination_accepted(check.pair, now)
            }
            (_, Role::Controlling, _) if check.nominates => {
                self.aggressive_nomination_accepted(check.pair, now);
            }
            (_, _, Some(nominated)) => self.nominated(check.pair, nominated, now),
            (_, _, None) => {}
        }
        if known.is_some_and(|known| known != mapped) {
            self.mapping_changed(check.pair);
        }
    }

    /// A NAT of ours has given the path another address. To the peer, which may have selected the old one, that is
    /// another pair: it is nominated again.
    fn mapping_changed(&mut self, id: PairId) {
        let conclusion = &self.generation.conclusion;
        let is_selected = conclusion.selected == Some(id) && conclusion.nominating.is_none();
        if self.role == Role::Controlling && is_selected && !self.generation.is_retired {
            self.nominate(id, SelectionReason::Failover);
        }
    }

    /// Puts the pair on the valid list, or refreshes what is known about it (§7.2.5.3.2).
    fn validate(
        &mut self,
        check: &Check,
        mapped: TransportAddress,
        mapped_priority: crate::Priority,
        now: Instant,
    ) {
        let config = self.consent_config();
        let Self { generation, rng, role, .. } = self;
        let Generation { remote, checklist, .. } = generation;
        let Some(pair) = checklist.get_mut(check.pair) else { return };
        let Some(candidate) = remote.candidates.find(pair.remote) else { return };
        let priority = PairPriority::new(*role, mapped_priority, candidate.candidate.priority);
        let rtt = check.round_trip(now);
        pair.failure = None;
        match &mut pair.valid {
            Some(valid) => {
                valid.mapped = mapped;
                valid.priority = priority;
                valid.rtt = rtt.or(valid.rtt);
                valid.answered = now;
                // An answer to a consent check that comes after consent has run out does not bring it back (RFC 7675 §5.1).
                if check.purpose == Purpose::Consent || valid.consent.is_fresh(now) {
                    valid.consent.answered(config, now);
                } else {
                    valid.consent = Consent::granted(config, rng, now);
                }
            }
            None => {
                let consent = Consent::granted(config, rng, now);
                let mean = MeanRoundTrip::default();
                let valid = Valid { mapped, priority, rtt, mean, answered: now, consent };
                pair.valid = Some(valid);
            }
        }
        if let Some((valid, rtt)) = pair.valid.as_mut().zip(rtt) {
            valid.mean.add(rtt);
        }
    }

    fn check_refused(&mut self, check: &Check, code: u16, now: Instant) {
        match code {
            ROLE_CONFLICT => self.role_refused(check),
            // RFC 7675 §5.2: the peer no longer wants to receive.
            FORBIDDEN if check.purpose == Purpose::Consent => self.revoke_consent(check.pair, now),
            _ if check.purpose == Purpose::Consent => {}
            _ => self.fail_pair(check.pair, PairFailure::ErrorResponse(code)),
        }
    }

    /// §7.2.5.1. A 487 to a request of a role that was given up since is stale: the pair is checked again, and
    /// nothing else changes.
    fn role_refused(&mut self, check: &Check) {
        if check.role == self.role {
            self.switch_role();
            self.change_tie_breaker();
        }
        if check.purpose != Purpose::Consent && self.generation.conclusion.selected.is_none() {
            self.retry(check.pair);
        }
    }

    fn retry(&mut self, pair: PairId) {
        if self.generation.checklist.get(pair).is_some_and(|pair| pair.valid.is_none()) {
            self.generation.checklist.set_state(pair, PairState::Waiting, &mut self.events);
        }
        self.generation.checklist.trigger(pair);
    }

    /// What a STUN server said about one of the bases.
    pub(super) fn server_answered(&mut self, query: Query, answer: Answer) {
        let Query { base, server, rank, .. } = query;
        match answer {
            Ok(mapped) => {
                if !query.is_refresh() {
                    self.events.push(Event::MappedAddressLearned { base, server, mapped });
                }
                self.add_server_reflexive(mapped, base, (rank, server));
            }
            Err(_) if query.is_refresh() => {}
            Err(error) => self.gathering_failed(base, server, error),
        }
    }
}

/// `None` when there is none, or an attribute that must be understood is unknown (RFC 8489 §6.3.3).
fn mapped_address(message: &Message<'_>) -> Option<SocketAddr> {
    if message.unknown_required(wire::KNOWN).next().is_some() {
        return None;
    }
    message.get().ok()?.map(|XorMappedAddress(mapped)| mapped)
}

/// 0 when it cannot be read, which is as final as any other code.
fn error_code(message: &Message<'_>) -> u16 {
    message.get::<ErrorCode<'_>>().ok().flatten().map_or(0, |error| error.code)
}

const FORBIDDEN: u16 = 403;
const ROLE_CONFLICT: u16 = 487;
