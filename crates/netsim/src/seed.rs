use std::fmt;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

/// What one world's randomness grows from: the same seed and the same calls give the same run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed([u8; 32]);

impl Seed {
    pub(crate) fn generator(self) -> ChaCha8Rng {
        ChaCha8Rng::from_seed(self.0)
    }
}

impl From<[u8; 32]> for Seed {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl From<u64> for Seed {
    /// The number, little-endian, in the first eight bytes.
    fn from(number: u64) -> Self {
        let mut bytes = [0; 32];
        for (byte, digit) in bytes.iter_mut().zip(number.to_le_bytes()) {
            *byte = digit;
        }
        Self(bytes)
    }
}

impl fmt::Display for Seed {
    /// The number that the seed was made from, or 64 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number =
            self.0.iter().take(8).rev().fold(0, |number, &byte| number << 8 | u64::from(byte));
        if Self::from(number) == *self {
            return write!(f, "{number}");
        }
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_prints_as_what_it_was_made_from() {
        assert_eq!(Seed::from(0x0123_4567_89ab).to_string(), "1250999896491");
        assert_eq!(Seed::from([0xab; 32]).to_string(), "ab".repeat(32));
    }
}
