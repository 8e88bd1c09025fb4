//! When two sides mean the same payload format, and what the answer says then.
#![allow(clippy::unwrap_used)]

use pinhole_sdp::{Codec, Description};

fn video(name: &str, parameters: &str) -> Codec {
    Codec::new(name, 90_000, 1).with_parameters(parameters)
}

/// What the answer says, for parameters of our own and of the offer.
fn assert_answers(name: &str, cases: &[(&str, &str, Option<&str>)]) {
    for (own, offered, expected) in cases {
        let answer = video(name, own).answer_to(&video(name, offered));
        let said = answer.as_ref().map(|codec| codec.parameters.as_str());
        assert_eq!(said, *expected, "{name}: ours {own:?}, theirs {offered:?}");
    }
}

#[test]
fn h264_agrees_on_profile_and_mode_and_takes_the_lower_level() {
    let own = "packetization-mode=1;profile-level-id=42e01f";
    let free = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";
    assert_answers(
        "H264",
        &[
            (own, "profile-level-id=42e01f;packetization-mode=1", Some(own)),
            (own, "profile-level-id=42E034; packetization-mode=1", Some(own)),
            (
                own,
                "profile-level-id=42e00c;packetization-mode=1",
                Some("packetization-mode=1;profile-level-id=42e00c"),
            ),
            (
                own,
                "profile-level-id=4d8015;packetization-mode=1",
                Some("packetization-mode=1;profile-level-id=42e015"),
            ),
            (
                free,
                "level-asymmetry-allowed=1;profile-level-id=42e00c;packetization-mode=1",
                Some(free),
            ),
            (own, "profile-level-id=42e01f", None),
            (own, "profile-level-id=42e01f;packetization-mode=0", None),
            (own, "profile-level-id=64001f;packetization-mode=1", None),
            (own, "profile-level-id=what;packetization-mode=1", None),
            ("", "", Some("")),
            ("", "profile-level-id=42000a", Some("")),
        ],
    );
}

#[test]
fn h265_vp9_and_av1_agree_on_their_profiles() {
    assert_answers(
        "H265",
        &[
            ("", "", Some("level-id=93")),
            (
                "level-id=120;profile-id=2",
                "profile-id=2;level-id=150",
                Some("profile-id=2;level-id=120"),
            ),
            ("level-id=120", "level-id=93;tx-mode=SRST", Some("level-id=93")),
            ("", "profile-id=2", None),
            ("", "tier-flag=1", None),
            ("", "tx-mode=MRST", None),
        ],
    );
    assert_answers(
        "VP9",
        &[
            ("profile-id=0", "", Some("profile-id=0")),
            ("profile-id=2", "profile-id=2;max-fs=3600", Some("profile-id=2")),
            ("", "profile-id=1", None),
            ("", "profile-id=x", None),
        ],
    );
    assert_answers(
        "AV1",
        &[
            ("level-idx=5", "level-idx=13;profile=0;tier=0", Some("level-idx=5")),
            ("", "profile=1", None),
            ("", "tier=1", None),
        ],
    );
}

#[test]
fn telephone_events_are_those_that_both_know() {
    assert_answers(
        "telephone-event",
        &[
            ("0-16", "0-15", Some("0-15")),
            ("0-15,66,70", "0-3, 66-70", Some("0-3,66,70")),
            ("0-16", "", Some("0-15")),
            ("0-15", "66", None),
            ("0-15", "x", None),
        ],
    );
}

#[test]
fn names_rates_and_channels_have_to_be_the_same_and_feedback_is_what_both_know() {
    let opus = Codec::new("opus", 48_000, 2).with_parameters("useinbandfec=1");
    let own = opus.clone().with_feedback(["nack", "transport-cc"]);
    let offered = Codec::new("OPUS", 48_000, 2).with_feedback(["transport-cc", "goog-remb"]);
    let answer = own.answer_to(&offered).unwrap();
    assert_eq!(answer, opus.with_feedback(["transport-cc"]));
    assert_eq!(own.answer_to(&Codec::new("opus", 48_000, 1)), None);
    assert_eq!(own.answer_to(&Codec::new("opus", 16_000, 2)), None);
    assert_eq!(own.answer_to(&Codec::new("L16", 48_000, 2)), None);
}

#[test]
fn the_codecs_of_a_section_are_listed_by_payload_type_in_its_order() {
    let text = "v=0\nm=audio 9 RTP/AVP 111 0 9 200 96 x 0\na=rtpmap:111 opus/48000/2\n\
        a=fmtp:111 useinbandfec=1\na=fmtp:111 twice=1\na=rtcp-fb:* nack\na=rtcp-fb:111 transport-cc\n";
    let description = Description::parse(text).unwrap();
    let codecs = description.media().next().unwrap().codecs();
    let numbers: Vec<u8> = codecs.iter().map(|(payload_type, _)| *payload_type).collect();
    assert_eq!(numbers, [111, 0, 9], "96 has no meaning, 200 is none");
    let opus = Codec::new("opus", 48_000, 2).with_parameters("useinbandfec=1");
    assert_eq!(codecs.first().unwrap().1, opus.with_feedback(["nack", "transport-cc"]));
    assert_eq!(codecs.last().unwrap().1, Codec::new("G722", 8_000, 1).with_feedback(["nack"]));
}
