//! H.265 (RFC 7798 §7.2.2).

use alloc::string::{String, ToString};

use super::{Codec, number, with_parameter};

/// Profile, tier and transmission mode must be the same. The level is the lower one of the two.
pub(super) fn answer(own: &Codec, offered: &Codec) -> Option<String> {
    let same = |name, default| Some(number(own, name, default)? == number(offered, name, default)?);
    let mode = |codec: &Codec| codec.parameter("tx-mode").unwrap_or("SRST").to_string();
    let alike = same("profile-space", 0)?
        && same("profile-id", MAIN_PROFILE)?
        && same("tier-flag", 0)?
        && mode(own) == mode(offered);
    let level = |codec| number(codec, "level-id", LEVEL_3_1);
    let level = level(own)?.min(level(offered)?);
    alike.then(|| with_parameter(own, "level-id", &level.to_string()))
}

/// The profile where none is told (§7.1): Main.
const MAIN_PROFILE: u32 = 1;

/// The level where none is told (§7.1): 3.1.
const LEVEL_3_1: u32 = 93;
