//! Who the client is to a server: by his password, or by a token of an authorization server (RFC 7635).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use pinhole_stun::attribute::{
    AccessToken, Algorithm, Attribute, ErrorCode, Nonce, PasswordAlgorithm, PasswordAlgorithms,
    Realm, ThirdPartyAuthorization, Username,
};
use pinhole_stun::auth::{self, AuthFailure, LongTermClient, Seal, SecurityFeatures, Verdict};
use pinhole_stun::{Class, IntegrityKey, Message, MessageWriter, RawAttribute, WriteError};

use super::Config;

/// What an authorization server has given the client, for the server that
/// [`Client::server_name`](super::Client::server_name) tells (RFC 7635 §3).
#[derive(Clone)]
pub struct Token {
    /// The name of the key that the token is encrypted with, its `kid`.
    pub key_name: String,
    /// The token, which the client cannot read; decoded, if it came as base64.
    pub token: Vec<u8>,
    /// The session's key.
    pub key: IntegrityKey,
}

impl fmt::Debug for Token {
    /// No secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({:?}, {} bytes)", self.key_name, self.token.len())
    }
}

/// One path's conversation about who the client is.
#[derive(Clone, Debug)]
pub(super) struct Auth {
    password: LongTermClient,
    bearer: Option<Bearer>,
    /// What the server calls itself, if it takes tokens.
    server_name: Option<Vec<u8>>,
}

/// A client with a token.
#[derive(Clone, Debug)]
struct Bearer {
    /// The token in use, and how many there were before.
    token: Token,
    serial: u32,
    /// The one before, with whose key answers may still come.
    previous: Option<Token>,
    /// The one that takes its place as soon as the server has accepted it.
    next: Option<Token>,
    challenge: Option<Challenge>,
    /// How many challenges have been taken over, and how many of them since the last success.
    generation: u32,
    streak: u32,
}

#[derive(Clone, Debug)]
struct Challenge {
    realm: String,
    nonce: String,
    /// PASSWORD-ALGORITHMS as received, and what is chosen from it, although no password is hashed.
    offer: Option<(Vec<u8>, Algorithm)>,
}

/// With which challenge, and which token, in mind a request was written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Attempt {
    Password(auth::Attempt),
    Token { generation: u32, serial: u32 },
}

/// How many challenges in a row a client answers.
const PATIENCE: u32 = 4;

impl Auth {
    pub(super) fn new(config: &Config) -> Self {
        let password = LongTermClient::new(config.credentials.clone());
        let bearer = config.token.clone().map(Bearer::new);
        Self { password, bearer, server_name: None }
    }

    /// Adds what authenticates a request. "The TURN client MUST include the ACCESS-TOKEN attribute only in
    /// Allocate and Refresh requests" (RFC 7635 §9).
    pub(super) fn authorize(
        &self,
        shows_token: bool,
        writer: &mut MessageWriter<'_>,
    ) -> Result<Attempt, WriteError> {
        let bearer = self.bearer.as_ref();
        let challenged = bearer.and_then(|bearer| Some((bearer, bearer.challenge.as_ref()?)));
        match challenged {
            Some((bearer, challenge)) => bearer.authorize(challenge, shows_token, writer),
            None => self.password.authorize(writer).map(Attempt::Password),
        }
    }

    /// Judges a response to the request that was written in this attempt.
    pub(super) fn judge(&mut self, response: &Message<'_>, attempt: Attempt) -> Verdict {
        let is_error = response.class() == Class::ErrorResponse;
        let error = response.get::<ErrorCode<'_>>().ok().flatten().filter(|_| is_error);
        let code = error.map(|error| error.code);
        let name = response.raw(ThirdPartyAuthorization::KIND).filter(|_| code == Some(401));
        self.server_name = name.map(Vec::from).or(self.server_name.take());
        match (attempt, &mut self.bearer) {
            (Attempt::Token { generation, serial }, Some(bearer)) => match code {
                Some(code @ (401 | 438)) => bearer.challenged(response, generation, serial, code),
                _ => bearer.answered(response, serial),
            },
            // "it MUST ensure that third-party authorization takes precedence" (§6.1)
            (Attempt::Password(_), Some(bearer)) if name.is_some() => bearer.begin(response),
            (Attempt::Password(attempt), _) => self.password.judge(response, attempt),
            (Attempt::Token { .. }, None) => Verdict::Discard,
        }
    }

    /// The client has another token from now on.
    pub(super) fn set_token(&mut self, token: Token) {
        match &mut self.bearer {
            Some(bearer) if bearer.challenge.is_some() => bearer.next = Some(token),
            bearer => *bearer = Some(Bearer::new(token)),
        }
    }

    pub(super) fn server_name(&self) -> Option<&[u8]> {
        self.server_name.as_deref()
    }
}

impl Bearer {
    const fn new(token: Token) -> Self {
        Self {
            token,
            serial: 0,
            previous: None,
            next: None,
            challenge: None,
            generation: 0,
            streak: 0,
        }
    }

