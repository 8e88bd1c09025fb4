//! Properties of all valid messages, and of all bytes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use pinhole_stun::{
    AttributeType, Class, IntegrityKey, Message, MessageWriter, Method, RawAttribute, StreamBuffer,
    TransactionId,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// A valid message: its parts.
#[derive(Clone, Debug)]
struct Parts {
    class: Class,
    method: Method,
    id: TransactionId,
    attributes: Vec<(AttributeType, Vec<u8>)>,
    sha1: bool,
    sha256: bool,
    fingerprint: bool,
}

fn key() -> IntegrityKey {
    IntegrityKey::short_term("password")
}

fn attribute() -> impl Strategy<Value = (AttributeType, Vec<u8>)> {
    let named = prop::sample::select(AttributeType::NAMED).boxed();
    let any_kind = any::<u16>().prop_map(AttributeType::new).boxed();
    prop_oneof![named, any_kind]
        .prop_filter("computed, not written", |kind| !kind.is_seal())
        .prop_flat_map(|kind| {
            let bounds = kind.bounds();
            let (min, max) = (usize::from(bounds.min), usize::from(bounds.max_sent));
            (Just(kind), vec(any::<u8>(), min..=max.min(min + 40)))
        })
}

fn parts() -> impl Strategy<Value = Parts> {
    let classes = [Class::Request, Class::Indication, Class::SuccessResponse, Class::ErrorResponse];
    let method = (0..=0xfff_u16).prop_map(|value| Method::new(value).unwrap());
    let id = any::<[u8; 12]>().prop_map(TransactionId::new);
    let seals = (any::<bool>(), any::<bool>(), any::<bool>());
    (prop::sample::select(classes.to_vec()), method, id, vec(attribute(), 0..6), seals).prop_map(
        |(class, method, id, attributes, (sha1, sha256, fingerprint))| Parts {
            class,
            method,
            id,
            attributes,
            sha1,
            sha256,
            fingerprint,
        },
    )
}

fn write(parts: &Parts) -> Vec<u8> {
    let mut buffer = [0xa5; 4096];
    let mut writer = MessageWriter::new(&mut buffer, parts.class, parts.method, parts.id).unwrap();
    for (kind, value) in &parts.attributes {
        writer.attribute(&RawAttribute { kind: *kind, value }).unwrap();
    }
    if parts.sha1 {
        writer.integrity(&key()).unwrap();
    }
    if parts.sha256 {
        writer.integrity_sha256(&key()).unwrap();
    }
    if parts.fingerprint {
        writer.fingerprint().unwrap();
    }
    writer.finish().to_vec()
}

fn read(message: &Message<'_>) -> Parts {
    let open = message.attributes().filter(|attribute| !attribute.kind.is_seal());
    Parts {
        class: message.class(),
        method: message.method(),
        id: message.transaction_id(),
        attributes: open.map(|attribute| (attribute.kind, attribute.value.to_vec())).collect(),
        sha1: message.has_integrity(),
        sha256: message.has_integrity_sha256(),
        fingerprint: message.has_fingerprint(),
    }
}

proptest! {
    #[test]
    fn writing_what_was_read_gives_the_same_bytes(parts in parts()) {
        let bytes = write(&parts);
        let message = Message::parse(&bytes).unwrap();
        prop_assert_eq!(message.verify(&key()).is_ok(), parts.sha1);
        prop_assert_eq!(message.verify_sha256(&key()).is_ok(), parts.sha256);
        prop_assert_eq!(write(&read(&message)), bytes);
    }

    #[test]
    fn no_bytes_make_the_parser_panic_or_claim_more_than_it_got(
        mut bytes in vec(any::<u8>(), 0..200),
        looks_right in any::<bool>(),
    ) {
        if looks_right && bytes.len() >= 20 {
            let length = u16::try_from((bytes.len() - 20) / 4 * 4).unwrap();
            bytes.truncate(20 + usize::from(length));
            bytes[0] &= 0x3f;
            bytes[2..4].copy_from_slice(&length.to_be_bytes());
            bytes[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
        }
        if let Ok(message) = Message::parse_structure(&bytes) {
            let claimed: usize = message
                .attributes()
                .map(|attribute| 4 + attribute.value.len().next_multiple_of(4))
                .sum();
            prop_assert!(20 + claimed <= bytes.len());
            prop_assert_eq!(message.as_bytes(), &bytes[..]);
        }
    }

    #[test]
    fn any_split_of_a_stream_gives_the_same_messages(
        messages in vec(parts(), 1..4),
        sizes in vec(1..60_usize, 1..40),
    ) {
        // Methods above 0xff do not begin with a byte of STUN's (RFC 7983 §7).
        let of_a_stream = |parts: &Parts| {
            Parts { method: Method::new(parts.method.value() & 0xff).unwrap(), ..parts.clone() }
        };
        let messages: Vec<_> = messages.iter().map(of_a_stream).map(|parts| write(&parts)).collect();
        let bytes: Vec<u8> = messages.concat();
        let mut stream = StreamBuffer::new(4096);
        let (mut seen, mut rest, mut sizes) = (Vec::new(), &bytes[..], sizes.iter().cycle());
        while !rest.is_empty() {
            let (chunk, later) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            rest = later;
            prop_assert_eq!(stream.push(chunk), chunk.len());
            while let Some(message) = stream.next_message().unwrap() {
                seen.push(message.to_vec());
            }
        }
        prop_assert_eq!(seen, messages);
    }
}
