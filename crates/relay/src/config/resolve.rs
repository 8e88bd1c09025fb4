use std::net::{IpAddr, SocketAddr};
use std::num::NonZero;
use std::thread;
use std::time::Duration;

use pinhole_stun::binding::Rate;
use pinhole_turn::policy::{Action, Rule};
use pinhole_turn::server::{Alternate, Bandwidth, Limits};

use super::check::two_of_a_family;
use super::{Config, ConfigError, ExternalIp, PortRange, Settings};

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
            username_anonymity: self.username_anonymity.unwrap_or(false),
            realm,
            certificate: self.certificate.zip(self.key),
            metrics: self.metrics,
            answers: answers(self.answers_per_second.unwrap_or(ANSWERS), workers),
            tcp_relay: self.tcp_relay.unwrap_or(true),
            mobility: self.mobility.unwrap_or(true),
            relay_buffer: self.relay_buffer.unwrap_or(RELAY_BUFFER),
            listen_buffer: LISTEN_BUFFER,
            patience: PATIENCE,
            alternate,
            drain: self.drain.unwrap_or(false),
            log: self.log.unwrap_or_default(),
        })
    }

    /// The addresses given; or else those that are listened at.
    fn relay_ips(&self, listen: &[SocketAddr]) -> Result<Vec<IpAddr>, ConfigError> {
        if !self.relay_ip.is_empty() {
            let two = two_of_a_family(self.relay_ip.iter().copied());
            let error = |(one, other)| Err(ConfigError::TwoOfAFamily("relay-ip", one, other));
            return two.map_or_else(|| Ok(self.relay_ip.clone()), error);
        }
        let mut relay_ips: Vec<IpAddr> = vec![];
        for address in listen.iter().chain(&self.tls_listen).map(SocketAddr::ip) {
            if relay_ips.iter().any(|other| other.is_ipv4() == address.is_ipv4()) {
                continue;
            }
            if address.is_unspecified() {
                return Err(ConfigError::RelayIp(address));
            }
            relay_ips.push(address);
        }
        Ok(relay_ips)
    }

    fn check_external(&self, relay_ips: &[IpAddr]) -> Result<(), ConfigError> {
        let addresses = self.external_ip.iter().filter_map(ExternalIp::address);
        if let Some((one, other)) = two_of_a_family(addresses.clone()) {
            return Err(ConfigError::TwoOfAFamily("external-ip", one, other));
        }
        let has_relay = |ip: &IpAddr| relay_ips.iter().any(|relay| relay.is_ipv4() == ip.is_ipv4());
        let orphan = addresses.clone().find(|ip| !has_relay(ip));
        orphan.map_or(Ok(()), |address| Err(ConfigError::External(address)))
    }

    /// One address for each family: a client is sent to one of its own.
    fn alternate(&self) -> Result<Option<Alternate>, ConfigError> {
        let mut alternate =
            Alternate { domain: self.alternate_domain.clone(), ..Alternate::default() };
        let addresses = self.alternate.iter().map(SocketAddr::ip);
        if let Some((one, other)) = two_of_a_family(addresses) {
            return Err(ConfigError::TwoOfAFamily("alternate", one, other));
        }
        for &address in &self.alternate {
            match address {
                SocketAddr::V4(v4) => alternate.v4 = Some(v4),
                SocketAddr::V6(v6) => alternate.v6 = Some(v6),
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

/// A burst holds the longest datagram.
const SHORTEST_BURST: u64 = 65_535;
/// Half a second of a video call of 16 Mbit/s.
const RELAY_BUFFER: usize = 1 << 20;
/// All clients of a worker send to one socket.
const LISTEN_BUFFER: usize = 8 << 20;
/// A client that has connected has a request in hand.
const PATIENCE: Duration = Duration::from_secs(10);
