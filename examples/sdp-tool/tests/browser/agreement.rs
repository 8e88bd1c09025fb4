//! What two browsers agree on, we agree on with each of them.

use std::collections::BTreeMap;

use pinhole_sdp::negotiate::{Capabilities, RtpCapability};
use pinhole_sdp::{Codec, Description, Extmap, Media};

use crate::page::{Page, with_page};
use crate::side::{Side, wanted};

/// What the answering side can do: the formats of these names, with `parameter` if they are H.264.
struct Restriction {
    names: &'static [&'static str],
    parameter: &'static str,
}

const RESTRICTIONS: [Restriction; 7] = [
    Restriction { names: &["opus", "red", "PCMU", "VP8", "rtx"], parameter: "" },
    Restriction { names: &["opus", "VP9", "VP8", "rtx", "red", "ulpfec"], parameter: "" },
    Restriction { names: &["PCMU", "PCMA", "CN", "VP9"], parameter: "" },
    Restriction { names: &["G722", "opus", "telephone-event", "AV1", "rtx"], parameter: "" },
    Restriction { names: &["opus", "H264", "rtx"], parameter: "" },
    Restriction { names: &["opus", "H264", "VP8", "rtx"], parameter: "packetization-mode=1" },
    Restriction { names: &["PCMA", "H264"], parameter: "packetization-mode=0" },
];

impl Restriction {
    fn allows(&self, codec: &Codec) -> bool {
        let is_named = self.names.iter().any(|name| codec.is(name));
        is_named && (!codec.is("H264") || codec.parameters.contains(self.parameter))
    }

    /// Statements that put the restriction on all that the browser's connection sends and receives.
    fn script(&self) -> String {
        let names = self.names.join("|").to_lowercase();
        format!(
            "for (const own of pc.getTransceivers()) {{
                const all = RTCRtpReceiver.getCapabilities(own.receiver.track.kind).codecs;
                own.setCodecPreferences(all.filter((codec) => {{
                    const name = codec.mimeType.split('/')[1].toLowerCase();
                    return '{names}'.split('|').includes(name)
                        && (name != 'h264' || codec.sdpFmtpLine.includes('{}'));
                }}));
                own.direction = 'sendrecv';
            }}",
            self.parameter
        )
    }

    /// The capabilities that `offer` shows, as far as they are allowed.
    fn capabilities(&self, offer: &Description<'_>) -> Capabilities {
        let of = |media: &Media<'_>| RtpCapability {
            codecs: media
                .codecs()
                .into_iter()
                .map(|(_, codec)| codec)
                .filter(|codec| self.allows(codec))
                .collect(),
            extensions: extensions(media).into_values().collect(),
            ..RtpCapability::default()
        };
        Capabilities {
            rtp: offer.media().map(|media| (media.kind().to_owned(), of(&media))).collect(),
            ..Capabilities::default()
        }
    }
}

fn extensions(media: &Media<'_>) -> BTreeMap<u16, String> {
    let extensions = media.get_all::<Extmap<'_>>().flatten();
    extensions.map(|extension| (extension.id, extension.uri.to_owned())).collect()
}

/// Name, clock rate, channels, parameters and feedback, each in an order of its own.
type Agreed = (String, u32, u32, Vec<String>, Vec<String>);

fn agreed(codec: &Codec) -> Agreed {
    let sorted = |parts: &mut dyn Iterator<Item = &str>| {
        let mut parts: Vec<String> = parts.map(|part| part.trim().to_owned()).collect();
        parts.sort();
        parts
    };
    // "If the "events" parameter is absent, the default is 0-15" of RFC 4733 §2.4.1 in other words.
    let is_default = codec.is("telephone-event") && codec.parameters == "0-15";
    let parameters = if is_default { "" } else { &codec.parameters };
    (
        codec.name.to_lowercase(),
        codec.clock_rate,
        codec.channels,
        sorted(&mut parameters.split(';')),
        sorted(&mut codec.feedback.iter().map(String::as_str)),
    )
}

/// What an answer says of each payload type, of each extension, and which direction it leaves.
type Section = (BTreeMap<u8, Agreed>, BTreeMap<u16, String>, &'static str);

fn sections(answer: &Description<'_>) -> Vec<Section> {
    let section = |media: Media<'_>| {
        let codecs = media.codecs();
        let codecs = codecs.iter().map(|(number, codec)| (*number, agreed(codec))).collect();
        (codecs, extensions(&media), media.direction().unwrap_or_default().name())
    };
    answer.media().map(section).collect()
}

const AUDIO_AND_VIDEO: &str = "pc.addTransceiver('audio'); pc.addTransceiver('video')";

/// The offer of an unrestricted browser.
async fn full_offer(page: &mut Page) -> Description<'static> {
    page.renew(AUDIO_AND_VIDEO).await;
    page.offer("").await
}

/// With what the other browser can do as our capabilities, our answer to a browser is the answer of that
/// browser: payload types, parameters, feedback, header extensions, directions.
#[test]
fn our_answer_is_the_one_of_another_browser() {
    with_page("agreement::our_answer_is_the_one_of_another_browser", |mut page| async move {
        let offer = full_offer(&mut page).await;
        for own in RESTRICTIONS {
            page.renew("").await;
            let theirs = page.answer(&offer, &own.script()).await;
            let ours = Side::new(own.capabilities(&offer)).answer(&offer);
            assert_eq!(sections(&ours), sections(&theirs), "{:?}\n{ours}\n{theirs}", own.names);
            assert!(!sections(&ours)[1].0.is_empty());
            println!("{:?}: {} formats", own.names, sections(&ours)[1].0.len());
        }
    });
}

/// The other way round: a browser's answer to our offer has what it answers to the offer of a browser that
/// can do the same. The numbers are each offerer's own.
#[test]
fn the_answer_to_our_offer_is_the_one_to_another_browser() {
    with_page(
        "agreement::the_answer_to_our_offer_is_the_one_to_another_browser",
        |mut page| async move {
            let full = full_offer(&mut page).await;
            for own in RESTRICTIONS {
                page.renew(AUDIO_AND_VIDEO).await;
                let theirs = page.offer(&own.script()).await;
                page.renew("").await;
                let to_theirs = page.answer(&theirs, "").await;
                let mut side = Side::new(own.capabilities(&full));
                let ours = side.offer(&wanted(&["audio", "video"]));
                page.renew("").await;
                let to_ours = page.answer(&ours, "").await;
                side.take_answer(&ours, &to_ours);
                assert_eq!(media_formats(&to_ours), media_formats(&to_theirs), "{:?}", own.names);
            }
        },
    );
}

/// The formats of each section, and of those that serve others only the names, once: their parameters are
/// numbers, and whether retransmissions are retransmissions of RED as well is up to the offer.
fn media_formats(answer: &Description<'_>) -> Vec<Vec<Agreed>> {
    let formats = answer.media().map(|media| {
        let codecs = media.codecs();
        let mut formats: Vec<Agreed> = codecs
            .iter()
            .map(|(_, codec)| {
                let mut agreed = agreed(codec);
                if codec.is_auxiliary() {
                    agreed.3.clear();
                }
                agreed
            })
            .collect();
        formats.sort();
        formats.dedup();
        formats
    });
    formats.collect()
}
