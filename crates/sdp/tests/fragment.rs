//! Bodies that trickle candidates.
#![allow(clippy::unwrap_used)]

use pinhole_sdp::{Builder, Fragment, Mid, Origin};

const INFO: &str = "a=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=ice-ufrag:8hhY\r\na=group:BUNDLE 1 2\r\n\
    a=x-later:unknown\r\nm=audio 9 RTP/AVP 0\r\na=mid:1\r\n\
    a=candidate:1 1 udp 2130706431 192.0.2.1 49152 typ host\r\na=end-of-candidates\r\n\
    m=audio 9 RTP/AVP 0\r\na=mid:2\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n";

#[test]
fn credentials_before_the_sections_are_those_of_each() {
    let fragment = Fragment::parse(INFO).unwrap();
    assert_eq!(fragment.as_bytes(), INFO.as_bytes());
    assert!(fragment.session().has("x-later"));
    for mid in ["1", "2"] {
        let media = fragment.media_with_mid(mid).unwrap();
        assert_eq!(media.ice().unwrap().unwrap().ufrag, "8hhY");
        assert_eq!(media.candidates().count(), 1);
        assert_eq!(media.end_of_candidates(), mid == "1");
    }
}

#[test]
fn lines_that_are_no_part_of_a_fragment_are_refused_at_their_place() {
    for (text, line) in [
        ("v=0\r\n", 1),
        ("a=ice-ufrag:8hhY\r\nc=IN IP4 192.0.2.1\r\n", 2),
        ("a=mid:0\r\nm=audio\r\n", 2),
        ("a=mid:0\r\nrubbish\r\n", 2),
    ] {
        assert_eq!(Fragment::parse(text).unwrap_err().line(), line, "{text}");
    }
    assert!(Fragment::parse("").is_ok(), "nothing to say");
    let description = Builder::new(Origin::anonymous(1, 1));
    assert!(description.finish_fragment().is_err());
    assert!(Builder::fragment().attribute(Mid("0")).finish().is_err());
}
