//! How much of the machine's addresses is used and told (RFC 8828 §5.2).

use std::net::SocketAddr;

/// The four modes of RFC 8828, from the best paths to the least told; [`Builder::ip_handling`] takes one.
///
/// The RFC wants the user's consent for the first one, and the second one where there is none.
///
/// [`Builder::ip_handling`]: crate::Builder::ip_handling
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IpHandling {
    /// Mode 1: all addresses are used, and told to the peer.
    #[default]
    EnumerateAll,
    /// Mode 2: the addresses that packets to the Internet leave from, one of each family, are used, and told to the peer
    /// beside what servers see.
    DefaultRoute,
    /// Mode 3: they are used, and the peer is told only what servers see.
    DefaultRouteOnly,
    /// Mode 4: everything goes through this HTTP proxy (CONNECT, RFC 9110 §9.3.6) to TURN servers over TCP or TLS, and
    /// nothing over UDP. The names of servers are still looked up by this machine.
    ForceProxy(SocketAddr),
}
