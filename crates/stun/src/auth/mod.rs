//! Authentication, both sides (RFC 8489 §9).
//!
//! - [`LongTermClient`] turns a 401 into the next request: realm, nonce, algorithm and key, with the
//!   bid-down checks of §9.2.5.
//! - [`LongTermServer`] challenges and checks, and stores nothing for a stranger: its nonces carry
//!   what it needs to know.
//! - [`ShortTermClient`] and [`check_short_term`] are the short-term mechanism (§9.1).
//! - [`Redirections`] follows 300 (Try Alternate) and refuses to go round in circles (§10).

mod alternate;
mod client;
mod cookie;
mod nonce;
mod server;
mod short_term;

pub use alternate::{RedirectError, Redirections, Target};
pub use client::{Attempt, AuthFailure, LongTermClient, Verdict};
pub use cookie::SecurityFeatures;
pub use nonce::{NonceKeys, NonceText};
pub use server::{Authenticated, LongTermServer, Offer, Realms, Rejection, User};
pub use short_term::{ShortTermClient, check_short_term};

use crate::integrity::{IntegrityError, IntegrityKey};
use crate::message::Message;
use crate::writer::{MessageWriter, WriteError};

/// Which of the two integrity attributes protects a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seal {
    /// MESSAGE-INTEGRITY.
    Sha1,
    /// MESSAGE-INTEGRITY-SHA256.
    Sha256,
}

impl Seal {
    /// The stronger one of those that the message carries (RFC 8489 §9.1.3, §9.2.4).
    #[must_use]
    pub fn of(message: &Message<'_>) -> Option<Self> {
        if message.has_integrity_sha256() {
            Some(Self::Sha256)
        } else if message.has_integrity() {
            Some(Self::Sha1)
        } else {
            None
        }
    }

    /// Verifies this attribute of the message.
    ///
    /// # Errors
    /// [`IntegrityError`].
    pub fn verify(self, message: &Message<'_>, key: &IntegrityKey) -> Result<(), IntegrityError> {
        match self {
            Self::Sha1 => message.verify(key),
            Self::Sha256 => message.verify_sha256(key),
        }
    }

    /// Writes this attribute.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn write(
        self,
        writer: &mut MessageWriter<'_>,
        key: &IntegrityKey,
    ) -> Result<(), WriteError> {
        match self {
            Self::Sha1 => writer.integrity(key)?,
            Self::Sha256 => writer.integrity_sha256(key)?,
        };
        Ok(())
    }
}
