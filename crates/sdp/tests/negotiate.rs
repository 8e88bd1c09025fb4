//! Offers and answers between sides with various capabilities.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use pinhole_sdp::negotiate::{BundlePolicy, Capabilities, Plan, Rejection, Use, Wanted};
use pinhole_sdp::{Codec, Description, Origin, Profile};
use proptest::prelude::*;
use support::{any_capabilities, capabilities, h264, transport, video, wanted, written};

fn names(plan: &Plan, section: usize) -> Vec<(u8, String)> {
    let Ok(Use::Rtp(rtp)) = &plan.sections[section].outcome else { panic!("{plan:?}") };
    rtp.formats.iter().map(|(number, codec)| (*number, codec.name.clone())).collect()
}

#[test]
fn vp8_and_h264_meet_vp9_and_h264_and_the_answer_takes_h264() {
    let (ours, theirs) =
        (capabilities(&[video("VP8", ""), h264()]), capabilities(&[video("VP9", ""), h264()]));
    let offer = written(&Plan::offer(&ours, &wanted(&["video"])));
    let plan = Plan::answer(&theirs, &offer);
    assert_eq!(names(&plan, 0), [(97, "H264".to_owned())]);
    let answer = written(&plan);
    assert!(answer.check_answer_to(&offer).is_empty());
    assert_eq!(answer.media().next().unwrap().formats().collect::<Vec<_>>(), ["97"]);
}

#[test]
fn an_offer_of_everything_is_strict_and_its_answer_mirrors_it() {
    let codecs = [video("VP8", ""), h264(), Codec::new("rtx", 90_000, 1)];
    let both = capabilities(&codecs);
    let offer = written(&Plan::offer(&both, &wanted(&["audio", "video", "application"])));
    assert_eq!(offer.check(Profile::WebRtc), [], "{offer}");
    let plan = Plan::answer(&both, &offer);
    let rtx = |apt: u8| (apt + 1, "rtx".to_owned());
    assert_eq!(
        names(&plan, 1),
        [(97, "VP8".to_owned()), rtx(97), (99, "H264".to_owned()), rtx(99)],
        "in the offer's order and numbers"
    );
    let answer = written(&plan);
    assert_eq!(answer.check(Profile::WebRtc), [], "{answer}");
    assert_eq!(answer.check_answer_to(&offer), [], "{answer}");
    let transports = answer.media().filter(|media| media.has("ice-ufrag")).count();
    assert_eq!(transports, 1, "the bundle shares one");
    let setup = answer.media().next().unwrap().attribute("setup").unwrap().value();
    assert_eq!(setup, Some("active"));
    assert_eq!(written(&Plan::answer(&both, &offer)), answer, "answering twice gives the same");
}

#[test]
fn what_cannot_be_used_is_rejected_and_says_why() {
    let offer = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE a v d\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 8\r\na=mid:a\r\na=rtcp-mux\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\na=rtpmap:96 H264/90000\r\n\
        a=fmtp:96 packetization-mode=1;profile-level-id=42e01f\r\n\
        m=text 9 UDP/TLS/RTP/SAVPF 98\r\na=mid:t\r\n\
        m=application 9 TCP/MSRP *\r\na=mid:m\r\n\
        m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:r\r\n\
        m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:d\r\na=bundle-only\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:h\r\na=setup:holdconn\r\n";
    let offer = Description::parse(offer).unwrap();
    let mut own = capabilities(&[h264()]);
    let outcomes = |own: &Capabilities| -> Vec<Option<Rejection>> {
        Plan::answer(own, &offer)
            .sections
            .iter()
            .map(|section| section.outcome.clone().err())
            .collect()
    };
    let expected = [
        Some(Rejection::NoCommonCodec),
        Some(Rejection::NoRtcpMux),
        Some(Rejection::NotWanted),
        Some(Rejection::UnknownProtocol),
        Some(Rejection::ByOffer),
        Some(Rejection::NotBundled),
        Some(Rejection::NoDtlsRole),
    ];
    assert_eq!(outcomes(&own), expected);
    own.require_rtcp_mux = false;
    assert_eq!(outcomes(&own)[5], None, "the video section is there to tell the transport");
    own.require_rtcp_mux = true;
    own.bundle = BundlePolicy::Never;
    assert_eq!(outcomes(&own)[5], Some(Rejection::NotBundled));
    let answer = written(&Plan::answer(&own, &offer));
    assert!(answer.check_answer_to(&offer).is_empty());
    assert!(answer.media().all(|media| media.is_rejected()));
}

