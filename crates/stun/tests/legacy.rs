//! Peers of RFC 3489.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use pinhole_stun::attribute::ChangeRequest;
use pinhole_stun::legacy::{Advice, Request, Response, advice};
use pinhole_stun::{Message, ParseError};

const ID: [u8; 16] = [9; 16];

fn request(attributes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(attributes.len()).unwrap();
    [&[0, 1, 0, length][..], &ID, attributes].concat()
}

#[test]
fn a_request_without_the_cookie_is_answered_with_its_sixteen_bytes() {
    let bytes = request(&[0, 3, 0, 4, 0, 0, 0, 6]);
    assert_eq!(Message::parse(&bytes), Err(ParseError::Cookie(0x0909_0909)));
    let request = Request::parse(&bytes).unwrap();
    assert_eq!(request.change(), ChangeRequest { address: true, port: true });

    let response = Response {
        mapped: "192.0.2.1:32853".parse().unwrap(),
        source: Some("192.0.2.2:3478".parse().unwrap()),
        changed: Some("192.0.2.3:3479".parse().unwrap()),
    };
    let mut buffer = [0; 64];
    let answer = request.respond(&response, &mut buffer).unwrap();
    let expected = [
        &[0x01, 0x01, 0, 36][..],
        &ID,
        &[0, 1, 0, 8, 0, 1, 0x80, 0x55, 192, 0, 2, 1],
        &[0, 4, 0, 8, 0, 1, 0x0d, 0x96, 192, 0, 2, 2],
        &[0, 5, 0, 8, 0, 1, 0x0d, 0x97, 192, 0, 2, 3],
    ]
    .concat();
    assert_eq!(answer, expected);
}

#[test]
fn what_would_harm_somebody_else_or_cannot_be_checked_is_no_request() {
    let response_address = [0, 2, 0, 8, 0, 1, 0, 9, 203, 0, 113, 9];
    let username = [0, 6, 0, 4, b'u', b's', b'e', b'r'];
    let cut = [0, 3, 0, 4, 0];
    for attributes in [&response_address[..], &username, &cut] {
        assert_eq!(Request::parse(&request(attributes)), None);
    }
    let mut with_cookie = request(&[]);
    with_cookie[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
    assert_eq!(Request::parse(&with_cookie), None);
}

#[test]
fn old_error_codes_are_told_apart() {
    for code in [430, 431, 432, 433] {
        assert_eq!(advice(code), Some(Advice::Retry));
    }
    assert_eq!(advice(600), Some(Advice::GiveUp));
    assert_eq!(advice(438), None);
}
