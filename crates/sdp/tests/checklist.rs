//! The security checklist for SDP (section 1d), by its lines. Line 57 is in the tests of the signaling
//! server.
#![allow(clippy::unwrap_used)]

mod counting;
mod support;

use counting::counted;
use pinhole_sdp::negotiate::Plan;
use pinhole_sdp::{
    Builder, Candidate, Codec, Connection, Crypto, Description, ErrorKind, Fmtp, Group, IceUfrag,
    Limit, Limits, Mid, Origin, Place, Profile, Rtpmap, SessionName, Ssrc, WriteError,
};
use proptest::prelude::*;
use support::{capabilities, h264, video, wanted, written};

const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";

fn own() -> pinhole_sdp::negotiate::Capabilities {
    capabilities(&[video("VP8", ""), h264(), Codec::new("rtx", 90_000, 1)])
}

/// RFC 8866 §5.13: "If an attribute is received that is not understood, it MUST be ignored by the
/// receiver." §7: a parser starts nothing by itself, whatever a description asks for.
#[test]
fn line_54_unknown_attributes_change_nothing_and_none_makes_the_parser_act() {
    let offer = written(&Plan::offer(&own(), &wanted(&["audio", "video", "application"])));
    let plan = Plan::answer(&own(), &offer);
    for line in [
        "a=x-launch:/bin/sh -c reboot\r\n",
        "a=x-unknown\r\n",
        "a=control:rtsp://192.0.2.66/x\r\n",
        "a=identity:eyJpZHAiOnt9fQ==\r\n",
        "a=recvonly-not\r\n",
        "a=RECVONLY\r\n",
        "a=:\r\n",
        "a=\u{fffd}:\u{202e}\r\n",
    ] {
        // At the end of each section, and of the session's.
        let text = offer.to_string().replace("m=", &format!("{line}m=")) + line;
        let with_more = Description::parse(&text).unwrap();
        assert_eq!(with_more.as_bytes(), text.as_bytes());
        assert_eq!(Plan::answer(&own(), &with_more), plan, "{line}");
    }
}

