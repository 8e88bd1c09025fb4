//! What `a=fmtp` says of each payload format, by name: views of [`Fmtp::parameters`](crate::Fmtp).

use core::fmt;

use super::H264ProfileLevel;
use crate::{Reader, Value, ValueError};

/// Defines the parameters of a payload format. Names are compared without regard to case; the first one of
/// a name counts; names that are unknown are passed over. What is absent is not written.
macro_rules! parameters {
    ($(#[$docs:meta])* $type:ident$(<$a:lifetime>)?, $section:literal {
        $($(#[$field_docs:meta])* $field:ident: $kind:ty = $name:literal),* $(,)?
    }) => {
        $(#[$docs])*
        ///
        /// Unknown parameters are passed over; what is absent is `None`, and not written.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $type$(<$a>)? {
            $($(#[$field_docs])* pub $field: Option<$kind>,)*
        }

        impl<'a> Value<'a> for $type$(<$a>)? {
            const SECTION: &'static str = $section;

            fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
                let mut own = Self::default();
                while let Some((name, value)) = next(reader) {
                    $(if own.$field.is_none() && name.eq_ignore_ascii_case($name) {
                        own.$field = Some(read(value)?);
                        continue;
                    })*
                }
                Ok(own)
            }
        }

        impl$(<$a>)? fmt::Display for $type$(<$a>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut list = List { f, is_empty: true };
                $(list.add($name, self.$field)?;)*
                Ok(())
            }
        }
    };
}

parameters! {
    /// Opus (RFC 7587 §6.1).
    ///
    /// ```
    /// use pinhole_sdp::{OpusParameters, Value};
    ///
    /// let opus = OpusParameters::from_text("minptime=10; useinbandfec=1")?;
    /// assert_eq!((opus.min_ptime, opus.use_inband_fec, opus.stereo), (Some(10), Some(true), None));
    /// assert_eq!(opus.to_string(), "minptime=10;useinbandfec=1");
    /// # Ok::<(), pinhole_sdp::ValueError>(())
    /// ```
    OpusParameters, "RFC 7587 §6.1" {
        /// The highest sampling rate that the receiver can render, in Hz; 48,000 if absent.
        max_playback_rate: u32 = "maxplaybackrate",
        /// The highest sampling rate that the sender is likely to produce, in Hz; 48,000 if absent.
        sprop_max_capture_rate: u32 = "sprop-maxcapturerate",
        /// The shortest packet, in milliseconds; 3 if absent.
        min_ptime: u32 = "minptime",
        /// The most that is received, in bits a second.
        max_average_bitrate: u32 = "maxaveragebitrate",
        /// Whether stereo is preferred; it is not if absent.
        stereo: bool = "stereo",
        /// Whether stereo is likely to be sent; it is not if absent.
        sprop_stereo: bool = "sprop-stereo",
        /// Whether a constant bit rate is wanted; it is not if absent.
        cbr: bool = "cbr",
        /// Whether the decoder makes use of forward error correction; it does not if absent.
        use_inband_fec: bool = "useinbandfec",
        /// Whether silence may go untransmitted; it may not if absent.
        use_dtx: bool = "usedtx",
    }
}

parameters! {
    /// VP8 (RFC 7741 §6.1).
    Vp8Parameters, "RFC 7741 §6.1" {
        /// The most frames a second that are decoded.
        max_frame_rate: u32 = "max-fr",
        /// The most macroblocks of a frame that are decoded.
        max_frame_size: u32 = "max-fs",
    }
}

parameters! {
    /// VP9 (RFC 9628 §6).
    Vp9Parameters, "RFC 9628 §6" {
        /// The profile, 0 to 3; 0 if absent.
        profile_id: u8 = "profile-id",
        /// The most frames a second that are decoded.
        max_frame_rate: u32 = "max-fr",
        /// The most macroblocks of a frame that are decoded.
        max_frame_size: u32 = "max-fs",
    }
}

parameters! {
    /// H.264 (RFC 6184 §8.1), those parameters of it that are in use.
    H264Parameters<'a>, "RFC 6184 §8.1" {
        /// Profile, constraints and level; Baseline at level 1 if absent.
        profile_level_id: H264ProfileLevel = "profile-level-id",
        /// 0 for single NAL units, 1 non-interleaved, 2 interleaved; 0 if absent.
        packetization_mode: u8 = "packetization-mode",
        /// Whether each side may send at the other one's level; it may not if absent.
        level_asymmetry_allowed: bool = "level-asymmetry-allowed",
        /// The most macroblocks a second, beyond the level.
        max_mbps: u32 = "max-mbps",
        /// The most macroblocks of a frame, beyond the level.
        max_fs: u32 = "max-fs",
        /// The coded picture buffer, beyond the level.
        max_cpb: u32 = "max-cpb",
        /// The decoded picture buffer in frames, beyond the level.
        max_dpb: u32 = "max-dpb",
        /// The most kilobits a second, beyond the level.
        max_br: u32 = "max-br",
        /// Sequence and picture parameter sets in base64, with commas.
        sprop_parameter_sets: &'a str = "sprop-parameter-sets",
    }
}

parameters! {
    /// H.265 (RFC 7798 §7.1), those parameters of it that are in use.
    H265Parameters<'a>, "RFC 7798 §7.1" {
        /// The space that the profile is of; 0 if absent.
        profile_space: u8 = "profile-space",
        /// The profile; 1, Main, if absent.
        profile_id: u8 = "profile-id",
        /// The tier: 0 is Main, 1 High; 0 if absent.
        tier_flag: u8 = "tier-flag",
        /// Thirty times the level's number; 93, level 3.1, if absent.
        level_id: u8 = "level-id",
        /// Six bytes of constraints in hexadecimal.
        interop_constraints: &'a str = "interop-constraints",
        /// `SRST`, `MRST` or `MRMT`; `SRST` if absent.
        tx_mode: &'a str = "tx-mode",
        /// Video parameter sets in base64, with commas.
        sprop_vps: &'a str = "sprop-vps",
        /// Sequence parameter sets in base64, with commas.
        sprop_sps: &'a str = "sprop-sps",
        /// Picture parameter sets in base64, with commas.
        sprop_pps: &'a str = "sprop-pps",
    }
}

