//! The security checklist for STUN, by its lines. Lines 4, 5, 6, 7, 10, 11 and 12 are in `auth.rs` and
//! `binding.rs`; line 14 belongs to ICE.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use pinhole_sansio::{Datagram, FiveTuple, Instant};
use pinhole_stun::attribute::{
    ErrorCode, MappedAddress, Priority, Software, UnknownAttributes, Username, XorMappedAddress,
};
use pinhole_stun::auth::{NonceKeys, SecurityFeatures};
use pinhole_stun::binding::{Config, Server};
use pinhole_stun::{
    AttributeType, Class, FramingError, IntegrityError, IntegrityKey, Message, MessageWriter,
    Method, PacketKind, RawAttribute, StreamBuffer, TransactionId, classify,
};
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

const ID: TransactionId = TransactionId::new([7; 12]);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn write(class: Class, method: Method, fill: impl FnOnce(&mut MessageWriter<'_>)) -> Vec<u8> {
    let mut buffer = [0xa5; 2048];
    let mut writer = MessageWriter::new(&mut buffer, class, method, ID).unwrap();
    fill(&mut writer);
    writer.finish().to_vec()
}

/// What a server with default configuration answers.
fn serve(payload: &[u8]) -> Option<Vec<u8>> {
    let five_tuple = FiveTuple::udp(address("192.0.2.1:3478"), address("198.51.100.7:5000"));
    let mut buffer = [0; 2048];
    let mut server = Server::new(Config::default(), [1; 32]);
    let datagram = Datagram { five_tuple, payload };
    let answer = server.handle_datagram(datagram, Instant::ZERO, &mut buffer)?;
    Some(answer.payload.to_vec())
}

/// RFC 8489 §6.3: "If any errors are detected, the message is silently discarded."
#[test]
fn line_1_malformed_datagrams_get_no_answer() {
    let good = write(Class::Request, Method::BINDING, |writer| {
        writer.attribute(&Software("12345")).unwrap().fingerprint().unwrap();
    });
    assert!(serve(&good).is_some());
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    let tlv_header_cut = |length: u8| {
        let mut bytes = write(Class::Request, Method::BINDING, |_| {});
        bytes.extend(vec![0x80; usize::from(length)]);
        bytes[3] = length;
        bytes
    };
    let malformed = [
        vec![],
        good[..1].to_vec(),
        good[..19].to_vec(),
        with(0, 0x40),
        with(0, 0x80),
        with(4, 0x20),
        with(3, good[3] + 1),
        with(3, good[3] + 4),
        with(3, good[3] - 4),
        with(23, 200),
        tlv_header_cut(1),
        tlv_header_cut(2),
        tlv_header_cut(3),
        with(good.len() - 1, good[good.len() - 1] ^ 1),
        write(Class::SuccessResponse, Method::BINDING, |writer| {
            writer.attribute(&XorMappedAddress(address("192.0.2.9:9"))).unwrap();
        }),
    ];
    for bytes in malformed {
        assert_eq!(serve(&bytes), None, "{bytes:02x?}");
    }
}

#[test]
fn line_2_an_unsupported_method_gets_no_answer() {
    let method = Method::new(0xf8e).unwrap();
    assert_eq!(serve(&write(Class::Request, method, |_| {})), None);
}

/// RFC 8489 §6.3.1 to §6.3.4.
#[test]
fn line_3_unknown_attributes_are_listed_for_a_request_and_end_an_indication() {
    for count in [1, 300] {
        let kinds = (0..count).map(|n| AttributeType::new(0x7000 + n));
        let fill = |writer: &mut MessageWriter<'_>| {
            for kind in kinds.clone() {
                writer.attribute(&RawAttribute { kind, value: &[] }).unwrap();
            }
        };
        let request = write(Class::Request, Method::BINDING, fill);
        let answer = serve(&request).unwrap();
        let answer = Message::parse(&answer).unwrap();
        assert_eq!(answer.get(), Ok(Some(ErrorCode::bare(420))));
        let list = answer.get::<UnknownAttributes<'_>>().unwrap().unwrap();
        assert!(list.iter().eq(kinds.clone()));
        if count > 8 {
            assert!(answer.as_bytes().len() <= request.len());
        }
        assert_eq!(serve(&write(Class::Indication, Method::BINDING, fill)), None);
    }
}

/// RFC 8489 §14.6: "The value must be the full 32 bytes unless the STUN Usage explicitly specifies that
/// truncation is allowed."
#[test]
fn line_7_a_truncated_sha256_is_never_compared() {
    let key = IntegrityKey::short_term("password");
    let good = write(Class::Request, Method::BINDING, |writer| {
        writer.integrity_sha256(&key).unwrap();
    });
    let tag = &good[24..];
    for length in [16, 20, 28] {
        let mut bytes = [&good[..22], &[0, length], &tag[..usize::from(length)]].concat();
        bytes[3] = length + 4;
        let message = Message::parse(&bytes).unwrap();
        let expected = Err(IntegrityError::Length(usize::from(length)));
        assert_eq!(message.verify_sha256(&key), expected);
    }
}

