//! What the builder and the edits write.
#![allow(clippy::unwrap_used)]

use core::time::Duration;

use pinhole_sdp::{
    Bandwidth, Builder, Candidate, Connection, Description, Direction, EndOfCandidates,
    Fingerprint, Group, IceLite, IceOptions, IcePacing, IcePassword, IceUfrag, Mid, Origin, Place,
    Rtpmap, SessionName, Setup, Timing, WriteError,
};

#[test]
fn lines_are_put_in_the_order_of_the_grammar() {
    let description = Builder::new(Origin::anonymous(5, 1))
        .attribute(IceLite)
        .attribute(IcePacing(Duration::from_millis(20)))
        .field(SessionName("lab"))
        .field(Bandwidth { kind: "CT", amount: 512 })
        .media("audio", 4000, "RTP/AVP", "0 97")
        .attribute(Rtpmap { payload_type: 97, encoding: "iLBC", clock_rate: 8000, channels: None })
        .direction(Direction::SendOnly)
        .field(Connection { address_type: "IP6", address: "2001:db8::1" })
        .attribute_text("x-own", Some("a:b"))
        .finish()
        .unwrap();
    let expected = "v=0\r\no=- 5 1 IN IP4 0.0.0.0\r\ns=lab\r\nb=CT:512\r\nt=0 0\r\na=ice-lite\r\n\
        a=ice-pacing:20\r\nm=audio 4000 RTP/AVP 0 97\r\nc=IN IP6 2001:db8::1\r\n\
        a=rtpmap:97 iLBC/8000\r\na=sendonly\r\na=x-own:a:b\r\n";
    assert_eq!(description.as_str(), Some(expected));
}

#[test]
fn what_was_built_reads_back_as_it_was_given() {
    let origin = Origin::anonymous(u64::MAX >> 1, 3);
    let description = Builder::new(origin)
        .attribute(Group::bundle(["a", "b"]))
        .media("application", 9, "UDP/DTLS/SCTP", "webrtc-datachannel")
        .attribute(Mid("a"))
        .attribute(Fingerprint::sha256([7; 32]))
        .attribute(Setup::Passive)
        .finish()
        .unwrap();
    let session = description.session();
    assert_eq!(session.field(), Ok(Some(origin)));
    assert_eq!(session.field(), Ok(Some(Timing::default())));
    assert_eq!(session.get(), Ok(Some(Group::bundle(["a", "b"]))));
    let media = description.media_with_mid("a").unwrap();
    assert_eq!(media.get(), Ok(Some(Fingerprint::sha256([7; 32]))));
    assert_eq!(media.get(), Ok(Some(Setup::Passive)));
}

#[test]
fn no_value_can_bring_a_second_line() {
    for evil in ["x\r\na=setup:active", "x\ny", "x\ry", "x\0"] {
        let new = || Builder::new(Origin::anonymous(1, 1));
        let attempts = [
            new().attribute(Mid(evil)),
            new().attribute(Candidate(evil)),
            new().attribute_text("x", Some(evil)),
            new().attribute_text(evil, None),
            new().field(SessionName(evil)),
            new().media("audio", 9, evil, "0"),
        ];
        for attempt in attempts {
            let refusal = attempt.attribute(IceLite).finish().unwrap_err();
            assert!(matches!(refusal, WriteError::ForbiddenByte { .. }), "{refusal}");
        }
        let mut description = Description::parse("v=0\n").unwrap();
        assert!(description.add(Place::Session, &Mid(evil)).is_err());
        assert_eq!(description.as_str(), Some("v=0\n"));
    }
}

#[test]
fn a_media_line_without_its_parts_is_refused_with_its_place() {
    let built = Builder::new(Origin::anonymous(1, 1)).media("", 9, "RTP/AVP", "0").finish();
    assert!(matches!(built, Err(WriteError::Refused(error)) if error.line() == 5), "{built:?}");
}

#[test]
fn an_edit_leaves_every_other_byte_alone() {
    let text = "v=0\no=- 1 1 IN IP4 192.0.2.1\r\ns= \n\nm=audio 9 RTP/AVP 0\na=mid:0 \na=odd\r\n\
        m=video 9 RTP/AVP 31\na=mid:1";
    let mut description = Description::parse(text).unwrap();
    description.set(Place::Media(0), &Mid("zero")).unwrap();
    description.add(Place::Media(1), &EndOfCandidates).unwrap();
    description.set(Place::Session, &IceOptions("trickle")).unwrap();
    description.set_field(Place::Media(0), &Connection::UNSPECIFIED).unwrap();
    description.set_field(Place::Session, &Timing { start: 1, stop: 2 }).unwrap();
    assert_eq!(description.remove(Place::Media(0), "odd"), Ok(1));
    let expected = "v=0\no=- 1 1 IN IP4 192.0.2.1\r\ns= \n\nt=1 2\na=ice-options:trickle\n\
        m=audio 9 RTP/AVP 0\nc=IN IP4 0.0.0.0\na=mid:zero\n\
        m=video 9 RTP/AVP 31\na=mid:1\na=end-of-candidates\n";
    assert_eq!(description.as_str().unwrap(), expected);
}

#[test]
fn an_edit_of_a_section_that_does_not_exist_is_refused() {
    let mut description = Description::parse("v=0\n").unwrap();
    let refusal = description.add(Place::Media(0), &EndOfCandidates);
    assert_eq!(refusal, Err(WriteError::NoSuchMedia(0)));
}

#[test]
fn an_owned_description_outlives_its_text() {
    let text = String::from("v=0\r\na=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n");
    let owned = Description::parse(&text).unwrap().into_owned();
    drop(text);
    assert_eq!(owned.session().get(), Ok(Some(IceUfrag("8hhY"))));
    assert_eq!(owned.session().get(), Ok(Some(IcePassword("asd88fgpdd777uzjYhagZg"))));
}
