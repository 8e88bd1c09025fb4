//! What the view of a message shows, and what it refuses.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use pinhole_stun::attribute::{
    AttributeError, Priority, Software, UnknownAttributes, Username, XorMappedAddress,
};
use pinhole_stun::{
    AttributeType, Class, IntegrityError, IntegrityKey, Message, MessageWriter, Method, ParseError,
    RawAttribute, TransactionId, WriteError, binding, response,
};

const ID: TransactionId = TransactionId::new([7; 12]);

/// A Binding request with these attributes, whatever they are; each has its padding.
fn request(attributes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
    [&[0, 1], &length[..], &[0x21, 0x12, 0xa4, 0x42], ID.as_bytes(), attributes].concat()
}

fn attribute(kind: AttributeType, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    let mut bytes = [&kind.value().to_be_bytes()[..], &length, value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0xff);
    bytes
}

fn kinds(message: &Message<'_>) -> Vec<AttributeType> {
    message.attributes().map(|attribute| attribute.kind).collect()
}

fn writer(buffer: &mut [u8]) -> MessageWriter<'_> {
    MessageWriter::new(buffer, Class::Request, Method::BINDING, ID).unwrap()
}

#[test]
fn a_header_that_is_not_stun_says_why() {
    let bytes = request(&[]);
    let broken = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        Message::parse(&bytes).unwrap_err()
    };
    assert_eq!(broken(0, 0x80), ParseError::FirstByte(0x80));
    assert_eq!(broken(4, 0), ParseError::Cookie(0x0012_a442));
    assert_eq!(broken(3, 3), ParseError::Unaligned(3));
    assert_eq!(broken(3, 4), ParseError::Length { claimed: 4, actual: 0 });
}

#[test]
fn an_attribute_past_the_end_is_refused() {
    let mut attributes = attribute(AttributeType::SOFTWARE, b"four");
    attributes[3] = 5;
    let error = Message::parse(&request(&attributes)).unwrap_err();
    let kind = AttributeType::SOFTWARE;
    assert_eq!(error, ParseError::Attribute { kind, length: 5, left: 4 });
    assert_eq!(error.to_string(), "SOFTWARE of 5 bytes exceeds the 4 bytes left");
}

#[test]
fn the_first_of_two_attributes_wins() {
    let first = attribute(AttributeType::PRIORITY, &[0, 0, 0, 1]);
    let second = attribute(AttributeType::PRIORITY, &[0, 0, 0, 2]);
    let bytes = request(&[first, second].concat());
    assert_eq!(Message::parse(&bytes).unwrap().get(), Ok(Some(Priority(1))));
}

#[test]
fn padding_may_have_any_value() {
    let bytes = request(&attribute(AttributeType::USERNAME, b"a"));
    assert_eq!(Message::parse(&bytes).unwrap().get(), Ok(Some(Username("a"))));
}

#[test]
fn a_length_out_of_bounds_is_found_before_the_value_is_read() {
    for length in [0, 3, 5] {
        let bytes = request(&attribute(AttributeType::PRIORITY, &vec![0; length]));
        let error = AttributeError::Length { kind: AttributeType::PRIORITY, length };
        assert_eq!(Message::parse(&bytes).unwrap().get::<Priority>(), Err(error));
    }
}

#[test]
fn an_address_of_the_wrong_family_is_an_error() {
    for (family, length) in [(1, 16), (2, 4), (0, 4), (3, 16)] {
        let mut value = vec![0; 4 + length];
        value[1] = family;
        let bytes = request(&attribute(AttributeType::XOR_MAPPED_ADDRESS, &value));
        let result = Message::parse(&bytes).unwrap().get::<XorMappedAddress>();
        assert_eq!(result, Err(AttributeError::Family(family)));
    }
}

#[test]
fn attributes_after_a_seal_do_not_count_but_for_stronger_seals() {
    let key = IntegrityKey::short_term("password");
    let software = attribute(AttributeType::SOFTWARE, b"late");
    let sha1 = attribute(AttributeType::MESSAGE_INTEGRITY, &[0; 20]);
    let sha256 = attribute(AttributeType::MESSAGE_INTEGRITY_SHA256, &[0; 32]);
    let bytes = request(&[&sha1[..], &software, &sha256, &software, &sha1].concat());
    let message = Message::parse(&bytes).unwrap();
    let expected = [AttributeType::MESSAGE_INTEGRITY, AttributeType::MESSAGE_INTEGRITY_SHA256];
    assert_eq!(kinds(&message), expected);
    assert_eq!(message.get::<Software>(), Ok(None));

    let bytes = request(&[&sha256[..], &sha1, &software].concat());
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(kinds(&message), [AttributeType::MESSAGE_INTEGRITY_SHA256]);
    assert_eq!(message.verify(&key), Err(IntegrityError::Missing));
}

#[test]
fn nothing_counts_after_fingerprint() {
    let mut buffer = [0; 64];
    let mut writer = writer(&mut buffer);
    writer.fingerprint().unwrap();
    let mut bytes = writer.finish().to_vec();
    bytes.extend(attribute(AttributeType::PRIORITY, &[0; 4]));
    bytes[3] += 8;
    // The length in the header has changed, and FINGERPRINT covers it.
    assert!(matches!(Message::parse(&bytes), Err(ParseError::Fingerprint { .. })));
    let message = Message::parse_structure(&bytes).unwrap();
    assert_eq!(kinds(&message), [AttributeType::FINGERPRINT]);
    assert_eq!(message.get::<Priority>(), Ok(None));
}

