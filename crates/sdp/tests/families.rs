//! One description for each family of endpoint, in its manner and with values written here: accepted,
//! kept byte for byte, and understood; with what the strict profile finds in it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use pinhole_sdp::{
    Codec, Control, Crypto, Description, Direction, Group, Media, Profile, Range, Sctpmap, Setup,
    SourceFilter,
};

/// Reads a description that a family sends, and counts what the strict profile finds in it.
fn accepted(text: &str, findings: usize) -> Description<'_> {
    let description = Description::parse(text).unwrap();
    assert_eq!(description.as_str(), Some(text));
    let found = description.check(Profile::Strict);
    let shown: Vec<String> =
        found.iter().map(|error| error.pointing_at(text).to_string()).collect();
    assert_eq!(found.len(), findings, "{}", shown.join("\n"));
    description
}

fn section<'d>(description: &'d Description<'_>, index: usize) -> Media<'d> {
    description.media().nth(index).unwrap()
}

fn names(media: &Media<'_>) -> Vec<String> {
    media.codecs().into_iter().map(|(_, codec): (u8, Codec)| codec.name).collect()
}

#[test]
fn firefox_tells_fingerprint_and_options_for_the_whole_session() {
    let text = "v=0\r\no=mozilla...THIS_IS_SDPARTA-99.0 6114021838573284771 0 IN IP4 0.0.0.0\r\ns=-\r\n\
        t=0 0\r\na=sendrecv\r\na=fingerprint:sha-256 0A:1B:2C\r\na=group:BUNDLE 0\r\n\
        a=ice-options:trickle\r\na=msid-semantic:WMS *\r\nm=audio 9 UDP/TLS/RTP/SAVPF 109 9 101\r\n\
        c=IN IP4 0.0.0.0\r\na=recvonly\r\na=extmap:1/recvonly urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
        a=fmtp:109 maxplaybackrate=48000;stereo=1\r\na=fmtp:101 0-15\r\na=ice-pwd:0123456789abcdef0123456789abcdef\r\n\
        a=ice-ufrag:deadbeef\r\na=mid:0\r\na=rtcp-mux\r\na=rtpmap:109 opus/48000/2\r\n\
        a=rtpmap:9 G722/8000/1\r\na=rtpmap:101 telephone-event/8000/1\r\na=setup:actpass\r\na=ssrc:1 cname:{x}\r\n";
    let description = accepted(text, 0);
    let audio = section(&description, 0);
    let ice = audio.ice().unwrap().unwrap();
    assert!(ice.options.has("trickle"), "inherited");
    assert_eq!(audio.direction(), Some(Direction::RecvOnly));
    assert_eq!(names(&audio), ["opus", "G722", "telephone-event"]);
    assert_eq!(description.check(Profile::WebRtc), []);
}

#[test]
fn older_chromium_offers_data_channels_with_an_sctpmap() {
    let text = "v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE data\r\n\
        a=msid-semantic: WMS\r\nm=application 9 DTLS/SCTP 5000\r\nc=IN IP4 0.0.0.0\r\nb=AS:30\r\n\
        a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=setup:actpass\r\na=mid:data\r\n\
        a=sctpmap:5000 webrtc-datachannel 1024\r\n";
    let description = accepted(text, 0);
    let sctpmap = section(&description, 0).get::<Sctpmap<'_>>().unwrap().unwrap();
    assert_eq!((sctpmap.port, sctpmap.streams), (5000, Some(1024)));
}

#[test]
fn a_desk_phone_knows_neither_ice_nor_bundle() {
    let text = "v=0\r\no=root 1821 1821 IN IP4 198.51.100.20\r\ns=call\r\nc=IN IP4 198.51.100.20\r\n\
        t=0 0\r\nm=audio 12346 RTP/AVP 8 0 18 101 \r\na=rtpmap:101 telephone-event/8000\r\n\
        a=fmtp:101 0-16\r\na=fmtp:18 annexb=no\r\na=ptime:20\r\na=sendonly\r\n";
    let description = accepted(text, 1);
    let audio = section(&description, 0);
    assert_eq!(names(&audio), ["PCMA", "PCMU", "G729", "telephone-event"]);
    assert_eq!(audio.ice(), Ok(None));
    assert_eq!(audio.direction(), Some(Direction::SendOnly), "on hold");
}

