use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use pinhole_sansio::Instant;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::cookie::{COOKIE_LENGTH, SecurityFeatures};

/// Makes and checks the nonces of a server that remembers nothing (RFC 8489 §9.2.4).
///
/// A nonce is the cookie with the security features, and in base64: the last 24 bits of the second in
/// which it was made, and 64 bits of a MAC over the cookie, the whole second, and the client's transport
/// address. So it is valid for one address only, cannot be forged or altered, and its age is known
/// without a table.
#[derive(Clone)]
pub struct NonceKeys {
    key: Hmac<Sha256>,
    lifetime: Duration,
}

/// The second, modulo 2^24: no two nonces share one while they are valid, since no lifetime is that long.
const TIME_MASK: u32 = 0x00ff_ffff;
/// Time and MAC.
const BODY_LENGTH: usize = 3 + 8;
/// Cookie and base64 of the body.
const TEXT_LENGTH: usize = COOKIE_LENGTH + 15;

/// A nonce as text, without a heap.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NonceText([u8; TEXT_LENGTH]);

impl NonceKeys {
    /// Keys for nonces that live this long, at least a second and at most a day.
    #[must_use]
    pub fn new(seed: [u8; 32], lifetime: Duration) -> Self {
        let key = Hmac::new_from_slice(&seed).expect("HMAC takes keys of every length");
        let lifetime = lifetime.clamp(Duration::from_secs(1), Duration::from_secs(86_400));
        Self { key, lifetime }
    }

    /// A nonce for the client at this address.
    #[must_use]
    pub fn issue(&self, client: SocketAddr, features: SecurityFeatures, now: Instant) -> NonceText {
        self.make(client, features, seconds(now))
    }

    /// Whether this is a nonce for the client at this address that is still valid.
    #[must_use]
    pub fn check(&self, nonce: &str, client: SocketAddr, now: Instant) -> bool {
        let Some(features) = SecurityFeatures::of_nonce(nonce) else { return false };
        let Some(stamp) = stamp_of(nonce) else { return false };
        let now = seconds(now);
        let age = u64::from((now as u32).wrapping_sub(stamp) & TIME_MASK);
        let Some(made) = now.checked_sub(age) else { return false };
        let expected = self.make(client, features, made);
        age < self.lifetime.as_secs() && expected.0.ct_eq(nonce.as_bytes()).into()
    }

    /// What the MAC covers fits into one block of the hash, and the pads of the key are hashed already: two
    /// compressions.
    fn make(&self, client: SocketAddr, features: SecurityFeatures, made: u64) -> NonceText {
        let [_, stamp @ ..] = ((made as u32) & TIME_MASK).to_be_bytes();
        let cookie = features.cookie();

        let mut mac = self.key.clone();
        mac.update(&cookie);
        mac.update(&made.to_be_bytes());
        match client.ip() {
            IpAddr::V4(address) => mac.update(&address.octets()),
            IpAddr::V6(address) => mac.update(&address.octets()),
        }
        mac.update(&client.port().to_be_bytes());
        let tag: [u8; 32] = mac.finalize().into_bytes().into();

        let mut body = [0; BODY_LENGTH];
        let (head, tail) = body.split_at_mut(stamp.len());
        head.copy_from_slice(&stamp);
        tail.copy_from_slice(tag.split_at(tail.len()).0);
        let mut text = [0; TEXT_LENGTH];
        let (head, tail) = text.split_at_mut(COOKIE_LENGTH);
        head.copy_from_slice(&cookie);
        STANDARD_NO_PAD.encode_slice(body, tail).expect("11 bytes make 15 characters");
        NonceText(text)
    }
}

impl fmt::Debug for NonceKeys {
    /// Nothing of the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NonceKeys({:?})", self.lifetime)
    }
}

impl NonceText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).expect("base64 is ASCII")
    }
}

impl fmt::Debug for NonceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn seconds(now: Instant) -> u64 {
    (now - Instant::ZERO).as_secs()
}

/// The time in a nonce.
fn stamp_of(nonce: &str) -> Option<u32> {
    let (_, encoded) = nonce.as_bytes().split_at_checked(COOKIE_LENGTH)?;
    let mut body = [0; BODY_LENGTH];
    let length = STANDARD_NO_PAD.decode_slice(encoded, &mut body).ok()?;
    let [a, b, c, ..] = body;
    (length == BODY_LENGTH).then(|| u32::from_be_bytes([0, a, b, c]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEATURES: SecurityFeatures =
        SecurityFeatures { password_algorithms: true, username_anonymity: false };

    fn keys() -> NonceKeys {
        NonceKeys::new([5; 32], Duration::from_secs(600))
    }

    fn client() -> SocketAddr {
        "192.0.2.1:5000".parse().unwrap()
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_nonce_lives_for_its_lifetime_and_no_longer() {
        for start in [0, 1, 599, 600, 601, 16_777_215, 16_777_216, 17_000_000] {
            let nonce = keys().issue(client(), FEATURES, at(start));
            for age in [0, 1, 300, 599] {
                assert!(keys().check(nonce.as_str(), client(), at(start + age)), "{start} {age}");
            }
            for age in [600, 601, 1_200, 16_777_216] {
                assert!(!keys().check(nonce.as_str(), client(), at(start + age)), "{start} {age}");
            }
        }
    }

    #[test]
    fn a_nonce_is_valid_for_one_address_and_port() {
        let nonce = keys().issue(client(), FEATURES, at(7));
        for other in ["192.0.2.1:5001", "192.0.2.2:5000", "[::ffff:192.0.2.1]:5000"] {
            assert!(!keys().check(nonce.as_str(), other.parse().unwrap(), at(7)), "{other}");
        }
        let other_server = NonceKeys::new([6; 32], Duration::from_secs(600));
        assert!(!other_server.check(nonce.as_str(), client(), at(7)));
    }

    #[test]
    fn no_character_of_a_nonce_can_be_changed() {
        let nonce = keys().issue(client(), FEATURES, at(7));
        for at_byte in 0..nonce.0.len() {
            let mut altered = nonce.0;
            altered[at_byte] = if altered[at_byte] == b'A' { b'B' } else { b'A' };
            let altered = core::str::from_utf8(&altered).unwrap();
            assert!(!keys().check(altered, client(), at(7)), "{altered}");
        }
        for length in 0..nonce.0.len() {
            assert!(!keys().check(&nonce.as_str()[..length], client(), at(7)));
        }
    }

    #[test]
    fn a_nonce_is_28_characters() {
        let nonce = keys().issue(client(), FEATURES, at(7));
        assert_eq!(nonce.as_str().len(), 28);
        assert_eq!(SecurityFeatures::of_nonce(nonce.as_str()), Some(FEATURES));
    }
}
