use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZero;
use std::path::PathBuf;
use std::str::FromStr;

use pinhole_turn::policy::Range;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::{ExternalIp, LogFormat, PortRange, SecretEntry, TokenKeyEntry, UserEntry};

/// What an operator has written: the keys of a configuration file, each of which is a flag too.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Addresses to serve UDP, TCP and TLS at.
    pub listen: Vec<SocketAddr>,
    /// Addresses to serve only TLS at.
    pub tls_listen: Vec<SocketAddr>,
    /// Addresses of this machine to open relayed addresses on.
    pub relay_ip: Vec<IpAddr>,
    /// What peers reach them at.
    #[serde(deserialize_with = "each_from_text")]
    pub external_ip: Vec<ExternalIp>,
    /// Ports of relayed addresses.
    #[serde(deserialize_with = "from_text")]
    pub relay_ports: Option<PortRange>,
    /// The realm.
    pub realm: Option<String>,
    /// Users with passwords.
    #[serde(deserialize_with = "each_from_text")]
    pub user: Vec<UserEntry>,
    /// Secrets of time-limited credentials, the newest first.
    #[serde(deserialize_with = "each_from_text")]
    pub secret: Vec<SecretEntry>,
    /// Keys of access tokens (RFC 7635).
    #[serde(deserialize_with = "each_from_text")]
    pub token_key: Vec<TokenKeyEntry>,
    /// The name that access tokens are issued for; the realm, if not told.
    pub server_name: Option<String>,
    /// Whether clients are asked for the hash of their name in its place (RFC 8489 §9.2.3.2).
    pub username_anonymity: Option<bool>,
    /// Peers to relay to beyond global addresses.
    #[serde(deserialize_with = "each_from_text")]
    pub allow_peer: Vec<Range>,
    /// Peers not to relay to, whatever else allows them.
    #[serde(deserialize_with = "each_from_text")]
    pub deny_peer: Vec<Range>,
    /// The words without which no rule may open all addresses.
    pub open_relay: Option<String>,
    /// The certificate chain: a PEM file.
    pub certificate: Option<PathBuf>,
    /// Its private key: a PEM file.
    pub key: Option<PathBuf>,
    /// Where metrics and health are told.
    pub metrics: Option<SocketAddr>,
    /// Threads that serve; as many as there are cores, if not told.
    pub workers: Option<NonZero<u8>>,
    /// Allocations at a time.
    pub max_allocations: Option<u32>,
    /// Allocations of one user at a time.
    pub max_allocations_per_user: Option<u32>,
    /// Allocations at a time from one network: an IPv4 /24, an IPv6 /48.
    pub max_allocations_per_network: Option<u32>,
    /// Bytes a second that one allocation may relay, both ways together.
    pub bandwidth: Option<u64>,
    /// Bytes a second that all allocations of one user may relay, both ways together.
    pub bandwidth_per_user: Option<u64>,
    /// Answers a second to one source that has not proved its address; zero for any number.
    pub answers_per_second: Option<u32>,
    /// Whether TCP is relayed (RFC 6062).
    pub tcp_relay: Option<bool>,
    /// Whether clients may take allocations along (RFC 8016).
    pub mobility: Option<bool>,
    /// Bytes that the kernel may keep for each relayed address.
    pub relay_buffer: Option<usize>,
    /// Where clients are sent that there is no room for: one address for each family.
    pub alternate: Vec<SocketAddr>,
    /// The name in that server's certificate, if it is another one.
    pub alternate_domain: Option<String>,
    /// Whether there are no new allocations.
    pub drain: Option<bool>,
    /// How log lines are written.
    pub log: Option<LogFormat>,
}

/// Why a file is no configuration; with line and column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct FileError {
    /// The line, counted from one.
    pub line: usize,
    /// The column, counted from one in characters.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

impl Settings {
    /// Reads the text of a configuration file (TOML).
    ///
    /// # Errors
    /// [`FileError`]: where it is wrong, and why.
    pub fn from_toml(text: &str) -> Result<Self, FileError> {
        toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            place(text, at, error.message().trim_end().replace('\n', ": "))
        })
    }

    /// These settings where they say something, and those of a file where they do not. Lists are not
    /// joined: the one that says something is the whole list.
    #[must_use]
    pub fn or(self, file: Self) -> Self {
        Self {
            listen: list(self.listen, file.listen),
            tls_listen: list(self.tls_listen, file.tls_listen),
            relay_ip: list(self.relay_ip, file.relay_ip),
            external_ip: list(self.external_ip, file.external_ip),
            relay_ports: self.relay_ports.or(file.relay_ports),
            realm: self.realm.or(file.realm),
            user: list(self.user, file.user),
            secret: list(self.secret, file.secret),
            token_key: list(self.token_key, file.token_key),
            server_name: self.server_name.or(file.server_name),
            username_anonymity: self.username_anonymity.or(file.username_anonymity),
            allow_peer: list(self.allow_peer, file.allow_peer),
            deny_peer: list(self.deny_peer, file.deny_peer),
            open_relay: self.open_relay.or(file.open_relay),
            certificate: self.certificate.or(file.certificate),
            key: self.key.or(file.key),
            metrics: self.metrics.or(file.metrics),
            workers: self.workers.or(file.workers),
            max_allocations: self.max_allocations.or(file.max_allocations),
            max_allocations_per_user: self
                .max_allocations_per_user
                .or(file.max_allocations_per_user),
            max_allocations_per_network: self
                .max_allocations_per_network
                .or(file.max_allocations_per_network),
            bandwidth: self.bandwidth.or(file.bandwidth),
            bandwidth_per_user: self.bandwidth_per_user.or(file.bandwidth_per_user),
            answers_per_second: self.answers_per_second.or(file.answers_per_second),
            tcp_relay: self.tcp_relay.or(file.tcp_relay),
            mobility: self.mobility.or(file.mobility),
            relay_buffer: self.relay_buffer.or(file.relay_buffer),
            alternate: list(self.alternate, file.alternate),
            alternate_domain: self.alternate_domain.or(file.alternate_domain),
            drain: self.drain.or(file.drain),
            log: self.log.or(file.log),
        }
    }
}

