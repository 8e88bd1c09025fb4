use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::time::Duration;

use pinhole_stun::attribute::Algorithm;
use pinhole_stun::auth::{Realms, User};
use pinhole_stun::{Credentials, IntegrityKey};

use crate::credential::SharedSecrets;

/// Where a server looks up its users.
pub trait Users {
    /// The accounts that this name may stand for. There is one at most, unless several passwords are
    /// good for the same name, while a secret is being rotated.
    fn accounts(&self, query: Query<'_>) -> Vec<Account>;

    /// The name that access tokens for this server are issued for, if it takes any: the value of
    /// THIRD-PARTY-AUTHORIZATION in its challenges (RFC 7635 §6.1).
    fn server_name(&self) -> Option<Arc<str>> {
        None
    }

    /// The account of whoever has been given this access token, which is encrypted with the key of this
    /// name; `None` if it is forged, has expired, or was issued for another server (RFC 7635 §7).
    fn bearer(&self, _key: &str, _token: &[u8], _unix_time: Duration) -> Option<Account> {
        None
    }
}

/// What is known about a user whose request has not been verified yet.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The server's realm.
    pub realm: &'a str,
    /// The user's name, or the hash of it.
    pub user: User<'a>,
    /// The algorithm of the key that is wanted.
    pub algorithm: Algorithm,
    /// The time since the Unix epoch.
    pub unix_time: Duration,
}

/// Somebody who may use the server.
#[derive(Clone, Debug)]
pub struct Account {
    /// Who owns allocations, and whose quota they count against.
    pub owner: String,
    /// What verifies the requests.
    pub key: IntegrityKey,
    /// When the credentials expire, since the Unix epoch.
    pub expires: Option<Duration>,
}

/// Users with names and passwords that stay.
#[derive(Clone, Debug, Default)]
pub struct StaticUsers {
    realm: String,
    by_name: BTreeMap<String, Keys>,
    names: BTreeMap<[u8; 32], String>,
}

#[derive(Clone, Debug)]
struct Keys {
    md5: Option<IntegrityKey>,
    sha256: Option<IntegrityKey>,
}

impl StaticUsers {
    /// Nobody yet, in this realm.
    #[must_use]
    pub fn new(realm: &str) -> Self {
        Self { realm: realm.into(), ..Self::default() }
    }

    /// Adds a user, or changes his password.
    #[must_use]
    pub fn with(mut self, credentials: &Credentials) -> Self {
        let name = credentials.username();
        let key = |algorithm| credentials.key(&self.realm, algorithm);
        let keys = Keys { md5: key(Algorithm::MD5), sha256: key(Algorithm::SHA256) };
        self.names.insert(credentials.userhash(&self.realm), name.into());
        self.by_name.insert(name.into(), keys);
        self
    }

    fn find(&self, query: Query<'_>) -> Option<Account> {
        let name = match query.user {
            User::Name(name) => name,
            User::Hash(hash) => self.names.get(hash)?,
        };
        let keys = self.by_name.get(name).filter(|_| query.realm == self.realm)?;
        let key = if query.algorithm == Algorithm::SHA256 { &keys.sha256 } else { &keys.md5 };
        Some(Account { owner: name.into(), key: key.clone()?, expires: None })
    }
}

impl Users for StaticUsers {
    fn accounts(&self, query: Query<'_>) -> Vec<Account> {
        self.find(query).into_iter().collect()
    }
}

impl Users for SharedSecrets {
    /// The owner is the user without the time, so that new credentials go on with old allocations. A
    /// hashed name cannot be looked up: there is no table of names.
    fn accounts(&self, query: Query<'_>) -> Vec<Account> {
        let User::Name(username) = query.user else { return Vec::new() };
        let Some((name, passwords)) = self.passwords(username, query.unix_time) else {
            return Vec::new();
        };
        let owner = if name.user.is_empty() { username } else { name.user };
        passwords
            .filter_map(|password| {
                let credentials = Credentials::new(username, &password).ok()?;
                let key = credentials.key(query.realm, query.algorithm)?;
                Some(Account { owner: owner.into(), key, expires: Some(name.expires) })
            })
            .collect()
    }
}

impl<A: Users, B: Users> Users for (A, B) {
    /// The accounts of both.
    fn accounts(&self, query: Query<'_>) -> Vec<Account> {
        let mut accounts = self.0.accounts(query);
        accounts.extend(self.1.accounts(query));
        accounts
    }

    fn server_name(&self) -> Option<Arc<str>> {
        self.0.server_name().or_else(|| self.1.server_name())
    }

    fn bearer(&self, key: &str, token: &[u8], unix_time: Duration) -> Option<Account> {
        let first = self.0.bearer(key, token, unix_time);
        first.or_else(|| self.1.bearer(key, token, unix_time))
    }
}

/// Offers one account after the other to a check that knows of one key at a time.
pub(super) struct Lookup<'u, U> {
    users: &'u U,
    unix_time: Duration,
    found: RefCell<Vec<Account>>,
    turn: Cell<usize>,
}

impl<'u, U: Users> Lookup<'u, U> {
    pub(super) const fn new(users: &'u U, unix_time: Duration) -> Self {
        Self { users, unix_time, found: RefCell::new(Vec::new()), turn: Cell::new(0) }
    }

    /// Goes on to the next account; false if there is none.
    pub(super) fn advance(&self) -> bool {
        self.turn.set(self.turn.get() + 1);
        self.turn.get() < self.found.borrow().len()
    }

    /// The account whose key was the right one.
    pub(super) fn finish(self) -> Option<Account> {
        self.found.into_inner().into_iter().nth(self.turn.get())
    }
}

impl<U: Users> Realms for Lookup<'_, U> {
    fn key(&self, realm: &str, user: User<'_>, algorithm: Algorithm) -> Option<IntegrityKey> {
        if self.turn.get() == 0 {
            let query = Query { realm, user, algorithm, unix_time: self.unix_time };
            *self.found.borrow_mut() = self.users.accounts(query);
        }
        self.found.borrow().get(self.turn.get()).map(|account| account.key.clone())
    }
}
