//! What is possible: straight lines for exactly these bytes. No order but this, no other attributes, no
//! errors that say anything.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::Check;

/// A key with hashed pads.
pub type Key = Hmac<Sha1>;

/// The key of [`crate::PASSWORD`].
pub fn key() -> Key {
    Hmac::new_from_slice(crate::PASSWORD.as_bytes()).expect("any length")
}

/// Walks the attributes once, and takes each as it comes.
pub fn parse(bytes: &[u8]) -> Option<Check> {
    let length = usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]));
    if bytes[0] >= 0x40 || bytes.len() != 20 + length || bytes[4..8] != [0x21, 0x12, 0xa4, 0x42] {
        return None;
    }
    let (mut username, mut priority, mut tie_breaker, mut nominated) = (None, None, None, false);
    let mut rest = &bytes[20..];
    while let [k0, k1, l0, l1, tail @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        let padded = length.next_multiple_of(4);
        if padded > tail.len() {
            return None;
        }
        let value = &tail[..length];
        match u16::from_be_bytes([*k0, *k1]) {
            0x0006 => username = Some(std::str::from_utf8(value).ok()?.len()),
            0x0024 => priority = Some(u32::from_be_bytes(value.try_into().ok()?)),
            0x8029 => tie_breaker = Some(u64::from_be_bytes(value.try_into().ok()?)),
            0x0025 => nominated = true,
            _ => {}
        }
        rest = &tail[padded..];
    }
    Some(Check { username: username?, priority: priority?, tie_breaker: tie_breaker?, nominated })
}

/// The integrity is the last but one, FINGERPRINT the last attribute.
pub fn verify(bytes: &[u8], key: &Key) -> Option<Check> {
    let check = parse(bytes)?;
    let end = bytes.len() - 8;
    let fingerprint = crc32fast::hash(&bytes[..end]) ^ 0x5354_554e;
    if bytes[end + 4..] != fingerprint.to_be_bytes() {
        return None;
    }
    let before = end - 24;
    let mut head = [0; 20];
    head.copy_from_slice(&bytes[..20]);
    head[2..4].copy_from_slice(&((end - 20) as u16).to_be_bytes());
    let mut mac = key.clone();
    mac.update(&head);
    mac.update(&bytes[20..before]);
    mac.verify_slice(&bytes[before + 4..end]).ok()?;
    Some(check)
}

/// A template with its fields filled in.
pub fn build(buffer: &mut [u8], key: &Key) -> usize {
    let attributes = [
        &[0, 6, 0, 9][..],
        crate::USERNAME.as_bytes(),
        &[0, 0, 0, 0x80, 0x29, 0, 8],
        &crate::TIE_BREAKER.to_be_bytes(),
        &[0, 0x24, 0, 4],
        &crate::PRIORITY.to_be_bytes(),
    ];
    finish(buffer, 0x0001, &attributes, key)
}

/// The same for a success response.
pub fn success(buffer: &mut [u8], key: &Key) -> usize {
    let (port, address) = (32853_u16 ^ 0x2112, 0xc000_0201_u32 ^ 0x2112_a442);
    let attributes = [&[0, 0x20, 0, 8, 0, 1][..], &port.to_be_bytes(), &address.to_be_bytes()];
    finish(buffer, 0x0101, &attributes, key)
}

fn finish(buffer: &mut [u8], kind: u16, attributes: &[&[u8]], key: &Key) -> usize {
    buffer[..2].copy_from_slice(&kind.to_be_bytes());
    buffer[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
    buffer[8..20].copy_from_slice(&crate::ID);
    let mut at = 20;
    for part in attributes {
        buffer[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    buffer[2..4].copy_from_slice(&((at + 24 - 20) as u16).to_be_bytes());
    let mut mac = key.clone();
    mac.update(&buffer[..at]);
    let tag = mac.finalize().into_bytes();
    buffer[at..at + 4].copy_from_slice(&[0, 8, 0, 20]);
    buffer[at + 4..at + 24].copy_from_slice(&tag);
    at += 24;
    buffer[2..4].copy_from_slice(&((at + 8 - 20) as u16).to_be_bytes());
    let fingerprint = crc32fast::hash(&buffer[..at]) ^ 0x5354_554e;
    buffer[at..at + 4].copy_from_slice(&[0x80, 0x28, 0, 4]);
    buffer[at + 4..at + 8].copy_from_slice(&fingerprint.to_be_bytes());
    at + 8
}

/// One comparison.
pub fn refuse(bytes: &[u8]) -> bool {
    bytes.first().is_none_or(|first| *first >= 4)
}

/// The channel's number and the length of the data.
pub fn channel(bytes: &[u8]) -> Option<(u16, usize)> {
    let [n0, n1, l0, l1, data @ ..] = bytes else { return None };
    let (number, length) = (u16::from_be_bytes([*n0, *n1]), u16::from_be_bytes([*l0, *l1]));
    let is_right = number >> 12 == 4 && usize::from(length) <= data.len();
    is_right.then(|| (number, length.into()))
}
