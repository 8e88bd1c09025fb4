//! The checklist of a data stream: its pairs in order, and which to check next (RFC 8445 §6.1.2, §6.1.4).

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use pinhole_sansio::{FiveTuple, Instant};

use crate::candidate::TransportAddress;
use crate::event::{Event, Events};
use crate::pair::{Pair, PairFailure, PairId, PairPriority, PairState, Repeat};
use crate::stats::PairStats;

/// Pairs by descending priority, and the triggered-check queue.
#[derive(Debug, Default)]
pub(crate) struct Checklist {
    pairs: Vec<Pair>,
    triggered: VecDeque<PairId>,
    next_id: u32,
    /// How often a pair was added or changed its state.
    changes: u64,
    elsewhere: Elsewhere,
}

/// The foundations of pairs on the other checklists of the session, if there are any.
#[derive(Debug, Default)]
pub(crate) struct Elsewhere {
    /// Of those that are Waiting or In-Progress.
    pub(crate) on_their_way: BTreeSet<(u16, u16)>,
    /// Of those that have Succeeded.
    pub(crate) succeeded: BTreeSet<(u16, u16)>,
}

/// A pair to check, and why (§6.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The peer's check, a conflict or a nomination asked for it.
    Triggered(PairId),
    /// It is its turn.
    Ordinary(PairId),
}

/// What it takes to make a pair.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewPair {
    pub(crate) local: TransportAddress,
    pub(crate) remote: TransportAddress,
    pub(crate) foundation: (u16, u16),
    pub(crate) priority: PairPriority,
}

impl Checklist {
    /// An empty list whose first pair gets this number.
    pub(crate) fn starting_at(next_id: u32) -> Self {
        Self { next_id, ..Self::default() }
    }

    /// The number of the next pair.
    pub(crate) const fn next_id(&self) -> u32 {
        self.next_id
    }

    /// Inserts a Frozen pair by its priority, unless it is redundant (§6.1.2.4). With `limit` pairs on the
    /// list, the least of those that were never checked makes room, or else the new one is left out
    /// (§6.1.2.5).
    pub(crate) fn insert(&mut self, new: NewPair, limit: usize) -> Option<PairId> {
        if self.find(new.local, new.remote).is_some() {
            return None;
        }
        if self.pairs.len() >= limit {
            let least = self.pairs.iter().rposition(|pair| pair.first_check.is_none())?;
            if self.pairs.get(least)?.priority >= new.priority {
                return None;
            }
            let dropped = self.pairs.remove(least);
            self.triggered.retain(|id| *id != dropped.id);
        }
        self.changes += 1;
        let id = PairId(self.next_id);
        self.next_id += 1;
        let position = self.pairs.partition_point(|pair| pair.priority >= new.priority);
        self.pairs.insert(position, new.into_pair(id));
        Some(id)
    }

    /// One pair of each foundation that has none on its way goes from Frozen to Waiting: the one with the
    /// highest priority (§6.1.2.6 step 4, and §6.1.4.2 step 2 for the rest). Where a pair of the same
    /// foundation has succeeded, all do (§7.2.5.3.3).
    pub(crate) fn unfreeze(&mut self, events: &mut Events) {
        for index in 0..self.pairs.len() {
            let thaws = |pair: &&Pair| self.may_thaw(pair);
            if let Some(id) = self.pairs.get(index).filter(thaws).map(|pair| pair.id) {
                self.set_state(id, PairState::Waiting, events);
            }
        }
    }

    fn may_thaw(&self, frozen: &Pair) -> bool {
        let mut alike = self.pairs.iter().filter(|pair| pair.foundation == frozen.foundation);
        let on_its_way =
            |pair: &Pair| matches!(pair.state, PairState::Waiting | PairState::InProgress);
        let Elsewhere { on_their_way, succeeded } = &self.elsewhere;
        frozen.state == PairState::Frozen
            && (alike.clone().any(|pair| pair.state == PairState::Succeeded)
                || succeeded.contains(&frozen.foundation)
                || !(alike.any(on_its_way) || on_their_way.contains(&frozen.foundation)))
    }

