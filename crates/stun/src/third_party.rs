//! Self-contained access tokens of third-party authorization (RFC 7635), for the server.

use core::fmt;
use core::time::Duration;

use aes_gcm::aead::{AeadInOut, KeyInit, Nonce as AeadNonce, Tag};
use aes_gcm::{Aes128Gcm, Aes256Gcm};

use crate::integrity::IntegrityKey;
use crate::reader::Reader;

/// The key that a server shares with its authorization server.
#[derive(Clone)]
pub struct TokenKey(Cipher);

#[derive(Clone)]
enum Cipher {
    Aes128(alloc::boxed::Box<Aes128Gcm>),
    Aes256(alloc::boxed::Box<Aes256Gcm>),
}

/// What a token says (RFC 7635 §6.2).
#[derive(Clone, Debug)]
pub struct Token {
    key: IntegrityKey,
    issued: Duration,
    lifetime: Duration,
}

/// Why a token is refused; the answer is a 401 (RFC 7635 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Not of the form of §6.2, or longer than this server takes.
    #[error("the token is malformed")]
    Malformed,
    /// Another key, another server's name, or altered bytes.
    #[error("the token is not authentic")]
    Forged,
}

/// How much the clocks of the two servers may differ: "The RECOMMENDED value for the allowed Delta is 5
/// seconds" (RFC 7635 §7).
const DELTA: Duration = Duration::from_secs(5);
/// AES-GCM's nonce and tag (RFC 5116 §5.1).
const NONCE: usize = 12;
const TAG: usize = 16;
/// Room for a MAC key of 64 bytes: more than any HMAC of STUN makes use of.
const MAX_BLOCK: usize = 2 + 64 + 8 + 4;

impl TokenKey {
    /// A key for AEAD_AES_128_GCM.
    #[must_use]
    pub fn aes_128(key: [u8; 16]) -> Self {
        Self(Cipher::Aes128(Aes128Gcm::new(&key.into()).into()))
    }

    /// A key for AEAD_AES_256_GCM.
    #[must_use]
    pub fn aes_256(key: [u8; 32]) -> Self {
        Self(Cipher::Aes256(Aes256Gcm::new(&key.into()).into()))
    }

    /// Opens the value of ACCESS-TOKEN, which was issued for the server of this name.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn open(&self, token: &[u8], server_name: &str) -> Result<Token, TokenError> {
        let mut reader = Reader::new(token);
        let nonce_length = reader.u16().ok_or(TokenError::Malformed)?;
        if usize::from(nonce_length) != NONCE {
            return Err(TokenError::Malformed);
        }
        let nonce = reader.array::<NONCE>().ok_or(TokenError::Malformed)?;
        let length = reader.rest().len().checked_sub(TAG).ok_or(TokenError::Malformed)?;
        let mut block = [0; MAX_BLOCK];
        let block = block.get_mut(..length).ok_or(TokenError::Malformed)?;
        block.copy_from_slice(reader.take(length).ok_or(TokenError::Malformed)?);
        let tag = reader.array::<TAG>().ok_or(TokenError::Malformed)?;
        self.decrypt(nonce, server_name.as_bytes(), block, tag)?;
        Token::read(block).ok_or(TokenError::Malformed)
    }

    fn decrypt(
        &self,
        nonce: [u8; NONCE],
        name: &[u8],
        block: &mut [u8],
        tag: [u8; TAG],
    ) -> Result<(), TokenError> {
        match &self.0 {
            Cipher::Aes128(cipher) => {
                let (nonce, tag) =
                    (AeadNonce::<Aes128Gcm>::from(nonce), Tag::<Aes128Gcm>::from(tag));
                cipher.decrypt_inout_detached(&nonce, name, block.into(), &tag)
            }
            Cipher::Aes256(cipher) => {
                let (nonce, tag) =
                    (AeadNonce::<Aes256Gcm>::from(nonce), Tag::<Aes256Gcm>::from(tag));
                cipher.decrypt_inout_detached(&nonce, name, block.into(), &tag)
            }
        }
        .map_err(|_| TokenError::Forged)
    }
}

impl fmt::Debug for TokenKey {
    /// Nothing of the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

impl Token {
    fn read(block: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(block);
        let key_length = usize::from(reader.u16()?);
        let key = IntegrityKey::new(reader.take(key_length)?);
        let timestamp = reader.u64()?;
        let lifetime = Duration::from_secs(u64::from(reader.u32()?));
        // "the integer number of seconds is contained in the first 48 bits of the field, and the
        // remaining 16 bits indicate the number of 1/64000 fractions of a second"
        let fractions = u32::try_from(timestamp & 0xffff).ok()?;
        let issued =
            Duration::from_secs(timestamp >> 16) + Duration::from_secs(1) / 64_000 * fractions;
        reader.is_empty().then_some(Self { key, issued, lifetime })
    }

    /// Whether the token may be used now, in time since 1970: "lifetime + Delta > abs(RDnew - TS)".
    #[must_use]
    pub fn is_valid(&self, unix_time: Duration) -> bool {
        self.lifetime + DELTA > unix_time.abs_diff(self.issued)
    }

    /// The key for MESSAGE-INTEGRITY, of the request and of the response.
    #[must_use]
    pub const fn key(&self) -> &IntegrityKey {
        &self.key
    }

    /// When the token was issued, in time since 1970.
    #[must_use]
    pub const fn issued(&self) -> Duration {
        self.issued
    }

    /// For how long it was issued.
    #[must_use]
    pub const fn lifetime(&self) -> Duration {
        self.lifetime
    }
}
