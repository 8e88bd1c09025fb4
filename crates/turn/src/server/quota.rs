//! How many allocations there may be, and for whom (RFC 8656 §5, §7.2).

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::fmt;
use core::hash::Hash;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use hashbrown::HashMap;
use pinhole_sansio::Instant;

use super::{Limits, SharedBucket};

/// Decides whether somebody may have another allocation, or another reserved port.
///
/// [`LocalQuota`] is what a [`Server`](super::Server) has by itself. The machines of one server share
/// theirs: an implementation that locks one value serves, since it is asked for requests only.
pub trait Quota: Send + Sync {
    /// Counts `count` more, all of them or none.
    ///
    /// # Errors
    /// [`Exceeded`]: that would be too much. The client gets a 486.
    fn charge(&mut self, holder: Holder<'_>, count: u32, now: Instant)
    -> Result<Holding, Exceeded>;

    /// Counts `count` less; they were charged to the same holder.
    fn discharge(&mut self, holder: Holder<'_>, count: u32);
}

/// Whose an allocation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder<'a> {
    /// The owner, as [`Account::owner`](super::Account::owner) names him.
    pub user: &'a str,
    /// Where the request came from.
    pub source: IpAddr,
}

/// What a holder shares with his other allocations.
#[derive(Clone, Debug, Default)]
pub struct Holding {
    /// The tokens from which all of them take; `None` for any amount.
    pub bandwidth: Option<Arc<SharedBucket>>,
}

/// Whose share is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Exceeded {
    /// The user's.
    #[error("the user has as many allocations as he may")]
    User,
    /// That of the network that the request came from.
    #[error("the source's network has as many allocations as it may")]
    Prefix,
    /// The server's: the client is sent to the alternate server, if there is one.
    #[error("there are as many allocations as there may be")]
    Total,
}

/// The quota of one machine, or of several that lock it in turn.
#[derive(Debug)]
pub struct LocalQuota {
    users: HashMap<Box<str>, User, SeedableRandomState>,
    prefixes: HashMap<IpAddr, u32, SeedableRandomState>,
    /// Users without allocations whose buckets are not full yet: who comes back finds his bucket as it
    /// was.
    leaving: VecDeque<Box<str>>,
    total: u32,
    limits: Limits,
}

#[derive(Debug, Default)]
struct User {
    count: u32,
    holding: Holding,
}

/// How many of those who are leaving are looked at when somebody comes: more than can have come to be
/// between two looks, so that the list ends.
const LOOKS: usize = 2;

impl LocalQuota {
    /// Nobody has anything yet. The seed keeps users from choosing names that collide in the table.
    #[must_use]
    pub fn new(limits: Limits, seed: u64) -> Self {
        let hasher = SeedableRandomState::with_seed(seed, SharedSeed::global_fixed());
        Self {
            users: HashMap::with_hasher(hasher.clone()),
            prefixes: HashMap::with_hasher(hasher),
            leaving: VecDeque::new(),
            total: 0,
            limits,
        }
    }

    /// How many allocations and reserved ports are counted.
    #[must_use]
    pub const fn total(&self) -> u32 {
        self.total
    }

    /// Forgets those whose buckets have become full.
    fn let_go(&mut self, now: Instant) {
        for _ in 0..LOOKS {
            let Some(name) = self.leaving.pop_front() else { return };
            let Some(user) = self.users.get(&name).filter(|user| user.count == 0) else { continue };
            if user.holding.bandwidth.as_ref().is_some_and(|bucket| !bucket.is_full(now)) {
                self.leaving.push_back(name);
            } else {
                self.users.remove(&name);
            }
        }
    }
}

impl Quota for LocalQuota {
    fn charge(
        &mut self,
        holder: Holder<'_>,
        count: u32,
        now: Instant,
    ) -> Result<Holding, Exceeded> {
        self.let_go(now);
        let limits = self.limits;
        let source = prefix(holder.source);
        let within = |has: u32, limit: u32| has.checked_add(count).is_some_and(|sum| sum <= limit);
        if !within(self.total, limits.allocations) {
            return Err(Exceeded::Total);
        }
        if !within(self.prefixes.get(&source).copied().unwrap_or(0), limits.allocations_per_prefix)
        {
            return Err(Exceeded::Prefix);
        }
        let has = self.users.get(holder.user).map_or(0, |user| user.count);
        if !within(has, limits.allocations_per_user) {
            return Err(Exceeded::User);
        }
        self.total += count;
        *self.prefixes.entry(source).or_default() += count;
        let user = self.users.entry(holder.user.into()).or_insert_with(|| {
            let bucket = limits.bandwidth_per_user.map(SharedBucket::new);
            User { count: 0, holding: Holding { bandwidth: bucket.map(Arc::new) } }
        });
        user.count += count;
        Ok(user.holding.clone())
    }

    fn discharge(&mut self, holder: Holder<'_>, count: u32) {
        self.total = self.total.saturating_sub(count);
        subtract(&mut self.prefixes, &prefix(holder.source), count);
        let Some(user) = self.users.get_mut(holder.user) else { return };
        user.count = user.count.saturating_sub(count);
        if user.count > 0 {
            return;
        }
        if user.holding.bandwidth.is_none() {
            self.users.remove(holder.user);
        } else {
            self.leaving.push_back(holder.user.into());
        }
    }
}