    /// How the other checklists of the session stand now.
    pub(crate) fn look_elsewhere(&mut self, elsewhere: Elsewhere, events: &mut Events) {
        self.elsewhere = elsewhere;
        self.unfreeze(events);
    }

    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    /// Takes the pair to check now: the first triggered one, else one that is Waiting (§6.1.4.2).
    /// Where a pair is valid, only better ones are worth a check that nobody asked for.
    pub(crate) fn next(
        &mut self,
        valid: Option<PairPriority>,
        events: &mut Events,
    ) -> Option<Next> {
        if let Some(id) = self.triggered.pop_front() {
            return Some(Next::Triggered(id));
        }
        if self.next_waiting(valid).is_none() {
            self.unfreeze(events);
        }
        self.next_waiting(valid).map(Next::Ordinary)
    }

    /// Whether [`next`](Self::next) would give a pair.
    pub(crate) fn has_next(&self, valid: Option<PairPriority>) -> bool {
        let mut better = self.better_than(valid);
        !self.triggered.is_empty()
            || better.any(|pair| pair.state == PairState::Waiting || self.may_thaw(pair))
    }

    /// Puts a pair into the triggered-check queue, once (§7.3.1.4).
    pub(crate) fn trigger(&mut self, id: PairId) {
        if !self.triggered.contains(&id) {
            self.triggered.push_back(id);
        }
    }

    pub(crate) fn untrigger(&mut self, id: PairId) {
        self.triggered.retain(|queued| *queued != id);
        if let Some(pair) = self.get_mut(id) {
            pair.trigger_at = None;
        }
    }

    /// A pair whose check the peer has asked for, now that the wait for the answer to an earlier one is over.
    pub(crate) fn next_overdue(&mut self, now: Instant) -> Option<PairId> {
        let overdue = |pair: &&mut Pair| pair.trigger_at.is_some_and(|at| at <= now);
        let pair = self.pairs.iter_mut().find(overdue)?;
        pair.trigger_at = None;
        Some(pair.id)
    }

    /// When [`next_overdue`](Self::next_overdue) gives a pair.
    pub(crate) fn overdue_at(&self) -> Option<Instant> {
        self.pairs.iter().filter_map(|pair| pair.trigger_at).min()
    }

    /// A pair whose first check is to be repeated now; later than a retransmission would be, it is not.
    pub(crate) fn next_repeat(
        &mut self,
        valid: Option<PairPriority>,
        now: Instant,
    ) -> Option<PairId> {
        self.pairs.iter_mut().find_map(|pair| {
            let at = pair.repeat_at(valid).filter(|at| *at <= now)?;
            pair.repeat = Repeat::Over;
            (now < at + REPEAT_WITHIN).then_some(pair.id)
        })
    }

    /// When [`next_repeat`](Self::next_repeat) gives a pair.
    pub(crate) fn repeat_at(&self, valid: Option<PairPriority>) -> Option<Instant> {
        self.pairs.iter().filter_map(|pair| pair.repeat_at(valid)).min()
    }

    /// Keeps the valid pairs only, and `undecided` ones: nothing more is to be checked (§8.1.2). Returns those that went.
    pub(crate) fn conclude(&mut self, undecided: &[PairId]) -> Vec<Pair> {
        let (kept, gone) = core::mem::take(&mut self.pairs)
            .into_iter()
            .partition(|pair: &Pair| pair.valid.is_some() || undecided.contains(&pair.id));
        self.pairs = kept;
        self.triggered.retain(|id| undecided.contains(id));
        gone
    }

    /// Ends what is on its way: a pair is selected, and what has not answered yet is not worth more of it. Pairs that
    /// were never checked stay for later.
    pub(crate) fn pause(&mut self, events: &mut Events) {
        self.triggered.clear();
        for index in 0..self.pairs.len() {
            let Some(pair) = self.pairs.get_mut(index) else { return };
            pair.trigger_at = None;
            if pair.valid.is_none() && pair.first_check.is_some() {
                pair.failure.get_or_insert(PairFailure::Timeout);
                let id = pair.id;
                self.set_state(id, PairState::Failed, events);
            }
        }
    }

    /// Forgets the pairs from this address that no check was sent on.
    pub(crate) fn forget_unchecked(&mut self, local: TransportAddress) {
        let (gone, kept) = core::mem::take(&mut self.pairs)
            .into_iter()
            .partition(|pair: &Pair| pair.local == local && pair.first_check.is_none());
        self.pairs = kept;
        let gone: Vec<Pair> = gone;
        self.triggered.retain(|id| gone.iter().all(|pair| pair.id != *id));
    }

    /// Forgets these pairs.
    pub(crate) fn forget(&mut self, gone: &[PairId]) {
        self.pairs.retain(|pair| !gone.contains(&pair.id));
        self.triggered.retain(|id| !gone.contains(id));
    }

