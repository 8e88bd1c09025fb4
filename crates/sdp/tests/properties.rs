//! Properties of arbitrary texts and of everything that the builder writes.
#![allow(clippy::unwrap_used)]

use pinhole_sdp::{
    Builder, Candidate, Connection, Description, Fingerprint, IceOptions, IcePassword, IceUfrag,
    Mid, Origin, Place, Profile, SctpPort,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// Texts that are nearly descriptions: right and wrong lines in any order, with any ending.
fn nearly_a_description() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        "[vosctbaim]=[ -~]{0,24}",
        "a=[a-z-]{1,12}(:[ -~]{0,24})?",
        "m=[a-z]{1,6} [0-9]{1,5}(/[0-9]{1,2})? [A-Z/]{1,9}( [0-9]{1,3}){0,4} {0,2}",
        "\\PC{0,8}",
        "",
    ];
    let ending = prop_oneof![Just("\r\n"), Just("\n"), Just("\r\r\n"), Just("\r"), Just("")];
    vec((line, ending), 0..24).prop_map(|lines| {
        let body = lines
            .into_iter()
            .flat_map(|(line, ending)| [line.as_bytes(), ending.as_bytes()].concat());
        b"v=0\r\n".iter().copied().chain(body).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_accepted_is_written_back_byte_for_byte(text in nearly_a_description()) {
        if let Ok(description) = Description::parse(&text) {
            let lines = description.session().lines();
            let lines = lines.chain(description.media().flat_map(|media| media.lines()));
            let written: Vec<u8> = lines.flat_map(|line| [line.bytes(), line.ending()].concat()).collect();
            prop_assert_eq!(&written, &text);
            prop_assert_eq!(description.as_bytes(), &text[..]);
        }
    }

    #[test]
    fn no_bytes_bring_a_panic(text in vec(any::<u8>(), 0..200)) {
        match Description::parse(&text) {
            Ok(description) => prop_assert_eq!(description.as_bytes(), &text[..]),
            Err(error) => prop_assert!(!error.pointing_at(&text).to_string().is_empty()),
        }
    }

    #[test]
    fn an_attribute_that_is_added_and_removed_again_leaves_the_lines_as_they_were(
        text in nearly_a_description(),
    ) {
        if let Ok(before) = Description::parse(&text) {
            let mut edited = before.clone();
            edited.add(Place::Session, &Mid("x")).unwrap();
            prop_assert_eq!(edited.lines().count(), before.lines().count() + 1);
            let mids = before.session().attributes_named("mid").count();
            prop_assert_eq!(edited.remove(Place::Session, "mid"), Ok(mids + 1));
            let rest = |description: &Description<'_>| -> Vec<Vec<u8>> {
                let lines = description.lines();
                let others = lines.filter(|line| {
                    let session = line.number() <= description.session().lines().count();
                    !(session && line.attribute().is_some_and(|a| a.name() == "mid"))
                });
                others.map(|line| line.bytes().to_vec()).collect()
            };
            prop_assert_eq!(rest(&edited), rest(&before));
        }
    }

    #[test]
    fn what_is_built_is_strict_and_reads_back(
        (id, port) in (any::<u64>(), any::<u16>()),
        mid in "[A-Za-z0-9]{1,16}",
        ufrag in "[A-Za-z0-9+/]{4,32}",
        password in "[A-Za-z0-9+/]{22,64}",
        hash in any::<[u8; 32]>(),
        candidates in vec("[0-9]{1,8} 1 udp [0-9]{1,9} 192\\.0\\.2\\.1 [0-9]{1,5} typ host", 0..5),
    ) {
        let built = Builder::new(Origin::anonymous(id, 1))
            .attribute(IceOptions("trickle ice2"))
            .media("application", port, "UDP/DTLS/SCTP", "webrtc-datachannel")
            .field(Connection::UNSPECIFIED)
            .attribute(Mid(&mid))
            .attribute(IceUfrag(&ufrag))
            .attribute(IcePassword(&password))
            .attribute(Fingerprint::sha256(hash))
            .attribute(SctpPort(port))
            .attributes(candidates.iter().map(|text| Candidate(text)))
            .finish()
            .unwrap();
        let read = Description::parse_as(built.as_bytes(), Profile::Strict).unwrap();
        let media = read.media_with_mid(&mid).unwrap();
        let ice = media.ice().unwrap().unwrap();
        prop_assert_eq!((ice.ufrag, ice.password), (&*ufrag, &*password));
        prop_assert!(ice.options.has("ice2"));
        prop_assert_eq!((media.port(), media.get()), (port, Ok(Some(SctpPort(port)))));
        prop_assert_eq!(media.get(), Ok(Some(Fingerprint::sha256(hash))));
        prop_assert_eq!(media.candidates().collect::<Vec<_>>(), candidates);
    }
}
