//! Pairs that this side does not check: as a lite agent, or because the peer answers no checks.

use core::net::SocketAddr;

use pinhole_sansio::{FiveTuple, Instant};

use super::{Agent, AgentError};
use crate::candidate::{
    Candidate, CandidateKind, Foundation, LocalPreference, Priority, RemoteCandidate,
    TransportAddress,
};
use crate::consent::Consent;
use crate::event::SelectionReason;
use crate::pair::{MeanRoundTrip, Nominated, PairId, PairState, Valid};
use crate::role::Role;

impl Agent {
    /// Uses the peer's default address without a check, because its description knows nothing of ICE (RFC 8839
    /// §4.2.5): data goes there from the first base of its family, and what comes from there is the peer's. Nobody has
    /// asked whether it wants to receive: the application answers for that.
    ///
    /// # Errors
    /// [`AgentError::CredentialsSet`] if the peer has told ICE credentials, [`AgentError::Over`],
    /// [`AgentError::Unreachable`] where no base is of its family.
    pub fn set_remote_without_ice(
        &mut self,
        address: SocketAddr,
        now: Instant,
    ) -> Result<(), AgentError> {
        self.ensure_open()?;
        if self.generation.remote.session.is_some() {
            return Err(AgentError::CredentialsSet);
        }
        let kind = CandidateKind::Host;
        let preference = LocalPreference::ranked(0, 0);
        let candidate = Candidate::udp(kind, address, Foundation::unlike([].iter()), preference);
        let limit = self.config.max_remote_candidates;
        self.generation.remote.candidates.add(address, candidate, limit);
        let remote = TransportAddress::from(address);
        let reaches = |base: &TransportAddress| base.may_be_paired_with(remote);
        let base = self.local.candidates.sockets().map(TransportAddress::from).find(reaches);
        let pair = base.and_then(|base| self.find_or_insert_pair(base, remote));
        let pair = pair.ok_or(AgentError::Unreachable(address))?;
        self.use_unchecked(pair, now);
        self.select(pair, SelectionReason::Best, now);
        self.after_input(now);
        Ok(())
    }

    /// Learns from a check as a lite agent: what is nominated is valid (RFC 8445 §7.3.2).
    pub(super) fn learn_as_lite(
        &mut self,
        five_tuple: FiveTuple,
        priority: Priority,
        nominated: Option<Nominated>,
        now: Instant,
    ) {
        let limit = self.config.max_remote_candidates;
        let Some((base, source)) = self.ends_of(five_tuple) else { return };
        let known = self.generation.checklist.find(base, source).map(|pair| pair.id);
        match (known, nominated) {
            (Some(pair), None) => self.expect_more_checks(pair, now),
            (None, None) => {}
            (_, Some(nominated)) => {
                if self.generation.remote.candidates.learn(source, priority, limit)
                    && let Some(pair) = known.or_else(|| self.find_or_insert_pair(base, source))
                {
                    if let Some(pair) = self.generation.checklist.get_mut(pair) {
                        pair.carried_by(five_tuple);
                    }
                    self.use_unchecked(pair, now);
                    self.nominated(pair, nominated, now);
                }
            }
        }
    }

    /// Two lite agents have nothing to check: the best pair is what both find (§8.2).
    pub(super) fn conclude_both_lite(&mut self, now: Instant) {
        let is_told = self.generation.remote.ended && self.generation.remote.session.is_some();
        let is_open = self.generation.conclusion.selected.is_none() && self.local.bases_ended;
        if !(self.config.lite && self.peer.lite && is_told && is_open) {
            return;
        }
        let best = self.best_unchecked();
        let pair = best.and_then(|(base, remote)| self.find_or_insert_pair(base, remote));
        if let Some(pair) = pair {
            self.use_unchecked(pair, now);
            self.select(pair, SelectionReason::Best, now);
        }
    }

    /// The base and the remote address whose lesser priority is the highest.
    fn best_unchecked(&self) -> Option<(TransportAddress, TransportAddress)> {
        let locals = self.local.candidates.iter();
        let pairs = locals.flat_map(|local| {
            let remotes = self.generation.remote.candidates.iter();
            let remotes = remotes.filter(|remote| remote.address.is_udp());
            let fits = |remote: &&RemoteCandidate| local.base.may_be_paired_with(remote.address);
            remotes.filter(fits).map(move |remote| {
                let priorities = (local.candidate.priority, remote.candidate.priority);
                (priorities.0.min(priorities.1), (local.base, remote.address))
            })
        });
        pairs.max_by_key(|(priority, _)| *priority).map(|(_, pair)| pair)
    }

    fn use_unchecked(&mut self, id: PairId, now: Instant) {
        let Some(pair) = self.generation.checklist.get_mut(id) else { return };
        let (mapped, priority) = (pair.local, pair.priority);
        let mean = MeanRoundTrip::default();
        let consent = Consent::unasked();
        pair.valid.get_or_insert(Valid {
            mapped,
            priority,
            rtt: None,
            mean,
            answered: now,
            consent,
        });
        self.generation.checklist.set_state(id, PairState::Succeeded, &mut self.events);
    }

    /// A peer that checks a pair after it was nominated does so for consent (RFC 7675), and is gone when it stops.
    fn expect_more_checks(&mut self, id: PairId, now: Instant) {
        let expiry = self.config.consent.expiry;
        let pair = self.generation.checklist.get_mut(id);
        if let Some(valid) = pair.and_then(|pair| pair.valid.as_mut()) {
            valid.consent.expect_until(now + expiry);
        }
    }

    /// The roles of agents of which one is lite, or both (§6.1.1).
    pub(super) fn settle_roles_with_lite(&mut self) {
        let role = match (self.config.lite, self.peer.lite) {
            (false, false) => return,
            (false, true) => Role::Controlling,
            (true, false) => Role::Controlled,
            (true, true) => self.config.role,
        };
        if role != self.role {
            self.switch_role();
        }
    }
}
