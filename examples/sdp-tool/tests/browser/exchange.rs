//! One offer and its answer.

use pinhole_sdp::negotiate::{BundlePolicy, Capabilities, Wanted};
use pinhole_sdp::{Description, Simulcast};

use crate::page::{Page, with_page};
use crate::side::{Side, sets, wanted};

const KINDS: [&[&str]; 8] = [
    &["application"],
    &["audio"],
    &["video"],
    &["audio", "video", "application"],
    &["application", "audio", "video"],
    &["audio", "audio", "video", "video", "audio", "application"],
    &["audio", "video", "application", "video"],
    &["video", "audio", "video", "application"],
];

/// Under each policy, the default one first.
#[test]
fn a_browser_accepts_our_offers_and_we_its_answers() {
    with_page("exchange::a_browser_accepts_our_offers_and_we_its_answers", |mut page| async move {
        let policies = [
            BundlePolicy::default(),
            BundlePolicy::MaxBundle,
            BundlePolicy::MustBundle,
            BundlePolicy::MaxCompat,
            BundlePolicy::Never,
        ];
        for ((set, own), policy) in
            sets().iter().flat_map(|own| policies.map(|policy| (own.clone(), policy)))
        {
            for kinds in KINDS {
                let mut side = Side::new(Capabilities { bundle: policy, ..own.clone() });
                let offer = side.offer(&wanted(kinds));
                let answer = accepted(&mut page, &mut side, &offer).await;
                assert_eq!(
                    answer.media().filter(|media| media.is_rejected()).count(),
                    0,
                    "{answer}"
                );
                println!("{set}, {policy:?}; {kinds:?}: {:?}", names(&answer));
            }
        }
    });
}

/// Versions that we offer to send: a browser receives one of them. Those that we offer to receive it sends.
#[test]
fn a_browser_accepts_our_offers_of_a_simulcast() {
    with_page("exchange::a_browser_accepts_our_offers_of_a_simulcast", |mut page| async move {
        let versions = ["q", "h", "f"].map(str::to_owned).to_vec();
        for (set, own) in sets() {
            let mut side = Side::new(own.clone());
            let sends = Wanted { versions: versions.clone(), ..Wanted::new("video") };
            let offer = side.offer(&[sends]);
            assert_eq!(simulcast(&offer).as_deref(), Some("send q;h;f"));
            let answer = accepted(&mut page, &mut side, &offer).await;
            assert_eq!(simulcast(&answer), None, "{set}: {answer}");

            let mut side = Side::new(own);
            let received_versions = versions.clone();
            let receives = Wanted { received_versions, ..Wanted::new("video") };
            let offer = side.offer(&[receives]);
            assert_eq!(simulcast(&offer).as_deref(), Some("recv q;h;f"));
            page.renew("").await;
            let sending = "pc.getTransceivers()[0].direction = 'sendrecv'";
            let answer = page.answer(&offer, sending).await;
            side.take_answer(&offer, &answer);
            assert_eq!(simulcast(&answer).as_deref(), Some("send q;h;f"), "{set}: {answer}");
        }
    });
}

/// What the first section, which is not rejected, says about versions.
fn simulcast(description: &Description<'_>) -> Option<String> {
    let media = description.media().next().unwrap();
    assert!(!media.is_rejected(), "{description}");
    media.get::<Simulcast<'_>>().unwrap().map(|simulcast| simulcast.to_string())
}

/// A new connection of the browser answers the offer, and we take the answer.
async fn accepted(
    page: &mut Page,
    side: &mut Side,
    offer: &Description<'_>,
) -> Description<'static> {
    page.renew("").await;
    let answer = page.answer(offer, "").await;
    side.take_answer(offer, &answer);
    answer
}

#[test]
fn a_browser_accepts_our_answers_to_its_offers() {
    with_page("exchange::a_browser_accepts_our_answers_to_its_offers", |mut page| async move {
        let simulcast = "pc.addTransceiver('video', { direction: 'sendonly', sendEncodings: [
            { rid: 'q', scaleResolutionDownBy: 4 }, { rid: 'h', scaleResolutionDownBy: 2 }, { rid: 'f' }] })";
        let everything =
            "pc.addTransceiver('audio'); pc.addTransceiver('video'); pc.createDataChannel('x')";
        let one_way = "pc.addTransceiver('audio', { direction: 'recvonly' });
            pc.addTransceiver('video', { direction: 'sendonly' })";
        for (set, own) in sets() {
            for preparation in ["pc.createDataChannel('x')", everything, one_way, simulcast] {
                page.renew(preparation).await;
                let offer = page.offer("").await;
                let answer = Side::new(own.clone()).answer(&offer);
                page.take_answer(&answer).await;
                if preparation == simulcast {
                    let versions = answer.media().next().unwrap().attribute("simulcast").unwrap();
                    assert_eq!(versions.value(), Some("recv q;h;f"));
                    let sent = page
                        .run(
                            "return pc.getSenders()[0].getParameters().encodings
                            .map((own) => own.rid + own.active).join()",
                        )
                        .await;
                    assert_eq!(sent, "qtrue,htrue,ftrue", "it sends all that we receive");
                }
                println!("{set}: {:?}", names(&answer));
            }
        }
    });
}

fn names(description: &Description<'_>) -> Vec<Vec<String>> {
    let sections = description.media().filter(|media| !media.is_rejected());
    let codecs = sections.map(|media| media.codecs());
    codecs.map(|codecs| codecs.into_iter().map(|(_, codec)| codec.name).collect()).collect()
}
