//! Parse, write, parse: every byte survives, every value reads as what it writes, and the checks hold still.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pinhole_sdp::{Description, Extmap, Fmtp, Fragment, Place, Profile, Rtpmap, Setup, Simulcast};

fuzz_target!(|bytes: &[u8]| {
    let _ = Fragment::parse(bytes);
    let Ok(description) = Description::parse(bytes) else { return };
    assert_eq!(description.as_bytes(), bytes);
    let lines: Vec<u8> =
        description.lines().flat_map(|line| [line.bytes(), line.ending()].concat()).collect();
    assert!(bytes.ends_with(&lines));
    for media in description.media() {
        let _ = (media.ice(), media.codecs(), media.get::<Extmap<'_>>(), media.get::<Fmtp<'_>>());
        if let Ok(Some(simulcast)) = media.get::<Simulcast<'_>>() {
            let text = simulcast.to_string();
            assert_eq!(pinhole_sdp::Value::from_text(&text), Ok(simulcast));
        }
        for map in media.get_all::<Rtpmap<'_>>().flatten() {
            assert_eq!(pinhole_sdp::Value::from_text(&map.to_string()), Ok(map));
        }
    }
    let _ = (description.check(Profile::Strict), description.check(Profile::WebRtc));
    let mut edited = description.clone();
    if edited.set(Place::Session, &Setup::Active).is_ok() {
        assert_eq!(edited.session().get(), Ok(Some(Setup::Active)));
    }
});
