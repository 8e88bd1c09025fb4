use alloc::string::String;
use alloc::vec::Vec;

use super::{Seal, SecurityFeatures};
use crate::attribute::{
    Algorithm, Attribute, ErrorCode, Nonce, PasswordAlgorithm, PasswordAlgorithms, Realm, UserHash,
    Username,
};
use crate::credential::Credentials;
use crate::header::Class;
use crate::integrity::IntegrityKey;
use crate::message::Message;
use crate::writer::{MessageWriter, WriteError};

/// The client's side of the long-term mechanism (RFC 8489 §9.2.3, §9.2.5).
///
/// For each request: [`LongTermClient::authorize`] after the last other attribute, and
/// [`LongTermClient::judge`] when a response has come. Several requests may be on their way at once;
/// the [`Attempt`] tells which challenge each of them has answered.
#[derive(Clone, Debug)]
pub struct LongTermClient {
    credentials: Credentials,
    session: Option<Session>,
    /// How many challenges have been taken over.
    generation: u32,
    /// How many of them since the last success.
    streak: u32,
}

/// What the server's last challenge made of the credentials.
#[derive(Clone, Debug)]
struct Session {
    realm: String,
    nonce: String,
    /// PASSWORD-ALGORITHMS as received, and the algorithm chosen from it.
    offer: Option<(Vec<u8>, Algorithm)>,
    /// The value of USERHASH, if the server wants it.
    userhash: Option<[u8; 32]>,
    key: IntegrityKey,
    seal: Seal,
}

/// With which challenge in mind a request was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt(u32);

/// What to do with a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the server's: the transaction is over.
    Accept,
    /// The server wants another request: a new transaction, authorized anew.
    Retry,
    /// Treat it as if it had never been received: [`ClientTransaction::distrust`](crate::ClientTransaction::distrust).
    Discard,
    /// There is no point in going on.
    Fail(AuthFailure),
}

/// Why the credentials do not lead anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum AuthFailure {
    /// The server has refused this user name and password.
    #[error("the server refuses this user name and password")]
    Refused,
    /// The challenge has no realm or no nonce.
    #[error("the server's challenge is incomplete")]
    Incomplete,
    /// The nonce announces PASSWORD-ALGORITHMS, and somebody has removed it (§9.2.5).
    #[error("somebody has removed the server's password algorithms")]
    BidDown,
    /// The server offers no algorithm that this client knows.
    #[error("no password algorithm in common")]
    NoAlgorithm,
    /// One challenge after the other, without end.
    #[error("{0} challenges without success")]
    Endless(u32),
}

/// How many challenges in a row a client answers.
const PATIENCE: u32 = 4;

impl LongTermClient {
    /// A client that has not talked to the server yet.
    #[must_use]
    pub const fn new(credentials: Credentials) -> Self {
        Self { credentials, session: None, generation: 0, streak: 0 }
    }

