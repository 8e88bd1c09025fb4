use alloc::boxed::Box;
use alloc::vec;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use pinhole_sansio::Instant;

/// How many answers a source may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Answers a second, in the long run; at least one.
    pub per_second: u32,
    /// Answers at once, after a pause; at least one.
    pub burst: u32,
}

impl Default for Rate {
    /// Ten a second: more than any client's retransmissions, less than a reflector is worth.
    fn default() -> Self {
        Self { per_second: 10, burst: 10 }
    }
}

/// A token bucket for each source prefix: an IPv4 address, or an IPv6 /64.
///
/// The table has a fixed size and one instant for each bucket, so strangers cannot make it grow. Two
/// sources may share a bucket; which ones, depends on the seed.
#[derive(Clone)]
pub struct Limiter {
    /// When each bucket will be full again (GCRA's theoretical arrival time).
    full_at: Box<[Instant]>,
    interval: Duration,
    tolerance: Duration,
    seed: u64,
}

/// How many buckets there are: 32 KiB.
const BUCKETS: usize = 4096;
/// Enough bits of a hash to number the buckets.
const BUCKET_BITS: u32 = BUCKETS.ilog2();

impl Limiter {
    /// A limiter with full buckets.
    #[must_use]
    pub fn new(rate: Rate, seed: u64) -> Self {
        let interval = Duration::from_secs(1) / rate.per_second.max(1);
        Self {
            full_at: vec![Instant::ZERO; BUCKETS].into_boxed_slice(),
            interval,
            tolerance: interval * (rate.burst.max(1) - 1),
            seed,
        }
    }

    /// Takes a token of this source; false if it has none left.
    #[must_use]
    pub fn allow(&mut self, source: IpAddr, now: Instant) -> bool {
        let index = self.index(prefix(source));
        let Some(full_at) = self.full_at.get_mut(index) else { return false };
        if *full_at > now + self.tolerance {
            return false;
        }
        *full_at = (*full_at).max(now) + self.interval;
        true
    }

    /// Multiplies by a secret odd number, twice, and takes the top bits.
    fn index(&self, prefix: u64) -> usize {
        let mixed = (prefix ^ self.seed).wrapping_mul(self.seed | 1);
        let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::try_from(mixed >> (u64::BITS - BUCKET_BITS)).unwrap_or(0)
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Limiter(1 in {:?})", self.interval)
    }
}

fn prefix(source: IpAddr) -> u64 {
    match source.to_canonical() {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(limiter: &mut Limiter, source: &str, millis: core::ops::Range<u64>) -> usize {
        let source = source.parse().unwrap();
        millis.filter(|&at| limiter.allow(source, Instant::from_millis(at))).count()
    }

    /// A source that sends a thousand requests a second.
    #[test]
    fn a_flood_gets_the_burst_and_then_the_rate() {
        let mut limiter = Limiter::new(Rate { per_second: 10, burst: 5 }, 7);
        assert_eq!(allowed(&mut limiter, "192.0.2.1", 0..1_000), 5 + 9);
        assert_eq!(allowed(&mut limiter, "192.0.2.1", 1_000..11_000), 100);
        assert_eq!(allowed(&mut limiter, "192.0.2.2", 11_000..11_100), 5, "another source");
    }

    #[test]
    fn a_bucket_fills_up_to_the_burst_and_no_further() {
        let mut limiter = Limiter::new(Rate { per_second: 10, burst: 5 }, 7);
        assert_eq!(allowed(&mut limiter, "192.0.2.1", 0..5), 5);
        assert_eq!(allowed(&mut limiter, "192.0.2.1", 60_000..60_090), 5);
    }

    #[test]
    fn the_addresses_of_an_ipv6_subnet_share_a_bucket() {
        let mut limiter = Limiter::new(Rate { per_second: 1, burst: 1 }, 7);
        assert!(limiter.allow("2001:db8::1".parse().unwrap(), Instant::ZERO));
        assert!(!limiter.allow("2001:db8::2".parse().unwrap(), Instant::ZERO));
        assert!(!limiter.allow("2001:db8:0:0:ffff::".parse().unwrap(), Instant::ZERO));
    }

    #[test]
    fn sources_spread_over_the_buckets() {
        let limiter = Limiter::new(Rate::default(), 0x1234_5678_9abc_def0);
        let mut used = vec![false; BUCKETS];
        for host in 0..4096 {
            used[limiter.index(0xc000_0200 + host)] = true;
        }
        assert!(used.iter().filter(|used| **used).count() > BUCKETS / 2);
    }
}
