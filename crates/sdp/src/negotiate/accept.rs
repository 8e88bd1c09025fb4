use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::plan::{Part, Standing};
use super::{
    BundlePolicy, Capabilities, DataPlan, Plan, Rejection, SectionPlan, Settled, Use, rtp, settled,
};
use crate::{BundleOnly, Description, Media, Setup, TlsId, TypedAttribute};

impl Plan {
    /// What this side answers to an offer (RFC 3264 §6, RFC 9429 §5.3). It has a section for each of the
    /// offer, accepted or rejected, with the offer's payload types, numbers and tags.
    ///
    /// The same capabilities and offer give the same answer.
    #[must_use]
    pub fn answer(capabilities: &Capabilities, offer: &Description<'_>) -> Self {
        Self::answer_after(&Settled::default(), capabilities, offer)
    }

    /// What this side answers to an offer that changes what earlier exchanges have settled: it keeps its
    /// part of DTLS (RFC 8842 §5.3), and rejects a whole BUNDLE group where it has to reject the section
    /// that tells its transport (RFC 9143 §7.3.3).
    #[must_use]
    pub fn answer_after(
        settled: &Settled,
        capabilities: &Capabilities,
        offer: &Description<'_>,
    ) -> Self {
        let bundles = if capabilities.bundle == BundlePolicy::Never {
            Vec::new()
        } else {
            settled::bundles(offer)
        };
        let bundled = group_of(&bundles);
        let settled_bundled = group_of(&settled.bundles);
        let sections = offer.media().map(|media| {
            let is_only = media.has(BundleOnly::NAME);
            let outcome = outcome(capabilities, &media).and_then(|usage| {
                let alone = is_only && !media.mid().is_some_and(|mid| bundled.contains_key(mid));
                if alone { Err(Rejection::NotBundled) } else { Ok(usage) }
            });
            let mid = media.mid().map(ToString::to_string);
            let is_settled = mid.as_deref().is_some_and(|mid| settled_bundled.contains_key(mid));
            let before = settled.sections.get(media.index()).filter(|own| own.mid == mid);
            let restarts_ice = before.is_some_and(|own| own.is_restarted_by(&media));
            SectionPlan {
                restarts_ice,
                own_ice: before.and_then(|own| own.own_ice.clone()),
                offered_tls_id: media.has(TlsId::NAME) || media.session().has(TlsId::NAME),
                kind: media.kind().to_string(),
                protocol: media.protocol().to_string(),
                offered_formats: media.formats().collect::<Vec<_>>().join(" "),
                mid,
                outcome,
                offered_setup: media.get_or_inherit().ok().flatten(),
                role: before.and_then(|own| own.role),
                standing: match (is_settled, is_only && media.port() == 0) {
                    (true, _) => Standing::Bundled,
                    (false, true) => Standing::BundleOnly,
                    (false, false) => Standing::New,
                },
            }
        });
        let mut sections: Vec<SectionPlan> = sections.collect();
        reject_unbundled(capabilities.bundle, &bundles, &mut sections);
        let mut plan = Self { sections, bundles, part: Part::Answer };
        plan.make_consistent();
        plan
    }
}

/// The index of the group that a tag is in; it is in one at most.
fn group_of(bundles: &[Vec<String>]) -> BTreeMap<&str, usize> {
    let mids =
        (0..).zip(bundles).flat_map(|(index, group)| group.iter().map(move |mid| (mid, index)));
    mids.map(|(mid, index)| (mid.as_str(), index)).collect()
}

/// What RFC 9429 §4.1.1 has an answerer reject, so as not to need a transport more.
fn reject_unbundled(policy: BundlePolicy, bundles: &[Vec<String>], sections: &mut [SectionPlan]) {
    let mut kinds = BTreeSet::new();
    let groups = group_of(bundles);
    let mut first = None;
    for section in sections.iter_mut().filter(|section| section.outcome.is_ok()) {
        let group = section.mid.as_deref().and_then(|mid| groups.get(mid).copied());
        let is_with_first =
            first.is_none_or(|first: Option<usize>| first.is_some() && first == group);
        first.get_or_insert(group);
        let may_stay = match policy {
            BundlePolicy::Balanced => kinds.insert(section.kind.clone()) || !bundles.is_empty(),
            BundlePolicy::MustBundle => is_with_first,
            BundlePolicy::Never | BundlePolicy::MaxCompat | BundlePolicy::MaxBundle => true,
        };
        if !may_stay {
            section.outcome = Err(Rejection::NotBundled);
        }
    }
}

fn outcome(capabilities: &Capabilities, media: &Media<'_>) -> Result<Use, Rejection> {
    if media.is_rejected() {
        return Err(Rejection::ByOffer);
    }
    if media.get_or_inherit::<Setup>() == Ok(Some(Setup::HoldConn)) {
        return Err(Rejection::NoDtlsRole);
    }
    if is_data(media.protocol()) {
        let data = capabilities.data.ok_or(Rejection::NotWanted)?;
        if !media.formats().any(|format| format == "webrtc-datachannel") {
            return Err(Rejection::UnknownProtocol);
        }
        let (sctp_port, max_message_size) = (data.sctp_port, data.max_message_size);
        return Ok(Use::Data(DataPlan { sctp_port, max_message_size }));
    }
    if !is_rtp(media.protocol()) {
        return Err(Rejection::UnknownProtocol);
    }
    let own = capabilities.rtp.get(media.kind()).ok_or(Rejection::NotWanted)?;
    rtp::answer(own, media, capabilities.require_rtcp_mux).map(Use::Rtp)
}

/// RFC 8841 §4.1
fn is_data(protocol: &str) -> bool {
    matches!(protocol, "UDP/DTLS/SCTP" | "TCP/DTLS/SCTP")
}

/// "Any profile in the offer matching one of the following MUST be accepted" (RFC 9429 §5.1.2)
fn is_rtp(protocol: &str) -> bool {
    matches!(
        protocol,
        "RTP/AVP"
            | "RTP/AVPF"
            | "RTP/SAVP"
            | "RTP/SAVPF"
            | "UDP/TLS/RTP/SAVP"
            | "UDP/TLS/RTP/SAVPF"
            | "TCP/DTLS/RTP/SAVP"
            | "TCP/DTLS/RTP/SAVPF"
    )
}
