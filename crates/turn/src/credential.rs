//! Credentials that a web application hands out and that expire by themselves: the "TURN REST" form.
//!
//! The user name is the time of expiry in Unix seconds, and, after a colon, whatever the application
//! calls its user; the password is the base64 of an HMAC-SHA1 over the user name, with a secret that
//! the application and the server share. So the server needs no table of users.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// A secret that is shared with the application that hands out credentials.
#[derive(Clone)]
pub struct SharedSecret(Hmac<Sha1>);

/// A user name and password that are valid until a time that the name tells.
#[derive(Clone, PartialEq, Eq)]
pub struct TimeLimited {
    /// `expiry:user`, or `expiry` alone.
    pub username: String,
    /// The base64 of the HMAC.
    pub password: String,
}

/// The parts of a time-limited user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimitedName<'a> {
    /// When the credentials expire, since the Unix epoch.
    pub expires: Duration,
    /// What the application calls its user; empty if it says nothing.
    pub user: &'a str,
}

impl SharedSecret {
    /// The secret with these bytes.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of every length"))
    }

    /// Credentials for this user, which may be empty, that expire at this time since the Unix epoch.
    #[must_use]
    pub fn issue(&self, user: &str, expires: Duration) -> TimeLimited {
        let expires = expires.as_secs();
        let username = match user {
            "" => alloc::format!("{expires}"),
            user => alloc::format!("{expires}:{user}"),
        };
        TimeLimited { password: self.password(&username), username }
    }

    /// The password that belongs to this user name.
    #[must_use]
    pub fn password(&self, username: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(username.as_bytes());
        STANDARD.encode(mac.finalize().into_bytes())
    }
}

impl fmt::Debug for SharedSecret {
    /// Nothing of the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(..)")
    }
}

impl fmt::Debug for TimeLimited {
    /// The name only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TimeLimited({:?})", self.username)
    }
}

impl<'a> TimeLimitedName<'a> {
    /// Takes a user name apart; `None` if it does not begin with a time.
    #[must_use]
    pub fn parse(username: &'a str) -> Option<Self> {
        let (expires, user) = username.split_once(':').unwrap_or((username, ""));
        let is_number = !expires.is_empty() && expires.bytes().all(|byte| byte.is_ascii_digit());
        let expires = expires.parse().ok().filter(|_| is_number)?;
        Some(Self { expires: Duration::from_secs(expires), user })
    }
}

/// The secrets in force: the newest first, while older ones are being rotated out.
#[derive(Clone, Debug, Default)]
pub struct SharedSecrets(Vec<SharedSecret>);

impl SharedSecrets {
    /// Adds a secret that counts besides those that are there.
    #[must_use]
    pub fn with(mut self, secret: SharedSecret) -> Self {
        self.0.push(secret);
        self
    }

    /// When the credentials of this name expire, whom they are for, and the passwords that are good for
    /// them, one for each secret; `None` if the name has no time, or if that has come.
    #[must_use]
    pub fn passwords<'n>(
        &self,
        username: &'n str,
        unix_time: Duration,
    ) -> Option<(TimeLimitedName<'n>, impl Iterator<Item = String>)> {
        let name = TimeLimitedName::parse(username).filter(|name| unix_time < name.expires)?;
        Some((name, self.0.iter().map(move |secret| secret.password(username))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    const NOON: Duration = Duration::from_secs(1_700_000_000);

    #[test]
    fn the_password_is_the_hmac_of_the_name() {
        // printf 1700000000:alice | openssl dgst -sha1 -hmac north -binary | base64
        let issued = SharedSecret::new(b"north").issue("alice", NOON);
        assert_eq!(issued.username, "1700000000:alice");
        assert_eq!(issued.password, "Cd/49soE35ICqcJF/bCTn8Z4OyE=");
        assert_eq!(SharedSecret::new(b"north").issue("", NOON).username, "1700000000");
    }

    #[test]
    fn credentials_expire_at_their_time() {
        let secrets = SharedSecrets::default().with(SharedSecret::new(b"north"));
        let valid_at = |time| secrets.passwords("1700000000:alice", time).is_some();
        assert!(valid_at(NOON - Duration::from_nanos(1)));
        assert!(!valid_at(NOON));
    }

    #[test]
    fn every_secret_in_force_has_its_password() {
        let (old, new) = (SharedSecret::new(b"south"), SharedSecret::new(b"north"));
        let secrets = SharedSecrets::default().with(new.clone()).with(old.clone());
        let (name, passwords) = secrets.passwords("1700000000:a:b", Duration::ZERO).unwrap();
        assert_eq!(name, TimeLimitedName { expires: NOON, user: "a:b" });
        let expected = [new, old].map(|secret| secret.issue("a:b", NOON).password);
        assert_eq!(passwords.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_name_without_a_time_is_none() {
        for name in ["", ":", "alice", "alice:1700000000", "+17:a", "-1:a", "17 :a"] {
            assert_eq!(TimeLimitedName::parse(name), None, "{name}");
        }
        assert_eq!(TimeLimitedName::parse("99999999999999999999:a"), None, "beyond 64 bits");
    }

    #[test]
    fn debug_output_has_no_secret() {
        let secret = SharedSecret::new(b"north");
        let text = format!("{:?} {:?}", secret, secret.issue("alice", NOON));
        assert_eq!(text, "SharedSecret(..) TimeLimited(\"1700000000:alice\")");
    }
}