#[test]
fn a_pbx_offers_keys_in_the_description_and_an_address_in_each_section() {
    let text = "v=0\no=PBX 1 2 IN IP4 198.51.100.30\ns=PBX\nc=IN IP4 198.51.100.30\nt=0 0\n\
        m=audio 18000 RTP/SAVP 0 13\na=rtpmap:0 PCMU/8000\na=rtpmap:13 CN/8000\n\
        a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:32\n\
        a=rtcp:18001 IN IP4 198.51.100.30\na=maxptime:150\nm=video 0 RTP/SAVP 34\nc=IN IP4 198.51.100.31\n";
    let description = accepted(text, 1);
    let crypto = section(&description, 0).get::<Crypto<'_>>().unwrap().unwrap();
    assert_eq!((crypto.tag, crypto.suite), (1, "AES_CM_128_HMAC_SHA1_80"));
    assert!(section(&description, 1).is_rejected());
    assert_eq!(names(&section(&description, 1)), ["H263"]);
    assert!(description.check(Profile::WebRtc).len() > 1, "keys are none of WebRTC");
}

#[test]
fn a_media_server_answers_lite_with_ice_for_the_session() {
    let text = "v=0\r\no=- 10 1 IN IP4 203.0.113.8\r\ns=-\r\nt=0 0\r\na=ice-lite\r\na=group:BUNDLE a v\r\n\
        a=ice-ufrag:serv\r\na=ice-pwd:servservservservservse\r\na=fingerprint:sha-256 0A:1B\r\na=setup:passive\r\n\
        m=audio 7 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 203.0.113.8\r\na=mid:a\r\na=rtcp-mux\r\n\
        a=rtpmap:111 opus/48000/2\r\na=candidate:1 1 udp 2130706431 203.0.113.8 10000 typ host\r\n\
        a=end-of-candidates\r\nm=video 7 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 203.0.113.8\r\na=mid:v\r\n\
        a=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n";
    let description = accepted(text, 0);
    for media in description.media() {
        assert!(media.ice().unwrap().unwrap().lite);
        assert_eq!(media.get_or_inherit(), Ok(Some(Setup::Passive)));
    }
    assert_eq!(description.check(Profile::WebRtc), []);
}

#[test]
fn a_camera_leaves_out_times_and_names_and_gives_urls() {
    let text = "v=0\no=- 0 0 IN IP4 192.0.2.64\ns=\na=control:*\na=range:npt=0-\n\
        m=video 0 RTP/AVP 96\nb=AS:5000\na=control:trackID=0\na=rtpmap:96 H264/90000\n\
        a=fmtp:96 packetization-mode=1; profile-level-id=4d0029; sprop-parameter-sets=Z00AKQ==,aO48gA==\n\
        a=framerate:25.0\na=x-dimensions:1920,1080\n";
    // LF, an empty name, no t= line, no c= line.
    let description = accepted(text, 4);
    let session = description.session();
    assert_eq!(session.get(), Ok(Some(Control("*"))));
    assert_eq!(session.get(), Ok(Some(Range("npt=0-"))));
    let (_, codec) = section(&description, 0).codecs().pop().unwrap();
    assert_eq!(codec.parameter("sprop-parameter-sets"), Some("Z00AKQ==,aO48gA=="));
}

#[test]
fn a_studio_device_names_multicast_sources_and_clocks() {
    let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.70\r\ns=mixer 7\r\nt=0 0\r\na=recvonly\r\n\
        m=audio 5004 RTP/AVP 98\r\nc=IN IP4 239.0.2.7/32\r\n\
        a=source-filter: incl IN IP4 239.0.2.7 192.0.2.70\r\na=rtpmap:98 L24/48000/8\r\na=ptime:0.125\r\n\
        a=ts-refclk:ptp=IEEE1588-2008:00-11-22-FF-FE-33-44-55:0\r\na=mediaclk:direct=0\r\n";
    let description = accepted(text, 0);
    let filter = section(&description, 0).get::<SourceFilter<'_>>().unwrap().unwrap();
    assert_eq!((filter.include, filter.sources), (true, "192.0.2.70"));
}

