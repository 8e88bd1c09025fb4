//! Third-party authorization (RFC 7635): clients that show a token in place of a password.

use alloc::boxed::Box;

use pinhole_sansio::{FiveTuple, Instant, Payload};
use pinhole_stun::attribute::{
    AccessToken, Algorithm, Attribute, ThirdPartyAuthorization, Username,
};
use pinhole_stun::auth::{Authenticated, Realms, Rejection, User};
use pinhole_stun::{AttributeType, IntegrityKey, Message, MessageWriter, WriteError, response};

use super::refusal::Refusal;
use super::request::Request;
use super::{Account, DropReason, Received, Server, Users};
use crate::attribute::ConnectionId;

/// Who a token has let in. His requests without a token are verified with its key.
#[derive(Clone, Debug)]
pub(super) struct Bearer {
    /// The name of the key that the token was encrypted with, which USERNAME bears.
    key_name: Box<str>,
    pub(super) account: Account,
}

impl Realms for Bearer {
    /// The session's key, as it is: "do not perform MD5 hash on the credentials" (RFC 7635 §5).
    fn key(&self, _: &str, user: User<'_>, _: Algorithm) -> Option<IntegrityKey> {
        (user == User::Name(&self.key_name)).then(|| self.account.key.clone())
    }
}

impl<U: Users> Server<U> {
    /// Who a request is from, if it has a token, or if its sender has an allocation that he got with one.
    pub(super) fn authenticate_bearer(
        &self,
        message: &Message<'_>,
        client: FiveTuple,
        now: Instant,
    ) -> Option<Result<(Authenticated, Bearer), Rejection>> {
        let Username(name) = message.get().ok()??;
        let bearer = if let Some(token) = message.raw(AccessToken::KIND) {
            let account = self.users.bearer(name, token, self.unix_time(now));
            let Some(account) = account else { return Some(Err(Rejection::Unauthenticated)) };
            Bearer { key_name: name.into(), account }
        } else {
            self.known_bearer(message, client).filter(|known| *known.key_name == *name)?.clone()
        };
        let authenticated = self.auth.authenticate(message, client.remote, &bearer, now);
        Some(authenticated.map(|authenticated| (authenticated, bearer)))
    }

    /// The bearer whose allocation this path, or this data connection (RFC 6062 §4.3), leads to.
    fn known_bearer(&self, message: &Message<'_>, client: FiveTuple) -> Option<&Bearer> {
        let key = self.by_client.get(&client).or_else(|| {
            let id: ConnectionId = message.get().ok()??;
            self.connections.allocation_of(id)
        });
        self.allocations.get(key?)?.bearer.as_deref()
    }

    /// "The client MUST use the new token to refresh existing allocations" (RFC 7635 §9): it takes the place
    /// of the one that the allocation was made with, and the allocation is charged to it.
    pub(super) fn take_token(
        &mut self,
        request: &Request<'_>,
        now: Instant,
    ) -> Result<(), Refusal> {
        let client = request.reply.client;
        let Some(shown) = &request.bearer else { return Ok(()) };
        let Some(key) = self.by_client.get(&client) else { return Ok(()) };
        let Some(allocation) = self.allocations.get(key) else { return Ok(()) };
        let known = allocation.bearer.as_ref();
        if known.is_none_or(|known| known.key_name != shown.key_name) {
            return Ok(());
        }
        let is_same = allocation.is_of(&shown.account);
        let owner =
            if is_same { None } else { Some(self.charge(&shown.account, client, 1, now)?) };
        let Some(allocation) = self.allocations.get_mut(key) else { return Ok(()) };
        allocation.bearer = Some(Box::new(shown.clone()));
        if let Some(owner) = owner {
            let before = core::mem::replace(&mut allocation.owner, owner);
            self.quota.discharge(before.holder(), 1);
        }
        Ok(())
    }

    /// Adds to a challenge where tokens are taken.
    pub(super) fn announce(&self, writer: &mut MessageWriter<'_>) -> Result<(), WriteError> {
        match self.users.server_name() {
            Some(name) => writer.attribute(&ThirdPartyAuthorization(name.as_bytes())).map(drop),
            None => Ok(()),
        }
    }

    /// "If a STUN server receives an ACCESS-TOKEN attribute unexpectedly [...] it will respond with an error
    /// code of 420" (RFC 7635 §7).
    pub(super) fn refuse_token(
        &mut self,
        message: &Message<'_>,
        client: FiveTuple,
        now: Instant,
    ) -> Received {
        if !self.may_answer(client, now) {
            return Received::Dropped(DropReason::RateLimited);
        }
        let mut buffer = [0; 128];
        let unknown = core::iter::once(AttributeType::ACCESS_TOKEN);
        let written = response::unknown_attributes(message, unknown, &mut buffer)
            .map(|writer| Payload::from(writer.finish()));
        self.send(client, written);
        Received::Handled
    }
}

#[cfg(feature = "third-party")]
pub use tokens::AccessTokens;

#[cfg(feature = "third-party")]
mod tokens {
    use alloc::collections::BTreeMap;
    use alloc::format;
    use alloc::string::String;
    use alloc::sync::Arc;
    use alloc::vec::Vec;
    use core::time::Duration;

    use pinhole_stun::third_party::TokenKey;

    use super::super::{Account, Query, Users};

    /// Lets in whoever shows a self-contained token of an authorization server (RFC 7635 §6.2).
    ///
    /// A token names no user, and an authorization server gives one user one token at a time. So the owner of an
    /// allocation, whose quota it counts against, is the token: the name of its key, and its nonce. Who collects
    /// tokens is held by the quotas of his network and of the server.
    #[derive(Clone, Debug)]
    pub struct AccessTokens {
        server_name: Arc<str>,
        keys: BTreeMap<String, TokenKey>,
    }

    /// "The RECOMMENDED value for the allowed Delta is 5 seconds" (RFC 7635 §9).
    const DELTA: Duration = Duration::from_secs(5);
    /// Where in a token the nonce is (RFC 7635 §6.2).
    const NONCE: core::ops::Range<usize> = 2..14;

    impl AccessTokens {
        /// For the server of this name, with no keys yet.
        #[must_use]
        pub fn new(server_name: &str) -> Self {
            Self { server_name: server_name.into(), keys: BTreeMap::new() }
        }

        /// Adds a key by its name, the `kid`, which clients send as USERNAME.
        #[must_use]
        pub fn with(mut self, name: &str, key: TokenKey) -> Self {
            self.keys.insert(name.into(), key);
            self
        }
    }

    impl Users for AccessTokens {
        /// Nobody has a password.
        fn accounts(&self, _: Query<'_>) -> Vec<Account> {
            Vec::new()
        }

        fn server_name(&self) -> Option<Arc<str>> {
            (!self.keys.is_empty()).then(|| Arc::clone(&self.server_name))
        }

        fn bearer(&self, key: &str, token: &[u8], unix_time: Duration) -> Option<Account> {
            let nonce = token.get(NONCE)?;
            let opened = self.keys.get(key)?.open(token, &self.server_name).ok()?;
            if !opened.is_valid(unix_time) {
                return None;
            }
            let nonce: String = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
            // "lifetime + Delta - abs(RDnew - TS)", and "less than or equal to the lifetime of the token".
            let left =
                (opened.lifetime() + DELTA).checked_sub(unix_time.abs_diff(opened.issued()))?;
            let left = left.min(opened.lifetime());
            let (key, owner) = (opened.key().clone(), format!("{key}/{nonce}"));
            Some(Account { owner, key, expires: Some(unix_time + left) })
        }
    }
}
