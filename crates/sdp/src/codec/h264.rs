//! H.264 (RFC 6184 §8.1, §8.2.2).

use alloc::string::{String, ToString};
use core::fmt;

use super::{Codec, number, with_parameter};

/// `profile-level-id`: three bytes of a sequence parameter set, in hexadecimal (RFC 6184 §8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct H264ProfileLevel {
    profile_idc: u8,
    constraints: u8,
    level_idc: u8,
}

/// How much a decoder can do. Levels compare as decoders do: 1b is above 1 and below 1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct H264Level {
    /// Ten times the level's number, and 1b between 10 and 11: times two, to stay an integer.
    doubled: u16,
}

/// The profiles that several pairs of profile_idc and constraints mean (RFC 6184 §8.1, table 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Profile {
    ConstrainedBaseline,
    Baseline,
    Main,
    Extended,
    /// One that has no second name: compared by its bytes.
    Other(u8, u8),
}

impl H264ProfileLevel {
    /// What is meant where none is told (RFC 6184 §8.1): Baseline without constraints at level 1.
    const DEFAULT: Self = Self { profile_idc: 0x42, constraints: 0, level_idc: 10 };

    /// Reads six hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 6 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let [_, profile_idc, constraints, level_idc] =
            u32::from_str_radix(text, 16).ok()?.to_be_bytes();
        Some(Self { profile_idc, constraints, level_idc })
    }

    /// Whether a stream of the one is a stream of the other, but for its level.
    #[must_use]
    pub fn is_same_profile(self, other: Self) -> bool {
        self.profile() == other.profile()
    }

    /// The level.
    #[must_use]
    pub fn level(self) -> H264Level {
        let is_1b = match self.level_idc {
            9 => true,
            11 => self.has_1b_flag() && self.constraints & CONSTRAINT_SET_3 != 0,
            _ => false,
        };
        H264Level { doubled: if is_1b { 21 } else { 2 * u16::from(self.level_idc) } }
    }

    /// The own profile at the level of `other`.
    fn at_level_of(self, other: Self) -> Self {
        let is_1b = other.level().doubled == 21;
        let (mut constraints, mut level_idc) = (self.constraints, other.level_idc);
        if self.has_1b_flag() {
            constraints &= !CONSTRAINT_SET_3;
        }
        if is_1b && self.has_1b_flag() {
            (constraints, level_idc) = (constraints | CONSTRAINT_SET_3, 11);
        } else if is_1b {
            level_idc = 9;
        }
        Self { constraints, level_idc, ..self }
    }

    /// Whether constraint_set3 together with level 11 means level 1b in this profile.
    fn has_1b_flag(self) -> bool {
        matches!(self.profile_idc, BASELINE | MAIN | EXTENDED)
    }

    fn profile(self) -> Profile {
        let set = |bit: u8| self.constraints & (0x80 >> bit) != 0;
        match self.profile_idc {
            _ if self.constraints & 0x0f != 0 => Profile::Other(self.profile_idc, self.constraints),
            BASELINE if set(1) => Profile::ConstrainedBaseline,
            BASELINE => Profile::Baseline,
            MAIN if set(0) => Profile::ConstrainedBaseline,
            MAIN if !set(2) => Profile::Main,
            EXTENDED if set(0) && set(1) => Profile::ConstrainedBaseline,
            EXTENDED if set(0) => Profile::Baseline,
            EXTENDED if !set(1) => Profile::Extended,
            idc => Profile::Other(idc, self.constraints),
        }
    }
}

impl fmt::Display for H264ProfileLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}{:02x}{:02x}", self.profile_idc, self.constraints, self.level_idc)
    }
}

/// Packetization mode and profile must be the same (RFC 6184 §8.2.2). The level is the lower one of the
/// two, unless both allow that each side decodes at its own.
pub(super) fn answer(own: &Codec, offered: &Codec) -> Option<String> {
    let mode = |codec| number(codec, "packetization-mode", 0);
    let profile_level = |codec: &Codec| match codec.parameter("profile-level-id") {
        Some(text) => H264ProfileLevel::parse(text),
        None => Some(H264ProfileLevel::DEFAULT),
    };
    let (mine, theirs) = (profile_level(own)?, profile_level(offered)?);
    if mode(own)? != mode(offered)? || !mine.is_same_profile(theirs) {
        return None;
    }
    let asymmetric = |codec: &Codec| codec.parameter("level-asymmetry-allowed") == Some("1");
    if (asymmetric(own) && asymmetric(offered)) || mine.level() <= theirs.level() {
        return Some(own.parameters.clone());
    }
    Some(with_parameter(own, "profile-level-id", &mine.at_level_of(theirs).to_string()))
}

const BASELINE: u8 = 0x42;
const MAIN: u8 = 0x4d;
const EXTENDED: u8 = 0x58;
const CONSTRAINT_SET_3: u8 = 0x10;

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> H264ProfileLevel {
        H264ProfileLevel::parse(text).unwrap()
    }

    #[test]
    fn one_profile_has_several_names() {
        for same in ["42e01f", "42c01f", "42400a", "4d801f", "4d8028", "58c01f"] {
            assert!(id("42e01f").is_same_profile(id(same)), "{same}");
        }
        for other in ["42001f", "4d001f", "58001f", "64001f", "640c1f", "42e11f"] {
            assert!(!id("42e01f").is_same_profile(id(other)), "{other}");
        }
        assert!(id("42001f").is_same_profile(id("58801f")));
        assert!(!id("64001f").is_same_profile(id("640c1f")), "high and constrained high");
    }

    #[test]
    fn level_1b_lies_between_1_and_1_1() {
        let levels = ["42e00a", "42f00b", "42e00b", "42e01f"].map(|text| id(text).level());
        assert!(levels.is_sorted_by(|a, b| a < b));
        assert_eq!(id("640009").level(), id("42f00b").level());
        assert!(id("64100b").level() > id("640009").level(), "the flag means nothing in high");
    }

    #[test]
    fn a_level_is_taken_over_in_the_own_words() {
        assert_eq!(id("42e01f").at_level_of(id("42f00b")).to_string(), "42f00b");
        assert_eq!(id("64001f").at_level_of(id("640009")).to_string(), "640009");
        assert_eq!(id("42f00b").at_level_of(id("42e00a")).to_string(), "42e00a");
    }

    #[test]
    fn what_is_no_profile_level_id_is_refused() {
        for text in ["", "42e01", "42e01f0", "42e0zz", "+2e01f"] {
            assert_eq!(H264ProfileLevel::parse(text), None, "{text}");
        }
    }
}