parameters! {
    /// AV1 (RTP Payload Format For AV1, version 1.0, §7.1).
    Av1Parameters, "RTP Payload Format For AV1 §7.1" {
        /// The profile, 0 to 2; 0 if absent.
        profile: u8 = "profile",
        /// The level, 0 to 31; 5, level 3.1, if absent.
        level_idx: u8 = "level-idx",
        /// The tier, 0 or 1; 0 if absent.
        tier: u8 = "tier",
    }
}

parameters! {
    /// Retransmissions (RFC 4588 §8.1).
    RtxParameters, "RFC 4588 §8.1" {
        /// The payload type that is retransmitted.
        apt: u8 = "apt",
        /// How long packets are kept for it, in milliseconds.
        rtx_time: u32 = "rtx-time",
    }
}

/// The next parameter: its name, and a reader of its value.
fn next<'a>(reader: &mut Reader<'a>) -> Option<(&'a str, Reader<'a>)> {
    reader.take_while(|c| matches!(c, ' ' | '\t' | ';'));
    if reader.rest().is_empty() {
        return None;
    }
    let name = reader.take_while(|c| c != '=' && c != ';').trim_end();
    reader.skip("=");
    Some((name, reader.part(|c| c != ';')))
}

/// The whole value, with blanks around it or not.
fn read<'a, T: Parameter<'a>>(mut reader: Reader<'a>) -> Result<T, ValueError> {
    reader.skip_blanks();
    let value = T::read(&mut reader)?;
    reader.end().map(|()| value)
}

/// The value of a parameter.
trait Parameter<'a>: Sized {
    fn read(reader: &mut Reader<'a>) -> Result<Self, ValueError>;
    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

macro_rules! numbers {
    ($($type:ident $what:literal),*) => {$(
        impl Parameter<'_> for $type {
            fn read(reader: &mut Reader<'_>) -> Result<Self, ValueError> {
                reader.number($what)
            }

            fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    )*};
}

numbers!(u8 "a number from 0 to 255", u32 "a number of at most 32 bits");

impl Parameter<'_> for bool {
    fn read(reader: &mut Reader<'_>) -> Result<Self, ValueError> {
        let refused = reader.expected("0 or 1");
        let digit: u8 = reader.number("0 or 1")?;
        if digit <= 1 { Ok(digit == 1) } else { Err(refused) }
    }

    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", u8::from(self))
    }
}

impl<'a> Parameter<'a> for &'a str {
    fn read(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        reader.word("a value")
    }

    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl Parameter<'_> for H264ProfileLevel {
    fn read(reader: &mut Reader<'_>) -> Result<Self, ValueError> {
        let refused = reader.expected("six hexadecimal digits");
        Self::parse(reader.take_while(|c| c.is_ascii_hexdigit())).ok_or(refused)
    }

    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Writes parameters with semicolons between them.
struct List<'f, 'w> {
    f: &'f mut fmt::Formatter<'w>,
    is_empty: bool,
}

impl List<'_, '_> {
    fn add<'a, T: Parameter<'a>>(&mut self, name: &str, value: Option<T>) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        let separator = if self.is_empty { "" } else { ";" };
        self.is_empty = false;
        write!(self.f, "{separator}{name}=")?;
        value.write(self.f)
    }
}
