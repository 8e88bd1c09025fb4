//! Our offers and answers before the judge: a real browser.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "../../signaling-server/tests/support/chromium.rs"]
#[allow(dead_code, reason = "the module is shared with other tests")]
mod chromium;
#[path = "../../signaling-server/tests/support/namespace.rs"]
#[allow(dead_code, reason = "the module is shared with other tests")]
mod namespace;

use std::future::Future;

use chromium::{Chromium, Tab};
use namespace::run_in_namespace;
use pinhole_sdp::negotiate::{
    BundlePolicy, Capabilities, DataCapability, Plan, RtpCapability, Settled, Transport, Wanted,
};
use pinhole_sdp::{Codec, Description, Direction, Fingerprint, Origin, Profile};
use serde_json::{Value, json};

/// Runs `body` with a browser and an empty page, in a namespace.
fn with_browser<F: Future<Output = ()>>(test: &str, body: impl FnOnce(Chromium, Tab) -> F) {
    let Some(program) = chromium::installed() else {
        println!("skipped: Chromium is not installed");
        return;
    };
    run_in_namespace(test, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut browser = Chromium::start(&program).await;
            let tab = browser.open("about:blank").await;
            body(browser, tab).await;
        });
    });
}

/// The browser's answer to an offer.
async fn answer_of(browser: &mut Chromium, tab: &Tab, offer: &str) -> String {
    let offer = json!(offer);
    let script = format!(
        "(async () => {{
            const pc = new RTCPeerConnection();
            await pc.setRemoteDescription({{ type: 'offer', sdp: {offer} }});
            await pc.setLocalDescription();
            return pc.localDescription.sdp;
        }})()"
    );
    text(browser.evaluate(tab, &script).await)
}

/// An offer of the browser, made after `preparation`, which stays open as `pc`.
async fn offer_of(browser: &mut Chromium, tab: &Tab, preparation: &str) -> String {
    let script = format!(
        "(async () => {{
            globalThis.pc = new RTCPeerConnection();
            {preparation};
            await pc.setLocalDescription();
            return pc.localDescription.sdp;
        }})()"
    );
    text(browser.evaluate(tab, &script).await)
}

/// Gives our answer to the open offer; the browser's state afterwards.
async fn give_answer(browser: &mut Chromium, tab: &Tab, answer: &str) -> String {
    let answer = json!(answer);
    let script = format!(
        "pc.setRemoteDescription({{ type: 'answer', sdp: {answer} }}).then(() => pc.signalingState)"
    );
    text(browser.evaluate(tab, &script).await)
}

fn text(value: Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn video(name: &str, parameters: &str) -> Codec {
    let feedback = ["nack", "nack pli", "ccm fir", "transport-cc"];
    Codec::new(name, 90_000, 1).with_parameters(parameters).with_feedback(feedback)
}

/// Capability sets, each with a name.
fn sets() -> Vec<(&'static str, Capabilities)> {
    let h264 =
        video("H264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f");
    let rtx = Codec::new("rtx", 90_000, 1);
    let all = [video("VP8", ""), video("VP9", "profile-id=0"), video("AV1", ""), rtx.clone()];
    let red = [
        video("VP8", ""),
        rtx.clone(),
        Codec::new("red", 90_000, 1),
        Codec::new("ulpfec", 90_000, 1),
    ];
    vec![
        ("VP8", capabilities(&[video("VP8", "")])),
        ("VP8, VP9, AV1, RTX", capabilities(&all)),
        ("VP8, RTX, RED, ULPFEC", capabilities(&red)),
        ("H264, RTX", capabilities(&[h264, rtx])),
    ]
}

fn capabilities(video_codecs: &[Codec]) -> Capabilities {
    let opus = Codec::new("opus", 48_000, 2).with_parameters("minptime=10;useinbandfec=1");
    let events = Codec::new("telephone-event", 8_000, 1);
    let audio = [opus, Codec::new("PCMU", 8_000, 1), Codec::new("PCMA", 8_000, 1), events];
    let rtp = |codecs: &[Codec]| RtpCapability {
        codecs: codecs.to_vec(),
        extensions: vec![
            "urn:ietf:params:rtp-hdrext:sdes:mid".to_owned(),
            "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id".to_owned(),
            "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time".to_owned(),
        ],
        direction: Direction::SendRecv,
        simulcast: true,
    };
    Capabilities {
        rtp: [("audio".to_owned(), rtp(&audio)), ("video".to_owned(), rtp(video_codecs))].into(),
        data: Some(DataCapability { sctp_port: 5000, max_message_size: 262_144 }),
        require_rtcp_mux: true,
        bundle: BundlePolicy::MaxBundle,
    }
}

fn written(plan: &Plan) -> Description<'static> {
    let transport = |_| Transport {
        ufrag: "8hhY",
        password: "asd88fgpdd777uzjYhagZg",
        options: "trickle",
        fingerprint: Fingerprint::sha256([0x3c; 32]),
        tls_id: None,
        candidates: Vec::new(),
        end_of_candidates: false,
    };
    plan.write(Origin::anonymous(7_351_028_411, 1), transport).unwrap()
}

