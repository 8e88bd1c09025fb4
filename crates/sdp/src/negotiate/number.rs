//! Payload types and numbers of header extensions for an offer.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::RtpCapability;
use super::settled::{Settled, SettledSection};
use crate::Codec;

/// Gives numbers to formats and header extensions. What has one keeps it; what has none gets one that
/// means nothing else in the whole session, since sections that are bundled share one space of payload
/// types and header extensions (RFC 9143 §9.1, RFC 8285 §7).
pub(super) struct Numbers {
    formats: Vec<(u8, Codec)>,
    extensions: Vec<(u16, String)>,
    used: BTreeSet<u8>,
}

impl Numbers {
    pub(super) fn new(settled: &Settled) -> Self {
        let sections = settled.sections.iter();
        let formats: Vec<_> =
            sections.clone().flat_map(|section| section.formats.iter().cloned()).collect();
        Self {
            used: formats.iter().map(|(number, _)| *number).collect(),
            extensions: sections.flat_map(|section| section.extensions.iter().cloned()).collect(),
            formats,
        }
    }

    /// The formats under payload types, each with the RTX that serves it behind it, RED last. What does
    /// not fit is left out, from the least preferred on.
    pub(super) fn formats(
        &mut self,
        own: &RtpCapability,
        before: Option<&SettledSection>,
    ) -> Vec<(u8, Codec)> {
        let before = before.map_or(&[][..], |section| &section.formats);
        let mut formats: Vec<(u8, Codec)> = Vec::new();
        let (auxiliary, codecs): (Vec<&Codec>, Vec<&Codec>) =
            own.codecs.iter().partition(|codec| codec.is_auxiliary());
        for codec in codecs {
            let Some(number) = self.number(codec, before, &formats) else { break };
            formats.push((number, codec.clone()));
            let serves = |rtx: &&&Codec| rtx.is("rtx") && rtx.clock_rate == codec.clock_rate;
            if codec.carries_media()
                && let Some(rtx) = auxiliary.iter().find(serves)
            {
                let rtx = (*rtx).clone().with_parameters(&format!("apt={number}"));
                formats.extend(self.number(&rtx, before, &formats).map(|own| (own, rtx)));
            }
        }
        for red in auxiliary.iter().filter(|codec| codec.is("red")) {
            let same_rate = formats.iter().find(|(_, codec)| codec.clock_rate == red.clock_rate);
            let parameters = match same_rate {
                Some((first, codec)) if codec.clock_rate != 90_000 => format!("{first}/{first}"),
                _ => String::new(),
            };
            let red = (*red).clone().with_parameters(&parameters);
            formats.extend(self.number(&red, before, &formats).map(|own| (own, red)));
        }
        formats
    }

    /// The header extensions under their numbers, as many as there are numbers.
    pub(super) fn extensions(
        &mut self,
        own: &RtpCapability,
        before: Option<&SettledSection>,
    ) -> Vec<(u16, String)> {
        let mut numbered: Vec<(u16, String)> = Vec::new();
        for uri in &own.extensions {
            let known = before.iter().flat_map(|section| &section.extensions);
            let mut known = known.chain(&self.extensions);
            let is_free = |id: u16| numbered.iter().all(|(own, _)| *own != id);
            let settled = known.find(|(id, own)| own == uri && is_free(*id)).map(|(id, _)| *id);
            let unused = |id: &u16| self.extensions.iter().all(|(own, _)| own != id);
            let Some(id) = settled.or_else(|| EXTENSIONS.filter(|id| *id != 15).find(unused))
            else {
                break;
            };
            self.extensions.push((id, uri.clone()));
            numbered.push((id, uri.clone()));
        }
        numbered
    }

    /// The payload type that this section, or else another one, has for the format; or else the one that
    /// RFC 3551 fixes; or else a new one.
    fn number(
        &mut self,
        codec: &Codec,
        before: &[(u8, Codec)],
        taken: &[(u8, Codec)],
    ) -> Option<u8> {
        let is_free = |number: u8| taken.iter().all(|(own, _)| *own != number);
        let settled = before.iter().find(|(number, own)| is_free(*number) && is_same(codec, own));
        // The sections that are bundled must mean exactly the same by it.
        let elsewhere =
            || self.formats.iter().find(|(number, own)| is_free(*number) && own == codec);
        let fixed = || codec.static_payload_type().filter(|number| !self.used.contains(number));
        let number =
            settled.or_else(elsewhere).map(|(number, _)| *number).or_else(fixed).or_else(|| {
                DYNAMIC.into_iter().flatten().find(|number| !self.used.contains(number))
            })?;
        self.used.insert(number);
        self.formats.push((number, codec.clone()));
        Some(number)
    }
}

/// Whether the number of `settled` can stand for `own`: the rules of the payload format find them the same,
/// and what serves other formats serves the same ones.
fn is_same(own: &Codec, settled: &Codec) -> bool {
    own.answer_to(settled).is_some()
        && (!own.is_auxiliary() || own.parameters == settled.parameters)
}

/// Dynamic payload types: from 96 on, then from 35 on, which RFC 5761 §4 leaves for it.
const DYNAMIC: [core::ops::RangeInclusive<u8>; 2] = [96..=127, 35..=63];

/// Numbers that a header of two bytes has room for, the short ones first; 15 is reserved (RFC 8285 §4.2).
const EXTENSIONS: core::ops::RangeInclusive<u16> = 1..=255;
