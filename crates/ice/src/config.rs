//! What an agent can be told at its start; the defaults are the RFCs'.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use pinhole_stun::Retransmission;

use crate::consent::ConsentConfig;
use crate::policy::NominationPolicy;
use crate::role::Role;

/// Settings of one [`Agent`](crate::Agent).
#[derive(Clone, Debug)]
pub struct Config {
    /// Who nominates. In offer/answer the offerer is controlling (RFC 8445 §6.1.1); if both sides think so,
    /// the agents settle it.
    pub role: Role,
    /// STUN servers to learn server-reflexive candidates from; the first 255 count.
    pub stun_servers: Vec<SocketAddr>,
    /// Ta, the time between the starts of two transactions; 50 ms (RFC 8445 §14.2), at least 5 ms.
    pub ta: Duration,
    /// Retransmission of connectivity checks (RFC 8445 §14.3).
    pub checks: Retransmission,
    /// Retransmission of requests to STUN servers. Five requests in 9.5 s by default: a server that is
    /// silent so long would be of no use to the session.
    pub gathering: Retransmission,
    /// The most pairs on the checklist; 100 (RFC 8445 §6.1.2.5).
    pub max_pairs: usize,
    /// The most remote candidates that are kept, signalled and learned together; 100.
    pub max_remote_candidates: usize,
    /// How long to wait for the peer's checks before "no pair works" is believed; 39.5 s (RFC 8863 §4).
    pub patience: Duration,
    /// Consent freshness (RFC 7675).
    pub consent: ConsentConfig,
    /// When the controlling side settles for a pair.
    pub nomination: NominationPolicy,
}

impl Config {
    /// The defaults for one role, with no STUN servers.
    #[must_use]
    pub fn new(role: Role) -> Self {
        Self {
            role,
            stun_servers: Vec::new(),
            ta: Duration::from_millis(50),
            checks: Retransmission::default(),
            gathering: Retransmission { rc: 5, rm: 4, ..Retransmission::default() },
            max_pairs: 100,
            max_remote_candidates: 100,
            patience: Duration::from_millis(39_500),
            consent: ConsentConfig::default(),
            nomination: NominationPolicy::default(),
        }
    }
}
