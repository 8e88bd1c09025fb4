use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::number::Numbers;
use super::plan::{Part, Standing};
use super::settled::SettledSection;
use super::{
    BundlePolicy, Capabilities, DataPlan, Plan, Rejection, RtpPlan, SectionPlan, Settled,
    SimulcastPlan, Use,
};
use crate::{Codec, Direction};

/// A section that an offer should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The tag of the section that is meant, where it is one of an earlier exchange; `None` for a new one.
    pub mid: Option<String>,
    /// The media type, or `application` for data channels.
    pub kind: String,
    /// In which directions media should flow, within what the capabilities allow.
    pub direction: Direction,
    /// The ids of the media streams that what is sent belongs to; none for a track on its own.
    pub streams: Vec<String>,
    /// Names of versions to send side by side, from the most wanted one on; usually none.
    pub versions: Vec<String>,
    /// The same of versions to receive.
    pub received_versions: Vec<String>,
}

impl Wanted {
    /// A new section of this media type in both directions, in one version.
    #[must_use]
    pub fn new(kind: &str) -> Self {
        Self {
            mid: None,
            kind: kind.to_string(),
            direction: Direction::SendRecv,
            streams: Vec::new(),
            versions: Vec::new(),
            received_versions: Vec::new(),
        }
    }
}

impl Plan {
    /// The first offer of a session: these sections, with everything that the capabilities have for them.
    /// The tags are `0`, `1` and so on; a section of a media type that the capabilities lack is rejected
    /// from the start.
    #[must_use]
    pub fn offer(capabilities: &Capabilities, wanted: &[Wanted]) -> Self {
        Self::offer_after(&Settled::default(), capabilities, wanted)
    }

    /// An offer that changes what earlier exchanges have settled (RFC 9429 §5.2.2).
    ///
    /// Sections stay in their places. Those that nobody wants any more are closed; a new one takes the
    /// place of one that was closed before, under a new tag, or comes last. The same wishes after the same
    /// exchanges give the same offer.
    #[must_use]
    pub fn offer_after(settled: &Settled, capabilities: &Capabilities, wanted: &[Wanted]) -> Self {
        let mut numbers = Numbers::new(settled);
        let mut sections: Vec<SectionPlan> = Vec::new();
        for place in places(settled, wanted) {
            let before = settled.sections.get(sections.len());
            let section = match (place, before) {
                (Some(wanted), before) => {
                    let before = before.filter(|own| own.is_live);
                    let mid = wanted.mid.clone().filter(|_| before.is_some());
                    let mid = mid.unwrap_or_else(|| unused_mid(settled, &sections));
                    let outcome = outcome(capabilities, wanted, &mut numbers, before);
                    section(&wanted.kind, before, Some(mid), outcome)
                }
                (None, Some(before)) => {
                    let outcome = Err(Rejection::NotWanted);
                    section(&before.kind, Some(before), before.mid.clone(), outcome)
                }
                (None, None) => continue,
            };
            sections.push(section);
        }
        let bundles = bundles(settled, capabilities.bundle, &mut sections);
        Self { sections, bundles, part: Part::Offer(capabilities.bundle) }
    }
}

/// What becomes of each section: those of before, then the new ones, of which the first take the places
/// that are free. `None` is a section that nobody wants.
fn places<'w>(settled: &Settled, wanted: &'w [Wanted]) -> Vec<Option<&'w Wanted>> {
    let of_wanted = |wanted: &'w Wanted| Some((wanted.kind.as_str(), wanted.mid.as_deref()?));
    fn of_section(section: &SettledSection) -> Option<(&str, &str)> {
        Some((section.kind.as_str(), section.mid.as_deref()?))
    }
    let live = settled.sections.iter().filter(|section| section.is_live);
    let live: BTreeSet<(&str, &str)> = live.filter_map(of_section).collect();
    // From the last one on, so that the first wish for a section counts.
    let meant = wanted.iter().rev().filter_map(|wanted| Some((of_wanted(wanted)?, wanted)));
    let meant: BTreeMap<(&str, &str), &Wanted> = meant.collect();
    let is_new = |wanted: &&'w Wanted| !of_wanted(wanted).is_some_and(|own| live.contains(&own));
    let mut new = wanted.iter().filter(is_new);
    let mut places: Vec<Option<&Wanted>> = settled
        .sections
        .iter()
        .map(|section| {
            let own = of_section(section).and_then(|own| meant.get(&own).copied());
            if section.is_live { own } else { new.next() }
        })
        .collect();
    places.extend(new.map(Some));
    places
}

