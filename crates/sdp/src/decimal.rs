use core::fmt;

use crate::{Reader, ValueError};

/// A number that is not negative, with at most six decimals, kept exactly: `20`, `29.97`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal {
    millionths: u64,
}

impl Decimal {
    /// The number of `millionths`.
    #[must_use]
    pub const fn from_millionths(millionths: u64) -> Self {
        Self { millionths }
    }

    /// The number in millionths.
    #[must_use]
    pub const fn as_millionths(self) -> u64 {
        self.millionths
    }

    pub(crate) fn read(reader: &mut Reader<'_>, what: &'static str) -> Result<Self, ValueError> {
        let refused = reader.expected(what);
        let whole: u64 = reader.number(what)?;
        let mut millionths = whole.checked_mul(ONE).ok_or(refused)?;
        if reader.skip(".") {
            let mut unit = ONE;
            for digit in reader.take_while(|c| c.is_ascii_digit()).chars() {
                unit /= 10;
                if unit == 0 {
                    return Err(refused);
                }
                millionths += u64::from(digit.to_digit(10).unwrap_or(0)) * unit;
            }
        }
        Ok(Self { millionths })
    }
}

impl From<u32> for Decimal {
    fn from(whole: u32) -> Self {
        Self { millionths: u64::from(whole) * ONE }
    }
}

impl fmt::Display for Decimal {
    /// Without zeros at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.millionths / ONE)?;
        let mut rest = self.millionths % ONE;
        if rest > 0 {
            f.write_str(".")?;
        }
        while rest > 0 {
            rest *= 10;
            write!(f, "{}", rest / ONE)?;
            rest %= ONE;
        }
        Ok(())
    }
}

const ONE: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn decimals_are_read_and_written_exactly() {
        for (text, written) in
            [("20", "20"), ("29.97", "29.97"), ("0.000001", "0.000001"), ("30.0", "30")]
        {
            let decimal = Decimal::read(&mut Reader::new(text), "a number").unwrap();
            assert_eq!(decimal.to_string(), written);
        }
        for text in ["", ".5", "-1", "1.0000001", "99999999999999999999", "18446744073709551615"] {
            assert!(Decimal::read(&mut Reader::new(text), "a number").is_err(), "{text}");
        }
    }
}
