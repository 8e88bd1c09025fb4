use super::{Rejection, Seal};
use crate::attribute::Username;
use crate::integrity::{IntegrityError, IntegrityKey};
use crate::message::Message;
use crate::writer::{MessageWriter, WriteError};

/// The client's side of the short-term mechanism (RFC 8489 §9.1).
#[derive(Clone, Debug)]
pub struct ShortTermClient {
    key: IntegrityKey,
    /// Which attribute the server uses, once that is known.
    agreed: Option<Seal>,
}

impl ShortTermClient {
    /// A client that does not know which integrity attributes the server supports, and so sends both
    /// in its first request (§9.1.2).
    #[must_use]
    pub const fn new(key: IntegrityKey) -> Self {
        Self { key, agreed: None }
    }

    /// A client that has learned it elsewhere; ICE agents use MESSAGE-INTEGRITY (RFC 8445 §7.1).
    #[must_use]
    pub const fn with_agreed(key: IntegrityKey, seal: Seal) -> Self {
        Self { key, agreed: Some(seal) }
    }

    /// Adds USERNAME and integrity to a request or indication; FINGERPRINT may follow.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn authorize(
        &self,
        username: &str,
        writer: &mut MessageWriter<'_>,
    ) -> Result<(), WriteError> {
        writer.attribute(&Username(username))?;
        match self.agreed {
            Some(seal) => seal.write(writer, &self.key),
            None => {
                Seal::Sha1.write(writer, &self.key)?;
                Seal::Sha256.write(writer, &self.key)
            }
        }
    }

    /// Whether the response is authentic (§9.1.4); if not, the transaction distrusts it. Later requests
    /// carry the attribute that the first authentic response carried (§9.1.5).
    ///
    /// # Errors
    /// [`IntegrityError`].
    pub fn check(&mut self, response: &Message<'_>) -> Result<(), IntegrityError> {
        let seal = match self.agreed {
            Some(seal) => seal,
            None => Seal::of(response).ok_or(IntegrityError::Missing)?,
        };
        seal.verify(response, &self.key)?;
        self.agreed = Some(seal);
        Ok(())
    }
}

/// The receiver's side of the short-term mechanism (RFC 8489 §9.1.3): the key to answer with, and the
/// attribute.
///
/// # Errors
/// [`Rejection::BadRequest`] or [`Rejection::Unauthenticated`]: answer with that code, no challenge and
/// no integrity, or, if it was an indication, not at all.
pub fn check_short_term<'k>(
    message: &Message<'_>,
    find: impl FnOnce(&str) -> Option<&'k IntegrityKey>,
) -> Result<(&'k IntegrityKey, Seal), Rejection> {
    let seal = Seal::of(message).ok_or(Rejection::BadRequest)?;
    let username = message.get::<Username<'_>>().ok().flatten().ok_or(Rejection::BadRequest)?;
    let key = find(username.0).ok_or(Rejection::Unauthenticated)?;
    seal.verify(message, key).map_err(|_| Rejection::Unauthenticated)?;
    Ok((key, seal))
}
