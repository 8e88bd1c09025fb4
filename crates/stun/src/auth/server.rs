use alloc::string::String;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use pinhole_sansio::Instant;

use super::{NonceKeys, Seal, SecurityFeatures};
use crate::attribute::{
    Algorithm, ErrorCode, Nonce, PasswordAlgorithm, PasswordAlgorithms, Realm, UserHash, Username,
};
use crate::integrity::IntegrityKey;
use crate::message::Message;
use crate::response;
use crate::writer::{MessageWriter, WriteError};

/// The server's side of the long-term mechanism (RFC 8489 §9.2.4).
///
/// It keeps nothing about any client, so one value serves any number of them, from any thread.
#[derive(Clone)]
pub struct LongTermServer {
    realm: String,
    nonces: NonceKeys,
    offer: Offer,
    anonymity: bool,
    /// Stands in for the key of a user who does not exist, so that it takes as long to refuse him as
    /// to refuse a wrong password.
    decoy: IntegrityKey,
}

/// Which password algorithms a server offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Offer {
    /// None: MD5, as servers older than RFC 8489.
    Md5,
    /// SHA-256, or MD5 for clients that know nothing else.
    #[default]
    Sha256AndMd5,
    /// SHA-256 only: older clients cannot log in.
    Sha256,
}

impl Offer {
    /// The attribute that makes the offer.
    #[must_use]
    pub const fn attribute(self) -> Option<PasswordAlgorithms<'static>> {
        match self {
            Self::Md5 => None,
            Self::Sha256AndMd5 => Some(PasswordAlgorithms::SHA256_AND_MD5),
            Self::Sha256 => Some(PasswordAlgorithms::SHA256),
        }
    }
}

