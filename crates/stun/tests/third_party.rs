//! RFC 7635: the sample tokens of its appendix A.
#![cfg(feature = "third-party")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::time::Duration;

use pinhole_stun::third_party::{TokenError, TokenKey};
use pinhole_stun::{Class, IntegrityKey, Message, MessageWriter, Method, TransactionId};

const SERVER: &str = "blackdow.carleon.gov";
const LONG_TERM_KEY: &[u8; 32] = b"HGkj32KJGiuy098sdfaqbNjOiaz71923";
const MAC_KEY: &[u8; 20] = b"ZksjpweoixXmvn67534m";

const TOKEN_AES_256: [u8; 64] = [
    0x00, 0x0c, 0x68, 0x34, 0x6a, 0x33, 0x6b, 0x32, 0x6c, 0x32, 0x6e, 0x34, 0x62, 0x35, 0x61, 0x7e,
    0xf1, 0x34, 0xa3, 0xd5, 0xe4, 0x4e, 0x9a, 0x19, 0xcc, 0x7d, 0xc1, 0x04, 0xb0, 0xc0, 0x3d, 0x03,
    0xb2, 0xa5, 0x51, 0xd8, 0xfd, 0xf5, 0xcd, 0x3b, 0x6d, 0xca, 0x6f, 0x10, 0xcf, 0xb7, 0x7e, 0x5b,
    0x2d, 0xde, 0xc8, 0x4d, 0x29, 0x3a, 0x5c, 0x50, 0x49, 0x93, 0x59, 0xf0, 0xc2, 0xe2, 0x6f, 0x76,
];
const TOKEN_AES_128: [u8; 64] = [
    0x00, 0x0c, 0x68, 0x34, 0x6a, 0x33, 0x6b, 0x32, 0x6c, 0x32, 0x6e, 0x34, 0x62, 0x35, 0x7f, 0xb9,
    0xe9, 0x9f, 0x08, 0x27, 0xbe, 0x3d, 0xf1, 0xe1, 0xbd, 0x65, 0x14, 0x93, 0xd3, 0x03, 0x1d, 0x36,
    0xdf, 0x57, 0x07, 0x97, 0x84, 0xae, 0xe5, 0xea, 0xcb, 0x65, 0xfa, 0xd4, 0xf2, 0x7f, 0xab, 0x1a,
    0x3f, 0x97, 0x97, 0x4b, 0x69, 0xf8, 0x51, 0xb2, 0x4b, 0xf5, 0xaf, 0x09, 0xed, 0xa3, 0x57, 0xe0,
];

fn keys() -> [(TokenKey, [u8; 64]); 2] {
    let short = *LONG_TERM_KEY.first_chunk().unwrap();
    [(TokenKey::aes_256(*LONG_TERM_KEY), TOKEN_AES_256), (TokenKey::aes_128(short), TOKEN_AES_128)]
}

#[test]
fn both_sample_tokens_open_and_give_the_key_of_the_session() {
    for (key, bytes) in keys() {
        let token = key.open(&bytes, SERVER).unwrap();
        assert_eq!(token.lifetime(), Duration::from_secs(3_600));
        let timestamp: u64 = 92_470_300_704_768;
        assert_eq!(token.issued().as_secs(), timestamp >> 16);

        let mut buffer = [0; 64];
        let id = TransactionId::new([7; 12]);
        let mut writer =
            MessageWriter::new(&mut buffer, Class::Request, Method::ALLOCATE, id).unwrap();
        writer.integrity(&IntegrityKey::new(MAC_KEY)).unwrap();
        let request = Message::parse(writer.finish()).unwrap();
        assert_eq!(request.verify(token.key()), Ok(()));
    }
}

#[test]
fn a_token_is_valid_for_its_lifetime_and_five_seconds() {
    let (key, bytes) = &keys()[0];
    let token = key.open(bytes, SERVER).unwrap();
    let after = |seconds| token.is_valid(token.issued() + Duration::from_secs(seconds));
    assert!(after(0) && after(3_604));
    assert!(!after(3_605));
}

#[test]
fn a_token_for_another_server_or_with_an_altered_bit_is_forged() {
    for (key, bytes) in keys() {
        assert_eq!(key.open(&bytes, "other.example.org").err(), Some(TokenError::Forged));
        for bit in 16..bytes.len() * 8 {
            let mut altered = bytes;
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.open(&altered, SERVER).err(), Some(TokenError::Forged), "bit {bit}");
        }
    }
}

#[test]
fn every_prefix_and_a_token_without_end_are_refused() {
    let (key, bytes) = &keys()[0];
    for length in 0..bytes.len() {
        assert!(key.open(&bytes[..length], SERVER).is_err());
    }
    let long = [&bytes[..14], &[0; 4096]].concat();
    assert_eq!(key.open(&long, SERVER).err(), Some(TokenError::Malformed));
}