#[test]
fn a_vetoed_section_leaves_the_bundle_and_the_next_one_tells_the_transport() {
    let both = capabilities(&[h264()]);
    let offer = written(&Plan::offer(&both, &wanted(&["audio", "video"])));
    let mut plan = Plan::answer(&both, &offer);
    plan.sections[0].veto();
    let answer = written(&plan);
    assert!(answer.check_answer_to(&offer).is_empty(), "{answer}");
    assert_eq!(answer.session().attribute("group").unwrap().value(), Some("BUNDLE 1"));
    let [audio, video] = [0, 1].map(|index| answer.media().nth(index).unwrap());
    assert!(audio.is_rejected() && !audio.has("ice-ufrag") && video.has("ice-ufrag"));
}

#[test]
fn directions_and_dtls_roles_are_the_other_sides_turned_round() {
    let both = capabilities(&[h264()]);
    for (stated, setup, answered, role) in [
        ("sendrecv", "actpass", "sendrecv", "active"),
        ("sendonly", "active", "recvonly", "passive"),
        ("recvonly", "passive", "sendonly", "active"),
        ("inactive", "actpass", "inactive", "active"),
    ] {
        let offer = written(&Plan::offer(&both, &wanted(&["audio"]))).to_string();
        let offer = offer.replace("sendrecv", stated).replace("actpass", setup);
        let offer = Description::parse(&offer).unwrap();
        let answer = written(&Plan::answer(&both, &offer));
        let audio = answer.media().next().unwrap();
        assert_eq!(audio.direction().unwrap().name(), answered);
        assert_eq!(audio.attribute("setup").unwrap().value(), Some(role));
        assert!(answer.check_answer_to(&offer).is_empty());
    }
}

#[test]
fn offered_versions_are_received_and_those_without_a_common_format_are_not() {
    let both = capabilities(&[h264()]);
    let mut video = Wanted::new("video");
    video.versions = vec!["q".to_owned(), "h".to_owned(), "f".to_owned()];
    let offer = written(&Plan::offer(&both, &[video]));
    let sent = offer.media().next().unwrap().attribute("simulcast").unwrap().value();
    assert_eq!(sent, Some("send q;h;f"));
    let restricted = offer.to_string().replace("a=rid:h send", "a=rid:h send pt=120");
    let restricted = Description::parse(&restricted).unwrap();
    let answer = written(&Plan::answer(&both, &restricted));
    let video = answer.media().next().unwrap();
    assert_eq!(video.attribute("simulcast").unwrap().value(), Some("recv q;f"));
    assert_eq!(video.attributes_named("rid").count(), 2);
    assert_eq!(answer.check(Profile::WebRtc), []);
}

#[test]
fn versions_go_both_ways_in_one_section() {
    // RFC 8853 §5.3.
    let side = capabilities(&[video("VP8", "")]);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let wish = Wanted {
        versions: names(&["h", "l"]),
        received_versions: names(&["a", "b"]),
        ..Wanted::new("video")
    };
    let offer = written(&Plan::offer(&side, &[wish]));
    assert_eq!(offer.check(Profile::WebRtc), [], "{offer}");
    let value = |description: &Description<'_>| {
        let media = description.media().next().unwrap();
        media.attribute("simulcast").unwrap().value().unwrap().to_owned()
    };
    assert_eq!(value(&offer), "send h;l recv a;b");
    let answer = written(&Plan::answer(&side, &offer));
    assert_eq!(value(&answer), "send a;b recv h;l");
    assert_eq!(answer.check(Profile::WebRtc), [], "{answer}");
    assert_eq!(answer.check_answer_to(&offer), []);
}

#[test]
fn an_answer_that_is_none_is_found_out() {
    let both = capabilities(&[h264()]);
    let offer = written(&Plan::offer(&both, &wanted(&["audio", "video"])));
    let good = written(&Plan::answer(&both, &offer)).to_string();
    for (from, to) in [
        ("m=audio 9", "m=text 9"),
        ("m=video 9 UDP/TLS/RTP/SAVPF", "m=video 9 RTP/SAVPF"),
        ("a=mid:1", "a=mid:9"),
        ("SAVPF 96 0", "SAVPF 77"),
        ("a=setup:active", "a=setup:actpass"),
        ("urn:x:other", "urn:x:unheard-of"),
        ("BUNDLE 0 1", "BUNDLE 0 1 2"),
        ("m=video 9", "m=video 0"),
    ] {
        let bad = good.replace(from, to);
        assert_ne!(bad, good, "{from} is not in\n{good}");
        let bad = Description::parse(&bad).unwrap();
        assert!(!bad.check_answer_to(&offer).is_empty(), "{from} became {to}");
    }
}

