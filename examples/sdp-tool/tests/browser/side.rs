//! Our side of a session.

use pinhole_sdp::negotiate::{
    Capabilities, DataCapability, Plan, RtpCapability, Settled, Transport, Wanted,
};
use pinhole_sdp::{Codec, Description, Direction, Fingerprint, Origin, Profile};

/// What we can do, what was settled, and our credentials.
pub(crate) struct Side {
    pub(crate) own: Capabilities,
    pub(crate) settled: Settled,
    pub(crate) ufrag: &'static str,
    version: u64,
}

impl Side {
    pub(crate) fn new(own: Capabilities) -> Self {
        Self { own, settled: Settled::default(), ufrag: "8hhY", version: 0 }
    }

    pub(crate) fn offer(&mut self, wanted: &[Wanted]) -> Description<'static> {
        self.write(&Plan::offer_after(&self.settled, &self.own, wanted))
    }

    /// The answer to an offer of the browser, which is what WebRTC asks for.
    pub(crate) fn answer(&mut self, offer: &Description<'_>) -> Description<'static> {
        assert_eq!(offer.check(Profile::WebRtc), [], "{offer}");
        let answer = self.write(&Plan::answer_after(&self.settled, &self.own, offer));
        assert_eq!(answer.check_answer_to(offer), [], "{offer}\n{answer}");
        self.settled.own_answer(offer, &answer);
        answer
    }

    /// Takes the browser's answer to our offer: it is one to it.
    pub(crate) fn take_answer(&mut self, offer: &Description<'_>, answer: &Description<'_>) {
        assert_eq!(answer.check_answer_to(offer), [], "{offer}\n{answer}");
        assert_eq!(answer.check(Profile::WebRtc), [], "{answer}");
        self.settled.own_offer(offer, answer);
    }

    fn write(&mut self, plan: &Plan) -> Description<'static> {
        self.version += 1;
        let password = self.ufrag.repeat(6);
        let transport = |_| Transport {
            ufrag: self.ufrag,
            password: &password,
            options: "trickle",
            fingerprint: Fingerprint::sha256([0x3c; 32]),
            tls_id: None,
            candidates: Vec::new(),
            end_of_candidates: false,
        };
        plan.write(Origin::anonymous(7_351_028_411, self.version), transport).unwrap()
    }
}

pub(crate) fn video(name: &str, parameters: &str) -> Codec {
    let feedback = ["nack", "nack pli", "ccm fir", "transport-cc"];
    Codec::new(name, 90_000, 1).with_parameters(parameters).with_feedback(feedback)
}

/// Capability sets, each with a name.
pub(crate) fn sets() -> Vec<(&'static str, Capabilities)> {
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

/// Audio, data, and video with these formats, under the default policies.
pub(crate) fn capabilities(video_codecs: &[Codec]) -> Capabilities {
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
        ..Capabilities::default()
    }
}

pub(crate) fn wanted(kinds: &[&str]) -> Vec<Wanted> {
    kinds.iter().map(|kind| Wanted::new(kind)).collect()
}
