//! Pairs that stand ready for when the selected one breaks, and the change to one of them
//! (draft-thatcher-tsvwg-renomination).

use core::time::Duration;

use pinhole_sansio::Instant;
use pinhole_stun::Retransmission;

use super::Agent;
use crate::abilities::Renomination;
use crate::check::Purpose;
use crate::checklist::Next;
use crate::consent::Power;
use crate::event::SelectionReason;
use crate::pair::{MeanRoundTrip, Pair, PairId, PairState};
use crate::role::Role;
use crate::wire::Nominates;

impl Agent {
    /// How the two sides have agreed to number nominations, if they have.
    pub(super) const fn renomination(&self) -> Option<Renomination> {
        self.local_abilities().renomination_with(self.peer)
    }

    /// Whether the selected pair may change without a restart.
    pub(super) const fn may_renominate(&self) -> bool {
        self.renomination().is_some()
    }

    /// How a check of this purpose nominates its pair, if it does.
    pub(super) fn nominates(&mut self, purpose: Purpose) -> Nominates {
        match (purpose, self.renomination()) {
            (Purpose::Nomination, None) => Nominates::ForGood,
            (Purpose::Nomination, Some(renomination)) => {
                let sent = &mut self.generation.conclusion.nominations;
                *sent = sent.saturating_add(1);
                Nominates::Numbered(renomination, *sent)
            }
            (Purpose::Connectivity | Purpose::Triggered, None) if self.is_aggressive() => {
                Nominates::ForGood
            }
            _ => Nominates::No,
        }
    }

    /// A pair is selected; the others stay in reserve.
    pub(super) fn pause_checks(&mut self, now: Instant) {
        self.generation.checklist.pause(&mut self.events);
        self.generation.in_flight.cancel_all_but(&[], now);
        self.gatherer.stop();
        let search = self.config.backups.map(|backups| now + backups.search);
        self.generation.conclusion.search_at = search;
    }

    /// Whether data looks for another way than the selected pair.
    pub(super) fn may_replace(&self, selected: PairId) -> bool {
        let is_valid = |pair: &Pair| pair.valid.is_some();
        self.may_renominate() && !self.generation.checklist.get(selected).is_some_and(is_valid)
    }

    /// Notes since when the selected pair is in doubt.
    pub(super) fn watch_selected(&mut self, now: Instant) {
        let selected = self.selected();
        let is_in_doubt = self.may_renominate()
            && selected.is_some_and(|pair| {
                pair.valid.as_ref().is_none_or(|valid| valid.consent.missed() > 0)
            });
        let since = self.generation.conclusion.in_doubt_since;
        self.generation.conclusion.in_doubt_since = is_in_doubt.then(|| since.unwrap_or(now));
    }

    /// Checks pairs in reserve that have not answered for long, or not since the selected one is in doubt.
    pub(super) fn handle_backups(&mut self, now: Instant) {
        while let Some((at, id)) = self.next_probe()
            && at <= now
            && self.pacer.is_open(now)
        {
            self.send_check(id, Purpose::Backup, now);
            self.pacer.started(now);
        }
    }

    /// When [`handle_backups`](Self::handle_backups) has something to do.
    pub(super) fn backup_deadline(&self) -> Option<Instant> {
        self.next_probe().map(|(at, _)| at.max(self.pacer.next()))
    }

    fn next_probe(&self) -> Option<(Instant, PairId)> {
        let backups = self.config.backups.filter(|_| self.may_renominate())?;
        let doubt = self.generation.conclusion.in_doubt_since;
        // Without doubt it is for the controlling side to keep pairs warm (§3.1).
        let kept = match (doubt, self.role) {
            (Some(_), _) => usize::MAX,
            (None, Role::Controlling) if self.power == Power::Normal => backups.count,
            (None, Role::Controlling | Role::Controlled) => 0,
        };
        let idle = |pair: &&Pair| !self.generation.in_flight.is_asking(pair.id);
        let at = |pair: &Pair| {
            let answered = pair.valid.as_ref()?.answered;
            let at = match doubt {
                Some(since) if answered < since => since,
                Some(_) => answered + AGAIN,
                None => answered + backups.interval,
            };
            Some((at, pair.id))
        };
        self.reserve().take(kept).filter(idle).filter_map(at).min()
    }

    /// The valid pairs beside the selected one, the best first.
    fn reserve(&self) -> impl Iterator<Item = &Pair> {
        let selected = self.generation.conclusion.selected;
        let pairs = self.generation.checklist.iter().filter(move |pair| Some(pair.id) != selected);
        pairs.filter(move |pair| selected.is_some() && pair.valid.is_some())
    }

