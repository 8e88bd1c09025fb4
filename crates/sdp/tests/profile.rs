//! What the profiles find.
#![allow(clippy::unwrap_used)]

use pinhole_sdp::{
    Builder, Connection, Description, Fingerprint, Group, IcePassword, IceUfrag, Mid, Origin,
    Profile, SctpPort, Setup,
};

const GOOD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n";

/// The lines and columns of what is found.
fn found(text: &[u8], profile: Profile) -> Vec<(usize, usize)> {
    let description = Description::parse(text).unwrap();
    assert!(description.check(Profile::Lenient).is_empty());
    description.check(profile).iter().map(|error| (error.line(), error.column())).collect()
}

#[test]
fn a_line_out_of_its_place_or_number_is_found_by_the_strict_profile() {
    let media = "c=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";
    for (text, place) in [
        ("v=0\r\ns=-\r\nt=0 0\r\n".to_owned(), (2, 1)),
        ("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n".to_owned(), (3, 4)),
        (format!("{GOOD}c=IN IP4 192.0.2.1\r\n"), (5, 1)),
        (format!("{GOOD}t=0 0\r\nx=what\r\n"), (6, 1)),
        (format!("{GOOD}\r\na=x\r\n"), (5, 1)),
        (format!("{GOOD}a=x\r\nb=AS:1\r\n"), (6, 1)),
        (format!("{GOOD}k=prompt\r\nk=prompt\r\n"), (6, 1)),
        (format!("{GOOD}m=audio 9 RTP/AVP 0\r\n"), (5, 1)),
        (format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n{media}s=-\r\n"), (7, 1)),
        (format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n{media}a=x\r\ni=x\r\n"), (8, 1)),
        (format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n{media}z=0 0\r\n"), (7, 1)),
    ] {
        assert_eq!(found(text.as_bytes(), Profile::Strict), [place], "{text}");
    }
    for good in
        ["", "t=1000000000 2000000000\r\nr=7d 1h 0\r\nz=1000000000 -1h\r\nk=prompt\r\na=x\r\n"]
    {
        assert!(found(format!("{GOOD}{good}").as_bytes(), Profile::Strict).is_empty(), "{good}");
    }
}

#[test]
fn a_value_that_is_not_to_the_letter_is_found_by_the_strict_profile() {
    let before_times = GOOD.strip_suffix("t=0 0\r\n").unwrap();
    for (rest, place) in [
        ("i=\r\nt=0 0\r\n", (4, 3)),
        ("b=AS\r\nt=0 0\r\n", (4, 5)),
        ("b=AS:1 2\r\nt=0 0\r\n", (4, 8)),
        ("t=0  0\r\n", (4, 5)),
        ("t=0 0 \r\n", (4, 6)),
        ("t=1 0\r\n", (4, 3)),
        ("t=0 0\r\nk=\r\n", (5, 3)),
        ("t=0 0\r\na=\r\n", (5, 3)),
        ("t=0 0\r\na=x y:1\r\n", (5, 3)),
        ("t=0 0\r\na=x :1\r\n", (5, 3)),
        ("t=0 0\r\na=x:\r\n", (5, 5)),
        ("t=0 0\r\na=mid:1\r\n", (5, 3)),
        ("t=0 0\r\na=ice-lite:\r\n", (5, 12)),
        ("t=0 0\r\na=ice-lite:1\r\n", (5, 12)),
        ("t=0 0\r\na=ice-ufrag:ab_d\r\n", (5, 15)),
        ("t=0 0\r\na=ice-pwd:short\r\n", (5, 11)),
        ("t=0 0\r\na=setup:actpass!\r\n", (5, 16)),
        ("t=0 0\r\na=setup: actpass\r\n", (5, 9)),
        ("t=0 0\r\na=fingerprint:sha-1 0A:0b\r\n", (5, 25)),
    ] {
        assert_eq!(
            found(format!("{before_times}{rest}").as_bytes(), Profile::Strict),
            [place],
            "{rest}"
        );
    }
}

#[test]
fn m_lines_and_attributes_of_sections_are_held_to_their_grammar() {
    let head = GOOD.replace("t=0", "c=IN IP4 192.0.2.1\r\nt=0");
    for (section, places) in [
        ("m=audio 9 RTP/AVP\r\n", vec![(6, 18)]),
        ("m=audio 9 RTP/AVP 0 \r\n", vec![(6, 20)]),
        ("m=audio 9 RTP//AVP 0\r\n", vec![(6, 15)]),
        ("m=a/b 9 RTP/AVP 0\r\n", vec![(6, 4)]),
        ("m=audio 9 RTP/AVP 0\r\na=ice-lite\r\n", vec![(7, 3)]),
        ("m=audio 9 RTP/AVP 0\r\na=mid:1\r\na=mid:1\r\n", vec![(8, 3)]),
        ("m=audio 9 RTP/AVP 0\r\na=mid:1\r\nm=audio 9 RTP/AVP 0\r\na=mid:1\r\n", vec![(9, 7)]),
        ("m=audio 9 RTP/AVP 0\r\na=rtpmap:200 x/1\r\n", vec![(7, 10)]),
        ("m=audio 9 RTP/AVP 0\r\na=simulcast:send rid=1\r\n", vec![(7, 18)]),
        ("m=audio 9/2 RTP/SAVPF/X 0 97\r\na=unknown:\t any thing \r\n", vec![]),
    ] {
        assert_eq!(
            found(format!("{head}{section}").as_bytes(), Profile::Strict),
            places,
            "{section}"
        );
    }
}

#[test]
fn endings_and_character_sets_are_found_where_they_begin() {
    let lf = GOOD.replace("\r\n", "\n");
    assert_eq!(found(lf.as_bytes(), Profile::Strict), [(1, 4)]);
    assert_eq!(found(GOOD.trim_end().as_bytes(), Profile::Strict), [(4, 6)]);
    let latin = [GOOD.as_bytes(), b"a=x-name:caf\xe9\r\n"].concat();
    assert_eq!(found(&latin, Profile::Strict), [(5, 13)]);
    let declared = [&latin[..], b"a=charset:ISO-8859-1\r\n"].concat();
    assert!(found(&declared, Profile::Strict).is_empty());
}

fn data_channel() -> Builder {
    Builder::new(Origin::anonymous(1, 1))
        .attribute(Group::bundle(["0", "1"]))
        .media("application", 9, "UDP/DTLS/SCTP", "webrtc-datachannel")
        .field(Connection::UNSPECIFIED)
        .attribute(Mid("0"))
}

#[test]
fn what_webrtc_needs_is_missed_where_it_is_not() {
    let whole = data_channel()
        .attribute(IceUfrag("8hhY"))
        .attribute(IcePassword("asd88fgpdd777uzjYhagZg"))
        .attribute(Setup::ActPass)
        .attribute(Fingerprint::sha256([1; 32]))
        .attribute(SctpPort(5000))
        .media("video", 0, "UDP/TLS/RTP/SAVPF", "96")
        .field(Connection::UNSPECIFIED)
        .attribute(Mid("1"))
        .attribute_text("bundle-only", None)
        .finish()
        .unwrap();
    let text = whole.as_str().unwrap();
    assert!(Description::parse_as(text, Profile::WebRtc).is_ok());
    for (gone, line) in [
        ("a=ice-ufrag:8hhY\r\n", 6),
        ("a=ice-pwd:asd88fgpdd777uzjYhagZg\r\n", 6),
        ("a=setup:actpass\r\n", 6),
        ("a=sctp-port:5000\r\n", 6),
    ] {
        let error = Description::parse_as(&text.replace(gone, ""), Profile::WebRtc).unwrap_err();
        assert_eq!(error.line(), line, "{error}");
    }
    for (added, line) in [
        ("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n", 18),
        ("a=rid:1 recv\r\na=simulcast:recv 1;2\r\n", 14),
        ("a=rtcp-mux-only\r\n", 14),
    ] {
        let error = Description::parse_as(&format!("{text}{added}"), Profile::WebRtc).unwrap_err();
        assert_eq!(error.line(), line, "{error}");
    }
    let rejected =
        data_channel().finish().unwrap().to_string().replace("application 9", "application 0");
    assert!(Description::parse_as(&rejected, Profile::WebRtc).is_ok());
}
