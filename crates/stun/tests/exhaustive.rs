//! Small worlds, searched through.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod vectors;

use pinhole_stun::attribute::*;
use pinhole_stun::{AttributeType, Class, Message, MessageWriter, Method, TransactionId};
use vectors::{REQUEST, REQUEST_LONG_TERM, REQUEST_SHA256, RESPONSE_IPV4, RESPONSE_IPV6};

/// A message with one attribute of this length, after another that moves it by `shift` bytes.
fn message(kind: AttributeType, length: usize, shift: usize, fill: u8) -> Vec<u8> {
    let attribute = |kind: AttributeType, value: &[u8]| {
        let length = u16::try_from(value.len()).unwrap().to_be_bytes();
        let mut bytes = [&kind.value().to_be_bytes()[..], &length, value].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let before = attribute(AttributeType::new(0xcccc), &vec![1; shift]);
    let attributes = [before, attribute(kind, &vec![fill; length])].concat();
    let claimed = u16::try_from(attributes.len()).unwrap().to_be_bytes();
    [&[0, 1], &claimed[..], &[0x21, 0x12, 0xa4, 0x42], &[7; 12], &attributes].concat()
}

/// Whether this type can be read from the message, and, if so, is written to the same bytes.
fn reads<'a, A: Attribute<'a> + AttributeWrite>(message: &Message<'a>) -> bool {
    let Ok(Some(value)) = message.get::<A>() else { return false };
    let mut buffer = [0; 256];
    let id = message.transaction_id();
    let mut writer = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id).unwrap();
    writer.attribute(&value).unwrap();
    let copy = Message::parse(writer.finish()).unwrap();
    assert!(copy.raw(A::KIND).is_some());
    true
}

/// Each typed attribute and the lengths up to 64 that its decoder takes, filled with `fill`.
fn lengths(fill: u8) -> Vec<(AttributeType, Vec<usize>)> {
    macro_rules! table {
        ($($name:ty),+) => { vec![$((
            <$name as Attribute<'_>>::KIND,
            (0..=64).filter(|&length| {
                let results: Vec<bool> = (0..4).map(|shift| {
                    let bytes = message(<$name as Attribute<'_>>::KIND, length, shift, fill);
                    reads::<$name>(&Message::parse(&bytes).unwrap())
                }).collect();
                assert!(results.iter().all(|result| *result == results[0]), "the offset matters");
                results[0]
            }).collect(),
        )),+] };
    }
    table![
        MappedAddress,
        SourceAddress,
        ChangedAddress,
        XorMappedAddress,
        AlternateServer,
        ResponseOrigin,
        OtherAddress,
        ChangeRequest,
        ResponsePort,
        Padding<'_>,
        CacheTimeout,
        TransmitCounter,
        Username<'_>,
        Realm<'_>,
        Nonce<'_>,
        Software<'_>,
        AlternateDomain<'_>,
        ErrorCode<'_>,
        UnknownAttributes<'_>,
        UserHash,
        PasswordAlgorithm,
        PasswordAlgorithms<'_>,
        AccessToken<'_>,
        ThirdPartyAuthorization<'_>,
        Priority,
        IceControlled,
        IceControlling,
        UseCandidate
    ]
}

#[test]
fn every_attribute_of_every_length_up_to_64_at_every_offset_is_read_or_refused() {
    for fill in [0, 1, 2, 0x41, 0xff] {
        for (kind, accepted) in lengths(fill) {
            let bounds = kind.bounds();
            assert!(accepted.iter().all(|length| bounds.contains(*length)), "{kind} {accepted:?}");
        }
    }
}

/// What the RFCs say of each format, with values that are valid in as many as possible.
#[test]
fn the_accepted_lengths_are_those_of_the_formats() {
    let all: Vec<usize> = (0..=64).collect();
    let text = lengths(b'A');
    let accepted = |kind| text.iter().find(|(found, _)| *found == kind).unwrap().1.clone();
    assert_eq!(accepted(AttributeType::USERNAME), all);
    assert_eq!(accepted(AttributeType::PADDING), all);
    assert_eq!(accepted(AttributeType::ALTERNATE_DOMAIN), all[1..]);
    assert_eq!(accepted(AttributeType::USERHASH), [32]);
    assert_eq!(accepted(AttributeType::PRIORITY), [4]);
    assert_eq!(accepted(AttributeType::ICE_CONTROLLED), [8]);
    assert_eq!(accepted(AttributeType::USE_CANDIDATE), [0]);
    assert_eq!(accepted(AttributeType::RESPONSE_PORT), [2, 3, 4]);
    let even: Vec<usize> = (0..=64).step_by(2).collect();
    assert_eq!(accepted(AttributeType::UNKNOWN_ATTRIBUTES), even);
    assert_eq!(accepted(AttributeType::XOR_MAPPED_ADDRESS), [0; 0], "no such family");
    for (fill, length) in [(1, 8), (2, 20)] {
        let addresses = lengths(fill);
        let (_, accepted) =
            addresses.iter().find(|(kind, _)| *kind == AttributeType::MAPPED_ADDRESS).unwrap();
        assert_eq!(accepted, &[length], "family {fill}");
    }
}

#[test]
fn every_prefix_and_every_longer_copy_of_every_sample_is_refused() {
    let samples =
        [&REQUEST[..], &RESPONSE_IPV4, &RESPONSE_IPV6, &REQUEST_LONG_TERM, &REQUEST_SHA256];
    for sample in samples {
        assert!(Message::parse(sample).is_ok());
        for length in 0..sample.len() {
            assert!(Message::parse(&sample[..length]).is_err());
        }
        for extra in 1..8 {
            assert!(Message::parse(&[sample, &vec![0; extra]].concat()).is_err());
        }
    }
}

/// Two attributes whose types and lengths take all values in a corner of their ranges.
#[test]
fn no_pair_of_headers_makes_the_parser_claim_more_than_it_got() {
    let id = TransactionId::new([7; 12]);
    for total in (0..=24).step_by(4) {
        for first in 0..=28_u8 {
            for kind in [0x0008_u16, 0x001c, 0x8028, 0x0006] {
                let mut body = vec![0_u8; total];
                let [k0, k1] = kind.to_be_bytes();
                for (at, value) in [(0, k0), (1, k1), (2, 0), (3, first)] {
                    if let Some(byte) = body.get_mut(at) {
                        *byte = value;
                    }
                }
                let length = u8::try_from(total).unwrap();
                let head = [0, 1, 0, length, 0x21, 0x12, 0xa4, 0x42];
                let bytes = [&head[..], id.as_bytes(), &body].concat();
                if let Ok(message) = Message::parse_structure(&bytes) {
                    let claimed: usize = message
                        .attributes()
                        .map(|attribute| 4 + attribute.value.len().next_multiple_of(4))
                        .sum();
                    assert!(claimed <= total);
                }
            }
        }
    }
}
