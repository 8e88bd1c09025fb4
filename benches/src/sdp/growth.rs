//! How work grows with a description that somebody made to be long (checklist line 55).

use std::hint::black_box;

use pinhole_sdp::negotiate::{Capabilities, Plan, Settled, Transport};
use pinhole_sdp::{Description, Fingerprint, Limits, Origin, Profile};

/// What a description is full of.
pub const SHAPES: [&str; 9] = [
    "attributes",
    "sections",
    "bundle",
    "one line",
    "candidates",
    "mids",
    "groups",
    "formats",
    "sources",
];
/// What is done with it.
pub const STEPS: [&str; 4] = ["parse", "look", "check", "negotiate"];

/// A description with `count` of a shape in it, or a line of ten times as many bytes.
///
/// # Panics
/// If there is no such shape.
pub fn text(shape: &str, count: usize) -> String {
    let head =
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n".to_owned();
    let section = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:1\r\na=rtcp-mux\r\n";
    let each = |line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<String>();
    match shape {
        "attributes" => head + section + &"a=x:yyyyyy\r\n".repeat(count),
        "sections" => head + &each(&|mid| section.replace("mid:1", &format!("mid:{mid}"))),
        "bundle" => {
            let group = format!("a=group:BUNDLE{}\r\n", each(&|mid| format!(" {mid}")));
            text("sections", count).replacen("m=", &format!("{group}m="), 1)
        }
        "one line" => head + section + "a=x:" + &"y".repeat(10 * count) + "\r\n",
        "candidates" => {
            let line = "a=candidate:1 1 udp 2130706431 192.0.2.1 9 typ host\r\n";
            head + section + &line.repeat(count)
        }
        "mids" => head + "a=group:BUNDLE" + &each(&|mid| format!(" {mid}")) + "\r\n" + section,
        "groups" => head + &each(&|mid| format!("a=group:BUNDLE {mid}\r\n")) + section,
        "formats" => {
            let numbers = each(&|number| format!(" {}", number % 128));
            let maps = each(&|number| format!("a=rtpmap:{} x/8000\r\n", number % 128));
            head + &section.replace(" 0\r\n", &format!("{numbers}\r\n")) + &maps
        }
        "sources" => head + section + &each(&|id| format!("a=ssrc:{id} msid:s t{id}\r\n")),
        _ => panic!("no shape {shape}"),
    }
}

/// One step with a description that was read already, unless the step is to read it.
///
/// # Panics
/// If the text cannot be read.
pub fn measure(step: &str, text: &str) {
    let description = Description::parse_within(text, &Limits::NONE).expect("the shapes are right");
    if step == "parse" {
        return measured(|| drop(Description::parse_within(black_box(text), &Limits::NONE)));
    }
    measured(|| match step {
        "look" => look(&description),
        "check" => drop(black_box(description.check(Profile::WebRtc))),
        _ => negotiate(&description),
    });
}

/// What is counted.
#[inline(never)]
pub fn measured(work: impl FnOnce()) {
    work();
}

/// What an application asks each section.
fn look(description: &Description<'_>) {
    for media in description.media() {
        black_box((media.ice().is_ok(), media.candidates().count(), media.direction()));
        black_box((media.codecs(), media.tracks()));
    }
}

/// It is offered, answered, settled, and offered again.
fn negotiate(offer: &Description<'_>) {
    let transport = |_| Transport {
        ufrag: "8hhY",
        password: "asd88fgpdd777uzjYhagZg",
        options: "trickle",
        fingerprint: Fingerprint::sha256([7; 32]),
        tls_id: None,
        candidates: Vec::new(),
        end_of_candidates: false,
    };
    let own = Capabilities::shown_by(offer);
    let mut settled = Settled::default();
    let plan = Plan::answer_after(&settled, &own, offer);
    let answer = plan.write(Origin::anonymous(1, 1), transport).expect("an answer can be written");
    black_box(answer.check_answer_to(offer));
    settled.own_answer(offer, &answer);
    let again = Plan::offer_after(&settled, &own, &settled.wanted());
    black_box(again.write(Origin::anonymous(1, 2), transport).is_ok());
}
