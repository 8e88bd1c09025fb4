use std::net::{IpAddr, SocketAddr};
use std::num::NonZero;
use std::thread;

use pinhole_stun::binding::Rate;
use pinhole_turn::policy::{Action, Range, Rule};
use pinhole_turn::server::{Alternate, Bandwidth, Limits};

use super::{Config, ExternalIp, PortRange, Settings};

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
    /// One address for each family.
    #[error("relay-ip has two addresses of one family, {0} and {1}")]
    TwoRelayIps(IpAddr, IpAddr),
    /// Nothing could be bound to it.
    #[error("relay-ip {0} is no address of a machine")]
    Unspecified(IpAddr),
    /// An external address without a relay address of its family.
    #[error("external-ip {0} has no relay-ip of its family")]
    External(IpAddr),
    /// A rule that opens everything.
    #[error(
        "allow-peer {0} opens addresses of all kinds, this machine's and its network's among them; \
         if that is meant, say open-relay = \"{WORDS}\""
    )]
    OpenRelay(Range),
    /// Other words than those.
    #[error("open-relay has to be \"{WORDS}\", or nothing")]
    OtherWords,
    /// One without the other.
    #[error("certificate and key belong together, and one of them is missing")]
    HalfTls,
    /// No certificate for TLS.
    #[error("tls-listen {0} needs a certificate and its key")]
    NoCertificate(SocketAddr),
    /// One address for each family.
    #[error("alternate has two addresses of one family, {0} and {1}")]
    TwoAlternates(SocketAddr, SocketAddr),
    /// A name without an address.
    #[error("alternate-domain names the server of alternate, which is missing")]
    NoAlternate,
    /// An empty realm or secret.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// A number that lets nothing pass.
    #[error("{0} is zero")]
    Zero(&'static str),
}

/// What opens the relay to every address.
const WORDS: &str = "relay to every address";

/// The realm of a server that has not been given one.
const REALM: &str = "pinhole";
const LISTEN: [u8; 4] = [127, 0, 0, 1];
const PORT: u16 = 3_478;

impl Settings {
    /// The configuration that follows from the settings. Without any, the server listens on loopback;
    /// there, it may be used by nobody, until the caller adds a secret.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn resolve(self) -> Result<Config, ConfigError> {
        self.check()?;
        let listen = match (&*self.listen, &*self.tls_listen) {
            ([], []) => vec![SocketAddr::from((LISTEN, PORT))],
            (listen, _) => listen.to_vec(),
        };
        let relay_ips = self.relay_ips(&listen)?;
        self.check_external(&relay_ips)?;
        let alternate = self.alternate()?;
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let cores = NonZero::new(u8::try_from(cores).unwrap_or(u8::MAX));
        let workers = self.workers.or(cores).unwrap_or(NonZero::<u8>::MIN);
        let relay_ports = self.relay_ports.unwrap_or(PortRange::DYNAMIC);
        let realm = self.realm.clone().unwrap_or_else(|| REALM.into());
        Ok(Config {
            relay_ips,
            relay_ports,
            workers,
            rules: self.rules(),
            limits: self.limits(),
            listen,
            tls_listen: self.tls_listen,
            external_ips: self.external_ip,
            users: self.user.iter().filter_map(|user| user.credentials().ok()).collect(),
            secrets: self.secret,
            token_keys: self.token_key,
            server_name: self.server_name.unwrap_or_else(|| realm.clone()),
            realm,
            certificate: self.certificate.zip(self.key),
            metrics: self.metrics,
            answers: answers(self.answers_per_second.unwrap_or(ANSWERS), workers),
            tcp_relay: self.tcp_relay.unwrap_or(true),
            mobility: self.mobility.unwrap_or(true),
            relay_buffer: self.relay_buffer.unwrap_or(RELAY_BUFFER),
            listen_buffer: LISTEN_BUFFER,
            alternate,
            drain: self.drain.unwrap_or(false),
            log: self.log.unwrap_or_default(),
        })
    }

    fn check(&self) -> Result<(), ConfigError> {
        let mut listen = self.listen.iter().chain(&self.tls_listen);
        let reachable = listen.find(|address| !address.ip().is_loopback());
        if let Some(reachable) = reachable
            .filter(|_| self.user.is_empty() && self.secret.is_empty() && self.token_key.is_empty())
        {
            return Err(ConfigError::Nobody(*reachable));
        }
        let is_open = match self.open_relay.as_deref() {
            Some(WORDS) => true,
            Some(_) => return Err(ConfigError::OtherWords),
            None => false,
        };
        if let Some(range) = self.allow_peer.iter().find(|range| !is_open && is_wide(**range)) {
            return Err(ConfigError::OpenRelay(*range));
        }
        if self.certificate.is_some() != self.key.is_some() {
            return Err(ConfigError::HalfTls);
        }
        if let Some(listen) = self.tls_listen.first().filter(|_| self.certificate.is_none()) {
            return Err(ConfigError::NoCertificate(*listen));
        }
        if self.realm.as_deref() == Some("") {
            return Err(ConfigError::Empty("realm"));
        }
        if self.server_name.as_deref() == Some("") {
            return Err(ConfigError::Empty("server-name"));
        }
        if self.secret.iter().any(String::is_empty) {
            return Err(ConfigError::Empty("secret"));
        }
        let numbers = [
            (self.max_allocations.map(u64::from), "max-allocations"),
            (self.max_allocations_per_user.map(u64::from), "max-allocations-per-user"),
            (self.max_allocations_per_network.map(u64::from), "max-allocations-per-network"),
            (self.bandwidth, "bandwidth"),
            (self.bandwidth_per_user, "bandwidth-per-user"),
        ];
        let zero = numbers.iter().find(|(number, _)| *number == Some(0));
        zero.map_or(Ok(()), |(_, name)| Err(ConfigError::Zero(name)))
    }

    /// The addresses given; or else those that are listened at.
    fn relay_ips(&self, listen: &[SocketAddr]) -> Result<Vec<IpAddr>, ConfigError> {
        if let Some(address) = self.relay_ip.iter().find(|address| address.is_unspecified()) {
            return Err(ConfigError::Unspecified(*address));
        }
        let is_told = !self.relay_ip.is_empty();
        let mut relay_ips: Vec<IpAddr> = vec![];
        let listened = listen.iter().chain(&self.tls_listen).map(SocketAddr::ip);
        let listened: Vec<IpAddr> = listened.collect();
        for &address in if is_told { &self.relay_ip } else { &listened } {
            let same = relay_ips.iter().find(|other| other.is_ipv4() == address.is_ipv4());
            match same {
                Some(other) if is_told => {
                    return Err(ConfigError::TwoRelayIps(*other, address));
                }
                Some(_) => {}
                None if address.is_unspecified() => return Err(ConfigError::RelayIp(address)),
                None => relay_ips.push(address),
            }
        }
        Ok(relay_ips)
    }

    fn check_external(&self, relay_ips: &[IpAddr]) -> Result<(), ConfigError> {
        let orphan = self.external_ip.iter().find_map(|external| match external {
            ExternalIp::Address(address) => relay_ips
                .iter()
                .all(|relay| relay.is_ipv4() != address.is_ipv4())
                .then_some(*address),
            ExternalIp::Ask(_) => None,
        });
        orphan.map_or(Ok(()), |address| Err(ConfigError::External(address)))
    }

    /// One address for each family: a client is sent to one of its own.
    fn alternate(&self) -> Result<Option<Alternate>, ConfigError> {
        let mut alternate =
            Alternate { domain: self.alternate_domain.clone(), ..Alternate::default() };
        for &address in &self.alternate {
            let before = match address {
                SocketAddr::V4(v4) => alternate.v4.replace(v4).map(SocketAddr::from),
                SocketAddr::V6(v6) => alternate.v6.replace(v6).map(SocketAddr::from),
            };
            if let Some(before) = before {
                return Err(ConfigError::TwoAlternates(before, address));
            }
        }
        match (&*self.alternate, &self.alternate_domain) {
            ([], Some(_)) => Err(ConfigError::NoAlternate),
            ([], None) => Ok(None),
            _ => Ok(Some(alternate)),
        }
    }

    /// What denies comes first, so that it wins.
    fn rules(&self) -> Vec<Rule> {
        let denied = self.deny_peer.iter().map(|range| (Action::Deny, range));
        let allowed = self.allow_peer.iter().map(|range| (Action::Allow, range));
        denied.chain(allowed).map(|(action, range)| Rule { action, range: *range }).collect()
    }

    fn limits(&self) -> Limits {
        let default = Limits::default();
        let bandwidth = |bytes_per_second: u64| Bandwidth {
            bytes_per_second,
            burst: bytes_per_second.max(SHORTEST_BURST),
        };
        Limits {
            allocations: self.max_allocations.unwrap_or(default.allocations),
            allocations_per_user: self
                .max_allocations_per_user
                .unwrap_or(default.allocations_per_user),
            allocations_per_prefix: self
                .max_allocations_per_network
                .unwrap_or(default.allocations_per_prefix),
            bandwidth: self.bandwidth.map(bandwidth),
            bandwidth_per_user: self.bandwidth_per_user.map(bandwidth),
            ..default
        }
    }
}