/// A number that was never a tag.
fn unused_mid(settled: &Settled, sections: &[SectionPlan]) -> String {
    let before = settled.sections.iter().map(|own| &own.mid);
    let now = sections.iter().map(|own| &own.mid);
    let taken: BTreeSet<&str> = before.chain(now).filter_map(Option::as_deref).collect();
    let is_used = |mid: &String| taken.contains(mid.as_str());
    let mut mids = (settled.next_mid..=u32::MAX).map(|number| number.to_string());
    mids.find(|mid| !is_used(mid)).unwrap_or_default()
}

fn section(
    kind: &str,
    before: Option<&SettledSection>,
    mid: Option<String>,
    outcome: Result<Use, Rejection>,
) -> SectionPlan {
    SectionPlan {
        kind: kind.to_string(),
        protocol: before.map_or(protocol(kind), |own| own.protocol.as_str()).to_string(),
        offered_formats: if kind == DATA { "webrtc-datachannel" } else { "0" }.to_string(),
        mid,
        outcome,
        restarts_ice: false,
        own_ice: None,
        offered_tls_id: false,
        offered_setup: None,
        role: before.and_then(|own| own.role),
        standing: if before.is_some() { Standing::Alone } else { Standing::New },
    }
}

/// The groups that stand, to the first of which new sections are added; or one of all sections.
fn bundles(
    settled: &Settled,
    policy: BundlePolicy,
    sections: &mut [SectionPlan],
) -> Vec<Vec<String>> {
    if policy == BundlePolicy::Never {
        return Vec::new();
    }
    let live = sections.iter().filter(|own| own.outcome.is_ok());
    let live: BTreeSet<&str> = live.filter_map(|own| own.mid.as_deref()).collect();
    let is_live = |mid: &&String| live.contains(mid.as_str());
    let groups =
        settled.bundles.iter().map(|group| group.iter().filter(is_live).cloned().collect());
    let mut groups: Vec<Vec<String>> =
        groups.filter(|group: &Vec<String>| !group.is_empty()).collect();
    let Some(first) = groups.first_mut() else {
        return Vec::from([sections.iter().filter_map(|section| section.mid.clone()).collect()]);
    };
    let new = sections.iter().filter(|section| section.standing == Standing::New);
    first.extend(new.filter_map(|section| section.mid.clone()));
    let bundled: BTreeSet<&String> = groups.iter().flatten().collect();
    for section in sections {
        if section.mid.as_ref().is_some_and(|mid| bundled.contains(mid)) {
            section.standing = Standing::Bundled;
        }
    }
    groups
}

fn outcome(
    capabilities: &Capabilities,
    wanted: &Wanted,
    numbers: &mut Numbers,
    before: Option<&SettledSection>,
) -> Result<Use, Rejection> {
    if wanted.kind == DATA {
        let data = capabilities.data.ok_or(Rejection::NotWanted)?;
        let (sctp_port, max_message_size) = (data.sctp_port, data.max_message_size);
        return Ok(Use::Data(DataPlan { sctp_port, max_message_size }));
    }
    let own = capabilities.rtp.get(&wanted.kind).ok_or(Rejection::NotWanted)?;
    if !own.codecs.iter().any(Codec::carries_media) {
        return Err(Rejection::NoCommonCodec);
    }
    let streams = |versions: &[String]| match own.simulcast {
        true => versions.iter().map(|rid| Vec::from([rid.clone()])).collect(),
        false => Vec::new(),
    };
    Ok(Use::Rtp(RtpPlan {
        formats: numbers.formats(own, before),
        direction: Direction::from_flow(
            wanted.direction.sends() && own.direction.sends(),
            wanted.direction.receives() && own.direction.receives(),
        ),
        extensions: numbers.extensions(own, before),
        rtcp_mux: true,
        // "The a=rtcp-mux-only line MUST NOT be added" to what was settled before (RFC 9429 §5.2.2).
        rtcp_mux_only: capabilities.require_rtcp_mux && before.is_none(),
        streams: wanted.streams.clone(),
        rtcp_rsize: true,
        simulcast: SimulcastPlan::of(streams(&wanted.versions), streams(&wanted.received_versions)),
    }))
}

fn protocol(kind: &str) -> &'static str {
    if kind == DATA { "UDP/DTLS/SCTP" } else { "UDP/TLS/RTP/SAVPF" }
}

const DATA: &str = "application";
