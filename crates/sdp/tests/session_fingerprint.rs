//! Where an offer tells its fingerprint for the whole session.
#![allow(clippy::unwrap_used)]

mod support;

use pinhole_sdp::negotiate::{BundlePolicy, Plan, Settled};
use pinhole_sdp::{Description, Fingerprint, Media, Profile, TypedAttribute};
use support::{POLICIES, capabilities, h264, wanted, written};

const KINDS: [&str; 4] = ["video", "audio", "video", "application"];

fn is_protected(media: &Media<'_>) -> bool {
    matches!(media.get_or_inherit::<Fingerprint<'_>>(), Ok(Some(_)))
}

fn tells_for_the_session(description: &Description<'_>) -> bool {
    description.session().has(Fingerprint::NAME)
}

/// RFC 8122 §5 lets the session tell it for sections that do not: those that are bundle-only, and those
/// that were bundled before (RFC 9143 §7.1.3, §7.5).
#[test]
fn every_section_of_an_offer_has_or_inherits_a_fingerprint() {
    for bundle in POLICIES {
        let own = pinhole_sdp::negotiate::Capabilities { bundle, ..capabilities(&[h264()]) };
        let offer = written(&Plan::offer(&own, &wanted(&KINDS)));
        let is_first_needed = matches!(bundle, BundlePolicy::Balanced | BundlePolicy::MustBundle);
        assert_eq!(tells_for_the_session(&offer), is_first_needed, "{bundle:?}: {offer}");
        assert!(offer.media().all(|media| is_protected(&media)), "{bundle:?}: {offer}");

        let answer = written(&Plan::answer(&own, &offer));
        assert!(!tells_for_the_session(&answer), "{bundle:?}: {answer}");
        let mut settled = Settled::default();
        settled.own_offer(&offer, &answer);
        let next = written(&Plan::offer_after(&settled, &own, &settled.wanted()));
        assert!(next.media().all(|media| is_protected(&media)), "{bundle:?}: {next}");
        assert_eq!(next.check(Profile::WebRtc), [], "{bundle:?}: {next}");
    }
}

/// Where each section has its own, or there is none to protect, nothing is told twice.
#[test]
fn an_offer_without_sections_that_depend_on_others_tells_none_for_the_session() {
    for kinds in [&["audio", "video", "application"][..], &["audio"], &[]] {
        let offer = written(&Plan::offer(&capabilities(&[h264()]), &wanted(kinds)));
        assert!(!tells_for_the_session(&offer), "{offer}");
    }
    let mut plan = Plan::offer(&capabilities(&[h264()]), &wanted(&KINDS));
    for section in &mut plan.sections {
        section.veto();
    }
    assert!(!tells_for_the_session(&written(&plan)));
}
