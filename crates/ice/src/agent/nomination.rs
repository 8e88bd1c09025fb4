//! Choosing the pair that is used (RFC 8445 §8.1).

use core::time::Duration;

use pinhole_sansio::{FiveTuple, Instant};
use pinhole_turn::client::ToServer;

use super::checks::is_unsettled;
use super::generation::Conclusion;
use super::{Agent, Route};
use crate::event::Event;
use crate::pair::{Pair, PairId, PairPriority, Valid};
use crate::policy::Rival;
use crate::role::Role;

impl Agent {
    /// Where `length` bytes of application data are to go now: over the selected pair, or the best valid one
    /// until there is one (RFC 8445 §12.1). `None` when the peer has not consented to receive, or no longer
    /// does (RFC 7675 §5.1).
    #[must_use]
    pub fn route(&mut self, length: usize, now: Instant) -> Option<Route> {
        let pair = self.route_pair(now)?;
        self.route_on(pair, length, now)
    }

    /// The same over a pair of the caller's choice, which has to be valid and consented to.
    #[must_use]
    pub fn route_on(&mut self, pair: PairId, length: usize, now: Instant) -> Option<Route> {
        let five_tuple = self.consented(pair, now)?;
        if !self.local.candidates.is_relayed(five_tuple.local) {
            return Some(Route { pair, five_tuple, header: None, padding: 0 });
        }
        let sent = self.relays.send(five_tuple.local, five_tuple.remote, length, now)?;
        let ToServer { five_tuple, header, padding } = sent;
        Some(Route { pair, five_tuple, header: Some(header), padding })
    }

    /// Whether [`route`](Self::route) leads to the peer now.
    #[must_use]
    pub fn is_writable(&self, now: Instant) -> bool {
        self.route_pair(now).and_then(|pair| self.consented(pair, now)).is_some()
    }

    fn consented(&self, pair: PairId, now: Instant) -> Option<FiveTuple> {
        let previous = self.previous.as_ref().map(|previous| &previous.checklist);
        let mut lists = [Some(&self.generation.checklist), previous].into_iter().flatten();
        let pair = lists.find_map(|list| list.get(pair))?;
        let is_fresh = !self.is_over() && pair.valid.as_ref()?.consent.is_fresh(now);
        is_fresh.then(|| pair.five_tuple())
    }

    /// The pair that data takes: after a restart the old one, until a new one is selected.
    fn route_pair(&self, now: Instant) -> Option<PairId> {
        let conclusion = &self.generation.conclusion;
        let previous = self.previous.as_ref().filter(|_| conclusion.selected.is_none());
        previous.and_then(|previous| previous.fresh_route(now)).or(conclusion.route)
    }

    /// Keeps the route on the selected pair, or else on the best valid one. The application is told where data goes.
    pub(super) fn update_route(&mut self, now: Instant) {
        let best = self
            .generation
            .conclusion
            .selected
            .or_else(|| self.best_valid(now).map(|(pair, _)| pair.id));
        self.generation.conclusion.route = best;
        let route = self.route_pair(now);
        if route != self.told_route {
            self.told_route = route;
            self.events.extend(route.map(|pair| Event::RouteChanged { pair }));
        }
    }

    /// As controlling side, nominates the best valid pair when the policy says so.
    pub(super) fn consider_nomination(&mut self, now: Instant) {
        self.generation.conclusion.nominate_at = None;
        let Conclusion { selected, nominating, nomination_failed, .. } = self.generation.conclusion;
        let decided = selected.is_some() || nominating.is_some() || nomination_failed;
        if self.role == Role::Controlled || decided {
            return;
        }
        let Some((pair, valid)) = self.best_valid(now) else { return };
        let id = pair.id;
        let settling = match self.info(pair).is_some_and(|info| info.is_relayed()) {
            true => self.config.nomination.relayed,
            false => self.config.nomination.direct,
        };
        let first_valid = self.generation.conclusion.first_valid.unwrap_or(now);
        let at = settling.nominate_at(first_valid, valid.rtt, self.rivals(pair.priority));
        if at <= now {
            self.generation.conclusion.nominating = Some(id);
            self.generation.checklist.trigger(id);
        } else {
            self.generation.conclusion.nominate_at = Some(at);
        }
    }

    /// The pair is nominated (§7.2.5.3.4, §7.3.1.5). Of several, which only a peer of RFC 5245 nominates, the
    /// best is used (§8.1.1).
    pub(super) fn nominated(&mut self, id: PairId, now: Instant) {
        let Some(pair) = self.generation.checklist.get_mut(id) else { return };
        pair.nominated = true;
        let base = pair.local;
        let priority = priority_when_valid(pair);
        self.generation.conclusion.nominating = None;
        let selected = self
            .generation
            .conclusion
            .selected
            .and_then(|selected| self.generation.checklist.get(selected));
        if selected.is_some_and(|selected| priority_when_valid(selected) >= priority) {
            return;
        }
        self.generation.conclusion.selected = Some(id);
        self.generation.conclusion.nominate_at = None;
        for gone in self.generation.checklist.conclude() {
            self.generation.in_flight.forget(gone);
        }
        // What is left is valid already, and another answer would change nothing.
        self.generation.in_flight.cancel_all(now);
        self.gatherer.stop();
        self.relays.release_unused(base, now);
        self.retire_at = self.previous.as_ref().map(|_| now + CHANGE_OVER);
        self.events.push(Event::PairSelected { pair: id });
    }

    fn best_valid(&self, now: Instant) -> Option<(&Pair, &Valid)> {
        self.generation
            .checklist
            .iter()
            .filter_map(|pair| Some((pair, pair.valid.as_ref()?)))
            .filter(|(_, valid)| valid.consent.is_fresh(now))
            .max_by_key(|(_, valid)| valid.priority)
    }

    /// What a pair has to beat to be worth a check.
    pub(super) fn valid_priority(&self) -> Option<PairPriority> {
        let pair = self.generation.checklist.get(self.generation.conclusion.route?)?;
        pair.valid.as_ref().map(|_| pair.priority)
    }

    /// Unsettled pairs that are better than `priority`.
    fn rivals(&self, priority: PairPriority) -> impl Iterator<Item = Rival> {
        self.generation
            .checklist
            .iter()
            .take_while(move |pair| pair.priority > priority)
            .filter(|pair| is_unsettled(pair.state))
            .map(|pair| Rival { first_check: pair.first_check })
    }
}

/// How long the path of before a restart still receives after the new one is selected: the peer may select it later.
/// As long as candidates are kept after a nomination (RFC 8445 §8.3.1).
const CHANGE_OVER: Duration = Duration::from_secs(3);

fn priority_when_valid(pair: &Pair) -> Option<PairPriority> {
    pair.valid.as_ref().map(|valid| valid.priority)
}
