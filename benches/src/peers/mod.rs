//! The codecs of others, each used as its documentation says.

pub mod is;
pub mod rtc_stun;
pub mod stun_codec;
pub mod stun_types;
