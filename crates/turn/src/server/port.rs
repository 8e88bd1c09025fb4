use alloc::vec::Vec;
use core::ops::RangeInclusive;

use rand::{Rng, RngExt};

/// The free ports of a relay host, from which any can be taken in constant time (RFC 6056).
#[derive(Debug)]
pub(super) struct PortPool {
    first: u16,
    free: Vec<u16>,
    /// Where in `free` each port of the range is, or [`TAKEN`].
    places: Vec<u32>,
}

const TAKEN: u32 = u32::MAX;

impl PortPool {
    pub(super) fn new(range: &RangeInclusive<u16>) -> Self {
        let free: Vec<u16> = range.clone().collect();
        let places = (0..).take(free.len()).collect();
        Self { first: *range.start(), free, places }
    }

    /// Takes a random port.
    pub(super) fn take_any(&mut self, rng: &mut impl Rng) -> Option<u16> {
        let start = self.start(rng)?;
        self.free.get(start).copied().filter(|&port| self.take(port))
    }

    /// Takes a random even port; with `pair`, one whose successor is free, and takes that too.
    pub(super) fn take_even(&mut self, pair: bool, rng: &mut impl Rng) -> Option<u16> {
        let start = self.start(rng)?;
        let (before, after) = self.free.split_at(start);
        let fits = |port: u16| port.is_multiple_of(2) && (!pair || self.is_free(port + 1));
        let port = after.iter().chain(before).copied().find(|&port| fits(port))?;
        self.take(port);
        if pair {
            self.take(port + 1);
        }
        Some(port)
    }

    /// Puts a port back that was taken.
    pub(super) fn release(&mut self, port: u16) {
        let place = u32::try_from(self.free.len()).unwrap_or(TAKEN);
        let Some(entry) = self.entry(port) else { return };
        if *entry == TAKEN {
            *entry = place;
            self.free.push(port);
        }
    }

    pub(super) fn free_ports(&self) -> usize {
        self.free.len()
    }

    fn start(&self, rng: &mut impl Rng) -> Option<usize> {
        (!self.free.is_empty()).then(|| rng.random_range(0..self.free.len()))
    }

    fn is_free(&self, port: u16) -> bool {
        let index = port.checked_sub(self.first).map(usize::from);
        let place = index.and_then(|index| self.places.get(index));
        place.is_some_and(|&place| place != TAKEN)
    }

    fn take(&mut self, port: u16) -> bool {
        let Some(entry) = self.entry(port) else { return false };
        let place = core::mem::replace(entry, TAKEN);
        if place == TAKEN {
            return false;
        }
        let index = usize::try_from(place).unwrap_or(usize::MAX);
        self.free.swap_remove(index);
        if let Some(moved) = self.free.get(index).copied()
            && let Some(entry) = self.entry(moved)
        {
            *entry = place;
        }
        true
    }

    fn entry(&mut self, port: u16) -> Option<&mut u32> {
        self.places.get_mut(usize::from(port.checked_sub(self.first)?))
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