#[test]
fn a_fax_gateway_and_a_chat_have_formats_that_are_no_payload_types() {
    let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
        m=image 4444 udptl t38\r\na=T38FaxVersion:0\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n\
        m=message 2855 TCP/MSRP *\r\na=accept-types:text/plain\r\na=path:msrp://192.0.2.9:2855/x;tcp\r\n";
    let description = accepted(text, 0);
    assert_eq!(section(&description, 0).formats().collect::<Vec<_>>(), ["t38"]);
    assert!(section(&description, 1).codecs().is_empty());
    assert_eq!(description.session().get::<Group<'_>>(), Ok(None));
}

#[test]
fn plan_b_has_all_tracks_of_a_kind_in_one_section() {
    let text = "v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:video\r\na=rtpmap:96 VP8/90000\r\n\
        a=ssrc-group:FID 1 2\r\na=ssrc:1 cname:x\r\na=ssrc:1 msid:s1 camera\r\n\
        a=ssrc:2 cname:x\r\na=ssrc:2 msid:s1 camera\r\na=ssrc:3 msid:s1 screen\r\na=ssrc:4 cname:y\r\n";
    let description = accepted(text, 0);
    let tracks = section(&description, 0).tracks();
    let shown: Vec<_> =
        tracks.iter().map(|own| (own.msid.and_then(|msid| msid.track), &own.sources[..])).collect();
    assert_eq!(shown, [(Some("camera"), &[1, 2][..]), (Some("screen"), &[3]), (None, &[4])]);
    let today = text.replace("a=ssrc-group", "a=msid:s2 t2\r\na=ssrc-group");
    let description = Description::parse(&today).unwrap();
    let tracks = section(&description, 0).tracks();
    assert_eq!(tracks.len(), 1, "a=msid is of the whole section");
    assert_eq!(tracks[0].sources, [1, 2, 3, 4]);
}

#[test]
fn kurento_and_janus_are_read_as_they_write() {
    // Kurento: groups and tags of its own, feedback before the map, a candidate for each component.
    let text = "v=0\r\no=- 3900000000 3900000000 IN IP4 0.0.0.0\r\ns=Kurento Media Server\r\n\
        c=IN IP4 0.0.0.0\r\nt=0 0\r\na=msid-semantic: WMS x\r\na=group:BUNDLE audio0\r\n\
        m=audio 1 UDP/TLS/RTP/SAVPF 96 0\r\na=setup:actpass\r\na=extmap:3 http://x.example/abs-send-time\r\n\
        a=rtcp-fb:96 nack\r\na=rtpmap:96 opus/48000/2\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=rtcp-mux\r\n\
        a=mid:audio0\r\na=ice-ufrag:Kur1\r\na=ice-pwd:Kur1Kur1Kur1Kur1Kur1Kur1\r\na=fingerprint:sha-256 0A:1B\r\n\
        a=candidate:1 1 UDP 2013266431 203.0.113.9 40000 typ host\r\n\
        a=candidate:1 2 UDP 2013266430 203.0.113.9 40001 typ host\r\n";
    let description = accepted(text, 0);
    assert_eq!(section(&description, 0).candidates().count(), 2);
    assert_eq!(names(&section(&description, 0)), ["opus", "PCMU"]);
    // Janus: lite, options and lite after the group, the fingerprint in each section.
    let text = "v=0\r\no=- 17 1 IN IP4 203.0.113.10\r\ns=VideoRoom 1234\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
        a=ice-options:trickle\r\na=fingerprint:sha-256 0A:1B\r\na=extmap-allow-mixed\r\n\
        a=msid-semantic: WMS *\r\na=ice-lite\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 203.0.113.10\r\n\
        a=sendonly\r\na=mid:0\r\na=rtcp-mux\r\na=ice-ufrag:Jan1\r\na=ice-pwd:Jan1Jan1Jan1Jan1Jan1Jan1\r\n\
        a=setup:actpass\r\na=rtpmap:96 VP8/90000\r\na=msid:janus janusv0\r\na=ssrc:9 cname:janus\r\n";
    let description = accepted(text, 0);
    let video = section(&description, 0);
    assert!(video.ice().unwrap().unwrap().lite);
    assert_eq!(video.tracks()[0].sources, [9]);
    assert_eq!(description.check(Profile::WebRtc), []);
}

#[test]
fn a_switch_answers_without_the_tag_and_the_answer_fits() {
    let offer = "v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 8 101\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=rtcp-mux\r\na=setup:actpass\r\n\
        a=rtpmap:101 telephone-event/8000\r\n";
    let answer = "v=0\r\no=FreeSWITCH 15 16 IN IP4 203.0.113.11\r\ns=FreeSWITCH\r\nc=IN IP4 203.0.113.11\r\n\
        t=0 0\r\na=msid-semantic: WMS x\r\nm=audio 16628 UDP/TLS/RTP/SAVPF 8 101\r\na=rtpmap:8 PCMA/8000\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=fingerprint:sha-256 0A:1B\r\na=setup:active\r\n\
        a=rtcp-mux\r\na=rtcp:16628 IN IP4 203.0.113.11\r\na=ice-ufrag:Free\r\na=ice-pwd:FreeFreeFreeFreeFreeFree\r\n\
        a=candidate:0560693492 1 udp 659136 203.0.113.11 16628 typ host generation 0\r\na=end-of-candidates\r\n\
        a=ssrc:26 cname:x\r\na=ssrc:26 msid:x a0\r\na=ssrc:26 mslabel:x\r\na=ssrc:26 label:xa0\r\n";
    let answer = accepted(answer, 0);
    assert_eq!(answer.check_answer_to(&Description::parse(offer).unwrap()), []);
    let [track] = &section(&answer, 0).tracks()[..] else { panic!("one track") };
    assert_eq!((track.msid.unwrap().track, &track.sources[..]), (Some("a0"), &[26][..]));
}
