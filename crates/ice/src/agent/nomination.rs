//! Choosing the pair that is used (RFC 8445 §8.1).

use pinhole_sansio::Instant;

use super::checks::is_unsettled;
use super::{Agent, Route};
use crate::candidate::CandidateKind;
use crate::event::Event;
use crate::pair::{Pair, PairId, PairPriority, Valid};
use crate::policy::Rival;
use crate::role::Role;

impl Agent {
    /// Where application data is to go now: the selected pair, or the best valid one until there is one
    /// (RFC 8445 §12.1). `None` when the peer has not consented to receive, or no longer does
    /// (RFC 7675 §5.1).
    #[must_use]
    pub fn route(&self, now: Instant) -> Option<Route> {
        let pair = self.checklist.get(self.conclusion.route?)?;
        let fresh = !self.is_over() && pair.valid.as_ref()?.consent.is_fresh(now);
        fresh.then(|| Route { pair: pair.id, five_tuple: pair.five_tuple() })
    }

    /// Keeps the route on the selected pair, or else on the best valid one.
    pub(super) fn update_route(&mut self, now: Instant) {
        let best =
            self.conclusion.selected.or_else(|| self.best_valid(now).map(|(pair, _)| pair.id));
        if best != self.conclusion.route {
            self.conclusion.route = best;
            self.events.extend(best.map(|pair| Event::RouteChanged { pair }));
        }
    }

    /// As controlling side, nominates the best valid pair when the policy says so.
    pub(super) fn consider_nomination(&mut self, now: Instant) {
        self.conclusion.nominate_at = None;
        let decided = self.conclusion.selected.is_some() || self.conclusion.nominating.is_some();
        if self.role == Role::Controlled || decided {
            return;
        }
        let Some((pair, valid)) = self.best_valid(now) else { return };
        let id = pair.id;
        let settling = match self.is_relayed(pair, valid) {
            true => self.config.nomination.relayed,
            false => self.config.nomination.direct,
        };
        let first_valid = self.conclusion.first_valid.unwrap_or(now);
        let at = settling.nominate_at(first_valid, valid.rtt, self.rivals(pair.priority));
        if at <= now {
            self.conclusion.nominating = Some(id);
            self.checklist.trigger(id);
        } else {
            self.conclusion.nominate_at = Some(at);
        }
    }

    /// The pair is nominated (§7.2.5.3.4, §7.3.1.5). Of several, which only a peer of RFC 5245 nominates, the
    /// best is used (§8.1.1).
    pub(super) fn nominated(&mut self, id: PairId) {
        let Some(pair) = self.checklist.get_mut(id) else { return };
        pair.nominated = true;
        let priority = valid_priority(pair);
        self.conclusion.nominating = None;
        let selected = self.conclusion.selected.and_then(|selected| self.checklist.get(selected));
        if selected.is_some_and(|selected| valid_priority(selected) >= priority) {
            return;
        }
        self.conclusion.selected = Some(id);
        self.conclusion.nominate_at = None;
        for gone in self.checklist.conclude() {
            self.in_flight.forget(gone);
        }
        self.gatherer.stop();
        self.events.push(Event::PairSelected { pair: id });
    }

    fn best_valid(&self, now: Instant) -> Option<(&Pair, &Valid)> {
        self.checklist
            .iter()
            .filter_map(|pair| Some((pair, pair.valid.as_ref()?)))
            .filter(|(_, valid)| valid.consent.is_fresh(now))
            .max_by_key(|(_, valid)| valid.priority)
    }

    fn is_relayed(&self, pair: &Pair, valid: &Valid) -> bool {
        let local = self.local.candidates.find(valid.mapped, pair.local).map(|c| c.candidate.kind);
        let remote = self.remote.candidates.find(pair.remote).map(|c| c.candidate.kind);
        [local, remote].contains(&Some(CandidateKind::Relayed))
    }

    /// Unsettled pairs that are better than `priority`.
    fn rivals(&self, priority: PairPriority) -> impl Iterator<Item = Rival> {
        self.checklist
            .iter()
            .take_while(move |pair| pair.priority > priority)
            .filter(|pair| is_unsettled(pair.state))
            .map(|pair| Rival { first_check: pair.first_check })
    }
}

fn valid_priority(pair: &Pair) -> Option<PairPriority> {
    pair.valid.as_ref().map(|valid| valid.priority)
}
