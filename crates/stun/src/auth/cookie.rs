use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The security features that a server announces in its nonces, so that nobody on the way can hide
/// them (RFC 8489 §9.2.1, §18.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SecurityFeatures {
    /// Bit 0: the server offers PASSWORD-ALGORITHMS.
    pub password_algorithms: bool,
    /// Bit 1: the server wants USERHASH instead of USERNAME.
    pub username_anonymity: bool,
}

/// "the character string composed of 'obMatJos2' concatenated with the (4-character) base64 encoding
/// of the 24-bit STUN Security Features" (RFC 8489 §9.2).
const PREFIX: &str = "obMatJos2";

/// The length of the whole nonce cookie.
pub(crate) const COOKIE_LENGTH: usize = 13;

impl SecurityFeatures {
    /// "Bit 0 is the rightmost bit, and Bit 23 is the leftmost bit" (RFC 8489 §18.1 as erratum 6290 corrects it).
    const PASSWORD_ALGORITHMS: u8 = 1 << 0;
    const USERNAME_ANONYMITY: u8 = 1 << 1;

    /// The features that a nonce announces; `None` if it does not start with the nonce cookie, as
    /// those of servers older than RFC 8489.
    #[must_use]
    pub fn of_nonce(nonce: &str) -> Option<Self> {
        let encoded = nonce.strip_prefix(PREFIX)?.as_bytes().first_chunk::<4>()?;
        let mut bits = [0; 3];
        STANDARD.decode_slice(encoded, &mut bits).ok()?;
        let [.., last] = bits;
        Some(Self {
            password_algorithms: last & Self::PASSWORD_ALGORITHMS != 0,
            username_anonymity: last & Self::USERNAME_ANONYMITY != 0,
        })
    }

    /// The nonce cookie that announces these features.
    #[must_use]
    pub fn cookie(self) -> [u8; COOKIE_LENGTH] {
        let algorithms = if self.password_algorithms { Self::PASSWORD_ALGORITHMS } else { 0 };
        let anonymity = if self.username_anonymity { Self::USERNAME_ANONYMITY } else { 0 };
        let mut cookie = [0; COOKIE_LENGTH];
        let (prefix, bits) = cookie.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(PREFIX.as_bytes());
        STANDARD
            .encode_slice([0, 0, algorithms | anonymity], bits)
            .expect("three bytes make four characters");
        cookie
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_of_the_sample_announces_username_anonymity() {
        // RFC 8489 B.1, whose request carries USERHASH.
        let features = SecurityFeatures::of_nonce("obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA");
        let expected = SecurityFeatures { password_algorithms: false, username_anonymity: true };
        assert_eq!(features, Some(expected));
        assert_eq!(SecurityFeatures::of_nonce("f//499k954d6OL34oL9FSTvy64sA"), None);
        assert_eq!(SecurityFeatures::of_nonce("obMatJos2A"), None);
        assert_eq!(SecurityFeatures::of_nonce("obMatJos2\u{e9}\u{e9}"), None);
    }

    #[test]
    fn every_set_of_features_survives_the_cookie() {
        for (password_algorithms, username_anonymity) in
            [(false, false), (false, true), (true, false), (true, true)]
        {
            let features = SecurityFeatures { password_algorithms, username_anonymity };
            let cookie = features.cookie();
            let cookie = core::str::from_utf8(&cookie).unwrap();
            assert_eq!(SecurityFeatures::of_nonce(cookie), Some(features));
        }
    }
}