    pub(crate) fn set_state(&mut self, id: PairId, state: PairState, events: &mut Events) {
        if let Some(pair) = self.get_mut(id)
            && pair.state != state
        {
            pair.state = state;
            self.changes += 1;
            events.push(Event::PairStateChanged { pair: id, state });
        }
    }

    /// Recomputes every priority, after a change of roles or of a candidate (§6.1.2.3), and reorders.
    pub(crate) fn reprioritize(&mut self, mut compute: impl FnMut(&mut Pair)) {
        self.pairs.iter_mut().for_each(&mut compute);
        self.pairs.sort_by_key(|pair| core::cmp::Reverse(pair.priority));
    }

    pub(crate) fn find(&self, local: TransportAddress, remote: TransportAddress) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.local == local && pair.remote == remote)
    }

    /// A pair whose connection has not come about in time.
    pub(crate) fn next_unconnected(&self, now: Instant) -> Option<PairId> {
        let overdue = |pair: &&Pair| pair.connecting_until.is_some_and(|at| at <= now);
        self.pairs.iter().find(overdue).map(|pair| pair.id)
    }

    /// When [`next_unconnected`](Self::next_unconnected) gives a pair.
    pub(crate) fn unconnected_at(&self) -> Option<Instant> {
        self.pairs.iter().filter_map(|pair| pair.connecting_until).min()
    }

    /// All open connections to the peer.
    pub(crate) fn connections(&self) -> impl Iterator<Item = FiveTuple> {
        self.pairs.iter().filter_map(|pair| pair.connection)
    }

    /// The pair that this five-tuple belongs to.
    pub(crate) fn of_five_tuple_mut(&mut self, five_tuple: FiveTuple) -> Option<&mut Pair> {
        self.pairs.iter_mut().find(|pair| pair.five_tuple() == Some(five_tuple))
    }

    pub(crate) fn of_five_tuple(&self, five_tuple: FiveTuple) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.five_tuple() == Some(five_tuple))
    }

    pub(crate) fn get(&self, id: PairId) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.id == id)
    }

    pub(crate) fn get_mut(&mut self, id: PairId) -> Option<&mut Pair> {
        self.pairs.iter_mut().find(|pair| pair.id == id)
    }

    /// All pairs, the best first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Pair> {
        self.pairs.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Pair> {
        self.pairs.iter_mut()
    }

    /// The best kind of pair first, as §6.1.4.2 has it, and of one kind first the pairs whose addresses were tried the
    /// least: a dead interface, of which machines have many, then costs a check or two and not one for each address
    /// of the peer's.
    fn next_waiting(&self, valid: Option<PairPriority>) -> Option<PairId> {
        let is_waiting = |pair: &&Pair| pair.state == PairState::Waiting;
        let mut waiting = self.better_than(valid).filter(is_waiting).peekable();
        let kind = waiting.peek()?.priority.kind();
        let alike = waiting.take_while(|pair| pair.priority.kind() == kind);
        alike.min_by_key(|pair| self.times_tried(pair)).map(|pair| pair.id)
    }

    fn better_than(&self, valid: Option<PairPriority>) -> impl Iterator<Item = &Pair> {
        self.pairs.iter().take_while(move |pair| valid.is_none_or(|valid| pair.priority > valid))
    }

    /// How many checks have gone from the address of this pair, or to it.
    fn times_tried(&self, pair: &Pair) -> usize {
        let tried = self.pairs.iter().filter(|tried| tried.first_check.is_some());
        tried
            .map(|tried| {
                usize::from(tried.local == pair.local) + usize::from(tried.remote == pair.remote)
            })
            .sum()
    }
}

/// From when a check may be repeated until it is retransmitted at the earliest.
const REPEAT_WITHIN: Duration = Duration::from_millis(300);

