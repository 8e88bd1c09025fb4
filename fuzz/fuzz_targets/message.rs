//! Parse, write, parse: what counts in a message survives, and nothing is claimed that is not there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pinhole_stun::{Message, MessageWriter};

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = Message::parse_structure(bytes) else { return };
    let claimed: usize =
        message.attributes().map(|attribute| 4 + attribute.value.len().next_multiple_of(4)).sum();
    assert!(20 + claimed <= bytes.len());

    let mut buffer = vec![0xa5; bytes.len()];
    let (class, method, id) = (message.class(), message.method(), message.transaction_id());
    let mut writer = MessageWriter::new(&mut buffer, class, method, id).expect("as long as before");
    let mut open = message.attributes().filter(|attribute| !attribute.kind.is_seal());
    if open.by_ref().any(|attribute| writer.attribute(&attribute).is_err()) {
        return; // out of bounds for a sender, though not for a receiver
    }
    let copy = Message::parse(writer.finish()).expect("what is written can be read");
    let open = message.attributes().filter(|attribute| !attribute.kind.is_seal());
    assert!(copy.attributes().eq(open));
});
