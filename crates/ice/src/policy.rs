//! When the controlling side settles for a pair (RFC 8445 §8.1.1 leaves that to us).

use core::time::Duration;

use pinhole_sansio::Instant;

/// Regular nomination (RFC 8445 §8.1.1) of the best valid pair once better ones have had their chance.
///
/// Waiting costs nothing but the peer's certainty: data flows on the best valid pair meanwhile. A better pair is
/// still *in the race* while it waits for its first check, or while that check is younger than `patience`; the race
/// as a whole ends `settle` after the first pair became valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NominationPolicy {
    /// For a valid pair that leads from machine to machine.
    pub direct: Settling,
    /// For a valid pair that goes through a relay, where a direct one is worth some waiting.
    pub relayed: Settling,
    /// Whether a peer that does not say `ice2` is nominated to aggressively (RFC 5245 §8.1.1.2): each check nominates, a
    /// pair is selected as soon as it is valid, and a better one that follows takes its place. That saves a round trip
    /// until the selection, and none until data flows. RFC 8445 has it no more, so others get a regular nomination.
    pub aggressive: bool,
}

/// How long better pairs are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settling {
    /// The least time that a better pair's check is given to be answered. It gets at least twice the valid
    /// pair's round-trip time.
    pub patience: Duration,
    /// The longest time from the first valid pair to the nomination.
    pub settle: Duration,
}

/// How many pairs are kept warm beside the selected one, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backups {
    /// How many.
    pub count: usize,
    /// The time between two checks of one of them; 25 s, so that a NAT's binding lasts.
    pub interval: Duration,
    /// The time between two tries to find one, once a pair is selected.
    pub search: Duration,
}

impl Default for Backups {
    fn default() -> Self {
        Self { count: 2, interval: Duration::from_secs(25), search: Duration::from_secs(1) }
    }
}

impl NominationPolicy {
    /// Settles for the first pair that works, whatever better ones may be on their way.
    #[must_use]
    pub const fn first_good() -> Self {
        let at_once = Settling { patience: Duration::ZERO, settle: Duration::ZERO };
        Self { direct: at_once, relayed: at_once, aggressive: false }
    }
}

impl Default for NominationPolicy {
    fn default() -> Self {
        Self {
            direct: Settling {
                patience: Duration::from_millis(50),
                settle: Duration::from_millis(200),
            },
            // Two retransmissions of a check that a NAT swallowed because the peer had not begun yet.
            relayed: Settling {
                patience: Duration::from_millis(1_400),
                settle: Duration::from_millis(3_000),
            },
            aggressive: false,
        }
    }
}

/// A pair that is better than the best valid one and not settled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rival {
    /// When it was first checked, if it was.
    pub(crate) first_check: Option<Instant>,
}

impl Settling {
    /// The instant at which the best valid pair is to be nominated; in the past or present means now.
    pub(crate) fn nominate_at(
        self,
        first_valid: Instant,
        rtt: Option<Duration>,
        rivals: impl Iterator<Item = Rival>,
    ) -> Instant {
        let patience = self.patience.max(rtt.unwrap_or_default() * 2);
        let end = first_valid + self.settle;
        rivals
            .map(|rival| rival.first_check.map_or(end, |sent| sent + patience))
            .max()
            .map_or(first_valid, |last| last.min(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLING: Settling =
        Settling { patience: Duration::from_millis(50), settle: Duration::from_millis(200) };

    fn at(first_checks: &[Option<u64>], rtt: u64) -> Instant {
        let rivals =
            first_checks.iter().map(|at| Rival { first_check: at.map(Instant::from_millis) });
        SETTLING.nominate_at(Instant::from_millis(1_000), Some(Duration::from_millis(rtt)), rivals)
    }

    #[test]
    fn without_rivals_the_first_valid_pair_is_taken_at_once() {
        assert_eq!(at(&[], 10), Instant::from_millis(1_000));
    }

    #[test]
    fn a_rival_is_given_twice_the_round_trip_time_from_its_check() {
        assert_eq!(at(&[Some(990)], 10), Instant::from_millis(1_040));
        assert_eq!(at(&[Some(990)], 60), Instant::from_millis(1_110));
        assert!(at(&[Some(900)], 10) < Instant::from_millis(1_000), "its time is over");
    }

    #[test]
    fn nobody_is_waited_for_longer_than_the_settling_time() {
        assert_eq!(at(&[None], 10), Instant::from_millis(1_200));
        assert_eq!(at(&[Some(1_000)], 5_000), Instant::from_millis(1_200));
    }
}