/// RFC 8866 §7: keys stand in a description only where the channel is private and authentic, which a
/// parser cannot know; RFC 8827 §6.5: SDES is not negotiated at all. They are read, and never written.
#[test]
fn line_54_keys_are_found_by_the_webrtc_profile_and_never_answered() {
    let offer = written(&Plan::offer(&own(), &wanted(&["audio"]))).to_string();
    let keys =
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n";
    let text = offer.clone() + keys;
    let with_keys = Description::parse(&text).unwrap();
    let media = with_keys.media().next().unwrap();
    assert_eq!(media.get::<Crypto<'_>>().unwrap().unwrap().tag, 1);
    let found = with_keys.check(Profile::WebRtc);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(Description::parse(&offer).unwrap().check(Profile::WebRtc).is_empty());
    let answer = written(&Plan::answer(&own(), &with_keys));
    assert!(!answer.to_string().contains("crypto") && !answer.to_string().contains("d0Rmdm"));
}

/// Each number has its bounds, and a place where it left them.
#[test]
fn line_54_numbers_out_of_bounds_are_errors_with_a_place() {
    for (line, column) in [
        ("m=audio 65536 RTP/AVP 0", 9),
        ("m=audio 70000 RTP/AVP 0", 9),
        ("m=audio -1 RTP/AVP 0", 9),
        ("m=audio 99999999999999999999999 RTP/AVP 0", 9),
        ("m=audio 9/4294967296 RTP/AVP 0", 11),
    ] {
        let error = Description::parse(&format!("{HEAD}{line}\r\n")).unwrap_err();
        assert_eq!((error.line(), error.column()), (6, column), "{line}");
    }
    for (attribute, column) in [
        ("a=rtpmap:128 x/8000", 10),
        ("a=rtpmap:256 x/8000", 10),
        ("a=rtpmap:99999999999999999999999 x/8000", 10),
        ("a=rtpmap:96 x/4294967296", 15),
        ("a=rtpmap:96 x/8000/4294967296", 20),
        ("a=ssrc:4294967296 cname:x", 8),
        ("a=rtcp:70000", 8),
        ("a=sctp-port:70000", 13),
        ("a=max-message-size:18446744073709551616", 20),
        ("a=extmap:65536 urn:x", 10),
    ] {
        let text = format!("{HEAD}m=audio 9 RTP/AVP 0\r\n{attribute}\r\n");
        let found = Description::parse(&text).unwrap().check(Profile::Strict);
        let places: Vec<_> = found.iter().map(|error| (error.line(), error.column())).collect();
        assert_eq!(places, [(7, column)], "{attribute}: {found:?}");
    }
}

/// No payload type beyond 127 comes out, wherever it went in.
#[test]
fn line_54_a_payload_type_beyond_127_reaches_nobody() {
    for number in ["127", "128", "200", "255", "256", "65536", "-1", "99999999999999999999999"] {
        let text = format!(
            "{HEAD}m=video 9 UDP/TLS/RTP/SAVPF {number} 96\r\na=mid:0\r\na=rtcp-mux\r\n\
             a=rtpmap:{number} VP8/90000\r\na=fmtp:{number} x=1\r\na=rtcp-fb:{number} nack\r\n\
             a=rtpmap:96 rtx/90000\r\na=fmtp:96 apt={number}\r\na=rid:1 recv pt={number}\r\n\
             a=simulcast:recv 1\r\na=imageattr:{number} recv *\r\n"
        );
        let offer = Description::parse(&text).unwrap();
        let media = offer.media().next().unwrap();
        let is_good = number == "127";
        let rtpmap = media.get_all::<Rtpmap<'_>>().next().unwrap();
        assert_eq!(rtpmap.is_ok(), is_good, "{number}");
        assert_eq!(media.codecs().iter().any(|(_, codec)| codec.is("VP8")), is_good, "{number}");
        assert!(media.get_all::<Fmtp<'_>>().all(|fmtp| fmtp.is_ok()), "a format is any token");
        let accepted = Plan::answer(&own(), &offer).sections.iter().all(|own| own.outcome.is_ok());
        assert_eq!(accepted, is_good, "{number}");
    }
}

/// A megabyte of each kind that the checklist names.
fn megabytes() -> [String; 5] {
    let candidate = "a=candidate:1 1 udp 2130706431 192.0.2.1 9 typ host\r\n";
    let mids: String = (0..100_000).map(|mid| format!(" {mid}")).collect();
    [
        HEAD.to_owned() + &"a=x:yyyyyy\r\n".repeat(100_000),
        HEAD.to_owned()
            + &"m=audio 9 RTP/AVP 0\r\na=mid:1\r\na=rtpmap:0 PCMU/8000\r\n".repeat(10_000),
        format!("{HEAD}a=x:{}\r\n", "y".repeat(1_000_000)),
        HEAD.to_owned() + &candidate.repeat(100_000),
        format!("{HEAD}a=group:BUNDLE{mids}\r\nm=audio 9 RTP/AVP 0\r\na=mid:1\r\n"),
    ]
}

/// The default limits bound time and memory; without them, a view takes at most eight times the text,
/// and a constant number of allocations more for twice of it. Instructions are counted by
/// `cargo run --release --bin sdp` in `benches/`; work that took the square would not come back from here.
#[test]
fn line_55_a_megabyte_of_anything_takes_memory_linear_in_it() {
    for text in megabytes() {
        let once = view_cost(&text);
        let body = text.strip_prefix(HEAD).unwrap();
        let twice = view_cost(&format!("{text}{body}"));
        let shape: String = body.chars().take(30).collect();
        assert!(once.1 <= 8 * text.len(), "{shape}: {} bytes of memory for {}", once.1, text.len());
        assert!(twice.1 as f64 <= 2.3 * once.1 as f64, "{shape}: {once:?}, {twice:?}");
        assert!(twice.0 <= once.0 + 4, "{shape}: {once:?}, {twice:?}");
    }
}

/// Allocations and bytes of a view that is looked through.
fn view_cost(text: &str) -> (usize, usize) {
    let (found, calls, bytes) = counted(|| {
        let description = Description::parse_within(text, &Limits::NONE).unwrap();
        let candidates: usize = description.media().map(|media| media.candidates().count()).sum();
        let missing = description.session().has("missing");
        let mids = description.session().get::<Group<'_>>().unwrap().map(|group| group.mids.len());
        (candidates, missing, mids)
    });
    assert!(!found.1, "there is no such attribute");
    (calls, bytes)
}

#[test]
fn line_55_the_default_limits_refuse_what_is_larger_with_a_place() {
    let limits = Limits::default();
    for (text, limit, line) in [
        ("x".repeat(limits.bytes + 1), Limit::Bytes, 1),
        (HEAD.to_owned() + &"a=x\r\n".repeat(limits.lines), Limit::Lines, limits.lines + 1),
        (
            HEAD.to_owned() + &"m=a 9 b c\r\n".repeat(limits.media + 1),
            Limit::Media,
            limits.media + 6,
        ),
    ] {
        let error = Description::parse(&text).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::TooLarge { limit: met, .. } if met == limit),
            "{error}"
        );
        assert_eq!(error.line(), line);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// RFC 8866 §9: a value is a `byte-string`, which has no CR, LF or NUL.
    #[test]
    fn line_56_no_text_of_the_application_brings_a_second_line(text in "[\\PC\r\n\0 :=a]{1,24}") {
        let new = || Builder::new(Origin::anonymous(1, 1));
        let breaks = text.contains(['\r', '\n', '\0']);
        let origin = Origin { username: &text, ..Origin::anonymous(1, 1) };
        for built in [
            new().attribute_text("x", Some(&text)),
            new().attribute_text(&text, None),
            new().attribute(Mid(&text)),
            new().attribute(IceUfrag(&text)),
            new().attribute(Candidate(&text)),
            new().attribute(Group::bundle([text.as_str()])),
            new().attribute(Fmtp { format: &text, parameters: &text }),
            new().attribute(Ssrc { id: 1, attribute: &text, value: Some(&text) }),
            new().field(SessionName(&text)),
            new().field(Connection { address_type: "IP4", address: &text }),
            Builder::new(origin).attribute(Mid("x")),
        ] {
            let built = built.finish();
            let is_refused = matches!(built, Err(WriteError::ForbiddenByte { .. }));
            prop_assert_eq!(is_refused, breaks, "{:?}", &built);
            if let Ok(built) = built {
                prop_assert!(built.lines().count() <= 5, "{}", &built);
                assert_stable(&built);
            }
        }
        for built in [
            new().media(&text, 9, "RTP/AVP", "0"),
            new().media("audio", 9, &text, "0"),
            new().media("audio", 9, "RTP/AVP", &text),
        ] {
            let Ok(built) = built.finish() else { continue };
            prop_assert!(!breaks && built.lines().count() == 5 && built.media().len() == 1);
            assert_stable(&built);
        }
        let mut edited = Description::parse(HEAD).unwrap();
        let added = edited.add(Place::Session, &Mid(&text));
        prop_assert_eq!(added.is_err(), breaks);
        prop_assert_eq!(edited.lines().count(), 5 + usize::from(!breaks));
    }
}

/// `parse(write(x)) == x`, and `write(parse(t))` is `t`.
fn assert_stable(built: &Description<'_>) {
    let text = built.as_bytes();
    let read = Description::parse(text).unwrap();
    assert_eq!(&read, built);
    assert_eq!(read.as_bytes(), text);
}
