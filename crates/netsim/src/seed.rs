use std::fmt;
use std::str::FromStr;

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

impl FromStr for Seed {
    type Err = SeedError;

    /// Reads what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, SeedError> {
        if text.len() < HEX_DIGITS
            && let Ok(number) = text.parse::<u64>()
        {
            return Ok(Self::from(number));
        }
        let digits: Option<Vec<u8>> = text.chars().map(hex_digit).collect();
        let digits = digits.ok_or(SeedError::NotHexadecimal)?;
        if digits.len() != HEX_DIGITS {
            return Err(SeedError::Length { digits: digits.len() });
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            *byte = pair.iter().fold(0, |byte, digit| byte << 4 | digit);
        }
        Ok(Self(bytes))
    }
}

/// A text is no seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
    /// It is neither a number nor hexadecimal.
    #[error("a seed is a number below 2^64 or hexadecimal")]
    NotHexadecimal,
    /// It is hexadecimal of another length.
    #[error("a seed has 64 hexadecimal digits, not {digits}")]
    Length {
        /// How many it has.
        digits: usize,
    },
}

const HEX_DIGITS: usize = 64;

fn hex_digit(digit: char) -> Option<u8> {
    digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_prints_as_what_it_was_made_from() {
        assert_eq!(Seed::from(0x0123_4567_89ab).to_string(), "1250999896491");
        assert_eq!(Seed::from([0xab; 32]).to_string(), "ab".repeat(32));
    }

    #[test]
    fn a_printed_seed_reads_back() {
        let mut sparse = [0; 32];
        sparse[31] = 0x12;
        for seed in [Seed::from(0), Seed::from(u64::MAX), Seed::from([0x5a; 32]), sparse.into()] {
            assert_eq!(seed.to_string().parse(), Ok(seed));
        }
        assert_eq!("seed".parse::<Seed>(), Err(SeedError::NotHexadecimal));
        assert_eq!("abc".parse::<Seed>(), Err(SeedError::Length { digits: 3 }));
    }
}
