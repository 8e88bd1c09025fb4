//! What settings contradict, or leave open.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use pinhole_turn::policy::Range;

use super::{ConfigError, Settings};

/// What opens the relay to every address.
pub(super) const WORDS: &str = "relay to every address";

/// "fewer than 128 characters" (RFC 8489 §14.9).
const REALM: usize = 127;
/// The kernel doubles what it is asked for, and has 31 bits for that.
const BUFFER: usize = (1 << 30) - 1;
/// As long as a domain name can be.
const NAME: usize = 255;

impl Settings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.check_users()?;
        self.check_peers()?;
        self.check_listeners()?;
        self.check_tls()?;
        self.check_addresses()?;
        self.check_texts()?;
        self.check_numbers()
    }

    fn check_users(&self) -> Result<(), ConfigError> {
        let mut listen = self.listen.iter().chain(&self.tls_listen);
        let reachable = listen.find(|address| !address.ip().is_loopback());
        let has_nobody =
            self.user.is_empty() && self.secret.is_empty() && self.token_key.is_empty();
        if let Some(reachable) = reachable.filter(|_| has_nobody) {
            return Err(ConfigError::Nobody(*reachable));
        }
        let has_others = !self.secret.is_empty() || !self.token_key.is_empty();
        if self.username_anonymity == Some(true) && (self.user.is_empty() || has_others) {
            return Err(ConfigError::Anonymity);
        }
        let credentials: Vec<_> =
            self.user.iter().filter_map(|user| user.credentials().ok()).collect();
        let mut names = BTreeSet::new();
        // As they are compared: two spellings may be one name.
        let twice = credentials.iter().find(|user| !names.insert(user.username()));
        twice.map_or(Ok(()), |user| Err(ConfigError::TwoUsers(user.username().into())))
    }

    fn check_peers(&self) -> Result<(), ConfigError> {
        let is_open = match self.open_relay.as_deref() {
            Some(WORDS) => true,
            Some(_) => return Err(ConfigError::OtherWords),
            None => false,
        };
        let wide = self.allow_peer.iter().find(|range| !is_open && is_wide(**range));
        wide.map_or(Ok(()), |range| Err(ConfigError::OpenRelay(*range)))
    }

    fn check_listeners(&self) -> Result<(), ConfigError> {
        let mut seen = BTreeSet::new();
        let mut all = self.listen.iter().chain(&self.tls_listen);
        // The system chooses another port each time.
        let twice = all.find(|address| address.port() != 0 && !seen.insert(**address));
        twice.map_or(Ok(()), |address| Err(ConfigError::Twice(*address)))
    }

    fn check_tls(&self) -> Result<(), ConfigError> {
        match (&self.certificate, &self.key, self.tls_listen.first()) {
            (Some(_), None, _) => Err(ConfigError::NoKey),
            (None, Some(_), _) => Err(ConfigError::LoneKey),
            (None, None, Some(listen)) => Err(ConfigError::NoCertificate(*listen)),
            _ => Ok(()),
        }
    }

    fn check_addresses(&self) -> Result<(), ConfigError> {
        let relays = self.relay_ip.iter().map(|ip| ("relay-ip", *ip));
        let externals = self.external_ip.iter().filter_map(|external| external.address());
        let externals = externals.map(|ip| ("external-ip", ip));
        let alternates = self.alternate.iter().map(|address| ("alternate", address.ip()));
        let mut all = relays.chain(externals).chain(alternates);
        if let Some((key, ip)) = all.find(|(_, ip)| is_nowhere(*ip)) {
            return Err(ConfigError::Nowhere(key, ip));
        }
        let no_port = self.alternate.iter().find(|address| address.port() == 0);
        no_port.map_or(Ok(()), |address| Err(ConfigError::NoPort(*address)))
    }

    fn check_texts(&self) -> Result<(), ConfigError> {
        let texts = [
            ("realm", self.realm.as_deref(), REALM),
            ("server-name", self.server_name.as_deref(), NAME),
            ("alternate-domain", self.alternate_domain.as_deref(), NAME),
        ];
        for (key, text, most) in texts {
            match text {
                Some("") => return Err(ConfigError::Empty(key)),
                Some(text) if text.chars().count() > most => {
                    return Err(ConfigError::Long(key, most));
                }
                Some(text) if text.chars().any(char::is_control) => {
                    return Err(ConfigError::Characters(key));
                }
                _ => {}
            }
        }
        let is_ascii = self.alternate_domain.as_deref().is_none_or(str::is_ascii);
        // "a valid DNS name [...] of 255 or fewer ASCII characters" (RFC 8489 §14.16).
        if is_ascii { Ok(()) } else { Err(ConfigError::Characters("alternate-domain")) }
    }

    fn check_numbers(&self) -> Result<(), ConfigError> {
        let numbers = [
            ("max-allocations", self.max_allocations.map(u64::from)),
            ("max-allocations-per-user", self.max_allocations_per_user.map(u64::from)),
            ("max-allocations-per-network", self.max_allocations_per_network.map(u64::from)),
            ("bandwidth", self.bandwidth),
            ("bandwidth-per-user", self.bandwidth_per_user),
            ("relay-buffer", self.relay_buffer.map(|bytes| bytes as u64)),
        ];
        if let Some((key, _)) = numbers.iter().find(|(_, number)| *number == Some(0)) {
            return Err(ConfigError::Zero(key));
        }
        match self.relay_buffer {
            Some(bytes) if bytes > BUFFER => Err(ConfigError::Large("relay-buffer", BUFFER)),
            _ => Ok(()),
        }
    }
}

/// The first two addresses of one family.
pub(super) fn two_of_a_family(
    addresses: impl Iterator<Item = IpAddr> + Clone,
) -> Option<(IpAddr, IpAddr)> {
    [true, false].into_iter().find_map(|is_v4| {
        let mut same = addresses.clone().filter(|ip| ip.is_ipv4() == is_v4);
        same.next().zip(same.next())
    })
}

fn is_nowhere(ip: IpAddr) -> bool {
    ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST)
}

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
