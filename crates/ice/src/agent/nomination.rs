//! Choosing the pair that is used (RFC 8445 §8.1).

use alloc::vec::Vec;
use core::time::Duration;

use pinhole_sansio::{FiveTuple, Instant};
use pinhole_turn::client::ToServer;

use super::checks::is_unsettled;
use super::generation::{Conclusion, Generation};
use super::{Agent, Route};
use crate::event::{Event, SelectionReason};
use crate::pair::{Nominated, Pair, PairId, PairPriority, PairState, Valid};
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
        let route = if self.is_relayed(five_tuple) {
            let sent = self.relays.send(five_tuple.local, five_tuple.remote, length, now)?;
            let ToServer { five_tuple, header, padding } = sent;
            Route { pair, five_tuple, header: Some(header), padding }
        } else {
            Route { pair, five_tuple, header: None, padding: 0 }
        };
        if let Some(pair) = self.find_pair_mut(pair) {
            pair.stats.sent(length, now);
        }
        Some(route)
    }

    fn find_pair_mut(&mut self, pair: PairId) -> Option<&mut Pair> {
        let previous = self.previous.as_mut().map(|previous| &mut previous.checklist);
        let mut lists = [Some(&mut self.generation.checklist), previous].into_iter().flatten();
        lists.find_map(|list| list.get_mut(pair))
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
        pair.five_tuple().filter(|_| is_fresh)
    }

    /// The pair that data takes: after a restart the old one, until a new one is selected.
    fn route_pair(&self, now: Instant) -> Option<PairId> {
        let conclusion = &self.generation.conclusion;
        let previous = self.previous.as_ref().filter(|_| conclusion.selected.is_none());
        previous.and_then(|previous| previous.fresh_route(now)).or(conclusion.route)
    }

    /// Keeps the route on the selected pair, or else on the best valid one. The application is told where data goes.
    pub(super) fn update_route(&mut self, now: Instant) {
        let selected = self.generation.conclusion.selected.filter(|id| !self.may_replace(*id));
        let best = selected.or_else(|| self.best_valid(now).map(|(pair, _)| pair.id));
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
        let at =
            if self.awaits_check(pair) { at.max(first_valid + courtesy(valid.rtt)) } else { at };
        if at <= now {
            self.nominate(id, SelectionReason::Best);
        } else {
            self.generation.conclusion.nominate_at = Some(at);
        }
    }

    /// Whether the peer has not checked the pair yet, as a full agent does: a nomination would come while its own check
    /// is on its way, which not every peer takes well.
    fn awaits_check(&self, pair: &Pair) -> bool {
        !self.peer.lite && pair.stats.requests_received == 0
    }

    /// Asks the peer to use the pair.
    pub(super) fn nominate(&mut self, id: PairId, reason: SelectionReason) {
        self.generation.conclusion.nominating = Some(id);
        self.generation.conclusion.reason = reason;
        self.generation.checklist.trigger(id);
    }

    /// The peer has accepted this side's nomination (§7.2.5.3.4).
    pub(super) fn nomination_accepted(&mut self, id: PairId, now: Instant) {
        let is_current = self.generation.conclusion.nominating == Some(id);
        if self.may_renominate() && !is_current {
            return;
        }
        let reason = self.generation.conclusion.reason;
        self.select(id, reason, now);
    }

    /// The peer has nominated the pair (§7.3.1.5). Of several, which only a peer of RFC 5245 nominates, the best is
    /// used (§8.1.1); where the two sides have agreed on that, the one with the highest number.
    pub(super) fn nominated(&mut self, id: PairId, nominated: Nominated, now: Instant) {
        let conclusion = &mut self.generation.conclusion;
        match nominated {
            Nominated::Numbered(number) => {
                if conclusion.highest_nomination.is_some_and(|highest| number <= highest) {
                    return;
                }
                conclusion.highest_nomination = Some(number);
            }
            Nominated::ForGood if self.is_worse_than_selected(id, now) => {
                // The peer may send on it all the same.
                let pair = self.generation.checklist.get(id);
                return pair.into_iter().for_each(|pair| self.relays.keep(pair.local.address));
            }
            Nominated::ForGood => {}
        }
        self.select(id, SelectionReason::Nominated, now);
    }

    /// Whether each check nominates its pair (RFC 5245 §8.1.1.2), which must not be with TCP (RFC 6544 §8).
    pub(super) fn is_aggressive(&self) -> bool {
        let is_old = !self.peer.ice2 && !self.may_renominate();
        let is_wanted = self.config.nomination.aggressive && is_old;
        is_wanted && self.role == Role::Controlling && !self.has_tcp()
    }

    /// A check that nominated its pair was answered: of those the best is used (RFC 5245 §8.1.1.2).
    pub(super) fn aggressive_nomination_accepted(&mut self, id: PairId, now: Instant) {
        if !self.is_worse_than_selected(id, now) {
            self.select(id, SelectionReason::Best, now);
        }
    }

    /// Among nominations that come one after the other, as those of RFC 5245 do. One that comes much later says that
    /// the peer has changed over, as where a NAT has changed its address.
    fn is_worse_than_selected(&self, id: PairId, now: Instant) -> bool {
        let valid = |id| self.generation.checklist.get(id)?.valid.as_ref();
        let selected = self.generation.conclusion.selected.and_then(valid);
        let selected_at = self.generation.conclusion.selected_at;
        let is_new = selected_at.is_some_and(|at| now < at + AGGRESSIVE);
        let selected = selected.filter(|_| is_new);
        selected.is_some_and(|selected| Some(selected.priority) >= valid(id).map(|v| v.priority))
    }

    pub(super) fn select(&mut self, id: PairId, reason: SelectionReason, now: Instant) {
        let Some(pair) = self.generation.checklist.get_mut(id) else { return };
        pair.nominated = true;
        let base = pair.local.address;
        let conclusion = &mut self.generation.conclusion;
        (conclusion.nominating, conclusion.nominate_at) = (None, None);
        let before = conclusion.selected.replace(id);
        if before == Some(id) {
            return;
        }
        conclusion.selected_at = Some(now);
        // What was said before is overtaken.
        if let Some(before) = before.and_then(|id| self.generation.checklist.get_mut(id)) {
            before.nominated = false;
        }
        if self.may_renominate() {
            self.pause_checks(now);
        } else {
            self.relays.keep(base);
            self.end_checks(now);
        }
        self.retire_at = self.previous.as_ref().map(|_| now + CHANGE_OVER);
        self.events.push(Event::PairSelected { pair: id, reason });
    }

    /// No other pair can be selected without a restart (§8.1.2, §8.3), but for those that were nominated already.
    fn end_checks(&mut self, now: Instant) {
        let kept = self.undecided();
        for gone in self.generation.checklist.conclude(&kept) {
            self.generation.in_flight.forget(gone.id);
            self.hang_up(gone.connection);
        }
        // What is left is valid already, and another answer would change nothing.
        self.generation.in_flight.cancel_all_but(&kept, now);
        self.gatherer.stop();
        self.relays.release_unused(now);
    }

    /// The pairs that were nominated, too, and have not answered yet: aggressively by us, and the peer may take those that
    /// are better than the selected one; or by a peer of RFC 5245, which may send on any of them. They "continue"
    /// (RFC 5245 §8.1.2).
    fn undecided(&self) -> Vec<PairId> {
        let Generation { conclusion, checklist, .. } = &self.generation;
        let mut is_better = true;
        let is_undecided = |pair: &&Pair| {
            is_better &= Some(pair.id) != conclusion.selected;
            let is_ours = is_better && pair.state == PairState::InProgress && self.is_aggressive();
            is_ours || (pair.nominate_when_valid.is_some() && pair.valid.is_none())
        };
        checklist.iter().filter(is_undecided).map(|pair| pair.id).collect()
    }

    pub(super) fn best_valid(&self, now: Instant) -> Option<(&Pair, &Valid)> {
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

/// How long the peer's own check of a pair is waited for: it follows ours at the peer's next Ta.
fn courtesy(rtt: Option<Duration>) -> Duration {
    rtt.unwrap_or_default() + Duration::from_millis(100)
}

/// How long a peer that nominates every pair that works may go on to do so.
const AGGRESSIVE: Duration = Duration::from_secs(5);
/// How long the path of before a restart still receives after the new one is selected: the peer may select it later.
/// As long as candidates are kept after a nomination (RFC 8445 §8.3.1).
const CHANGE_OVER: Duration = Duration::from_secs(3);
