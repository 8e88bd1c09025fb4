//! The ports of relayed addresses (RFC 8656 §7.2): which are free, and who takes them.

use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;

use pinhole_stun::attribute::Family;

use super::Config;

/// Which port of a relay host is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Whichever is free.
    Any,
    /// An even one: EVEN-PORT (RFC 8656 §18.7).
    Even,
    /// An even one whose successor is free, which is taken, too: EVEN-PORT with its R bit.
    Pair,
}

/// Gives out the ports of the relay hosts, each to one holder at a time.
///
/// [`LocalPorts`] is what a [`Server`](super::Server) has by itself. The machines of one server share
/// theirs, so that none is without a port while another has some: an implementation that locks one value
/// serves, since it is asked for allocations only.
pub trait PortPool: Send + Sync {
    /// Takes a port that `random` chooses among those that are free, all 32 bits of it being equally likely;
    /// none if no port is free that is asked for.
    fn take(&mut self, family: Family, ask: Ask, random: u32) -> Option<u16>;

    /// Puts a port back that was taken. There is no socket bound to it any more.
    fn release(&mut self, family: Family, port: u16);

    /// How many ports are free.
    fn free(&self, family: Family) -> usize;
}

/// The ports of one machine, or of several that lock them in turn.
///
/// Any port, an even one, or two in a row are found in constant time, at random (RFC 6056).
#[derive(Debug)]
pub struct LocalPorts {
    v4: FreePorts,
    v6: FreePorts,
}

impl LocalPorts {
    /// All of [`Config::ports`], of the families that have a relay host.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let of = |family| match config.relay(family) {
            Some(_) => FreePorts::new(&config.ports),
            #[expect(clippy::reversed_empty_ranges, reason = "no host, no ports")]
            None => FreePorts::new(&(1..=0)),
        };
        Self { v4: of(Family::Ipv4), v6: of(Family::Ipv6) }
    }

    const fn of(&mut self, family: Family) -> &mut FreePorts {
        match family {
            Family::Ipv4 => &mut self.v4,
            Family::Ipv6 => &mut self.v6,
        }
    }
}

impl PortPool for LocalPorts {
    fn take(&mut self, family: Family, ask: Ask, random: u32) -> Option<u16> {
        let ports = self.of(family);
        match ask {
            Ask::Any => ports.take_any(random),
            Ask::Even => ports.take_even(false, random),
            Ask::Pair => ports.take_even(true, random),
        }
    }

    fn release(&mut self, family: Family, port: u16) {
        self.of(family).release(port);
    }

    fn free(&self, family: Family) -> usize {
        match family {
            Family::Ipv4 => self.v4.count(),
            Family::Ipv6 => self.v6.count(),
        }
    }
}

/// The free ports of one relay host.
struct FreePorts {
    all: Set,
    /// Half of each free even port.
    even: Set,
    /// Half of each even port that is free with its successor.
    pairs: Set,
}

impl FreePorts {
    fn new(range: &RangeInclusive<u16>) -> Self {
        let halves = range.start() / 2..=range.end() / 2;
        let (even, pairs) = (Set::new(&halves), Set::new(&halves));
        let mut ports = Self { all: Set::new(range), even, pairs };
        range.clone().for_each(|port| ports.release(port));
        ports
    }

    fn take_any(&mut self, random: u32) -> Option<u16> {
        let port = self.all.choose(random)?;
        self.take(port);
        Some(port)
    }

    /// Takes an even port; with `pair`, one whose successor is free, and takes that too.
    fn take_even(&mut self, pair: bool, random: u32) -> Option<u16> {
        let set = if pair { &self.pairs } else { &self.even };
        let port = set.choose(random)? * 2;
        self.take(port);
        if pair {
            self.take(port + 1);
        }
        Some(port)
    }

    fn release(&mut self, port: u16) {
        self.all.insert(port);
        let even = port & !1;
        if even == port {
            self.even.insert(port / 2);
        }
        if self.all.contains(even) && self.all.contains(even | 1) {
            self.pairs.insert(port / 2);
        }
    }

    const fn count(&self) -> usize {
        self.all.items.len()
    }