impl NewPair {
    fn into_pair(self, id: PairId) -> Pair {
        Pair {
            id,
            local: self.local,
            remote: self.remote,
            connection: None,
            connecting_until: None,
            foundation: self.foundation,
            priority: self.priority,
            state: PairState::Frozen,
            valid: None,
            nominate_when_valid: None,
            nominated: false,
            trigger_at: None,
            repeat: Repeat::Unplanned,
            shunned_until: None,
            first_check: None,
            stats: PairStats::default(),
            failure: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::SocketAddr;

    fn pair(host: u8, foundation: u16, priority: u64) -> NewPair {
        let address = |last, port| SocketAddr::from(([192, 0, 2, last], port));
        NewPair {
            local: address(1, 1).into(),
            remote: address(host, 2).into(),
            foundation: (0, foundation),
            priority: PairPriority(priority),
        }
    }

    fn priorities(list: &Checklist) -> Vec<u64> {
        list.iter().map(|pair| pair.priority.0).collect()
    }

    #[test]
    fn pairs_stand_in_order_of_priority_and_only_once() {
        let mut list = Checklist::default();
        for (host, priority) in [(2, 5), (3, 9), (4, 7)] {
            assert!(list.insert(pair(host, 0, priority), 100).is_some());
        }
        assert_eq!(list.insert(pair(3, 0, 1), 100), None, "redundant with a better pair");
        assert_eq!(priorities(&list), [9, 7, 5]);
    }

    #[test]
    fn the_limit_keeps_the_best_pairs() {
        // CHECKLIST 40, I2.
        let mut list = Checklist::default();
        for host in 0..=255 {
            list.insert(pair(host, 0, u64::from(host)), 100);
        }
        assert_eq!(priorities(&list), (156..=255).rev().collect::<Vec<_>>());
        assert_eq!(list.insert(pair(1, 0, 1), 100), None);
    }

    #[test]
    fn one_pair_of_each_foundation_goes_first() {
        // RFC 8445 §6.1.2.6.
        let (mut list, mut events) = (Checklist::default(), Events::default());
        let ids = [(2, 0, 9), (3, 0, 8), (4, 1, 7)].map(|(host, foundation, priority)| {
            list.insert(pair(host, foundation, priority), 100).unwrap()
        });
        list.unfreeze(&mut events);
        let states = |list: &Checklist| ids.map(|id| list.get(id).unwrap().state);
        assert_eq!(states(&list), [PairState::Waiting, PairState::Frozen, PairState::Waiting]);

        list.set_state(ids[0], PairState::Succeeded, &mut events);
        list.unfreeze(&mut events);
        assert_eq!(
            states(&list)[1],
            PairState::Waiting,
            "unfrozen by the success of its foundation"
        );
    }

    #[test]
    fn frozen_pairs_wait_for_the_one_that_is_on_its_way() {
        // RFC 8445 §6.1.4.2, step 2.
        let (mut list, mut events) = (Checklist::default(), Events::default());
        let [first, second] = [9, 8].map(|p| list.insert(pair(p, 0, p.into()), 100).unwrap());
        assert_eq!(list.next(None, &mut events), Some(Next::Ordinary(first)));
        list.set_state(first, PairState::InProgress, &mut events);
        assert!(!list.has_next(None));
        assert_eq!(list.next(None, &mut events), None);
        list.set_state(first, PairState::Failed, &mut events);
        assert!(list.has_next(None));
        assert_eq!(list.next(None, &mut events), Some(Next::Ordinary(second)));
    }

    #[test]
    fn each_address_is_tried_before_one_is_tried_again() {
        let (mut list, mut events) = (Checklist::default(), Events::default());
        let (one, other) =
            (SocketAddr::from(([192, 0, 2, 1], 1)), SocketAddr::from(([192, 0, 2, 2], 1)));
        let mut ids = Vec::new();
        for (local, host, priority) in [(one, 8, 9_u16), (one, 9, 8), (other, 8, 7), (other, 9, 6)]
        {
            let new = NewPair { local: local.into(), ..pair(host, 0, priority.into()) };
            ids.push(
                list.insert(NewPair { foundation: (u16::from(host), priority), ..new }, 100)
                    .unwrap(),
            );
        }
        let order: Vec<_> = core::iter::from_fn(|| {
            let Some(Next::Ordinary(id)) = list.next(None, &mut events) else { return None };
            list.set_state(id, PairState::InProgress, &mut events);
            list.get_mut(id)?.first_check = Some(Instant::ZERO);
            Some(id)
        })
        .take(4)
        .collect();
        assert_eq!(
            order,
            [ids[0], ids[3], ids[1], ids[2]],
            "the second pair shares no address with the first"
        );
    }

    #[test]
    fn a_triggered_pair_overtakes_better_ones() {
        let (mut list, mut events) = (Checklist::default(), Events::default());
        let [best, worst] =
            [9, 1].map(|p| list.insert(pair(p, u16::from(p), p.into()), 100).unwrap());
        list.trigger(worst);
        list.trigger(worst);
        assert_eq!(list.next(None, &mut events), Some(Next::Triggered(worst)));
        assert_eq!(list.next(None, &mut events), Some(Next::Ordinary(best)));
    }
}