fn names(description: &Description<'_>) -> Vec<Vec<String>> {
    let sections = description.media().filter(|media| !media.is_rejected());
    let codecs = sections.map(|media| media.codecs());
    codecs.map(|codecs| codecs.into_iter().map(|(_, codec)| codec.name).collect()).collect()
}

#[test]
fn a_browser_accepts_our_offers_and_we_its_answers() {
    with_browser(
        "a_browser_accepts_our_offers_and_we_its_answers",
        |mut browser, tab| async move {
            let policies = [
                BundlePolicy::Balanced,
                BundlePolicy::MaxBundle,
                BundlePolicy::MaxCompat,
                BundlePolicy::Never,
            ];
            let sets = sets().into_iter().flat_map(|(set, own)| {
                policies.map(|bundle| (set, Capabilities { bundle, ..own.clone() }))
            });
            for (set, capabilities) in sets {
                for kinds in [
                    &["application"][..],
                    &["audio"],
                    &["video"],
                    &["audio", "video", "application"],
                    &["video", "audio", "video", "application"],
                ] {
                    // Chromium turns down a bundle-only section that comes third.
                    if capabilities.bundle == BundlePolicy::Balanced && kinds.len() > 3 {
                        continue;
                    }
                    let wanted: Vec<_> = kinds.iter().map(|kind| Wanted::new(kind)).collect();
                    let offer = written(&Plan::offer(&capabilities, &wanted));
                    let answer = answer_of(&mut browser, &tab, &offer.to_string()).await;
                    let answer = Description::parse(&answer).unwrap();
                    assert_eq!(answer.check_answer_to(&offer), [], "{set}: {offer}\n{answer}");
                    assert_eq!(answer.check(Profile::WebRtc), [], "{answer}");
                    let rejected = answer.media().any(|media| media.is_rejected());
                    assert!(!rejected, "{set}: {offer}\n{answer}");
                    println!("{set}; {kinds:?}: {:?}", names(&answer));
                }
            }
        },
    );
}

#[test]
fn a_browser_accepts_our_answers_to_its_offers() {
    with_browser("a_browser_accepts_our_answers_to_its_offers", |mut browser, tab| async move {
        let simulcast = "pc.addTransceiver('video', { direction: 'sendonly', sendEncodings: [
            { rid: 'q', scaleResolutionDownBy: 4 }, { rid: 'h', scaleResolutionDownBy: 2 }, { rid: 'f' }] })";
        let everything =
            "pc.addTransceiver('audio'); pc.addTransceiver('video'); pc.createDataChannel('x')";
        let one_way = "pc.addTransceiver('audio', { direction: 'recvonly' });
            pc.addTransceiver('video', { direction: 'sendonly' })";
        for (set, capabilities) in sets() {
            for preparation in ["pc.createDataChannel('x')", everything, one_way, simulcast] {
                let offer = offer_of(&mut browser, &tab, preparation).await;
                let offer = Description::parse(&offer).unwrap();
                assert_eq!(offer.check(Profile::WebRtc), [], "{offer}");
                let answer = written(&Plan::answer(&capabilities, &offer));
                assert_eq!(answer.check_answer_to(&offer), [], "{set}: {offer}\n{answer}");
                let state = give_answer(&mut browser, &tab, &answer.to_string()).await;
                assert_eq!(state, "stable", "{answer}");
                if preparation == simulcast {
                    let versions = answer.media().next().unwrap().attribute("simulcast").unwrap();
                    assert_eq!(versions.value(), Some("recv q;h;f"));
                }
                println!("{set}: {:?}", names(&answer));
            }
        }
    });
}