/// A user as a request names him.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User<'a> {
    /// By USERNAME.
    Name(&'a str),
    /// By USERHASH; see [`userhash`](crate::userhash).
    Hash(&'a [u8; 32]),
}

/// Where a server looks up its users.
pub trait Realms {
    /// The user's key for this algorithm in this realm, or `None` if there is no such user.
    ///
    /// Keep prepared keys: deriving one for each request costs more than checking the request.
    fn key(&self, realm: &str, user: User<'_>, algorithm: Algorithm) -> Option<IntegrityKey>;
}

/// A request whose sender is known.
#[derive(Clone, Debug)]
pub struct Authenticated {
    key: IntegrityKey,
    seal: Seal,
}

impl Authenticated {
    /// Adds the integrity attribute that the response must carry (RFC 8489 §9.2.4).
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn seal(&self, writer: &mut MessageWriter<'_>) -> Result<(), WriteError> {
        self.seal.write(writer, &self.key)
    }

    /// The user's key.
    #[must_use]
    pub const fn key(&self) -> &IntegrityKey {
        &self.key
    }
}

/// Why a request is refused. None of these answers carries integrity (RFC 8489 §9.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// 401, with a challenge: no credentials yet, an unknown user, or a wrong password.
    #[error("401: the request does not carry the right credentials")]
    Unauthenticated,
    /// 400: credentials that are incomplete, or that contradict the offer.
    #[error("400: the credentials are incomplete or contradict the offer")]
    BadRequest,
    /// 438, with a challenge: the right password, but not a valid nonce of this client's.
    #[error("438: the nonce is stale")]
    StaleNonce,
}

impl LongTermServer {
    /// A server in this realm, whose nonces live this long. A realm of at most eight bytes keeps a 401
    /// as small as it can be.
    #[must_use]
    pub fn new(realm: &str, seed: [u8; 32], nonce_lifetime: Duration) -> Self {
        Self {
            realm: realm.into(),
            nonces: NonceKeys::new(seed, nonce_lifetime),
            offer: Offer::default(),
            anonymity: false,
            decoy: IntegrityKey::new(&seed),
        }
    }

    /// Offers other password algorithms than [`Offer::Sha256AndMd5`].
    #[must_use]
    pub fn with_offer(self, offer: Offer) -> Self {
        Self { offer, ..self }
    }

    /// Wants USERHASH instead of USERNAME from clients that can.
    #[must_use]
    pub fn with_anonymity(self) -> Self {
        Self { anonymity: true, ..self }
    }

    /// Checks a request, in the order of RFC 8489 §9.2.4.
    ///
    /// # Errors
    /// [`Rejection`]: answer with [`LongTermServer::reject`].
    pub fn authenticate(
        &self,
        request: &Message<'_>,
        client: SocketAddr,
        users: &impl Realms,
        now: Instant,
    ) -> Result<Authenticated, Rejection> {
        let seal = Seal::of(request).ok_or(Rejection::Unauthenticated)?;
        let realm = required::<Realm<'_>>(request)?;
        let nonce = required::<Nonce<'_>>(request)?;
        let hash = request.get::<UserHash>().map_err(|_| Rejection::BadRequest)?;
        let user = match &hash {
            Some(UserHash(hash)) => User::Hash(hash),
            None => User::Name(required::<Username<'_>>(request)?.0),
        };
        let chosen = self.chosen_algorithm(request)?;
        let algorithm = chosen.unwrap_or(Algorithm::MD5);
        let may_use = self.offer != Offer::Sha256 || algorithm == Algorithm::SHA256;
        let key = users.key(realm.0, user, algorithm).filter(|_| may_use && realm.0 == self.realm);

        let is_right = seal.verify(request, key.as_ref().unwrap_or(&self.decoy)).is_ok();
        let Some(key) = key.filter(|_| is_right) else { return Err(Rejection::Unauthenticated) };
        if !self.nonces.check(nonce.0, client, now) {
            return Err(Rejection::StaleNonce);
        }
        let seal = if chosen.is_some() { Seal::Sha256 } else { Seal::Sha1 };
        Ok(Authenticated { key, seal })
    }

    /// Begins the answer to a request that was refused; the caller may add SOFTWARE and FINGERPRINT.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn reject<'b>(
        &self,
        rejection: Rejection,
        request: &Message<'_>,
        client: SocketAddr,
        now: Instant,
        buffer: &'b mut [u8],
    ) -> Result<MessageWriter<'b>, WriteError> {
        let code = match rejection {
            Rejection::Unauthenticated => 401,
            Rejection::BadRequest => 400,
            Rejection::StaleNonce => 438,
        };
        let mut writer = response::error(request, ErrorCode::bare(code), buffer)?;
        if rejection != Rejection::BadRequest {
            self.challenge(client, now, &mut writer)?;
        }
        Ok(writer)
    }

    /// The realm.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The algorithm that the request names, if it names one; both attributes have to be there, the list
    /// as it was offered, and the choice from it.
    fn chosen_algorithm(&self, request: &Message<'_>) -> Result<Option<Algorithm>, Rejection> {
        let Some(offered) = self.offer.attribute() else { return Ok(None) };
        let bad = |_| Rejection::BadRequest;
        let list = request.get::<PasswordAlgorithms<'_>>().map_err(bad)?;
        let choice = request.get::<PasswordAlgorithm>().map_err(bad)?;
        match (list, choice) {
            (None, None) => Ok(None),
            (Some(list), Some(PasswordAlgorithm(choice)))
                if list == offered && list.iter().any(|algorithm| algorithm == choice) =>
            {
                Ok(Some(choice))
            }
            _ => Err(Rejection::BadRequest),
        }
    }

    fn challenge(
        &self,
        client: SocketAddr,
        now: Instant,
        writer: &mut MessageWriter<'_>,
    ) -> Result<(), WriteError> {
        let offered = self.offer.attribute();
        let features = SecurityFeatures {
            password_algorithms: offered.is_some(),
            username_anonymity: self.anonymity,
        };
        let nonce = self.nonces.issue(client, features, now);
        writer.attribute(&Realm(&self.realm))?.attribute(&Nonce(nonce.as_str()))?;
        if let Some(offered) = offered {
            writer.attribute(&offered)?;
        }
        Ok(())
    }
}

impl fmt::Debug for LongTermServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LongTermServer({:?}, {:?})", self.realm, self.offer)
    }
}

fn required<'a, A: crate::attribute::Attribute<'a>>(message: &Message<'a>) -> Result<A, Rejection> {
    message.get().ok().flatten().ok_or(Rejection::BadRequest)
}
