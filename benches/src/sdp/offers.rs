//! Offers as endpoints make them, written for this table.

/// The offers by name.
pub const OFFERS: [&str; 3] = ["browser", "data", "simulcast"];

/// The text of one of the [`OFFERS`].
///
/// # Panics
/// If there is none of that name.
pub fn offer(name: &str) -> String {
    match name {
        "browser" => head(2) + &audio(0) + &video(1, ""),
        "data" => head(1) + &data(0),
        "simulcast" => {
            let versions =
                "a=rid:q send\r\na=rid:h send\r\na=rid:f send\r\na=simulcast:send q;h;f\r\n";
            (0..20).fold(head(20), |text, index| text + &video(index, versions))
        }
        _ => panic!("no offer {name}"),
    }
}

fn head(sections: usize) -> String {
    let mids: Vec<String> = (0..sections).map(|index| index.to_string()).collect();
    format!(
        "v=0\r\no=- 7351028411 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\n\
         a=extmap-allow-mixed\r\na=msid-semantic: WMS stream\r\n",
        mids.join(" ")
    )
}

fn transport(mid: usize) -> String {
    let fingerprint = ["5C"; 32].join(":");
    format!(
        "c=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
         a=candidate:1 1 udp 2130706431 192.0.2.1 49152 typ host generation 0\r\n\
         a=candidate:2 1 udp 1694498815 198.51.100.7 49152 typ srflx raddr 192.0.2.1 rport 49152\r\n\
         a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=ice-options:trickle\r\n\
         a=fingerprint:sha-256 {fingerprint}\r\na=setup:actpass\r\na=mid:{mid}\r\n"
    )
}

fn extensions(uris: &[&str]) -> String {
    let lines = (1..).zip(uris).map(|(id, uri)| format!("a=extmap:{id} {uri}\r\n"));
    lines.collect()
}

fn audio(mid: usize) -> String {
    let mut text = "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\n".to_owned();
    text += &transport(mid);
    text += &extensions(&[
        "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "urn:ietf:params:rtp-hdrext:sdes:mid",
    ]);
    text += "a=sendrecv\r\na=msid:stream track\r\na=rtcp-mux\r\na=rtcp-rsize\r\n\
             a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\n\
             a=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\n\
             a=fmtp:63 111/111\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\n\
             a=rtpmap:8 PCMA/8000\r\na=rtpmap:13 CN/8000\r\n\
             a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n\
             a=ssrc:2841650793 cname:f0ZkTqSLmAnHhYwX\r\na=ssrc:2841650793 msid:stream track\r\n";
    text
}

fn video(mid: usize, versions: &str) -> String {
    let formats = [
        ("VP8", ""),
        ("H264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"),
        ("H264", "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f"),
        ("H264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f"),
        ("AV1", "level-idx=5;profile=0;tier=0"),
        ("VP9", "profile-id=0"),
        ("VP9", "profile-id=2"),
    ];
    let numbers: Vec<String> = (96..96 + 2 * formats.len()).map(|n| n.to_string()).collect();
    let mut text = format!("m=video 9 UDP/TLS/RTP/SAVPF {}\r\n", numbers.join(" "));
    text += &transport(mid);
    text += &extensions(&[
        "urn:ietf:params:rtp-hdrext:toffset",
        "urn:3gpp:video-orientation",
        "urn:ietf:params:rtp-hdrext:sdes:mid",
        "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
        "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
    ]);
    text += "a=sendrecv\r\na=msid:stream track\r\na=rtcp-mux\r\na=rtcp-rsize\r\n";
    for (number, (name, parameters)) in (96..).step_by(2).zip(formats) {
        text += &format!("a=rtpmap:{number} {name}/90000\r\n");
        for feedback in ["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"] {
            text += &format!("a=rtcp-fb:{number} {feedback}\r\n");
        }
        if !parameters.is_empty() {
            text += &format!("a=fmtp:{number} {parameters}\r\n");
        }
        let rtx = number + 1;
        text += &format!("a=rtpmap:{rtx} rtx/90000\r\na=fmtp:{rtx} apt={number}\r\n");
    }
    text += versions;
    if versions.is_empty() {
        text += "a=ssrc-group:FID 1840132796 3229391213\r\n\
                 a=ssrc:1840132796 cname:f0ZkTqSLmAnHhYwX\r\na=ssrc:3229391213 cname:f0ZkTqSLmAnHhYwX\r\n";
    }
    text
}

fn data(mid: usize) -> String {
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n".to_owned()
        + &transport(mid).replace("a=rtcp:9 IN IP4 0.0.0.0\r\n", "")
        + "a=sctp-port:5000\r\na=max-message-size:262144\r\n"
}
