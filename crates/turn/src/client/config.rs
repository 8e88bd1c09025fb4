use core::time::Duration;

use pinhole_sansio::FiveTuple;
use pinhole_stun::attribute::Family;
use pinhole_stun::{Credentials, Retransmission};

/// What a [`Client`](super::Client) is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// The path to the server.
    pub server: FiveTuple,
    /// Who the client is.
    pub credentials: Credentials,
    /// The relayed addresses that are wanted.
    pub addresses: Addresses,
    /// The lifetime to ask for; `None` leaves it to the server, which takes 600 s.
    pub lifetime: Option<Duration>,
    /// How often, and how long, a request is sent.
    pub retransmission: Retransmission,
    /// Whether to ask for a ticket, so that the allocation can be taken to another path (RFC 8016).
    pub mobility: bool,
    /// After how many datagrams to a peer a channel is bound to it; `None` for never. A channel saves 32
    /// bytes (44 with IPv6) a datagram, and costs one request in nine minutes.
    pub channel_after: Option<u32>,
}

/// Of which families relayed addresses are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Addresses {
    /// An IPv4 address.
    #[default]
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// One of each; one will do (RFC 8656 §7.1).
    Both,
}

impl Addresses {
    /// Whether an address of this family is asked for.
    #[must_use]
    pub fn include(self, family: Family) -> bool {
        match self {
            Self::Ipv4 => family == Family::Ipv4,
            Self::Ipv6 => family == Family::Ipv6,
            Self::Both => true,
        }
    }
}

impl Config {
    /// An IPv4 allocation on this server, with the defaults of the RFCs.
    #[must_use]
    pub fn new(server: FiveTuple, credentials: Credentials) -> Self {
        Self {
            server,
            credentials,
            addresses: Addresses::default(),
            lifetime: None,
            retransmission: Retransmission::default(),
            mobility: false,
            channel_after: Some(8),
        }
    }
}