fn subtract<K: Eq + Hash>(counts: &mut HashMap<K, u32, SeedableRandomState>, key: &K, count: u32) {
    if let Some(has) = counts.get_mut(key) {
        *has = has.saturating_sub(count);
        if *has == 0 {
            counts.remove(key);
        }
    }
}

/// See [`Limits::allocations_per_prefix`].
fn prefix(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << 8)).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 80)).into(),
    }
}

/// Who answers for an allocation or a reserved port.
#[derive(Clone)]
pub(super) struct Owner {
    pub(super) name: Box<str>,
    pub(super) source: IpAddr,
    pub(super) holding: Holding,
}

impl Owner {
    pub(super) fn holder(&self) -> Holder<'_> {
        Holder { user: &self.name, source: self.source }
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} from {}", self.name, self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Bandwidth;
    use core::time::Duration;

    fn limits() -> Limits {
        Limits {
            allocations: 5,
            allocations_per_user: 3,
            allocations_per_prefix: 4,
            ..Limits::default()
        }
    }

    fn holder<'a>(user: &'a str, source: &str) -> Holder<'a> {
        Holder { user, source: source.parse().unwrap() }
    }

    #[test]
    fn each_of_the_three_counts_has_its_limit() {
        let mut quota = LocalQuota::new(limits(), 1);
        let mut charge = |user, source, count| {
            quota.charge(holder(user, source), count, Instant::ZERO).map(drop)
        };
        assert_eq!(charge("a", "192.0.2.1", 2), Ok(()));
        assert_eq!(charge("a", "192.0.2.1", 2), Err(Exceeded::User));
        assert_eq!(charge("a", "192.0.2.1", 1), Ok(()));
        assert_eq!(charge("b", "192.0.2.255", 2), Err(Exceeded::Prefix));
        assert_eq!(charge("b", "::ffff:192.0.2.9", 1), Ok(()));
        assert_eq!(charge("c", "192.0.2.77", 1), Err(Exceeded::Prefix));
        assert_eq!(charge("c", "192.0.3.1", 1), Ok(()));
        assert_eq!(charge("d", "2001:db8::1", 1), Err(Exceeded::Total));
        assert_eq!(charge("d", "2001:db8::1", u32::MAX), Err(Exceeded::Total));
        for (user, source, count) in
            [("a", "192.0.2.1", 3), ("b", "192.0.2.9", 1), ("c", "192.0.3.1", 1)]
        {
            quota.discharge(holder(user, source), count);
        }
        assert_eq!((quota.total(), quota.users.len(), quota.prefixes.len()), (0, 0, 0));
    }

    #[test]
    fn an_ipv6_network_is_a_site() {
        let same = ["2001:db8:1::1", "2001:db8:1:ffff::2", "2001:db8:1:ffff:ffff::3"];
        let prefixes = same.map(|text| prefix(text.parse().unwrap()));
        assert!(prefixes.iter().all(|one| *one == prefixes[0]));
        for other in ["2001:db8::1", "2001:db8:3::1", "2001:db8:2::1"] {
            assert_ne!(prefix(other.parse().unwrap()), prefixes[0], "the 48th bit counts");
        }
    }

    /// The list of those who are leaving still has the name of one who has come back.
    #[test]
    fn who_comes_back_is_counted_as_long_as_he_stays() {
        let bandwidth = Bandwidth { bytes_per_second: 1_000, burst: 1_000 };
        let limits =
            Limits { bandwidth_per_user: Some(bandwidth), allocations_per_user: 1, ..limits() };
        let mut quota = LocalQuota::new(limits, 1);
        let (alice, bob) = (holder("alice", "192.0.2.1"), holder("bob", "192.0.2.1"));
        let holding = quota.charge(alice, 1, Instant::ZERO).unwrap();
        assert!(holding.bandwidth.unwrap().take(1_000, Instant::ZERO));
        quota.discharge(alice, 1);
        assert!(quota.charge(alice, 1, Instant::ZERO).is_ok());
        assert!(quota.charge(bob, 1, Instant::from_millis(9_000)).is_ok());
        let again = quota.charge(alice, 1, Instant::from_millis(9_000)).map(drop);
        assert_eq!(again, Err(Exceeded::User));
    }

    #[test]
    fn who_comes_back_finds_his_bucket_as_it_was() {
        let bandwidth = Bandwidth { bytes_per_second: 1_000, burst: 1_000 };
        let limits = Limits { bandwidth_per_user: Some(bandwidth), ..limits() };
        let mut quota = LocalQuota::new(limits, 1);
        let (alice, bob) = (holder("alice", "192.0.2.1"), holder("bob", "192.0.2.1"));
        let mut now = Instant::ZERO;
        for turn in 0..10 {
            let holding = quota.charge(alice, 1, now).unwrap();
            let fits = holding.bandwidth.unwrap().take(1_000, now);
            assert_eq!(fits, turn == 0, "turn {turn}");
            quota.discharge(alice, 1);
        }
        now += Duration::from_secs(1);
        assert!(quota.charge(bob, 1, now).is_ok());
        assert!(quota.charge(bob, 1, now).is_ok());
        for _ in 0..10 {
            quota.discharge(bob, 1);
            assert!(quota.charge(bob, 1, now).is_ok());
        }
        assert_eq!(quota.users.len(), 1, "alice has gone");
        assert!(quota.leaving.len() <= LOOKS);
    }
}