    fn authorize(
        &self,
        challenge: &Challenge,
        shows_token: bool,
        writer: &mut MessageWriter<'_>,
    ) -> Result<Attempt, WriteError> {
        let (token, serial) = match &self.next {
            Some(next) if shows_token => (next, self.serial.wrapping_add(1)),
            _ => (&self.token, self.serial),
        };
        writer.attribute(&Username(&token.key_name))?;
        writer.attribute(&Realm(&challenge.realm))?.attribute(&Nonce(&challenge.nonce))?;
        if let Some((list, algorithm)) = &challenge.offer {
            let list = RawAttribute { kind: PasswordAlgorithms::KIND, value: list };
            writer.attribute(&list)?.attribute(&PasswordAlgorithm(*algorithm))?;
        }
        if shows_token {
            writer.attribute(&AccessToken(&token.token))?;
        }
        challenge.seal().write(writer, &token.key)?;
        Ok(Attempt::Token { generation: self.generation, serial })
    }

    /// The first challenge that asks for a token.
    fn begin(&mut self, response: &Message<'_>) -> Verdict {
        match Challenge::read(response, None) {
            Ok(challenge) => {
                self.challenge = Some(challenge);
                self.generation = self.generation.wrapping_add(1);
                Verdict::Retry
            }
            Err(failure) => Verdict::Fail(failure),
        }
    }

    fn challenged(
        &mut self,
        response: &Message<'_>,
        generation: u32,
        serial: u32,
        code: u16,
    ) -> Verdict {
        let newest = self.serial.wrapping_add(u32::from(self.next.is_some()));
        if code == 401 && generation == self.generation && serial == newest {
            return Verdict::Fail(AuthFailure::Refused);
        }
        if generation != self.generation {
            // An answer to an older request: what came after it is newer than this challenge.
            return Verdict::Retry;
        }
        self.streak += 1;
        if self.streak > PATIENCE {
            return Verdict::Fail(AuthFailure::Endless(PATIENCE));
        }
        match Challenge::read(response, self.challenge.as_ref()) {
            Ok(challenge) => {
                self.challenge = Some(challenge);
                self.generation = self.generation.wrapping_add(1);
                Verdict::Retry
            }
            Err(failure) => Verdict::Fail(failure),
        }
    }

    /// "If MESSAGE-INTEGRITY is absent or the value computed for message integrity using mac_key does not
    /// match [...] then the response MUST be discarded" (RFC 7635 §8).
    fn answered(&mut self, response: &Message<'_>, serial: u32) -> Verdict {
        let is_next = serial == self.serial.wrapping_add(1);
        let token = if is_next {
            self.next.as_ref()
        } else if serial == self.serial {
            Some(&self.token)
        } else {
            self.previous.as_ref()
        };
        let (Some(token), Some(challenge)) = (token, &self.challenge) else {
            return Verdict::Discard;
        };
        if challenge.seal().verify(response, &token.key).is_err() {
            return Verdict::Discard;
        }
        self.streak = 0;
        if is_next
            && response.class() == Class::SuccessResponse
            && let Some(next) = self.next.take()
        {
            self.previous = Some(core::mem::replace(&mut self.token, next));
            self.serial = serial;
        }
        Verdict::Accept
    }
}

impl Challenge {
    fn read(response: &Message<'_>, previous: Option<&Self>) -> Result<Self, AuthFailure> {
        let incomplete = |_| AuthFailure::Incomplete;
        let realm = response.get::<Realm<'_>>().map_err(incomplete)?.map(|realm| realm.0);
        let realm = realm.or(previous.map(|previous| previous.realm.as_str()));
        let nonce = response.get::<Nonce<'_>>().map_err(incomplete)?;
        let (Some(realm), Some(Nonce(nonce))) = (realm, nonce) else {
            return Err(AuthFailure::Incomplete);
        };
        let list = response.get::<PasswordAlgorithms<'_>>().map_err(incomplete)?;
        let announces = SecurityFeatures::of_nonce(nonce).is_some_and(|it| it.password_algorithms);
        if announces && list.is_none() {
            return Err(AuthFailure::BidDown);
        }
        let known = [Algorithm::SHA256, Algorithm::MD5];
        let offer = list.map(|list| {
            let chosen = list.iter().find(|algorithm| known.contains(algorithm));
            Some((list.as_bytes().to_vec(), chosen?))
        });
        let offer = match offer {
            Some(None) => return Err(AuthFailure::NoAlgorithm),
            Some(offer) => offer,
            None => None,
        };
        Ok(Self { realm: realm.into(), nonce: nonce.into(), offer })
    }

    /// As with passwords (RFC 8489 §9.2.5).
    const fn seal(&self) -> Seal {
        if self.offer.is_some() { Seal::Sha256 } else { Seal::Sha1 }
    }
}
