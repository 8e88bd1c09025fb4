//! What an operator says: a file, flags, or both ([`Settings`]), and what follows from it ([`Config`]).

mod check;
mod describe;
mod error;
mod resolve;
mod settings;
mod value;

pub use error::ConfigError;
pub use settings::{FileError, Settings};
pub use value::{
    ExternalIp, LogFormat, PortRange, SecretEntry, TokenKeyEntry, UserEntry, ValueError,
};

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use nix::ifaddrs::getifaddrs;
use pinhole_stun::Credentials;
use pinhole_stun::binding::Rate;
use pinhole_turn::policy::{Policy, Rule, special_purpose};
use pinhole_turn::server::{self, Alternate, Limits};

use crate::stream::{self, TlsError};

/// A server's configuration, complete and free of contradictions.
#[derive(Clone)]
pub struct Config {
    /// Where UDP, TCP and, with a certificate, TLS is served; TLS is told from TCP by its first byte.
    pub listen: Vec<SocketAddr>,
    /// Where only TLS is served.
    pub tls_listen: Vec<SocketAddr>,
    /// Where relayed addresses are opened: one for each family at most.
    pub relay_ips: Vec<IpAddr>,
    /// How peers reach those.
    pub external_ips: Vec<ExternalIp>,
    /// The ports of relayed addresses, which are the server's alone.
    pub relay_ports: PortRange,
    /// The realm of the users.
    pub realm: String,
    /// Users with a name and a password.
    pub users: Vec<Credentials>,
    /// The secrets of time-limited credentials, the newest first.
    pub secrets: Vec<SecretEntry>,
    /// The keys of access tokens (RFC 7635).
    pub token_keys: Vec<TokenKeyEntry>,
    /// The name that they are issued for.
    pub server_name: String,
    /// Whether clients are asked for the hash of their name in its place (RFC 8489 §9.2.3.2).
    pub username_anonymity: bool,
    /// Which peers are relayed to: the first that matches decides, before all defaults.
    pub rules: Vec<Rule>,
    /// The certificate chain and its key, as PEM files.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Where metrics and health are told.
    pub metrics: Option<SocketAddr>,
    /// Threads that serve.
    pub workers: NonZero<u8>,
    /// What clients may hold.
    pub limits: Limits,
    /// Answers of each worker to a source that has not proved its address; `None` for any number.
    pub answers: Option<Rate>,
    /// Whether TCP is relayed (RFC 6062).
    pub tcp_relay: bool,
    /// Whether clients may take their allocations along (RFC 8016).
    pub mobility: bool,
    /// Bytes that the kernel may keep for each relayed address, and each way.
    pub relay_buffer: usize,
    /// Bytes that the kernel may keep for each listener, and each way.
    pub listen_buffer: usize,
    /// After this time, a client is cut off that neither asks for something nor has an allocation, and so is one that
    /// has not got far enough to ask.
    pub patience: Duration,
    /// Where clients are sent that there is no room for (RFC 8656 §7.2).
    pub alternate: Option<Alternate>,
    /// Whether there are no new allocations: who wants one is sent to the alternate server, or refused.
    pub drain: bool,
    /// How log lines are written.
    pub log: LogFormat,
}

/// The addresses of this machine that are not special anyway; none where the system does not tell.
fn interface_addresses() -> impl Iterator<Item = IpAddr> {
    let interfaces = getifaddrs().into_iter().flatten();
    let addresses = interfaces.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    });
    addresses.filter(|address| special_purpose(*address).is_none())
}

impl Config {
    /// The keys that have another value in a newer configuration, and that a running server does not take over.
    #[must_use]
    pub fn waiting(&self, newer: &Self) -> Vec<&'static str> {
        let changes = [
            ("listen", self.listen != newer.listen),
            ("tls-listen", self.tls_listen != newer.tls_listen),
            ("relay-ip", self.relay_ips != newer.relay_ips),
            ("external-ip", self.external_ips != newer.external_ips),
            ("relay-ports", self.relay_ports != newer.relay_ports),
            ("realm", self.realm != newer.realm),
            ("username-anonymity", self.username_anonymity != newer.username_anonymity),
            ("allow-peer or deny-peer", self.rules != newer.rules),
            ("metrics", self.metrics != newer.metrics),
            ("workers", self.workers != newer.workers),
            ("a limit", self.limits != newer.limits),
            ("answers-per-second", self.answers != newer.answers),
            ("tcp-relay", self.tcp_relay != newer.tcp_relay),
            ("mobility", self.mobility != newer.mobility),
            ("relay-buffer", self.relay_buffer != newer.relay_buffer),
            ("log", self.log != newer.log),
        ];
        changes.into_iter().filter(|(_, is_new)| *is_new).map(|(key, _)| key).collect()
    }

    /// Reads the certificate and its key, if there are any.
    ///
    /// # Errors
    /// [`TlsError`]: which file cannot be used, and why.
    pub fn check_certificate(&self) -> Result<(), TlsError> {
        match &self.certificate {
            Some((certificate, key)) => stream::load(certificate, key).map(drop),
            None => Ok(()),
        }
    }

    /// The policy that the machines follow: the operator's rules, nothing to the server itself, and
    /// nothing but global addresses.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let policy = self.rules.iter().copied().fold(Policy::default(), Policy::with_rule);
        self.own_addresses().into_iter().fold(policy, Policy::with_own)
    }

    /// The addresses that are the server's: those that the configuration tells, and whatever else this
    /// machine has, since its other services listen there.
    fn own_addresses(&self) -> BTreeSet<IpAddr> {
        let external = self.external_ips.iter().filter_map(ExternalIp::address);
        let listeners = self.listen.iter().chain(&self.tls_listen).map(SocketAddr::ip);
        let told = self.relay_ips.iter().copied().chain(external).chain(listeners);
        told.chain(interface_addresses()).filter(|address| !address.is_unspecified()).collect()
    }

    /// What a machine is told; its relay hosts are filled in by who starts it.
    pub(crate) fn machine(&self) -> server::Config {
        let mut config = server::Config::new(&self.realm);
        config.policy = self.policy();
        config.ports = self.relay_ports.ports();
        config.limits = self.limits;
        config.username_anonymity = self.username_anonymity;
        config.rate = self.answers;
        config.dont_fragment = true;
        config.tcp = self.tcp_relay;
        config.mobility = self.mobility;
        config.alternate = self.alternate.clone();
        config
    }
}
