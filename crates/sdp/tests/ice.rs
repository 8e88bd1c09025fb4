//! What an ICE agent learns from a description.
#![allow(clippy::unwrap_used)]

use core::time::Duration;

use pinhole_sdp::{Description, IceOptions};

/// As a Chromium tab offers a data channel, with values written for this test.
const BROWSER: &str = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
    a=group:BUNDLE 0\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS\r\n\
    m=application 54321 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 192.0.2.7\r\n\
    a=candidate:1467250027 1 udp 2122260223 3b1fd2a5-8c0e-4a53-9b1e-0a4fd0a91e4e.local 54321 typ host \
    generation 0 network-id 1\r\n\
    a=candidate:842163049 1 udp 1677729535 203.0.113.9 54321 typ srflx raddr 0.0.0.0 rport 0\r\n\
    a=ice-ufrag:Ba/+\r\na=ice-pwd:Kq9vVYlm2eTnOZ4Xb5yJcR7w\r\na=ice-options:trickle\r\n\
    a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:\
    99:AA:BB:CC:DD:EE:FF\r\na=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\n\
    a=max-message-size:262144\r\n";

#[test]
fn a_browsers_credentials_options_and_candidates_are_found() {
    let browser = Description::parse(BROWSER).unwrap();
    let media = browser.media_with_mid("0").unwrap();
    let ice = media.ice().unwrap().unwrap();
    assert_eq!((ice.ufrag, ice.password), ("Ba/+", "Kq9vVYlm2eTnOZ4Xb5yJcR7w"));
    assert!(ice.options.has(IceOptions::TRICKLE) && !ice.options.has("trick"));
    assert_eq!((ice.lite, ice.pacing), (false, Duration::from_millis(50)));
    let candidates: Vec<_> = media.candidates().collect();
    assert_eq!(candidates.len(), 2);
    assert!(
        candidates[0].starts_with("1467250027 1 udp") && candidates[0].ends_with("network-id 1")
    );
    assert!(!media.end_of_candidates());
}

#[test]
fn the_session_gives_what_the_section_leaves_out_and_the_section_wins() {
    let text = "v=0\na=ice-lite\na=ice-pacing:20\na=ice-ufrag:sess\na=ice-pwd:sessionsessionsessions1\n\
        a=ice-options:ice2 trickle renomination\na=end-of-candidates\nm=audio 9 RTP/AVP 0\n\
        m=video 9 RTP/AVP 31\na=ice-ufrag:medi\na=ice-pwd:mediamediamediamediame1\na=ice-options:ice2\n";
    let description = Description::parse(text).unwrap();
    let [audio, video] = [0, 1].map(|at| description.media().nth(at).unwrap());
    let [inherited, own] = [audio, video].map(|media| media.ice().unwrap().unwrap());
    assert_eq!((inherited.ufrag, own.ufrag), ("sess", "medi"));
    assert_eq!(
        (inherited.password, own.password),
        ("sessionsessionsessions1", "mediamediamediamediame1")
    );
    assert!(inherited.options.has(IceOptions::RENOMINATION) && !own.options.has("renomination"));
    assert!(own.lite && own.pacing == Duration::from_millis(20));
    assert!(audio.end_of_candidates());
}

/// RFC 8839 §5.4: 4 to 256 and 22 to 256 ice-chars.
#[test]
fn credentials_out_of_their_bounds_are_refused_at_their_line() {
    let long = "x".repeat(257);
    for (ufrag, password, line) in [
        ("abc", "asd88fgpdd777uzjYhagZg", 3),
        (&*long, "asd88fgpdd777uzjYhagZg", 3),
        ("ab%d", "asd88fgpdd777uzjYhagZg", 3),
        ("abcd", "asd88fgpdd777uzjYhagZ", 4),
        ("abcd", &*long, 4),
    ] {
        let text = format!("v=0\nm=audio 9 RTP/AVP 0\na=ice-ufrag:{ufrag}\na=ice-pwd:{password}\n");
        let description = Description::parse(&text).unwrap();
        let error = description.media().next().unwrap().ice().unwrap_err();
        assert_eq!(error.line(), line, "{}", error.pointing_at(&text));
    }
}

#[test]
fn a_fragment_without_a_password_is_an_error_and_neither_is_no_ice() {
    let text = "v=0\nm=audio 9 RTP/AVP 0\na=ice-ufrag:abcd\nm=video 9 RTP/AVP 31\n";
    let description = Description::parse(text).unwrap();
    let media: Vec<_> = description.media().map(|media| media.ice()).collect();
    assert_eq!(media.first().unwrap().unwrap_err().line(), 2);
    assert_eq!(media.last().unwrap(), &Ok(None));
}

/// RFC 8839 §4.4.1.1.1: a restart changes both; one alone is an error of the peer and no restart.
#[test]
fn new_credentials_restart_ice() {
    let text = |ufrag: &str, password: &str| {
        format!("v=0\nm=audio 9 RTP/AVP 0\na=ice-ufrag:{ufrag}\na=ice-pwd:{password}\n")
    };
    let restarts = |ufrag, password| {
        let texts = [text("8hhY", "asd88fgpdd777uzjYhagZg"), text(ufrag, password)];
        let [before, after] = texts.each_ref().map(|text| Description::parse(text).unwrap());
        let [before, after] =
            [&before, &after].map(|d| d.media().next().unwrap().ice().unwrap().unwrap());
        after.restarts(&before)
    };
    assert!(restarts("9uB6", "YH75Fviy6338Vbrhrlp8Yh"));
    assert!(!restarts("8hhY", "asd88fgpdd777uzjYhagZg"));
    assert!(!restarts("9uB6", "asd88fgpdd777uzjYhagZg"));
}
