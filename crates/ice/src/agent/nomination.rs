//! Choosing the pair that is used (RFC 8445 §8.1).

use pinhole_sansio::{FiveTuple, Instant};
use pinhole_turn::client::ToServer;

use super::checks::is_unsettled;
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
        let pair = self.conclusion.route?;
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
        self.conclusion.route.and_then(|pair| self.consented(pair, now)).is_some()
    }

    fn consented(&self, pair: PairId, now: Instant) -> Option<FiveTuple> {
        let pair = self.checklist.get(pair)?;
        let is_fresh = !self.is_over() && pair.valid.as_ref()?.consent.is_fresh(now);
        is_fresh.then(|| pair.five_tuple())
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
        let settling = match self.info(pair).is_some_and(|info| info.is_relayed()) {
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
    pub(super) fn nominated(&mut self, id: PairId, now: Instant) {
        let Some(pair) = self.checklist.get_mut(id) else { return };
        pair.nominated = true;
        let base = pair.local;
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
        self.relays.release_unused(base, now);
        self.events.push(Event::PairSelected { pair: id });
    }

    fn best_valid(&self, now: Instant) -> Option<(&Pair, &Valid)> {
        self.checklist
            .iter()
            .filter_map(|pair| Some((pair, pair.valid.as_ref()?)))
            .filter(|(_, valid)| valid.consent.is_fresh(now))
            .max_by_key(|(_, valid)| valid.priority)
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
