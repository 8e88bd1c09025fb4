//! VP9 (RFC 9628 §6).

use alloc::string::String;

use super::{Codec, number};

/// The profile must be the same, 0 where it is not told; the sizes are each side's own.
pub(super) fn answer(own: &Codec, offered: &Codec) -> Option<String> {
    let profile = |codec| number(codec, "profile-id", 0);
    (profile(own)? == profile(offered)?).then(|| own.parameters.clone())
}
