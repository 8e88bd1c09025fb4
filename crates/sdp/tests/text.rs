//! Lines, sections and errors, through the public API.
#![allow(clippy::unwrap_used)]

use pinhole_sdp::{Connection, Description, ErrorKind, Limit, Limits, Rtpmap};

const PHONE: &str = "v=0\r\no=ann 2890844526 2890842807 IN IP4 192.0.2.5\ns=call \r\r\n\
    c=IN IP4 192.0.2.5\r\nt=0 0\r\na=tool:lab phone  \r\nX=unheard of\r\n\r\n\
    m=audio 49170/2 RTP/AVP 0 97\r\na=rtpmap:97 iLBC/8000\r\na=recvonly\r\n\
    m=video 0 RTP/AVP 31 \na=x-empty:\na=x-flag";

#[test]
fn endings_blank_lines_unknown_letters_and_trailing_blanks_are_all_kept() {
    let phone = Description::parse(PHONE).unwrap();
    assert_eq!(phone.as_str(), Some(PHONE));
    let endings: Vec<_> = phone.lines().map(|line| line.ending().len()).collect();
    assert_eq!(endings, [2, 1, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 0]);
    let kinds: Vec<_> = phone.session().lines().map(|line| line.kind().unwrap_or(' ')).collect();
    assert_eq!(kinds, ['v', 'o', 's', 'c', 't', 'a', 'X', ' ']);
}

#[test]
fn media_sections_know_their_line_and_their_attributes() {
    let phone = Description::parse(PHONE).unwrap();
    let [audio, video] = phone.media().collect::<Vec<_>>().try_into().ok().unwrap();
    assert_eq!((audio.kind(), audio.port(), audio.port_count()), ("audio", 49170, 2));
    assert_eq!((audio.protocol(), audio.formats().collect()), ("RTP/AVP", vec!["0", "97"]));
    assert_eq!(audio.get::<Rtpmap<'_>>().unwrap().unwrap().encoding, "iLBC");
    assert!(video.is_rejected() && !audio.is_rejected());
    assert_eq!(video.formats().collect::<Vec<_>>(), ["31"]);
    let connection = audio.session().field::<Connection<'_>>().unwrap().unwrap();
    assert_eq!(connection.address, "192.0.2.5");
}

#[test]
fn an_attribute_without_a_colon_has_no_value_and_one_with_nothing_after_it_an_empty_one() {
    let phone = Description::parse(PHONE).unwrap();
    let video = phone.media().nth(1).unwrap();
    assert_eq!(video.attribute("x-empty").unwrap().value(), Some(""));
    assert_eq!(video.attribute("x-flag").unwrap().value(), None);
    assert_eq!(phone.session().attribute("tool").unwrap().value(), Some("lab phone"));
    assert!(!phone.session().has("too"), "a prefix is not the name");
}

#[test]
fn an_attribute_in_another_character_set_is_kept_as_bytes() {
    let text = b"v=0\na=x-name:caf\xe9\na=tool:ok\n";
    let description = Description::parse(text).unwrap();
    let name = description.session().attribute("x-name").unwrap();
    assert_eq!((name.value(), name.value_bytes()), (None, Some(&b"caf\xe9"[..])));
    assert_eq!(description.session().attribute("tool").unwrap().value(), Some("ok"));
    assert_eq!(description.as_bytes(), text);
}

#[test]
fn each_refusal_names_its_place() {
    let cases: [(&[u8], usize, usize); 13] = [
        (b"", 1, 1),
        (b"\r\n\n", 1, 1),
        (b"o=- 1 1 IN IP4 192.0.2.1\n", 1, 1),
        (b"v=1\n", 1, 3),
        (b"v=0\nrubbish\n", 2, 2),
        (b"v=0\n a=indented\n", 2, 1),
        (b"v=0\n=\n", 2, 1),
        (b"v=0\na=x\0y\n", 2, 4),
        (b"v=0\na=x\ry\n", 2, 4),
        (b"v=0\nm=audio\n", 2, 8),
        (b"v=0\nm=audio 65536 RTP/AVP 0\n", 2, 9),
        (b"v=0\nm=audio 1/x RTP/AVP 0\n", 2, 11),
        (b"v=0\nm=aud\xffio 1 RTP/AVP 0\n", 2, 6),
    ];
    for (text, line, column) in cases {
        let error = Description::parse(text).unwrap_err();
        let shown = error.pointing_at(text).to_string();
        assert_eq!((error.line(), error.column()), (line, column), "{shown}");
    }
}

#[test]
fn a_value_that_leaves_its_grammar_is_shown_with_a_pointer() {
    let text = "v=0\r\nm=audio 9 RTP/AVP 200\r\na=rtpmap:200 PCMU/8000\r\n";
    let description = Description::parse(text).unwrap();
    let error = description.media().next().unwrap().get::<Rtpmap<'_>>().unwrap_err();
    let shown = "line 3, column 10: expected a payload type from 0 to 127 (RFC 8866 §6.6)\n  \
        |\n3 | a=rtpmap:200 PCMU/8000\n  |          ^";
    assert_eq!(error.pointing_at(text).to_string(), shown);
}

#[test]
fn each_limit_refuses_one_more_and_takes_what_it_allows() {
    let text = "v=0\nm=audio 9 RTP/AVP 0\nm=audio 9 RTP/AVP 0\n";
    let exact = Limits { bytes: text.len(), lines: 3, media: 2 };
    assert!(Description::parse_within(text, &exact).is_ok());
    let tighter = [
        (Limits { bytes: text.len() - 1, ..exact }, Limit::Bytes),
        (Limits { lines: 2, ..exact }, Limit::Lines),
        (Limits { media: 1, ..exact }, Limit::Media),
    ];
    for (limits, expected) in tighter {
        let error = Description::parse_within(text, &limits).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TooLarge { limit, .. } if limit == expected));
    }
}

/// Anything that took the square of the input's length would not come back from these.
#[test]
fn a_megabyte_of_anything_is_parsed_and_looked_through_in_linear_time() {
    let candidates = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n".repeat(100_000);
    let mids = format!("a=group:BUNDLE{}\n", " 12345678".repeat(100_000));
    let bodies = [
        "a=x:y\n".repeat(200_000),
        "m=audio 9 RTP/AVP 0\na=mid:1\n".repeat(40_000),
        format!("a=x:{}\n", "y".repeat(1_000_000)),
        "\n".repeat(1_000_000),
        candidates,
        mids,
    ];
    for body in bodies {
        for text in [format!("v=0\n{body}"), format!("{}v=0\n{body}", "\r\n".repeat(500_000))] {
            let description = Description::parse_within(&text, &Limits::NONE).unwrap();
            assert_eq!(description.session().attribute("missing"), None);
            assert!(description.media_with_mid("missing").is_none());
            assert_eq!(description.as_bytes(), text.as_bytes());
        }
    }
}