#[test]
fn integrity_of_any_other_length_is_an_error_and_never_compared() {
    let key = IntegrityKey::short_term("password");
    for length in [0, 4, 19, 24, 64] {
        let bytes = request(&attribute(AttributeType::MESSAGE_INTEGRITY, &vec![0; length]));
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.verify(&key), Err(IntegrityError::Length(length)));
    }
    for length in [0, 16, 28, 36] {
        let kind = AttributeType::MESSAGE_INTEGRITY_SHA256;
        let bytes = request(&attribute(kind, &vec![0; length]));
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.verify_sha256(&key), Err(IntegrityError::Length(length)));
    }
}

#[test]
fn both_integrities_and_the_fingerprint_are_written_and_verified() {
    let key = IntegrityKey::long_term_sha256("user", "realm", "password");
    let mut buffer = [0xa5; 128];
    let mut writer = writer(&mut buffer);
    writer.attribute(&Username("user")).unwrap();
    writer.integrity(&key).unwrap().integrity_sha256(&key).unwrap().fingerprint().unwrap();
    let message = Message::parse(writer.finish()).unwrap();
    assert_eq!(message.verify(&key), Ok(()));
    assert_eq!(message.verify_sha256(&key), Ok(()));
}

#[test]
fn the_writer_refuses_what_receivers_would_ignore() {
    let key = IntegrityKey::short_term("password");
    let mut buffer = [0; 128];
    let mut writer = writer(&mut buffer);
    writer.integrity_sha256(&key).unwrap();
    let sealed = |kind| Some(WriteError::Sealed(kind));
    assert_eq!(writer.attribute(&Priority(1)).err(), sealed(AttributeType::PRIORITY));
    assert_eq!(writer.integrity(&key).err(), sealed(AttributeType::MESSAGE_INTEGRITY));
    writer.fingerprint().unwrap();
    assert_eq!(writer.fingerprint().err(), sealed(AttributeType::FINGERPRINT));
}

#[test]
fn the_writer_refuses_values_out_of_bounds_and_seals_that_are_not_computed() {
    let mut buffer = [0; 1024];
    let mut writer = writer(&mut buffer);
    let long = "x".repeat(509);
    let error = WriteError::Length { kind: AttributeType::USERNAME, length: 509 };
    assert_eq!(writer.attribute(&Username(&long)).err(), Some(error));
    let forged = RawAttribute { kind: AttributeType::FINGERPRINT, value: &[0; 4] };
    assert_eq!(writer.attribute(&forged).err(), Some(WriteError::Seal(forged.kind)));
    assert_eq!(writer.finish().len(), 20, "nothing was written");
}

#[test]
fn a_message_that_exactly_fits_is_written_and_one_byte_less_is_an_error() {
    let mut exact = [0; 28];
    assert!(writer(&mut exact).attribute(&Priority(1)).is_ok());
    let mut short = [0; 27];
    assert_eq!(writer(&mut short).attribute(&Priority(1)).err(), Some(WriteError::Full));
    let refused = MessageWriter::new(&mut short[..19], Class::Request, Method::BINDING, ID);
    assert_eq!(refused.err(), Some(WriteError::Full));
}

#[test]
fn all_unknown_required_attributes_are_listed_in_an_answer_smaller_than_the_request() {
    let types = (0x7000..0x7000 + 300).map(AttributeType::new);
    let attributes: Vec<u8> = types.clone().flat_map(|kind| attribute(kind, &[])).collect();
    let bytes = request(&attributes);
    let request = Message::parse(&bytes).unwrap();
    let mut buffer = [0; 2048];
    let unknown = request.unknown_required(&[]);
    let writer = response::unknown_attributes(&request, unknown, &mut buffer).unwrap();
    let answer = writer.finish();
    assert!(answer.len() <= bytes.len());
    let answer = Message::parse(answer).unwrap();
    let list = answer.get::<UnknownAttributes<'_>>().unwrap().unwrap();
    assert!(list.iter().eq(types));
}

#[test]
fn the_binding_server_answers_requests_and_nothing_else() {
    let source = "[::ffff:192.0.2.7]:4242".parse().unwrap();
    let mut buffer = [0xa5; 64];
    let answer = binding::respond(&request(&[]), source, &mut buffer).unwrap();
    let answer = Message::parse(answer).unwrap();
    assert_eq!((answer.class(), answer.transaction_id()), (Class::SuccessResponse, ID));
    let expected = XorMappedAddress("192.0.2.7:4242".parse().unwrap());
    assert_eq!(answer.get(), Ok(Some(expected)), "an IPv4 client behind an IPv6 socket");
    assert!(!answer.has_fingerprint(), "the request had none");

    for first_bytes in [[0x01, 0x01], [0x01, 0x11], [0x00, 0x11], [0x00, 0x03], [0x3e, 0xef]] {
        let mut bytes = request(&[]);
        bytes[..2].copy_from_slice(&first_bytes);
        assert_eq!(binding::respond(&bytes, source, &mut buffer), None, "{first_bytes:02x?}");
    }
}

#[test]
fn the_binding_server_echoes_the_use_of_fingerprint() {
    let mut buffer = [0; 64];
    let mut writer = writer(&mut buffer);
    writer.fingerprint().unwrap();
    let bytes = writer.finish();
    let mut answer = [0; 64];
    let answer = binding::respond(bytes, "[2001:db8::1]:9".parse().unwrap(), &mut answer).unwrap();
    assert!(Message::parse(answer).unwrap().has_fingerprint());
}