#[test]
fn each_bundle_policy_has_its_own_transports_and_bundle_only_sections() {
    for (policy, transports, bundle_only, group) in [
        (BundlePolicy::Never, [1, 1, 1], [0, 0, 0], None),
        (BundlePolicy::MaxCompat, [1, 1, 1], [0, 0, 0], Some("BUNDLE 0 1 2")),
        (BundlePolicy::Balanced, [1, 1, 0], [0, 0, 1], Some("BUNDLE 0 1 2")),
        (BundlePolicy::MaxBundle, [1, 1, 1], [0, 0, 0], Some("BUNDLE 0 1 2")),
        (BundlePolicy::MustBundle, [1, 0, 0], [0, 1, 1], Some("BUNDLE 0 1 2")),
    ] {
        let own = Capabilities { bundle: policy, ..capabilities(&[h264()]) };
        let plan = Plan::offer(&own, &wanted(&["audio", "video", "video"]));
        let names = ["aaaa", "bbbb", "cccc"];
        let offer = plan.write(Origin::anonymous(1, 1), |index| transport(names[index])).unwrap();
        let count = |name| -> Vec<usize> {
            offer.media().map(|media| media.attributes_named(name).count()).collect()
        };
        assert_eq!(
            (count("ice-ufrag"), count("bundle-only")),
            (transports.into(), bundle_only.into())
        );
        assert_eq!(offer.session().attribute("group").and_then(|group| group.value()), group);
        let last = offer.media().last().unwrap().attribute("ice-ufrag").and_then(|own| own.value());
        let repeated = policy == BundlePolicy::MaxBundle;
        assert!(
            last.is_none() || last == Some(if repeated { "aaaa" } else { "cccc" }),
            "{policy:?}"
        );
    }
}

/// RFC 9429 §4.1.1: what an answer rejects where the offer does not bundle.
#[test]
fn sections_that_cannot_be_bundled_are_rejected_as_the_policy_says() {
    let never = Capabilities { bundle: BundlePolicy::Never, ..capabilities(&[h264()]) };
    let offer = written(&Plan::offer(&never, &wanted(&["audio", "video", "video"])));
    for (policy, accepted) in [
        (BundlePolicy::Never, [true, true, true]),
        (BundlePolicy::MaxCompat, [true, true, true]),
        (BundlePolicy::Balanced, [true, true, false]),
        (BundlePolicy::MustBundle, [true, false, false]),
    ] {
        let own = Capabilities { bundle: policy, ..capabilities(&[h264()]) };
        let plan = Plan::answer(&own, &offer);
        let outcomes: Vec<bool> =
            plan.sections.iter().map(|section| section.outcome.is_ok()).collect();
        assert_eq!(outcomes, accepted, "{policy:?}");
    }
}

#[test]
fn a_description_shows_what_its_side_can_do() {
    let own = capabilities(&[video("VP8", ""), h264()]);
    let mut versions = Wanted::new("video");
    versions.versions = vec!["f".to_owned()];
    let wanted = [Wanted::new("audio"), versions, Wanted::new("video"), Wanted::new("application")];
    let shown = Capabilities::shown_by(&written(&Plan::offer(&own, &wanted)));
    assert_eq!(shown.rtp["video"], own.rtp["video"]);
    assert_eq!(shown.rtp["audio"].codecs, own.rtp["audio"].codecs);
    assert_eq!(shown.data, own.data);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn two_sides_with_any_capabilities_come_to_a_legal_answer(
        ours in any_capabilities(),
        theirs in any_capabilities(),
        kinds in proptest::collection::vec(proptest::sample::select(&["audio", "video", "application"][..]), 1..5),
    ) {
        let offer = written(&Plan::offer(&ours, &wanted(&kinds)));
        prop_assert_eq!(offer.check(Profile::WebRtc), vec![], "{}", offer);
        let plan = Plan::answer(&theirs, &offer);
        let answer = written(&plan);
        prop_assert_eq!(answer.check(Profile::WebRtc), vec![], "{}", answer);
        prop_assert_eq!(answer.check_answer_to(&offer), vec![], "offer\n{}\nanswer\n{}", offer, answer);
        prop_assert_eq!(Plan::answer(&theirs, &offer), plan);
        // Numbers mean to the answerer what they mean to the offerer.
        for (offered, answered) in offer.media().zip(answer.media()) {
            let offered = offered.codecs();
            for (number, codec) in answered.codecs().iter().filter(|_| !answered.is_rejected()) {
                let (_, same) = offered.iter().find(|(own, _)| own == number).unwrap();
                prop_assert_eq!((&same.name, same.clock_rate), (&codec.name, codec.clock_rate));
            }
        }
    }
}
