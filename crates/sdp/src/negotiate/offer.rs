use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::plan::Part;
use super::{
    BundlePolicy, Capabilities, DataPlan, Plan, Rejection, RtpCapability, RtpPlan, SectionPlan,
    SimulcastPlan, Use,
};
use crate::{Codec, Direction, Way};

/// A section that an offer should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The media type, or `application` for data channels.
    pub kind: String,
    /// In which directions media should flow, within what the capabilities allow.
    pub direction: Direction,
    /// Names of versions to send side by side, from the most wanted one on; usually none.
    pub versions: Vec<String>,
}

impl Wanted {
    /// A section of this media type in both directions, in one version.
    #[must_use]
    pub fn new(kind: &str) -> Self {
        Self { kind: kind.to_string(), direction: Direction::SendRecv, versions: Vec::new() }
    }
}

impl Plan {
    /// An offer of these sections with everything that the capabilities have for them. The tags are `0`,
    /// `1` and so on; a section of a media type that the capabilities lack is rejected from the start.
    #[must_use]
    pub fn offer(capabilities: &Capabilities, wanted: &[Wanted]) -> Self {
        let sections: Vec<SectionPlan> = wanted
            .iter()
            .enumerate()
            .map(|(index, wanted)| SectionPlan {
                kind: wanted.kind.clone(),
                protocol: protocol(&wanted.kind).to_string(),
                offered_formats: if wanted.kind == DATA { "webrtc-datachannel" } else { "0" }
                    .to_string(),
                mid: Some(index.to_string()),
                outcome: outcome(capabilities, wanted),
                offered_setup: None,
            })
            .collect();
        let all = sections.iter().filter_map(|section| section.mid.clone()).collect();
        let bundles =
            if capabilities.bundle == BundlePolicy::Never { Vec::new() } else { Vec::from([all]) };
        Self { sections, bundles, part: Part::Offer(capabilities.bundle) }
    }
}

fn outcome(capabilities: &Capabilities, wanted: &Wanted) -> Result<Use, Rejection> {
    if wanted.kind == DATA {
        let data = capabilities.data.ok_or(Rejection::NotWanted)?;
        let (sctp_port, max_message_size) = (data.sctp_port, data.max_message_size);
        return Ok(Use::Data(DataPlan { sctp_port, max_message_size }));
    }
    let own = capabilities.rtp.get(&wanted.kind).ok_or(Rejection::NotWanted)?;
    if !own.codecs.iter().any(Codec::carries_media) {
        return Err(Rejection::NoCommonCodec);
    }
    let streams = wanted.versions.iter().map(|rid| Vec::from([rid.clone()])).collect::<Vec<_>>();
    Ok(Use::Rtp(RtpPlan {
        formats: numbered(own),
        direction: Direction::from_flow(
            wanted.direction.sends() && own.direction.sends(),
            wanted.direction.receives() && own.direction.receives(),
        ),
        extensions: (1..).zip(own.extensions.iter().cloned()).filter(|(id, _)| *id != 15).collect(),
        rtcp_mux: true,
        rtcp_rsize: true,
        simulcast: (own.simulcast && !streams.is_empty())
            .then_some(SimulcastPlan { way: Way::Send, streams }),
    }))
}

/// The formats under payload types: those that RFC 3551 fixes, and the dynamic ones from 96 on, then
/// from 35 on, which RFC 5761 §4 leaves for it. What does not fit is left out, from the least preferred
/// on.
fn numbered(own: &RtpCapability) -> Vec<(u8, Codec)> {
    let mut free = (96..=127).chain(35..=63);
    let mut used = BTreeSet::new();
    let mut formats: Vec<(u8, Codec)> = Vec::new();
    let auxiliary: Vec<&Codec> = own.codecs.iter().filter(|codec| codec.is_auxiliary()).collect();
    for codec in own.codecs.iter().filter(|codec| !codec.is_auxiliary()) {
        let fixed = Codec::static_payload_type(codec).filter(|number| used.insert(*number));
        let Some(number) = fixed.or_else(|| free.next()) else { break };
        formats.push((number, codec.clone()));
        let clock_rate = codec.clock_rate;
        let rtx = auxiliary.iter().find(|codec| codec.is("rtx") && codec.clock_rate == clock_rate);
        if codec.carries_media()
            && let Some(rtx) = rtx
            && let Some(next) = free.next()
        {
            formats.push((next, (*rtx).clone().with_parameters(&format!("apt={number}"))));
        }
    }
    for red in auxiliary.iter().filter(|codec| codec.is("red")) {
        let Some(next) = free.next() else { break };
        let same_rate = formats.iter().find(|(_, codec)| codec.clock_rate == red.clock_rate);
        let parameters = match same_rate {
            Some((first, codec)) if codec.clock_rate != 90_000 => format!("{first}/{first}"),
            _ => String::new(),
        };
        formats.push((next, (*red).clone().with_parameters(&parameters)));
    }
    formats
}

fn protocol(kind: &str) -> &'static str {
    if kind == DATA { "UDP/DTLS/SCTP" } else { "UDP/TLS/RTP/SAVPF" }
}

const DATA: &str = "application";
