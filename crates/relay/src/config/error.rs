use std::net::{IpAddr, SocketAddr};

use pinhole_turn::policy::Range;

use super::FileError;
use super::check::WORDS;
use super::settings::place;

/// Why settings make no server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Nobody could use it.
    #[error(
        "{0} can be reached from elsewhere, but there is neither a user nor a secret nor a key of tokens: nobody could use it"
    )]
    Nobody(SocketAddr),
    /// The address to relay from cannot be guessed.
    #[error("say with relay-ip on which address to open relayed addresses: {0} is no single one")]
    RelayIp(IpAddr),
    /// One address for each family, of what is named first.
    #[error("{0} has two addresses of one family, {1} and {2}")]
    TwoOfAFamily(&'static str, IpAddr, IpAddr),
    /// Nothing could be bound to it, or reached at it.
    #[error("{0} {1} is no address of a machine")]
    Nowhere(&'static str, IpAddr),
    /// An external address without a relay address of its family.
    #[error("external-ip {0} has no relay-ip of its family")]
    External(IpAddr),
    /// Each listener would get what is another one's.
    #[error("{0} is listened at twice")]
    Twice(SocketAddr),
    /// A rule that opens everything.
    #[error(
        "allow-peer {0} opens addresses of all kinds, this machine's and its network's among them; \
         if that is meant, say open-relay = \"{WORDS}\""
    )]
    OpenRelay(Range),
    /// Other words than those.
    #[error("open-relay has to be \"{WORDS}\", or nothing")]
    OtherWords,
    /// A certificate without its key.
    #[error("certificate and key belong together, and the key is missing")]
    NoKey,
    /// A key without its certificate.
    #[error("certificate and key belong together, and the certificate is missing")]
    LoneKey,
    /// No certificate for TLS.
    #[error("tls-listen {0} needs a certificate and its key")]
    NoCertificate(SocketAddr),
    /// One name, two passwords.
    #[error("user {0} is there twice")]
    TwoUsers(String),
    /// Hashes of names that nobody can list.
    #[error(
        "username-anonymity is for a list of users: there has to be one, and neither a secret nor a key of tokens"
    )]
    Anonymity,
    /// Clients cannot be sent there.
    #[error("alternate {0} has no port")]
    NoPort(SocketAddr),
    /// A name without an address.
    #[error("alternate-domain names the server of alternate, which is missing")]
    NoAlternate,
    /// An empty text.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// A text that no message may carry.
    #[error("{0} has more than {1} characters")]
    Long(&'static str, usize),
    /// Characters that have no place in a name.
    #[error("{0} has characters that do not belong there")]
    Characters(&'static str),
    /// A number that the system has no place for.
    #[error("{0} is more than {1}")]
    Large(&'static str, usize),
    /// A number that lets nothing pass.
    #[error("{0} is zero")]
    Zero(&'static str),
}

impl ConfigError {
    /// The same error with its place in the text of a configuration file, if the file has the key that it is about.
    #[must_use]
    pub fn in_file(&self, text: &str) -> Option<FileError> {
        let table = toml::de::DeTable::parse(text).ok()?;
        let value = table.get_ref().get(self.key())?;
        Some(place(text, value.span().start, self.to_string()))
    }

    /// The key that it is about.
    const fn key(&self) -> &'static str {
        match self {
            Self::Nobody(_) | Self::RelayIp(_) | Self::Twice(_) => "listen",
            Self::External(_) => "external-ip",
            Self::OpenRelay(_) => "allow-peer",
            Self::OtherWords => "open-relay",
            Self::NoKey => "certificate",
            Self::LoneKey => "key",
            Self::NoCertificate(_) => "tls-listen",
            Self::TwoUsers(_) => "user",
            Self::Anonymity => "username-anonymity",
            Self::NoPort(_) => "alternate",
            Self::NoAlternate => "alternate-domain",
            Self::TwoOfAFamily(key, ..)
            | Self::Nowhere(key, _)
            | Self::Empty(key)
            | Self::Long(key, _)
            | Self::Large(key, _)
            | Self::Characters(key)
            | Self::Zero(key) => key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    /// Where the configuration is wrong, and why.
    fn wrong(text: &str) -> (usize, usize, String) {
        let error = Settings::from_toml(text).unwrap().resolve().err().expect(text);
        let FileError { line, column, message } = error.in_file(text).expect(text);
        (line, column, message)
    }

    #[test]
    fn a_contradiction_has_a_place_too() {
        for (text, line, column, message) in [
            ("realm = \"\"", 1, 9, "realm is empty"),
            ("\n\nmax-allocations = 0", 3, 19, "max-allocations is zero"),
            ("user = [\"a:b\", \"a:c\"]", 1, 8, "user a is there twice"),
            ("username-anonymity = true", 1, 22, "is for a list of users"),
            (
                "user = [\"a:b\"]\nsecret = [\"c\"]\nusername-anonymity = true",
                3,
                22,
                "nor a key of",
            ),
            ("external-ip = [\"9.9.9.9\", \"stun:a.b\", \"9.9.9.8\"]", 1, 15, "two addresses"),
            ("external-ip = [\"::\"]", 1, 15, "external-ip :: is no address of a machine"),
            ("external-ip = [\"2606::1\"]", 1, 15, "has no relay-ip of its family"),
            ("relay-ip = [\"224.0.0.1\"]", 1, 12, "relay-ip 224.0.0.1 is no address of a machine"),
            (
                "listen = [\"127.0.0.1:5\", \"127.0.0.1:5\"]",
                1,
                10,
                "127.0.0.1:5 is listened at twice",
            ),
            ("open-relay = \"yes\"", 1, 14, "open-relay has to be"),
            ("certificate = \"a\"", 1, 15, "the key is missing"),
            ("  key = \"a\"", 1, 9, "the certificate is missing"),
            ("tls-listen = [\"127.0.0.1:5\"]", 1, 14, "needs a certificate"),
            ("alternate = [\"9.9.9.9:0\"]", 1, 13, "9.9.9.9:0 has no port"),
            ("alternate = [\"0.0.0.0:1\"]", 1, 13, "alternate 0.0.0.0 is no address"),
            ("alternate-domain = \"a.b\"", 1, 20, "which is missing"),
            ("realm = \"a\\u0007\"", 1, 9, "realm has characters"),
            ("relay-buffer = 0", 1, 16, "relay-buffer is zero"),
            ("relay-buffer = 5_000_000_000", 1, 16, "relay-buffer is more than 1073741823"),
            ("listen = [\"9.9.9.9:1\"]", 1, 10, "nobody could use it"),
            ("allow-peer = [\"0.0.0.0/0\"]", 1, 14, "opens addresses of all kinds"),
        ] {
            let (at, from, told) = wrong(text);
            assert_eq!((at, from), (line, column), "{text}: {told}");
            assert!(told.contains(message), "{text}: {told}");
        }
    }

    /// RFC 8489 §14.9: "fewer than 128 characters"; a challenge that cannot be written is none.
    #[test]
    fn texts_that_no_message_may_carry_are_refused() {
        for (key, most) in [("realm", 127), ("server-name", 255)] {
            let text = |length| format!("{key} = \"{}\"", "x".repeat(length));
            assert!(Settings::from_toml(&text(most)).unwrap().resolve().is_ok(), "{key}");
            assert_eq!(wrong(&text(most + 1)).2, format!("{key} has more than {most} characters"));
        }
    }

    #[test]
    fn a_flag_has_no_place() {
        let flags = Settings { max_allocations: Some(0), ..Settings::default() };
        let error = flags.resolve().err().unwrap();
        assert_eq!(error.in_file("realm = \"here\"\n"), None);
    }
}