#[test]
fn line_8_what_follows_the_integrity_or_the_fingerprint_is_not_seen() {
    let key = IntegrityKey::short_term("password");
    let mut bytes = write(Class::SuccessResponse, Method::BINDING, |writer| {
        writer.attribute(&Priority(1)).unwrap().integrity(&key).unwrap();
    });
    let smuggled = write(Class::SuccessResponse, Method::BINDING, |writer| {
        writer.attribute(&XorMappedAddress(address("203.0.113.9:9"))).unwrap();
        writer.attribute(&Priority(2)).unwrap();
    });
    bytes.extend(&smuggled[20..]);
    bytes[3] = u8::try_from(bytes.len() - 20).unwrap();
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.verify(&key), Ok(()), "the integrity is right");
    assert_eq!(message.get::<XorMappedAddress>(), Ok(None));
    assert_eq!(message.get(), Ok(Some(Priority(1))));
    assert_eq!(message.attributes().count(), 2);
    assert_eq!(message.unknown_required(&[]).count(), 1);
}

#[test]
fn line_9_the_first_of_two_addresses_counts() {
    let (first, second) = (address("192.0.2.1:1"), address("192.0.2.2:2"));
    let bytes = write(Class::SuccessResponse, Method::BINDING, |writer| {
        writer.attribute(&MappedAddress(first)).unwrap();
        writer.attribute(&MappedAddress(second)).unwrap();
    });
    assert_eq!(Message::parse(&bytes).unwrap().get(), Ok(Some(MappedAddress(first))));
}

/// RFC 8489 §6.2.2, over a stream.
#[test]
fn line_13_streams_are_answered_in_order_and_bounded() {
    let requests: Vec<Vec<u8>> = (0..3)
        .map(|n| {
            write(Class::Request, Method::BINDING, |writer| {
                writer.attribute(&Priority(n)).unwrap();
            })
        })
        .collect();
    for chunk in [1, 7, 1_000] {
        let mut stream = StreamBuffer::new(600);
        let mut seen = Vec::new();
        for bytes in requests.concat().chunks(chunk) {
            assert_eq!(stream.push(bytes), bytes.len());
            while let Some(message) = stream.next_message().unwrap() {
                let request = Message::parse(message).unwrap();
                seen.push(request.get::<Priority>().unwrap().unwrap().0);
            }
        }
        assert_eq!(seen, [0, 1, 2]);
    }
    for claim in [0xfffc_u16, 0xffff] {
        let mut stream = StreamBuffer::new(600);
        let [high, low] = claim.to_be_bytes();
        stream.push(&[0, 1, high, low]);
        let error = stream.next_message().unwrap_err();
        assert!(matches!(error, FramingError::TooLong { .. } | FramingError::Unaligned(_)));
        stream.push(&requests[0]);
        assert!(stream.next_message().is_err(), "later bytes begin no message");
    }
}

/// A million transaction ids: none twice, and each bit set about half of the time.
#[test]
fn line_15_transaction_ids_do_not_repeat_and_are_not_biased() {
    let mut generator = ChaCha20Rng::from_seed([9; 32]);
    let ids = (0..DRAWS).map(|_| {
        let id = TransactionId::random(&mut generator);
        id.as_bytes().iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte))
    });
    check_randomness(ids.collect(), 96);
}

/// One nonce for each of many clients in the same second: its time is left out, its MAC must look random.
#[test]
fn line_15_nonces_do_not_repeat_and_are_not_biased() {
    let keys = NonceKeys::new([9; 32], Duration::from_secs(600));
    let macs = (0..DRAWS).map(|number| {
        let [_, _, a, b, c, d, e, f] = (number as u64).to_be_bytes();
        let client = SocketAddr::from(([a, b, c, d], u16::from_be_bytes([e, f])));
        let nonce = keys.issue(client, SecurityFeatures::default(), Instant::ZERO);
        let mut body = [0; 11];
        STANDARD_NO_PAD.decode_slice(&nonce.as_str()[13..], &mut body).unwrap();
        body[3..].iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte))
    });
    check_randomness(macs.collect(), 64);
}

/// How many are drawn: as many as the checklist says in a release build, which CI makes of these two tests.
const DRAWS: usize = if cfg!(debug_assertions) { 200_000 } else { 10_000_000 };

/// No repeat; ones and zeros in every bit, and changes from one to the next, as often as of a fair coin: within five
/// standard deviations.
fn check_randomness(mut draws: Vec<u128>, bits: u32) {
    let tolerance = (5.0 * (draws.len() as f64 / 4.0).sqrt()) as usize;
    for bit in 0..bits {
        let ones = draws.iter().filter(|draw| *draw >> bit & 1 == 1).count();
        assert!(ones.abs_diff(draws.len() / 2) < tolerance, "bit {bit}: {ones}");
        let runs = draws.windows(2).filter(|pair| (pair[0] ^ pair[1]) >> bit & 1 == 1).count();
        assert!(runs.abs_diff(draws.len() / 2) < tolerance, "bit {bit}: {runs} runs");
    }
    draws.sort_unstable();
    assert!(draws.windows(2).all(|pair| pair[0] != pair[1]), "one came twice");
}

#[test]
fn line_16_the_first_byte_decides_and_nothing_else_is_parsed() {
    let good = write(Class::Request, Method::BINDING, |writer| {
        writer.attribute(&Username("a:b")).unwrap();
    });
    for first in 0..=255 {
        let mut bytes = good.clone();
        bytes[0] = first;
        let is_stun = classify(first) == PacketKind::Stun;
        assert!(is_stun || serve(&bytes).is_none(), "{first}");
        // Above 3 are methods above 0xff, which only look like STUN (RFC 7983 §3).
        assert_eq!(Message::parse(&bytes).is_ok(), first < 0x40, "{first}");
    }
}