    /// Adds what authenticates the request, as far as it is known: nothing to a first request
    /// (§9.2.3.1), all of it to later ones (§9.2.3.2). FINGERPRINT may follow.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn authorize(&self, writer: &mut MessageWriter<'_>) -> Result<Attempt, WriteError> {
        let Some(session) = &self.session else { return Ok(Attempt(0)) };
        match session.userhash {
            Some(hash) => writer.attribute(&UserHash(hash))?,
            None => writer.attribute(&Username(self.credentials.username()))?,
        };
        writer.attribute(&Realm(&session.realm))?.attribute(&Nonce(&session.nonce))?;
        if let Some((list, algorithm)) = &session.offer {
            let list = crate::RawAttribute { kind: PasswordAlgorithms::KIND, value: list };
            writer.attribute(&list)?.attribute(&PasswordAlgorithm(*algorithm))?;
        }
        session.seal.write(writer, &session.key)?;
        Ok(Attempt(self.generation))
    }

    /// Judges a response to the request that was written in this attempt (§9.2.5).
    pub fn judge(&mut self, response: &Message<'_>, attempt: Attempt) -> Verdict {
        let is_error = response.class() == Class::ErrorResponse;
        let error = response.get::<ErrorCode<'_>>().ok().flatten().filter(|_| is_error);
        match error.map(|error| error.code) {
            Some(code @ (401 | 438)) => match self.challenged(response, attempt, code) {
                Ok(()) => Verdict::Retry,
                Err(failure) => Verdict::Fail(failure),
            },
            code => self.answered(response, attempt, code),
        }
    }

    /// Whether the server has challenged this client yet.
    #[must_use]
    pub const fn is_challenged(&self) -> bool {
        self.session.is_some()
    }

    fn challenged(
        &mut self,
        response: &Message<'_>,
        attempt: Attempt,
        code: u16,
    ) -> Result<(), AuthFailure> {
        let challenge = self.read_challenge(response)?;
        let is_current = attempt == Attempt(self.generation) && attempt != Attempt(0);
        let same_realm =
            self.session.as_ref().is_some_and(|session| session.realm == challenge.realm);
        if code == 401 && is_current && same_realm {
            return Err(AuthFailure::Refused);
        }
        if attempt != Attempt(self.generation) {
            // An answer to an older request: what came after it is newer than this challenge.
            return Ok(());
        }
        self.streak += 1;
        if self.streak > PATIENCE {
            return Err(AuthFailure::Endless(PATIENCE));
        }
        self.generation = self.generation.wrapping_add(1).max(1);
        self.session = Some(challenge);
        Ok(())
    }

    fn answered(&mut self, response: &Message<'_>, attempt: Attempt, code: Option<u16>) -> Verdict {
        if is_bid_down(response) {
            return Verdict::Discard;
        }
        let Some(session) = self.session.as_ref().filter(|_| attempt != Attempt(0)) else {
            // Without credentials there is nothing to verify. A 400 or a 300 that cannot be verified
            // may be anybody's, and would do harm.
            return match code {
                Some(300 | 400) => Verdict::Discard,
                _ => Verdict::Accept,
            };
        };
        match session.seal.verify(response, &session.key) {
            Ok(()) => {
                self.streak = 0;
                Verdict::Accept
            }
            Err(_) => Verdict::Discard,
        }
    }

    fn read_challenge(&self, response: &Message<'_>) -> Result<Session, AuthFailure> {
        let previous = self.session.as_ref();
        let realm = response.get::<Realm<'_>>().map_err(|_| AuthFailure::Incomplete)?;
        // Servers older than RFC 8489 may leave the realm out of a 438.
        let realm = realm.map(|realm| realm.0).or(previous.map(|session| session.realm.as_str()));
        let nonce = response.get::<Nonce<'_>>().map_err(|_| AuthFailure::Incomplete)?;
        let (Some(realm), Some(Nonce(nonce))) = (realm, nonce) else {
            return Err(AuthFailure::Incomplete);
        };
        if is_bid_down(response) {
            return Err(AuthFailure::BidDown);
        }
        let offer = match response.get::<PasswordAlgorithms<'_>>() {
            Ok(None) => None,
            Ok(Some(list)) => {
                let known = [Algorithm::SHA256, Algorithm::MD5];
                let chosen = list.iter().find(|algorithm| known.contains(algorithm));
                Some((list.as_bytes().to_vec(), chosen.ok_or(AuthFailure::NoAlgorithm)?))
            }
            Err(_) => return Err(AuthFailure::Incomplete),
        };
        let algorithm = offer.as_ref().map_or(Algorithm::MD5, |(_, algorithm)| *algorithm);
        let wants_hash =
            SecurityFeatures::of_nonce(nonce).is_some_and(|features| features.username_anonymity);
        Ok(Session {
            realm: realm.into(),
            nonce: nonce.into(),
            // "If the response contains a PASSWORD-ALGORITHMS attribute, all the subsequent requests
            // MUST be authenticated using MESSAGE-INTEGRITY-SHA256 only."
            seal: if offer.is_some() { Seal::Sha256 } else { Seal::Sha1 },
            offer,
            userhash: wants_hash.then(|| self.credentials.userhash(realm)),
            key: self.credentials.key(realm, algorithm).ok_or(AuthFailure::NoAlgorithm)?,
        })
    }
}

/// Whether the nonce announces PASSWORD-ALGORITHMS that are not there.
fn is_bid_down(response: &Message<'_>) -> bool {
    let Ok(Some(Nonce(nonce))) = response.get() else { return false };
    let announces =
        SecurityFeatures::of_nonce(nonce).is_some_and(|features| features.password_algorithms);
    announces && response.raw(PasswordAlgorithms::KIND).is_none()
}