    /// When to try a pair that nobody has asked for, so that there are enough in reserve.
    pub(super) fn search_wanted_at(&self) -> Option<Instant> {
        let backups = self.config.backups.filter(|_| self.may_renominate())?;
        let is_ours = self.role == Role::Controlling && self.power == Power::Normal;
        let is_ours = is_ours && self.generation.conclusion.selected.is_some();
        let lacks = self.reserve().count() < backups.count;
        let wants = is_ours && lacks && self.generation.checklist.has_next(None);
        self.generation.conclusion.search_at.filter(|_| wants)
    }

    /// The pair to try, if it is time for one.
    pub(super) fn next_search(&mut self, now: Instant) -> Option<Next> {
        let is_due = self.search_wanted_at().is_some_and(|at| at <= now);
        let backups = self.config.backups.filter(|_| is_due)?;
        self.generation.conclusion.search_at = Some(now + backups.search);
        self.generation.checklist.next(None, &mut self.events)
    }

    /// As controlling side, nominates another pair when the selected one has fallen silent, or is much worse.
    pub(super) fn consider_renomination(&mut self, now: Instant) {
        let is_ours = self.role == Role::Controlling && self.may_renominate();
        if !is_ours || self.generation.conclusion.nominating.is_some() {
            return;
        }
        let Some(selected) = self.selected() else { return };
        let (id, is_lost) = (selected.id, is_lost(selected));
        let next = match is_lost {
            true => self.failover(),
            false => self.improvement(selected, now),
        };
        let Some((next, reason)) = next else { return };
        if is_lost && let Some(pair) = self.generation.checklist.get_mut(id) {
            pair.shunned_until = Some(now + SHUN);
        }
        self.nominate(next, reason);
    }

    /// The best pair that has answered since the selected one did not.
    fn failover(&self) -> Option<(PairId, SelectionReason)> {
        let since = self.generation.conclusion.in_doubt_since?;
        let answers =
            |pair: &&Pair| pair.valid.as_ref().is_some_and(|valid| valid.answered > since);
        let next = self.reserve().find(answers)?;
        Some((next.id, SelectionReason::Failover))
    }

    fn improvement(&self, selected: &Pair, now: Instant) -> Option<(PairId, SelectionReason)> {
        let consents = |pair: &&Pair| pair.valid.as_ref().is_some_and(|v| v.consent.is_fresh(now));
        let is_shunned = |pair: &Pair| pair.shunned_until.is_some_and(|until| now < until);
        self.reserve().filter(consents).filter(|pair| !is_shunned(pair)).find_map(|pair| {
            if is_slower(selected, pair, MeanRoundTrip::settled) {
                Some((pair.id, SelectionReason::Faster))
            } else if pair.priority > selected.priority
                && !is_slower(pair, selected, MeanRoundTrip::so_far)
            {
                Some((pair.id, SelectionReason::Better))
            } else {
                None
            }
        })
    }

    /// Whether something may still come of the session although its selected pair is gone.
    pub(super) fn may_recover(&self) -> bool {
        let is_hope = |pair: &Pair| pair.valid.is_some() || pair.state != PairState::Failed;
        self.may_renominate() && self.generation.checklist.iter().any(is_hope)
    }

    pub(super) fn selected(&self) -> Option<&Pair> {
        self.generation.checklist.get(self.generation.conclusion.selected?)
    }
}

/// Two checks in a row have missed their answer, or the pair has failed.
fn is_lost(selected: &Pair) -> bool {
    selected.valid.as_ref().is_none_or(|valid| valid.consent.missed() >= MISSED)
}

/// Whether it takes more than twice as long, as far as this mean tells: by so much that the two do not change places
/// again and again.
fn is_slower(pair: &Pair, other: &Pair, mean: fn(MeanRoundTrip) -> Option<Duration>) -> bool {
    let mean = |pair: &Pair| mean(pair.valid.as_ref()?.mean);
    mean(pair).zip(mean(other)).is_some_and(|(pair, other)| pair > other * 2 + MARGIN)
}

/// Checks of pairs in reserve, and nominations once a pair is selected, which need not wait for a NAT to open.
pub(super) const BACKUP: Retransmission = Retransmission {
    rto: Duration::from_millis(500),
    rc: 3,
    rm: 1,
    longest: Duration::from_millis(500),
    // Of no account: checks go over UDP.
    ti: Duration::from_millis(2_000),
};
/// The missed answers that end a pair's being selected.
const MISSED: u32 = 2;
/// How often a pair in reserve is checked while the selected one is in doubt.
const AGAIN: Duration = Duration::from_secs(5);
/// How long a pair that fell silent is not gone back to for its priority alone.
const SHUN: Duration = Duration::from_secs(60);
/// A difference of round-trip times that nobody feels.
const MARGIN: Duration = Duration::from_millis(10);
