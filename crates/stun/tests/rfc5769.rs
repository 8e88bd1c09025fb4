//! The samples of RFC 5769, read, verified and written.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod vectors;

use pinhole_stun::attribute::{
    IceControlled, Nonce, Priority, Realm, Software, Username, XorMappedAddress,
};
use pinhole_stun::{
    AttributeType, Class, IntegrityError, IntegrityKey, Message, MessageWriter, Method, ParseError,
    RawAttribute,
};
use vectors::*;

#[test]
fn the_sample_request_reads_and_verifies() {
    let message = Message::parse(&REQUEST).unwrap();
    assert_eq!((message.class(), message.method()), (Class::Request, Method::BINDING));
    assert_eq!(message.transaction_id().to_string(), "b7e7a701bc34d686fa87dfae");
    assert_eq!(message.get(), Ok(Some(Software("STUN test client"))));
    assert_eq!(message.get(), Ok(Some(Priority(0x6e00_01ff))));
    assert_eq!(message.get(), Ok(Some(IceControlled(0x932f_f9b1_5126_3b36))));
    assert_eq!(message.get(), Ok(Some(Username(USERNAME))));
    assert!(message.has_fingerprint());
    assert_eq!(message.verify(&IntegrityKey::short_term(PASSWORD)), Ok(()));
}

#[test]
fn the_sample_responses_read_and_verify() {
    let cases = [
        (&RESPONSE_IPV4[..], "192.0.2.1:32853"),
        (&RESPONSE_IPV6[..], "[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
    ];
    for (bytes, address) in cases {
        let message = Message::parse(bytes).unwrap();
        assert_eq!(message.class(), Class::SuccessResponse);
        assert_eq!(message.get(), Ok(Some(Software("test vector"))));
        assert_eq!(message.get(), Ok(Some(XorMappedAddress(address.parse().unwrap()))));
        assert_eq!(message.verify(&IntegrityKey::short_term(PASSWORD)), Ok(()));
    }
}

#[test]
fn the_sample_request_with_long_term_credentials_reads_and_verifies() {
    let message = Message::parse(&REQUEST_LONG_TERM).unwrap();
    assert_eq!(message.get(), Ok(Some(Username(USERNAME_LONG_TERM))));
    assert_eq!(message.get(), Ok(Some(Nonce(NONCE))));
    assert_eq!(message.get(), Ok(Some(Realm(REALM))));
    assert!(!message.has_fingerprint());
    let key = IntegrityKey::long_term_md5(USERNAME_LONG_TERM, REALM, PASSWORD_LONG_TERM);
    assert_eq!(message.verify(&key), Ok(()));
}

#[test]
fn the_long_term_sample_is_written_to_the_byte() {
    let id = Message::parse(&REQUEST_LONG_TERM).unwrap().transaction_id();
    let key = IntegrityKey::long_term_md5(USERNAME_LONG_TERM, REALM, PASSWORD_LONG_TERM);
    let mut buffer = [0xa5; 200];
    let mut writer = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id).unwrap();
    writer.attribute(&Username(USERNAME_LONG_TERM)).unwrap();
    writer.attribute(&Nonce(NONCE)).unwrap().attribute(&Realm(REALM)).unwrap();
    writer.integrity(&key).unwrap();
    assert_eq!(writer.finish(), REQUEST_LONG_TERM);
}

/// The other samples are padded with spaces, which a writer must not do (RFC 8489 §14); so they are
/// compared in what they say.
#[test]
fn the_other_samples_survive_being_written_again() {
    let key = IntegrityKey::short_term(PASSWORD);
    for bytes in [&REQUEST[..], &RESPONSE_IPV4[..], &RESPONSE_IPV6[..]] {
        let original = Message::parse(bytes).unwrap();
        let mut buffer = [0xa5; 200];
        let mut writer = MessageWriter::new(
            &mut buffer,
            original.class(),
            original.method(),
            original.transaction_id(),
        )
        .unwrap();
        for attribute in original.attributes().take_while(is_open) {
            writer.attribute(&attribute).unwrap();
        }
        writer.integrity(&key).unwrap().fingerprint().unwrap();
        let copy = Message::parse(writer.finish()).unwrap();
        assert_eq!(copy.as_bytes().len(), bytes.len());
        assert!(
            copy.attributes().take_while(is_open).eq(original.attributes().take_while(is_open))
        );
        assert_eq!(copy.verify(&key), Ok(()));
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let key = IntegrityKey::short_term(PASSWORD);
    for bit in 0..REQUEST.len() * 8 {
        let mut bytes = REQUEST;
        bytes[bit / 8] ^= 1 << (bit % 8);
        let is_protected = |message: Message<'_>| message.has_fingerprint();
        assert!(!Message::parse(&bytes).is_ok_and(is_protected), "bit {bit} is covered");
        if let Ok(message) = Message::parse_structure(&bytes) {
            let is_fingerprint = bit / 8 >= REQUEST.len() - 8;
            assert_eq!(message.verify(&key).is_ok(), is_fingerprint, "bit {bit}");
        }
    }
}

#[test]
fn the_wrong_key_and_the_missing_attribute_are_told_apart() {
    let message = Message::parse(&REQUEST).unwrap();
    let other = IntegrityKey::short_term("another");
    assert_eq!(message.verify(&other), Err(IntegrityError::Mismatch));
    assert_eq!(message.verify_sha256(&other), Err(IntegrityError::Missing));
}

#[test]
fn every_prefix_of_every_sample_is_refused() {
    for bytes in [&REQUEST[..], &RESPONSE_IPV4[..], &RESPONSE_IPV6[..], &REQUEST_LONG_TERM[..]] {
        for length in 0..bytes.len() {
            let error = Message::parse(&bytes[..length]).unwrap_err();
            let expected = match length {
                0..20 => ParseError::Short(length),
                _ => ParseError::Length {
                    claimed: u16::try_from(bytes.len() - 20).unwrap(),
                    actual: length - 20,
                },
            };
            assert_eq!(error, expected);
        }
    }
}

fn is_open(attribute: &RawAttribute<'_>) -> bool {
    ![AttributeType::MESSAGE_INTEGRITY, AttributeType::FINGERPRINT].contains(&attribute.kind)
}
