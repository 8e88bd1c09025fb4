use std::ffi::OsStr;
use std::fmt::Display;
use std::marker::PhantomData;
use std::net::{AddrParseError, IpAddr, SocketAddr};
use std::num::NonZero;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Args, Command as Clap, Parser, Subcommand};
use pinhole_relay::{
    ExternalIp, LogFormat, PortRange, SecretEntry, Settings, TokenKeyEntry, UserEntry,
};
use pinhole_turn::policy::Range;

/// A STUN and TURN server over UDP, TCP and TLS. Without a configuration it listens on loopback and
/// prints credentials to try it with.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = false)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) options: Options,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// What the configuration says about peers
    Policy {
        #[command(subcommand)]
        command: PolicyCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Whether a peer at this address is relayed to, and which rule says so
    Explain {
        /// The peer's address; a port, as log lines have it, does not matter
        #[arg(value_parser = peer)]
        address: IpAddr,
    },
}

/// Each flag is a key of the configuration file too, and comes before it.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Configuration file (TOML)
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Check the configuration, print what follows from it, and end
    #[arg(long)]
    pub(crate) check: bool,
    /// Serve UDP, TCP and, with a certificate, TLS here; repeatable
    #[arg(long, global = true, value_name = "IP:PORT")]
    listen: Vec<SocketAddr>,
    /// Serve only TLS here; repeatable
    #[arg(long, global = true, value_name = "IP:PORT")]
    tls_listen: Vec<SocketAddr>,
    /// Open relayed addresses on this address; once for each family
    #[arg(long, global = true, value_name = "IP")]
    relay_ip: Vec<IpAddr>,
    /// What peers reach them at, behind a NAT: an address, or stun:HOST to ask there; once for each family, and of
    /// several hosts the first that answers
    #[arg(long, global = true, value_name = "IP|stun:HOST")]
    external_ip: Vec<ExternalIp>,
    /// Ports of relayed addresses, which are the server's alone [default: 49152-65535]
    #[arg(long, global = true, value_name = "A-B")]
    relay_ports: Option<PortRange>,
    /// Realm of the users [default: pinhole]
    #[arg(long, global = true)]
    realm: Option<String>,
    /// User with a password; repeatable
    #[arg(long, global = true, value_name = "NAME:PASSWORD", value_parser = Hidden::<UserEntry>::new())]
    user: Vec<UserEntry>,
    /// Secret of time-limited credentials; repeatable, the newest first
    #[arg(long, global = true, value_parser = Hidden::<SecretEntry>::new())]
    secret: Vec<SecretEntry>,
    /// Key of access tokens (RFC 7635), 16 or 32 bytes as base64; repeatable
    #[arg(long, global = true, value_name = "NAME:KEY", value_parser = Hidden::<TokenKeyEntry>::new())]
    token_key: Vec<TokenKeyEntry>,
    /// Whether clients are asked for the hash of their name in its place (RFC 8489 §9.2.3.2) [default: false]
    #[arg(long, global = true, value_name = "BOOL")]
    username_anonymity: Option<bool>,
    /// The name that access tokens are issued for [default: the realm]
    #[arg(long, global = true, value_name = "NAME")]
    server_name: Option<String>,
    /// Relay to peers in this range, beside global addresses; repeatable
    #[arg(long, global = true, value_name = "CIDR")]
    allow_peer: Vec<Range>,
    /// Do not relay to peers in this range, whatever else allows it; repeatable
    #[arg(long, global = true, value_name = "CIDR")]
    deny_peer: Vec<Range>,
    /// The words without which --allow-peer opens no range of all kinds of addresses
    #[arg(long, global = true, value_name = "WORDS")]
    open_relay: Option<String>,
    /// PEM file with the certificate chain: serve TLS
    #[arg(long, global = true, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// PEM file with the private key of the certificate
    #[arg(long, global = true, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Tell metrics (/metrics) and health (/healthz) over HTTP here
    #[arg(long, global = true, value_name = "IP:PORT")]
    metrics: Option<SocketAddr>,
    /// Threads that serve [default: as many as there are cores]
    #[arg(long, global = true, value_name = "N")]
    workers: Option<NonZero<u8>>,
    /// Allocations at a time [default: 100000]
    #[arg(long, global = true, value_name = "N")]
    max_allocations: Option<u32>,
    /// Allocations of one user at a time [default: 64]
    #[arg(long, global = true, value_name = "N")]
    max_allocations_per_user: Option<u32>,
    /// Allocations at a time from one network, an IPv4 /24 or an IPv6 /48 [default: 10000]
    #[arg(long, global = true, value_name = "N")]
    max_allocations_per_network: Option<u32>,
    /// Bytes a second that one allocation may relay, both ways together
    #[arg(long, global = true, value_name = "BYTES")]
    bandwidth: Option<u64>,
    /// Bytes a second that all allocations of one user may relay, both ways together
    #[arg(long, global = true, value_name = "BYTES")]
    bandwidth_per_user: Option<u64>,
    /// Answers a second to an address that may be forged; 0 for any number [default: 20]
    #[arg(long, global = true, value_name = "N")]
    answers_per_second: Option<u32>,
    /// Whether TCP is relayed, too (RFC 6062) [default: true]
    #[arg(long, global = true, value_name = "BOOL")]
    tcp_relay: Option<bool>,
    /// Whether clients may take allocations to other addresses (RFC 8016) [default: true]
    #[arg(long, global = true, value_name = "BOOL")]
    mobility: Option<bool>,
    /// Bytes that the kernel may keep for each relayed address [default: 1048576]
    #[arg(long, global = true, value_name = "BYTES")]
    relay_buffer: Option<usize>,
    /// Send clients there is no room for to this server; once for each family
    #[arg(long, global = true, value_name = "IP:PORT")]
    alternate: Vec<SocketAddr>,
    /// The name in that server's certificate, if it is another one
    #[arg(long, global = true, value_name = "NAME")]
    alternate_domain: Option<String>,
    /// Whether there are no new allocations, as after SIGUSR1 [default: false]
    #[arg(long, global = true, value_name = "BOOL")]
    drain: Option<bool>,
    /// How log lines are written: text or json [default: text]
    #[arg(long, global = true, value_name = "FORMAT")]
    log: Option<LogFormat>,
}

