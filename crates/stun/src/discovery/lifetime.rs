use core::time::Duration;

use super::Lifetime;

/// Searches for the lifetime of a binding by halves (RFC 5780 §4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Search {
    alive: Duration,
    dead: Option<Duration>,
    longest: Duration,
}

impl Search {
    pub(super) const fn new(longest: Duration) -> Self {
        Self { alive: Duration::ZERO, dead: None, longest }
    }

    /// How long to stay silent next; `None` when the answer is exact to an eighth.
    pub(super) fn next(&self) -> Option<Duration> {
        match self.dead {
            None if self.alive >= self.longest => None,
            None => Some(self.longest),
            Some(dead) if (dead - self.alive) * 8 <= dead => None,
            Some(dead) => Some((self.alive + dead) / 2),
        }
    }

    pub(super) fn survived(&mut self, silence: Duration, survived: bool) {
        if survived {
            self.alive = silence;
        } else {
            self.dead = Some(silence);
        }
    }

    pub(super) const fn result(&self) -> Lifetime {
        Lifetime { at_least: self.alive, less_than: self.dead }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result for a binding that lives this long, and how many silences it took.
    fn search(lives: Duration, longest: Duration) -> (Lifetime, usize) {
        let mut search = Search::new(longest);
        let mut steps = 0;
        while let Some(silence) = search.next() {
            search.survived(silence, silence < lives);
            steps += 1;
        }
        (search.result(), steps)
    }

    #[test]
    fn the_true_lifetime_lies_within_the_result() {
        let longest = Duration::from_secs(600);
        for seconds in [1, 29, 30, 31, 120, 300, 599] {
            let lives = Duration::from_secs(seconds);
            let (Lifetime { at_least, less_than }, steps) = search(lives, longest);
            let less_than = less_than.unwrap();
            assert!(at_least < lives && lives <= less_than);
            assert!((less_than - at_least) * 8 <= less_than, "exact to an eighth");
            assert!(steps <= 14, "{seconds} s took {steps} steps");
        }
    }

    #[test]
    fn a_binding_that_outlives_the_longest_silence_takes_one_step() {
        let longest = Duration::from_secs(600);
        let result = Lifetime { at_least: longest, less_than: None };
        assert_eq!(search(Duration::from_secs(601), longest), (result, 1));
    }
}
