//! What a payload type stands for, and when two sides mean the same by it: one file for each payload
//! format that has rules of its own.

mod av1;
mod h264;
mod h265;
mod lists;
mod parameters;
mod statics;
mod telephone_event;
mod vp9;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

pub use h264::{H264Level, H264ProfileLevel};
pub use lists::{RedParameters, TelephoneEventParameters};
pub use parameters::{
    Av1Parameters, H264Parameters, H265Parameters, OpusParameters, RtxParameters, Vp8Parameters,
    Vp9Parameters,
};

use crate::{Fmtp, Media, RtcpFb, Rtpmap};

/// A payload format with its parameters, as one side of a session has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codec {
    /// The name of the payload format, such as `opus`; its case does not matter.
    pub name: String,
    /// RTP timestamp units a second.
    pub clock_rate: u32,
    /// Audio channels, one where that means nothing.
    pub channels: u32,
    /// The parameters of `a=fmtp`, perhaps empty.
    pub parameters: String,
    /// The feedback of `a=rtcp-fb` that is understood, such as `nack pli`.
    pub feedback: Vec<String>,
}

impl Codec {
    /// A format without parameters and feedback.
    #[must_use]
    pub fn new(name: &str, clock_rate: u32, channels: u32) -> Self {
        let (parameters, feedback) = (String::new(), Vec::new());
        Self { name: name.to_string(), clock_rate, channels, parameters, feedback }
    }

    /// The same format with these parameters.
    #[must_use]
    pub fn with_parameters(self, parameters: &str) -> Self {
        Self { parameters: parameters.to_string(), ..self }
    }

    /// The same format with this feedback.
    #[must_use]
    pub fn with_feedback<'a>(self, feedback: impl IntoIterator<Item = &'a str>) -> Self {
        Self { feedback: feedback.into_iter().map(ToString::to_string).collect(), ..self }
    }

    /// The value of the parameter of this name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        Fmtp { format: "", parameters: &self.parameters }.get(name)
    }

    /// Whether this is a format of that name.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The payload type that RFC 3551 §6 fixes for this format, if it has no parameters of its own.
    pub(crate) fn static_payload_type(&self) -> Option<u8> {
        let same = |fixed: &Self| {
            self.is(&fixed.name)
                && (self.clock_rate, self.channels) == (fixed.clock_rate, fixed.channels)
        };
        (0..=34).find(|number| statics::codec(*number).is_some_and(|fixed| same(&fixed)))
    }

    /// Whether the packets of this format belong to another one: they repeat, protect or bundle it.
    #[must_use]
    pub fn is_auxiliary(&self) -> bool {
        self.is("rtx") || self.is("red")
    }

    /// Whether a section is worth having for this format alone.
    #[must_use]
    pub fn carries_media(&self) -> bool {
        let helpers = ["CN", "telephone-event", "ulpfec", "flexfec", "flexfec-03"];
        !self.is_auxiliary() && !helpers.iter().any(|name| self.is(name))
    }

    /// What this side answers when the other one offers `offered`: its own format, with the parameters
    /// that the rules of the payload format call for. `None` where they are not the same format.
    ///
    /// The payload types that [auxiliary](Self::is_auxiliary) formats name are not looked at.
    #[must_use]
    pub fn answer_to(&self, offered: &Self) -> Option<Self> {
        let same = offered.is(&self.name)
            && (offered.clock_rate, offered.channels) == (self.clock_rate, self.channels);
        if !same {
            return None;
        }
        let parameters = match &*self.name.to_ascii_lowercase() {
            "h264" => h264::answer(self, offered)?,
            "h265" => h265::answer(self, offered)?,
            "vp9" => vp9::answer(self, offered)?,
            "av1" => av1::answer(self, offered)?,
            "telephone-event" => telephone_event::answer(self, offered)?,
            // Parameters that each side states for itself, as those of opus (RFC 7587 §7), or none.
            _ => self.parameters.clone(),
        };
        let feedback = self.feedback.iter().filter(|own| offered.feedback.contains(own));
        Some(Self { parameters, feedback: feedback.cloned().collect(), ..self.clone() })
    }
}

impl Media<'_> {
    /// The formats of an RTP section, by payload type, in order of preference. Payload types that RFC
    /// 3551 §6 fixes need no `a=rtpmap`; others without one are left out, and what is listed again.
    #[must_use]
    pub fn codecs(&self) -> Vec<(u8, Codec)> {
        let maps: BTreeMap<u8, Rtpmap<'_>> =
            self.get_all::<Rtpmap<'_>>().flatten().map(|map| (map.payload_type, map)).collect();
        let mut parameters = BTreeMap::new();
        for fmtp in self.get_all::<Fmtp<'_>>().flatten() {
            parameters.entry(fmtp.format).or_insert(fmtp.parameters);
        }
        let feedback: Vec<RtcpFb<'_>> = self.get_all().flatten().collect();
        let mut listed = BTreeSet::new();
        let formats = self.formats().filter_map(|format| {
            let payload_type = format.parse().ok().filter(|number| *number <= 127)?;
            if !listed.insert(payload_type) {
                return None;
            }
            let mut codec = match maps.get(&payload_type) {
                Some(map) => Codec::new(map.encoding, map.clock_rate, map.channels.unwrap_or(1)),
                None => statics::codec(payload_type)?,
            };
            codec.parameters = parameters.get(format).copied().unwrap_or("").to_string();
            let own = feedback.iter().filter(|own| own.applies_to(format));
            codec.feedback = own.map(|own| own.feedback.to_string()).collect();
            Some((payload_type, codec))
        });
        formats.collect()
    }
}

/// A number among the parameters, or what it means when absent; `None` where it is no number.
fn number(codec: &Codec, name: &str, default: u32) -> Option<u32> {
    codec.parameter(name).map_or(Some(default), |text| text.parse().ok())
}

/// The own parameters with one of them replaced, or added.
fn with_parameter(codec: &Codec, name: &str, value: &str) -> String {
    let fmtp = Fmtp { format: "", parameters: &codec.parameters };
    let others = fmtp.pairs().filter(|(own, _)| !own.eq_ignore_ascii_case(name));
    let mut text: Vec<String> = others
        .map(
            |(own, value)| {
                if own.is_empty() { value.to_string() } else { alloc::format!("{own}={value}") }
            },
        )
        .collect();
    text.push(alloc::format!("{name}={value}"));
    text.join(";")
}
