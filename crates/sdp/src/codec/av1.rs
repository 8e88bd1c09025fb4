//! AV1 (RTP Payload Format For AV1, version 1.0, §7.2).

use alloc::string::String;

use super::{Codec, number};

/// Profile and tier must be the same, 0 where they are not told; the level is what each side decodes.
pub(super) fn answer(own: &Codec, offered: &Codec) -> Option<String> {
    let same = |name| Some(number(own, name, 0)? == number(offered, name, 0)?);
    (same("profile")? && same("tier")?).then(|| own.parameters.clone())
}
