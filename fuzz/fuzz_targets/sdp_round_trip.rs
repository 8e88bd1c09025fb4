//! Write, parse, write: what the builder takes from an application reads back as it was given, line by line,
//! and edits of it touch their own lines only.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pinhole_sdp::{Builder, Candidate, Description, Fmtp, Group, Mid, Origin, Place, SessionName};

fuzz_target!(|words: Vec<String>| {
    let mut builder = Builder::new(Origin::anonymous(1, 1)).field(SessionName("x"));
    for (place, word) in words.iter().enumerate() {
        builder = match place % 6 {
            0 => builder.media("audio", 9, "RTP/AVP", word),
            1 => builder.attribute_text("x", Some(word)),
            2 => builder.attribute(Mid(word)),
            3 => builder.attribute(Candidate(word)),
            4 => builder.attribute(Fmtp { format: "0", parameters: word }),
            _ => builder.attribute(Group::bundle([word.as_str()])),
        };
    }
    let breaks = words.iter().any(|word| word.contains(['\r', '\n', '\0']));
    let Ok(built) = builder.finish() else { return };
    assert!(!breaks, "a line was broken: {built}");
    assert_eq!(built.lines().count(), 4 + words.len());
    let read = Description::parse(built.as_bytes()).expect("what was built can be read");
    assert_eq!(read.as_bytes(), built.as_bytes());
    let mut edited = read.clone();
    if edited.add(Place::Session, &Mid("fuzz")).is_ok() {
        assert_eq!(edited.lines().count(), read.lines().count() + 1);
    }
});
