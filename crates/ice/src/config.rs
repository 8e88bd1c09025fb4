//! What an agent can be told at its start; the defaults are the RFCs'.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use pinhole_sansio::Transport;
use pinhole_stun::{Credentials, Retransmission};
use pinhole_turn::client::Addresses;

use crate::abilities::Abilities;
use crate::consent::{ConsentConfig, Liveness};
use crate::pacer::SharedPacer;
use crate::policy::{Backups, NominationPolicy};
use crate::role::Role;

/// Settings of one [`Agent`](crate::Agent).
#[derive(Clone, Debug)]
pub struct Config {
    /// Who nominates. In offer/answer the offerer is controlling (RFC 8445 §6.1.1); if both sides think so,
    /// the agents settle it.
    pub role: Role,
    /// Offers to open TCP connections to the peer's passive candidates (RFC 6544), with
    /// [`Command::ConnectToPeer`](crate::Command::ConnectToPeer); no by default.
    pub tcp: bool,
    /// A lite agent, for a machine that the peer can reach without help: it has host candidates only, checks nothing,
    /// and is controlled by a full peer whatever `role` says (RFC 8445 §2.5). Tell the peer
    /// ([`Agent::local_abilities`](crate::Agent::local_abilities)).
    pub lite: bool,
    /// STUN servers to learn server-reflexive candidates from; the first 255 count.
    pub stun_servers: Vec<SocketAddr>,
    /// TURN servers to have relayed candidates from, and server-reflexive ones where they are asked over UDP;
    /// the first 255 count.
    pub turn_servers: Vec<TurnServer>,
    /// Addresses of this machine with the one that a 1:1 NAT gives each of them, as cloud providers have it: without a
    /// STUN server, a socket is offered at the other address, too, with the same port. A lite agent offers that alone.
    pub public_addresses: Vec<(IpAddr, IpAddr)>,
    /// Which candidates are gathered and offered.
    pub candidates: CandidatePolicy,
    /// Ta, the time between the starts of two transactions; 50 ms (RFC 8445 §14.2), at least 5 ms. Less than 50 ms is
    /// used when the peer wishes it, too: signal [`Agent::local_abilities`](crate::Agent::local_abilities), and tell
    /// the agent the peer's.
    pub ta: Duration,
    /// The pace of all agents of the process, each of which should have a clone of one; none by default.
    pub shared_pacer: Option<SharedPacer>,
    /// Retransmission of connectivity checks (RFC 8445 §14.3): every 500 ms for as long as patience lasts, since a
    /// path that loses packets, or a NAT that is not open yet, is worth a try at all times alike. The pacer bounds
    /// what all of them send together.
    pub checks: Retransmission,
    /// Retransmission of requests to STUN and TURN servers: every 500 ms for 12 s by default. A server that is
    /// silent so long would be of no use to the session.
    pub gathering: Retransmission,
    /// The most pairs on the checklist; 100 (RFC 8445 §6.1.2.5).
    pub max_pairs: usize,
    /// The most remote candidates that are kept, signalled and learned together; 100.
    pub max_remote_candidates: usize,
    /// How long to wait for the peer's checks before "no pair works" is believed; 39.5 s (RFC 8863 §4).
    pub patience: Duration,
    /// How the agent knows that the peer is still there.
    pub liveness: Liveness,
    /// Consent freshness (RFC 7675).
    pub consent: ConsentConfig,
    /// When the controlling side settles for a pair.
    pub nomination: NominationPolicy,
    /// What stands ready when the selected pair breaks, if the peer can change it, too; `None` to offer it to no
    /// peer.
    pub backups: Option<Backups>,
}

impl Config {
    /// The defaults for one role, with no STUN servers.
    #[must_use]
    pub fn new(role: Role) -> Self {
        Self {
            role,
            tcp: false,
            lite: false,
            stun_servers: Vec::new(),
            turn_servers: Vec::new(),
            public_addresses: Vec::new(),
            candidates: CandidatePolicy::default(),
            ta: Abilities::DEFAULT_PACING,
            shared_pacer: None,
            checks: Retransmission { rc: 64, ..steady() },
            gathering: Retransmission { rc: 24, rm: 1, ..steady() },
            max_pairs: 100,
            max_remote_candidates: 100,
            patience: Duration::from_millis(39_500),
            liveness: Liveness::default(),
            consent: ConsentConfig::default(),
            nomination: NominationPolicy::default(),
            backups: Some(Backups::default()),
        }
    }
}

/// The RFC's first interval, again and again. "doubling after each retransmission" is a SHOULD (RFC 8489 §6.2.1)
/// that keeps a crowd of clients off an overloaded server or link; the pacer does that here.
fn steady() -> Retransmission {
    let rto = Retransmission::default().rto;
    Retransmission { rto, longest: rto, ..Retransmission::default() }
}

/// A server that relays, and what it wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// How it is reached: over UDP from each base, over TCP or TLS by a connection that the agent asks for
    /// ([`Command::Connect`](crate::Command::Connect)).
    pub transport: Transport,
    /// Who asks.
    pub credentials: Credentials,
    /// Which relayed addresses to ask for; one of each family by default, of which one will do.
    pub addresses: Addresses,
}

impl TurnServer {
    /// A server that is asked for a relayed address of each family.
    #[must_use]
    pub const fn new(address: SocketAddr, transport: Transport, credentials: Credentials) -> Self {
        Self { address, transport, credentials, addresses: Addresses::Both }
    }
}

/// Which candidates an agent gathers, offers and uses (RFC 8828 §5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CandidatePolicy {
    /// All of them.
    #[default]
    All,
    /// Host addresses are used and not told to the peer, neither as candidates nor as related addresses.
    NoHost,
    /// Relayed ones alone: nothing is sent anywhere but to the TURN servers, and no other address of ours is told.
    Relay,
}