/// What two browsers agree on, we agree on with each of them: with all that the browser can do as our
/// capabilities, our answer has the formats of the browser's own answer.
#[test]
fn we_agree_on_what_two_browsers_agree_on() {
    with_browser("we_agree_on_what_two_browsers_agree_on", |mut browser, tab| async move {
        let everything = "pc.addTransceiver('audio'); pc.addTransceiver('video')";
        let offer = offer_of(&mut browser, &tab, everything).await;
        let its_answer = answer_of(&mut browser, &tab, &offer).await;
        let (offer, its_answer) =
            (Description::parse(&offer).unwrap(), Description::parse(&its_answer).unwrap());
        let of = |media: &pinhole_sdp::Media<'_>| RtpCapability {
            codecs: media.codecs().into_iter().map(|(_, codec)| codec).collect(),
            ..RtpCapability::default()
        };
        let same = Capabilities {
            rtp: offer.media().map(|media| (media.kind().to_owned(), of(&media))).collect(),
            bundle: BundlePolicy::MaxBundle,
            ..Capabilities::default()
        };
        let ours = written(&Plan::answer(&same, &offer));
        for (own, other) in ours.media().zip(its_answer.media()) {
            let formats = |media: &pinhole_sdp::Media<'_>| {
                media.formats().map(str::to_owned).collect::<Vec<_>>()
            };
            assert_eq!(formats(&own), formats(&other), "{ours}\n{its_answer}");
        }
    });
}

/// It offers, then we offer more, close a section, and give its place to another one.
#[test]
fn a_browser_goes_along_when_the_session_changes() {
    with_browser("a_browser_goes_along_when_the_session_changes", |mut browser, tab| async move {
        let own = capabilities(&[video("VP8", ""), video("VP9", "profile-id=0")]);
        let mut settled = Settled::default();
        let preparation = "pc.addTransceiver('audio'); pc.addTransceiver('video')";
        let offer = offer_of(&mut browser, &tab, preparation).await;
        let offer = Description::parse(&offer).unwrap();
        let answer = written(&Plan::answer_after(&settled, &own, &offer));
        assert_eq!(give_answer(&mut browser, &tab, &answer.to_string()).await, "stable");
        settled.own_answer(&offer, &answer);

        let with_data = [settled.wanted(), vec![Wanted::new("application")]].concat();
        for step in 0..3 {
            let wanted = match step {
                0 => with_data.clone(),
                1 => settled.wanted().into_iter().filter(|own| own.kind != "video").collect(),
                _ => [settled.wanted(), vec![Wanted::new("video")]].concat(),
            };
            let offer = written(&Plan::offer_after(&settled, &own, &wanted));
            let script = format!(
                "pc.setRemoteDescription({{ type: 'offer', sdp: {} }})
                        .then(() => pc.setLocalDescription()).then(() => pc.localDescription.sdp)",
                json!(offer.to_string())
            );
            let answer = text(browser.evaluate(&tab, &script).await);
            let answer = Description::parse(&answer).unwrap();
            assert_eq!(answer.check_answer_to(&offer), [], "step {step}: {offer}\n{answer}");
            let live = answer.media().filter(|media| !media.is_rejected()).count();
            assert_eq!(live, wanted.len(), "step {step}: {offer}\n{answer}");
            assert_eq!(answer.media().len(), 3, "the place of a closed section is used again");
            settled.own_offer(&offer, &answer);
        }
    });
}
