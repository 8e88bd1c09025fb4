use alloc::vec::Vec;
use core::ops::RangeInclusive;

use rand::{Rng, RngExt};

/// The free ports of a relay host, from which any, an even one, or two in a row can be taken in constant
/// time (RFC 6056).
#[derive(Debug)]
pub(super) struct PortPool {
    free: Set,
    /// Half of each free even port.
    even: Set,
    /// Half of each even port that is free with its successor.
    pairs: Set,
}

impl PortPool {
    pub(super) fn new(range: &RangeInclusive<u16>) -> Self {
        let halves = range.start() / 2..=range.end() / 2;
        let (even, pairs) = (Set::new(&halves), Set::new(&halves));
        let mut pool = Self { free: Set::new(range), even, pairs };
        range.clone().for_each(|port| pool.release(port));
        pool
    }

    /// Takes a random port.
    pub(super) fn take_any(&mut self, rng: &mut impl Rng) -> Option<u16> {
        let port = self.free.random(rng)?;
        self.take(port);
        Some(port)
    }

    /// Takes a random even port; with `pair`, one whose successor is free, and takes that too.
    pub(super) fn take_even(&mut self, pair: bool, rng: &mut impl Rng) -> Option<u16> {
        let set = if pair { &self.pairs } else { &self.even };
        let port = set.random(rng)? * 2;
        self.take(port);
        if pair {
            self.take(port + 1);
        }
        Some(port)
    }

    /// Puts a port back that was taken.
    pub(super) fn release(&mut self, port: u16) {
        self.free.insert(port);
        let even = port & !1;
        if even == port {
            self.even.insert(port / 2);
        }
        if self.free.contains(even) && self.free.contains(even | 1) {
            self.pairs.insert(port / 2);
        }
    }

    pub(super) const fn free_ports(&self) -> usize {
        self.free.items.len()
    }

    fn take(&mut self, port: u16) {
        self.free.remove(port);
        self.pairs.remove(port / 2);
        if port.is_multiple_of(2) {
            self.even.remove(port / 2);
        }
    }
}

/// Some of the numbers of a range; any of them is found in constant time.
#[derive(Debug)]
struct Set {
    first: u16,
    items: Vec<u16>,
    /// Where in `items` each number of the range is, or [`ABSENT`].
    places: Vec<u32>,
}

const ABSENT: u32 = u32::MAX;

impl Set {
    /// None of these numbers yet.
    fn new(range: &RangeInclusive<u16>) -> Self {
        let places = range.clone().map(|_| ABSENT).collect();
        Self { first: *range.start(), items: Vec::new(), places }
    }

    fn insert(&mut self, number: u16) {
        let place = u32::try_from(self.items.len()).unwrap_or(ABSENT);
        let Some(entry) = self.entry(number) else { return };
        if *entry == ABSENT {
            *entry = place;
            self.items.push(number);
        }
    }

    fn remove(&mut self, number: u16) {
        let Some(entry) = self.entry(number) else { return };
        let place = core::mem::replace(entry, ABSENT);
        if place == ABSENT {
            return;
        }
        let index = usize::try_from(place).unwrap_or(usize::MAX);
        self.items.swap_remove(index);
        if let Some(moved) = self.items.get(index).copied()
            && let Some(entry) = self.entry(moved)
        {
            *entry = place;
        }
    }

    fn contains(&self, number: u16) -> bool {
        let index = number.checked_sub(self.first).map(usize::from);
        index.and_then(|index| self.places.get(index)).is_some_and(|&place| place != ABSENT)
    }

    fn random(&self, rng: &mut impl Rng) -> Option<u16> {
        let count = self.items.len();
        (count > 0).then(|| self.items.get(rng.random_range(0..count)).copied())?
    }

    fn entry(&mut self, number: u16) -> Option<&mut u32> {
        self.places.get_mut(usize::from(number.checked_sub(self.first)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha12Rng;
    use std::collections::BTreeSet;

    #[test]
    fn every_port_is_given_out_once_and_comes_back() {
        let mut rng = ChaCha12Rng::from_seed([1; 32]);
        let mut pool = PortPool::new(&(65_000..=65_535));
        for _ in 0..3 {
            let taken: BTreeSet<u16> = core::iter::from_fn(|| pool.take_any(&mut rng)).collect();
            assert_eq!((taken.len(), pool.free_ports()), (536, 0));
            assert_eq!(pool.take_even(false, &mut rng), None);
            taken.iter().for_each(|&port| pool.release(port));
            pool.release(65_000);
            assert_eq!(pool.free_ports(), 536, "a port comes back once");
        }
    }

    #[test]
    fn even_ports_and_pairs() {
        let mut rng = ChaCha12Rng::from_seed([2; 32]);
        let mut pool = PortPool::new(&(49_152..=49_158));
        let pairs: Vec<u16> = (0..3).filter_map(|_| pool.take_even(true, &mut rng)).collect();
        assert_eq!(pairs.iter().copied().collect::<BTreeSet<_>>().len(), 3);
        assert!(pairs.iter().all(|port| port % 2 == 0));
        assert_eq!(pool.take_even(true, &mut rng), None, "49158 has no successor");
        assert_eq!(pool.take_even(false, &mut rng), Some(49_158));
        assert_eq!(pool.free_ports(), 0);
    }

    /// Against a table of what is free, over ranges that begin and end at odd and even ports.
    #[test]
    fn random_steps_keep_the_three_sets_together() {
        let mut rng = ChaCha12Rng::from_seed([4; 32]);
        for range in [50_000..=50_009, 50_001..=50_009, 50_001..=50_010, 65_530..=65_535, 0..=7] {
            let mut pool = PortPool::new(&range);
            let mut free: BTreeSet<u16> = range.clone().collect();
            for step in 0..2_000 {
                let evens: Vec<u16> = free.iter().copied().filter(|p| p % 2 == 0).collect();
                let is_pair = |port: &u16| free.contains(&(port | 1));
                let pairs: Vec<u16> = evens.iter().copied().filter(is_pair).collect();
                let (taken, possible, count) = match rng.next_u32() % 5 {
                    0 => (pool.take_any(&mut rng), free.iter().copied().collect(), 1),
                    1 => (pool.take_even(false, &mut rng), evens, 1),
                    2 => (pool.take_even(true, &mut rng), pairs, 2),
                    _ => {
                        let port = range.start().saturating_add((rng.next_u32() % 10) as u16);
                        pool.release(port);
                        free.extend(Some(port).filter(|port| range.contains(port)));
                        continue;
                    }
                };
                assert_eq!(taken.is_none(), possible.is_empty(), "{range:?} {step}");
                for port in taken.into_iter().flat_map(|port| port..=port + (count - 1)) {
                    assert!(free.remove(&port), "{port} was not free");
                }
                assert!(taken.is_none_or(|port| possible.contains(&port)));
                assert_eq!(pool.free_ports(), free.len());
            }
        }
    }

    /// CHECKLIST 21: the next port cannot be predicted.
    #[test]
    fn ports_are_spread_evenly() {
        let mut rng = ChaCha12Rng::from_seed([3; 32]);
        let mut pool = PortPool::new(&(49_152..=65_535));
        let ports: Vec<u16> = (0..10_000).filter_map(|_| pool.take_any(&mut rng)).collect();
        let ascents = ports.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((4_800..5_200).contains(&ascents), "{ascents} ascents");
        let close = ports.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) < 4).count();
        assert!(close < 30, "{close} neighbours");
    }
}