/// An error at this byte of a text.
pub(super) fn place(text: &str, at: usize, message: String) -> FileError {
    let before = text.get(..at.min(text.len())).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    FileError {
        line: before.matches('\n').count() + 1,
        column: before.get(line_start..).map_or(0, |line| line.chars().count()) + 1,
        message,
    }
}

fn list<T>(first: Vec<T>, second: Vec<T>) -> Vec<T> {
    if first.is_empty() { second } else { first }
}

/// A value in its written form; its error has the value's place in the file.
fn from_text<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(D::Error::custom)
}

/// The same for a list, whose place the error has; it tells which of the values it is about, and not what that is: it
/// may be a secret.
fn each_from_text<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let no_list = |_| D::Error::custom("a list of texts is written as [\"one\", \"another\"]");
    let texts = Vec::<String>::deserialize(deserializer).map_err(no_list)?;
    let parse = |(number, text): (usize, &String)| {
        text.parse().map_err(|error| D::Error::custom(format_args!("value {number}: {error}")))
    };
    (1..).zip(&texts).map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read() {
        let settings = Settings::from_toml(
            "listen = [\"192.0.2.1:3478\", \"[2001:db8::1]:3478\"]\n\
             relay-ports = \"50000-50999\"\n\
             user = [\"alice:north\"]\n\
             allow-peer = [\"10.0.0.0/8\"]\n\
             external-ip = [\"stun:stun.example.org\"]\n\
             log = \"json\"\n",
        )
        .unwrap();
        assert_eq!(settings.listen.len(), 2);
        assert_eq!(settings.relay_ports.unwrap().to_string(), "50000-50999");
        assert_eq!(settings.log, Some(LogFormat::Json));
        assert!(settings.realm.is_none());
    }

    #[test]
    fn an_error_has_line_and_column() {
        let place = |text| {
            let error = Settings::from_toml(text).unwrap_err();
            (error.line, error.column, error.message)
        };
        let (line, column, message) = place("realm = \"here\"\nallow-peer = [\"10.0.0.1/8\"]\n");
        assert_eq!((line, column), (2, 14), "{message}");
        assert_eq!(message, "value 1: the address has bits set after the first 8");
        let (line, column, message) = place("realm = \"here\"\n\n  relmay = 1\n");
        assert_eq!((line, column), (3, 3), "{message}");
        assert!(message.contains("unknown field `relmay`"), "{message}");
        let (line, column, _) = place("workers = \"two\"");
        assert_eq!((line, column), (1, 11));
        let (line, _, _) = place("realm = \"here\nuser = []\n");
        assert_eq!(line, 1);
    }

    #[test]
    fn an_error_does_not_repeat_a_secret() {
        for (key, value) in [
            ("secret", "\"a:1234\""),
            ("secret", "1234"),
            ("secret", "[\"a\", 1234]"),
            ("secret", "{ a = \"1234\" }"),
            ("user", "\"a:1234\""),
            ("user", "[\"a:b\", \"a:1234\\u0007\"]"),
            ("token-key", "\"a:1234\""),
            ("token-key", "[\"a:1234\"]"),
        ] {
            let text = format!("{key} = {value}");
            let FileError { line, column, message } = Settings::from_toml(&text).unwrap_err();
            assert_eq!((line, column), (1, key.len() + 4), "{text}: {message}");
            assert!(!message.contains("1234"), "{text}: {message}");
        }
    }

    #[test]
    fn flags_come_before_the_file() {
        let file = Settings::from_toml("realm = \"file\"\nsecret = [\"a\", \"b\"]\n").unwrap();
        let flags = Settings { secret: vec!["c".parse().unwrap()], ..Settings::default() };
        let both = flags.or(file);
        assert_eq!(both.realm.as_deref(), Some("file"));
        assert_eq!(both.secret, ["c".parse().unwrap()]);
    }
}