    fn take(&mut self, port: u16) {
        self.all.remove(port);
        self.pairs.remove(port / 2);
        if port.is_multiple_of(2) {
            self.even.remove(port / 2);
        }
    }
}

impl fmt::Debug for FreePorts {
    /// How many: what is free would tell what comes next.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FreePorts({})", self.count())
    }
}

/// Some of the numbers of a range; any of them is found in constant time.
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

    /// One of them, by a number that may be any.
    fn choose(&self, random: u32) -> Option<u16> {
        let count = u64::try_from(self.items.len()).unwrap_or(0);
        let at = (u64::from(random) * count) >> u32::BITS;
        self.items.get(usize::try_from(at).ok()?).copied()
    }

    fn entry(&mut self, number: u16) -> Option<&mut u32> {
        self.places.get_mut(usize::from(number.checked_sub(self.first)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::ChaCha12Rng;
    use rand::{Rng, SeedableRng};
    use std::collections::BTreeSet;

    #[test]
    fn every_port_is_given_out_once_and_comes_back() {
        let mut rng = ChaCha12Rng::from_seed([1; 32]);
        let mut pool = FreePorts::new(&(65_000..=65_535));
        for _ in 0..3 {
            let taken: BTreeSet<u16> =
                core::iter::from_fn(|| pool.take_any(rng.next_u32())).collect();
            assert_eq!((taken.len(), pool.count()), (536, 0));
            assert_eq!(pool.take_even(false, rng.next_u32()), None);
            taken.iter().for_each(|&port| pool.release(port));
            pool.release(65_000);
            assert_eq!(pool.count(), 536, "a port comes back once");
        }
    }

    #[test]
    fn even_ports_and_pairs() {
        let mut rng = ChaCha12Rng::from_seed([2; 32]);
        let mut pool = FreePorts::new(&(49_152..=49_158));
        let pairs: Vec<u16> = (0..3).filter_map(|_| pool.take_even(true, rng.next_u32())).collect();
        assert_eq!(pairs.iter().copied().collect::<BTreeSet<_>>().len(), 3);
        assert!(pairs.iter().all(|port| port % 2 == 0));
        assert_eq!(pool.take_even(true, rng.next_u32()), None, "49158 has no successor");
        assert_eq!(pool.take_even(false, rng.next_u32()), Some(49_158));
        assert_eq!(pool.count(), 0);
    }

    /// Against a table of what is free, over ranges that begin and end at odd and even ports.
    #[test]
    fn random_steps_keep_the_three_sets_together() {
        let mut rng = ChaCha12Rng::from_seed([4; 32]);
        for range in [50_000..=50_009, 50_001..=50_009, 50_001..=50_010, 65_530..=65_535, 0..=7] {
            let mut pool = FreePorts::new(&range);
            let mut free: BTreeSet<u16> = range.clone().collect();
            for step in 0..2_000 {
                let evens: Vec<u16> = free.iter().copied().filter(|p| p % 2 == 0).collect();
                let is_pair = |port: &u16| free.contains(&(port | 1));
                let pairs: Vec<u16> = evens.iter().copied().filter(is_pair).collect();
                let (taken, possible, count) = match rng.next_u32() % 5 {
                    0 => (pool.take_any(rng.next_u32()), free.iter().copied().collect(), 1),
                    1 => (pool.take_even(false, rng.next_u32()), evens, 1),
                    2 => (pool.take_even(true, rng.next_u32()), pairs, 2),
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
                assert_eq!(pool.count(), free.len());
            }
        }
    }

    /// CHECKLIST 21: the next port cannot be predicted.
    #[test]
    fn ports_are_spread_evenly() {
        let mut rng = ChaCha12Rng::from_seed([3; 32]);
        let mut pool = FreePorts::new(&(49_152..=65_535));
        let ports: Vec<u16> = (0..10_000).filter_map(|_| pool.take_any(rng.next_u32())).collect();
        let ascents = ports.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((4_800..5_200).contains(&ascents), "{ascents} ascents");
        let close = ports.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) < 4).count();
        assert!(close < 30, "{close} neighbours");
    }
}
