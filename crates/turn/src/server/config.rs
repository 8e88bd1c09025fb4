use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
use core::ops::RangeInclusive;
use core::time::Duration;

use pinhole_stun::attribute::Family;
use pinhole_stun::auth::Offer;
use pinhole_stun::binding::Rate;

use super::Bandwidth;
use crate::policy::Policy;

/// What a [`Server`](super::Server) is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// The realm; up to eight bytes keep a challenge as small as it can be.
    pub realm: String,
    /// Where IPv4 relayed addresses are opened; `None` refuses the family with 440.
    pub relay_v4: Option<RelayHost>,
    /// The same for IPv6.
    pub relay_v6: Option<RelayHost>,
    /// The ports of relayed addresses: "the range 49152 - 65535" (RFC 8656 §7.2).
    pub ports: RangeInclusive<u16>,
    /// Which peers are relayed to, besides which no relay host is.
    pub policy: Policy,
    /// The lifetime of an allocation whose client asks for none, or for less: 600 s (RFC 8656 §6).
    pub default_lifetime: Duration,
    /// The longest lifetime: "no more than 3600 seconds" (RFC 8656 §7.2).
    pub max_lifetime: Duration,
    /// Whether no lifetime reaches beyond the expiry of the credentials that it was asked for with.
    pub end_with_credentials: bool,
    /// How long a nonce is valid: "at least once every hour" a new one (RFC 8656 §5).
    pub nonce_lifetime: Duration,
    /// What nonces are made from; `None` takes it from the machine's seed. Machines with the same one,
    /// and instants of the same origin, accept one another's nonces.
    pub nonce_seed: Option<NonceSeed>,
    /// The password algorithms on offer.
    pub offer: Offer,
    /// Whether clients are asked to send the hash of their name in its place: USERHASH (RFC 8489 §9.2.3.2). It is for
    /// users whose hashes can be looked up, as [`StaticUsers`](super::StaticUsers) can and
    /// [`SharedSecrets`](crate::credential::SharedSecrets) cannot; those who know no USERHASH come with their names.
    pub username_anonymity: bool,
    /// How many answers a source gets that has not proved its address; `None` for any number.
    pub rate: Option<Rate>,
    /// Whether the driver can set DF on a datagram; without, DONT-FRAGMENT is answered with 420.
    pub dont_fragment: bool,
    /// Whether the driver can relay TCP (RFC 6062); without, its transport is answered with 442.
    pub tcp: bool,
    /// Whether clients may take their allocations along to other addresses (RFC 8016).
    pub mobility: bool,
    /// Which of the machines of one server this is: the first byte of every reservation token,
    /// connection id and ticket that it makes, for [`home`](super::home) to find.
    pub shard: u8,
    /// Where clients are sent that this server has no room for; `None` refuses them.
    pub alternate: Option<Alternate>,
    /// What one client and all of them may hold.
    pub limits: Limits,
}

/// A secret from which the machines of one server make the same nonces.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NonceSeed(pub [u8; 32]);

impl fmt::Debug for NonceSeed {
    /// Nothing of the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NonceSeed(..)")
    }
}

/// Another server, to which ALTERNATE-SERVER sends clients (RFC 8489 §10).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alternate {
    /// Its address for clients that come over IPv4; without, they are not redirected.
    pub v4: Option<SocketAddrV4>,
    /// The same for IPv6.
    pub v6: Option<SocketAddrV6>,
    /// The name in its certificate, if it differs from this server's; told over TLS and DTLS.
    pub domain: Option<String>,
}

impl Alternate {
    /// The addresses to name, the one of the client's family first: "The server MUST include at least
    /// one [...] of the same address family as the source IP address of the request message", and
    /// SHOULD add the other. `None` if the first is missing.
    pub(super) fn addresses(&self, client: IpAddr) -> Option<(SocketAddr, Option<SocketAddr>)> {
        let (v4, v6) = (self.v4.map(SocketAddr::V4), self.v6.map(SocketAddr::V6));
        let (own, other) = if client.is_ipv4() { (v4, v6) } else { (v6, v4) };
        Some((own?, other))
    }
}

/// An address of the server's on which relayed addresses are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayHost {
    /// The address to bind.
    pub bind: IpAddr,
    /// The address that peers reach it at, where a NAT with the same ports stands between.
    pub external: IpAddr,
}

impl From<IpAddr> for RelayHost {
    /// A host that peers reach at the address that is bound.
    fn from(address: IpAddr) -> Self {
        Self { bind: address, external: address }
    }
}

/// Bounds of what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Allocations of one user, reserved ports included; more get a 486.
    pub allocations_per_user: u32,
    /// Allocations of all clients whose addresses share the first 24 bits (IPv4) or 48 bits (IPv6); more
    /// get a 486. These are the longest prefixes that are routed between networks, so that whoever has
    /// one has every address in it, and must not win by changing addresses or user names.
    pub allocations_per_prefix: u32,
    /// Allocations in all; more get a 486, or a 300 if there is an alternate server.
    pub allocations: u32,
    /// Permissions of one allocation; more get a 508.
    pub permissions: usize,
    /// Channels of one allocation; more get a 508.
    pub channels: usize,
    /// Connections with peers of one allocation; more get a 508.
    pub connections: usize,
    /// What one allocation may relay; `None` for any amount. What is more is dropped.
    pub bandwidth: Option<Bandwidth>,
    /// What all allocations of one user may relay together; `None` for any amount.
    pub bandwidth_per_user: Option<Bandwidth>,
    /// How many ports are tried when others hold some of them, before a 508.
    pub port_attempts: u32,
}

impl Config {
    /// A server in this realm, without a relay host yet, and with the defaults of the RFCs.
    #[must_use]
    pub fn new(realm: &str) -> Self {
        Self {
            realm: realm.into(),
            relay_v4: None,
            relay_v6: None,
            ports: 49_152..=65_535,
            policy: Policy::default(),
            default_lifetime: Duration::from_secs(600),
            max_lifetime: Duration::from_secs(3_600),
            end_with_credentials: true,
            nonce_lifetime: Duration::from_secs(3_600),
            nonce_seed: None,
            offer: Offer::default(),
            username_anonymity: false,
            rate: Some(Rate::default()),
            dont_fragment: false,
            tcp: false,
            mobility: true,
            shard: 0,
            alternate: None,
            limits: Limits::default(),
        }
    }

    /// The host of this family's relayed addresses.
    #[must_use]
    pub const fn relay(&self, family: Family) -> Option<RelayHost> {
        match family {
            Family::Ipv4 => self.relay_v4,
            Family::Ipv6 => self.relay_v6,
        }
    }
}

impl Default for Limits {
    /// Enough for a call of many streams, too little for a scan.
    fn default() -> Self {
        Self {
            allocations_per_user: 64,
            allocations_per_prefix: 10_000,
            allocations: 100_000,
            permissions: 64,
            channels: 64,
            connections: 16,
            bandwidth: None,
            bandwidth_per_user: None,
            port_attempts: 16,
        }
    }
}
