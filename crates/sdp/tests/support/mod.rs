//! Sides of a negotiation.
#![allow(dead_code, clippy::unwrap_used)]

use pinhole_sdp::negotiate::{
    BundlePolicy, Capabilities, DataCapability, Plan, RtpCapability, Transport, Wanted,
};
use pinhole_sdp::{Codec, Description, Direction, Fingerprint, Origin};
use proptest::prelude::*;

pub(crate) fn transport(ufrag: &str) -> Transport<'_> {
    Transport {
        ufrag,
        password: "asd88fgpdd777uzjYhagZg",
        options: "trickle",
        fingerprint: Fingerprint::sha256([7; 32]),
        tls_id: None,
        candidates: Vec::new(),
        end_of_candidates: false,
    }
}

pub(crate) fn written(plan: &Plan) -> Description<'static> {
    plan.write(Origin::anonymous(1, 1), |_| transport("8hhY")).unwrap()
}

pub(crate) fn video(name: &str, parameters: &str) -> Codec {
    Codec::new(name, 90_000, 1).with_parameters(parameters).with_feedback(["nack", "nack pli"])
}

pub(crate) fn h264() -> Codec {
    video("H264", "packetization-mode=1;profile-level-id=42e01f")
}

pub(crate) fn opus() -> Codec {
    Codec::new("opus", 48_000, 2).with_parameters("useinbandfec=1")
}

/// Audio and data, and video with these formats.
pub(crate) fn capabilities(video_codecs: &[Codec]) -> Capabilities {
    let rtp = |codecs: &[Codec]| RtpCapability {
        codecs: codecs.to_vec(),
        extensions: vec![
            "urn:ietf:params:rtp-hdrext:sdes:mid".to_owned(),
            "urn:x:other".to_owned(),
        ],
        direction: Direction::SendRecv,
        simulcast: true,
    };
    let audio = rtp(&[opus(), Codec::new("PCMU", 8_000, 1)]);
    Capabilities {
        rtp: [("audio".to_owned(), audio), ("video".to_owned(), rtp(video_codecs))].into(),
        data: Some(DataCapability { sctp_port: 5000, max_message_size: 262_144 }),
        require_rtcp_mux: true,
        bundle: BundlePolicy::MaxBundle,
    }
}

pub(crate) fn wanted(kinds: &[&str]) -> Vec<Wanted> {
    kinds.iter().map(|kind| Wanted::new(kind)).collect()
}

pub(crate) const POLICIES: [BundlePolicy; 5] = [
    BundlePolicy::Never,
    BundlePolicy::MaxCompat,
    BundlePolicy::Balanced,
    BundlePolicy::MaxBundle,
    BundlePolicy::MustBundle,
];

/// Any part of what a browser can do.
pub(crate) fn any_capabilities() -> impl Strategy<Value = Capabilities> {
    let pool = vec![
        video("VP8", ""),
        video("VP9", "profile-id=0"),
        video("VP9", "profile-id=2"),
        h264(),
        video("H264", "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=640028"),
        video("AV1", "level-idx=5;profile=0;tier=0"),
        video("H265", "level-id=93"),
        Codec::new("rtx", 90_000, 1),
        Codec::new("red", 90_000, 1),
        Codec::new("ulpfec", 90_000, 1),
    ];
    let count = pool.len();
    let chosen = proptest::sample::subsequence(pool, 0..=count).prop_shuffle();
    let directions =
        [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
    let direction = proptest::sample::select(directions.to_vec());
    let policy = proptest::sample::select(POLICIES.to_vec());
    (chosen, direction, policy, any::<[bool; 3]>()).prop_map(
        |(codecs, direction, bundle, [audio, data, simulcast])| {
            let mut own = capabilities(&codecs);
            own.bundle = bundle;
            own.data = own.data.filter(|_| data);
            if !audio {
                own.rtp.remove("audio");
            }
            if let Some(video) = own.rtp.get_mut("video") {
                (video.direction, video.simulcast) = (direction, simulcast);
            }
            own
        },
    )
}
