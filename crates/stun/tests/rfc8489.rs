//! The sample of RFC 8489 B.1 as erratum 6268 corrects it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod vectors;

use pinhole_stun::attribute::{Algorithm, Nonce, PasswordAlgorithm, Realm, UserHash};
use pinhole_stun::{Class, Credentials, Message, MessageWriter, ParseError};
use vectors::{PASSWORD_LONG_TERM, REALM, REQUEST_SHA256, USERNAME_LONG_TERM};

const NONCE: &str = "obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA";

/// The RFC prints the password "before OpaqueString", too. That one is the example of RFC 5769, which
/// SASLprep maps to "TheMatrIX"; OpaqueString refuses its soft hyphen.
fn credentials() -> Credentials {
    Credentials::new(USERNAME_LONG_TERM, PASSWORD_LONG_TERM).unwrap()
}

#[test]
fn the_sample_with_userhash_and_sha256_reads_and_verifies() {
    let message = Message::parse(&REQUEST_SHA256).unwrap();
    assert_eq!(message.get(), Ok(Some(UserHash(credentials().userhash(REALM)))));
    assert_eq!(message.get(), Ok(Some(Nonce(NONCE))));
    assert_eq!(message.get(), Ok(Some(Realm(REALM))));
    assert_eq!(message.get(), Ok(Some(PasswordAlgorithm(Algorithm::SHA256))));
    let key = credentials().key(REALM, Algorithm::SHA256).unwrap();
    assert_eq!(message.verify_sha256(&key), Ok(()));
}

#[test]
fn the_sample_is_written_to_the_byte() {
    let original = Message::parse(&REQUEST_SHA256).unwrap();
    let key = credentials().key(REALM, Algorithm::SHA256).unwrap();
    let mut buffer = [0xa5; 200];
    let (method, id) = (original.method(), original.transaction_id());
    let mut writer = MessageWriter::new(&mut buffer, Class::Request, method, id).unwrap();
    writer.attribute(&UserHash(credentials().userhash(REALM))).unwrap();
    writer.attribute(&Nonce(NONCE)).unwrap().attribute(&Realm(REALM)).unwrap();
    writer.attribute(&PasswordAlgorithm(Algorithm::SHA256)).unwrap();
    writer.integrity_sha256(&key).unwrap();
    assert_eq!(writer.finish(), REQUEST_SHA256);
}

/// As printed, the length in the header counts the header.
#[test]
fn the_sample_as_printed_is_malformed() {
    let mut printed = [&REQUEST_SHA256[..112], &REQUEST_SHA256[120..]].concat();
    printed[3] = 0x9c;
    assert_eq!(Message::parse(&printed), Err(ParseError::Length { claimed: 0x9c, actual: 136 }));
}