/// One worker's share of the answers to one source, whose ports lead to all of them. What comes at once
/// may lead to one.
fn answers(per_second: u32, workers: NonZero<u8>) -> Option<Rate> {
    let share = per_second.div_ceil(workers.get().into());
    let burst = per_second.max(Rate::default().burst);
    (per_second > 0).then_some(Rate { per_second: share, burst })
}

/// Twice what a client and its retransmissions need.
const ANSWERS: u32 = 20;

/// Whether a range opens addresses of several purposes at once.
fn is_wide(range: Range) -> bool {
    let samples = V4_SAMPLES.iter().copied().map(IpAddr::from);
    let samples = samples.chain(V6_SAMPLES.iter().copied().map(IpAddr::from));
    samples.filter(|sample| range.contains(*sample)).count() > 1
}

/// Private three times, shared, loopback, link local, multicast, reserved.
const V4_SAMPLES: [[u8; 4]; 8] = [
    [10, 0, 0, 1],
    [172, 16, 0, 1],
    [192, 168, 0, 1],
    [100, 64, 0, 1],
    [127, 0, 0, 1],
    [169, 254, 0, 1],
    [224, 0, 0, 1],
    [240, 0, 0, 1],
];
/// Loopback, translated, documentation, unique local, link local, multicast.
const V6_SAMPLES: [[u16; 8]; 6] = [
    [0, 0, 0, 0, 0, 0, 0, 1],
    [0x64, 0xff9b, 1, 0, 0, 0, 0, 1],
    [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1],
    [0xfc00, 0, 0, 0, 0, 0, 0, 1],
    [0xfe80, 0, 0, 0, 0, 0, 0, 1],
    [0xff02, 0, 0, 0, 0, 0, 0, 1],
];

/// A burst holds the longest datagram.
const SHORTEST_BURST: u64 = 65_535;
/// Half a second of a video call of 16 Mbit/s.
const RELAY_BUFFER: usize = 1 << 20;
/// All clients of a worker send to one socket.
const LISTEN_BUFFER: usize = 8 << 20;
