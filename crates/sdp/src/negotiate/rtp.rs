//! Which formats, header extensions and versions an RTP section keeps in the answer.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Rejection, RtpCapability, RtpPlan, SimulcastPlan};
use crate::{
    Codec, Direction, Extmap, Media, Rid, RtcpMux, RtcpRsize, Simulcast, Stream, TypedAttribute,
    Way,
};

/// What this side makes of an offered RTP section.
pub(super) fn answer(
    own: &RtpCapability,
    offered: &Media<'_>,
    require_mux: bool,
) -> Result<RtpPlan, Rejection> {
    let formats = common_formats(own, &offered.codecs());
    if !formats.iter().any(|(_, codec)| codec.carries_media()) {
        return Err(Rejection::NoCommonCodec);
    }
    let rtcp_mux = offered.has(RtcpMux::NAME);
    if require_mux && !rtcp_mux {
        return Err(Rejection::NoRtcpMux);
    }
    let stated = offered.direction().or_else(|| offered.session().direction()).unwrap_or_default();
    Ok(RtpPlan {
        direction: common_direction(own.direction, stated.reversed()),
        extensions: common_extensions(own, offered),
        rtcp_mux,
        rtcp_mux_only: false,
        streams: Vec::new(),
        rtcp_rsize: offered.has(RtcpRsize::NAME),
        simulcast: if own.simulcast { mirrored_simulcast(offered, &formats) } else { None },
        formats,
    })
}

/// What both can do, in the offer's order and with its payload types (RFC 3264 §6.1).
///
/// Formats that serve others come after those that they name: RED after what it repeats, RTX after that.
fn common_formats(own: &RtpCapability, offered: &[(u8, Codec)]) -> Vec<(u8, Codec)> {
    let answer = |codec: &Codec| own.codecs.iter().find_map(|own| own.answer_to(codec));
    let mut common: BTreeMap<u8, Codec> = offered
        .iter()
        .filter(|(_, codec)| !codec.is_auxiliary())
        .filter_map(|(number, codec)| Some((*number, answer(codec)?)))
        .collect();
    for name in ["red", "rtx"] {
        let served: Vec<(u8, Codec)> = offered
            .iter()
            .filter(|(_, codec)| codec.is(name) && serves(codec, &common))
            // Its parameters name the offer's payload types, which are the answer's as well.
            .filter_map(|(number, codec)| {
                let parameters = codec.parameters.clone();
                Some((*number, Codec { parameters, ..answer(codec)? }))
            })
            .collect();
        common.extend(served);
    }
    offered.iter().filter_map(|(number, _)| Some((*number, common.remove(number)?))).collect()
}

/// Whether the payload types that an auxiliary format is for are among the common ones: `apt=96` of RTX
/// (RFC 4588 §8.6), `111/111` of RED (RFC 2198 §5). A RED without parameters serves whatever is there.
fn serves(auxiliary: &Codec, common: &BTreeMap<u8, Codec>) -> bool {
    let is_common =
        |text: &str| text.trim().parse().is_ok_and(|number| common.contains_key(&number));
    if auxiliary.is("rtx") {
        return auxiliary.parameter("apt").is_some_and(is_common);
    }
    auxiliary.parameters.is_empty() || auxiliary.parameters.split('/').all(is_common)
}

fn common_direction(a: Direction, b: Direction) -> Direction {
    let send = a.sends() && b.sends();
    let receive = a.receives() && b.receives();
    Direction::from_flow(send, receive)
}

/// The extensions that both know, each once, under the offer's numbers (RFC 8285 §7). Those of 4096 and
/// up are proposals without a number yet.
fn common_extensions(own: &RtpCapability, offered: &Media<'_>) -> Vec<(u16, String)> {
    let mut seen = BTreeSet::new();
    let extensions = offered.get_all::<Extmap<'_>>().flatten();
    let common = extensions.filter(|extension| {
        extension.id < 4_096
            && own.extensions.iter().any(|uri| uri == extension.uri)
            && seen.insert(extension.uri)
    });
    common.map(|extension| (extension.id, extension.uri.to_string())).collect()
}

/// The offered versions seen from this side: what they send we receive, and the other way round (RFC 8853 §5.3.2).
fn mirrored_simulcast(offered: &Media<'_>, formats: &[(u8, Codec)]) -> Option<SimulcastPlan> {
    let simulcast: Simulcast<'_> = offered.get().ok().flatten()?;
    let usable = |way| -> BTreeSet<&str> {
        let rids = offered.get_all::<Rid<'_>>().flatten();
        let fitting = rids.filter(|rid| rid.way == way && has_common_format(rid, formats));
        fitting.map(|rid| rid.id).collect()
    };
    let kept = |streams: &[Stream<'_>], way| -> Vec<Vec<String>> {
        let usable = usable(way);
        let named = streams.iter().map(|stream| {
            let names = stream.0.iter().map(|alternative| alternative.rid);
            names.filter(|rid| usable.contains(rid)).map(ToString::to_string).collect::<Vec<_>>()
        });
        named.filter(|stream| !stream.is_empty()).collect()
    };
    SimulcastPlan::of(kept(&simulcast.recv, Way::Recv), kept(&simulcast.send, Way::Send))
}

/// Whether one of the formats that the version is restricted to is left (RFC 8851 §4).
fn has_common_format(rid: &Rid<'_>, formats: &[(u8, Codec)]) -> bool {
    let is_common =
        |text: &str| text.parse().is_ok_and(|n: u8| formats.iter().any(|(own, _)| *own == n));
    rid.restriction("pt").is_none_or(|list| list.split(',').any(is_common))
}
