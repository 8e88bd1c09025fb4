use core::time::Duration;

use pinhole_sansio::FiveTuple;
use pinhole_stun::attribute::Family;
use pinhole_stun::{Credentials, Retransmission};

use super::auth::Token;
use crate::attribute::{RequestedTransport, ReservationToken};

/// What a [`Client`](super::Client) is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// The path to the server.
    pub server: FiveTuple,
    /// Who the client is.
    pub credentials: Credentials,
    /// The token of an authorization server, which is shown in place of the credentials to a server that takes
    /// tokens (RFC 7635).
    pub token: Option<Token>,
    /// The relayed addresses that are wanted.
    pub addresses: Addresses,
    /// What the relayed address is for: datagrams, or connections (RFC 6062), for which the client's own
    /// connection has to be TCP or TLS.
    pub requested_transport: RequestedTransport,
    /// Which port the relayed address shall have.
    pub port: Port,
    /// Whether to ask for a server that can set DF on datagrams, for [`Client::send_unfragmented`](super::Client::send_unfragmented); an
    /// allocation on one that cannot is made without (RFC 8656 §7.4).
    pub dont_fragment: bool,
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

/// Which port a relayed address shall have (RFC 8656 §7.1). An allocation for connections gets any one
/// (RFC 6062 §4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Port {
    /// Any one.
    #[default]
    Any,
    /// An even one.
    Even,
    /// An even one, and the next one reserved: [`Client::reservation`](super::Client::reservation) is
    /// the token for it. Two families cannot be had with it (RFC 8656 §7.1): [`Addresses::Both`] gets
    /// IPv4.
    Pair,
    /// The one that another client has reserved. The server chooses the family, too.
    Reserved(ReservationToken),
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
    /// Whether a relayed address of this family is what was asked for.
    pub(super) fn include(&self, family: Family) -> bool {
        matches!(self.port, Port::Reserved(_)) || self.addresses.include(family)
    }

    /// An IPv4 allocation on this server, with the defaults of the RFCs.
    #[must_use]
    pub fn new(server: FiveTuple, credentials: Credentials) -> Self {
        Self {
            server,
            credentials,
            token: None,
            addresses: Addresses::default(),
            requested_transport: RequestedTransport::UDP,
            port: Port::default(),
            dont_fragment: false,
            lifetime: None,
            retransmission: Retransmission::default(),
            mobility: false,
            channel_after: Some(8),
        }
    }
}