/// Reads a value that no error repeats: it may be a secret, and errors are kept in logs.
#[derive(Clone)]
struct Hidden<T>(PhantomData<T>);

impl<T> Hidden<T> {
    const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> TypedValueParser for Hidden<T>
where
    T: FromStr<Err: Display> + Clone + Send + Sync + 'static,
{
    type Value = T;

    fn parse_ref(
        &self,
        command: &Clap,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        let reason = match value.to_str().map(str::parse) {
            Some(Ok(value)) => return Ok(value),
            Some(Err(error)) => T::Err::to_string(&error),
            None => "text is in UTF-8".into(),
        };
        let name = argument.map(Arg::to_string).unwrap_or_default();
        let text = format!("invalid value for '{name}': {reason}");
        Err(clap::Error::raw(ErrorKind::ValueValidation, text).with_cmd(command))
    }
}

/// An address, or one with a port.
fn peer(text: &str) -> Result<IpAddr, AddrParseError> {
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip()).ok();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().or_else(|error| with_port().ok_or(error))
}

impl Options {
    /// What the flags say.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            listen: self.listen.clone(),
            tls_listen: self.tls_listen.clone(),
            relay_ip: self.relay_ip.clone(),
            external_ip: self.external_ip.clone(),
            relay_ports: self.relay_ports,
            realm: self.realm.clone(),
            user: self.user.clone(),
            secret: self.secret.clone(),
            token_key: self.token_key.clone(),
            server_name: self.server_name.clone(),
            username_anonymity: self.username_anonymity,
            allow_peer: self.allow_peer.clone(),
            deny_peer: self.deny_peer.clone(),
            open_relay: self.open_relay.clone(),
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            metrics: self.metrics,
            workers: self.workers,
            max_allocations: self.max_allocations,
            max_allocations_per_user: self.max_allocations_per_user,
            max_allocations_per_network: self.max_allocations_per_network,
            bandwidth: self.bandwidth,
            bandwidth_per_user: self.bandwidth_per_user,
            answers_per_second: self.answers_per_second,
            tcp_relay: self.tcp_relay,
            mobility: self.mobility,
            relay_buffer: self.relay_buffer,
            alternate: self.alternate.clone(),
            alternate_domain: self.alternate_domain.clone(),
            drain: self.drain,
            log: self.log,
        }
    }
}
