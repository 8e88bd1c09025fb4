//! What a run is told.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use pinhole_stun::resolve::ServerAddress;
use pinhole_stun::{Credentials, Host};
use tokio_rustls::rustls::ClientConfig;

/// A load to put on a server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server.
    pub target: Target,
    /// The user that all allocations belong to.
    pub credentials: Credentials,
    /// How many allocations to make.
    pub allocations: usize,
    /// Packets a second, those of all allocations and both directions together; with 0, the allocations are only
    /// held.
    pub rate: u64,
    /// The bytes of a packet, as the peer sees it; from [`Settings::MIN_SIZE`] to [`Settings::MAX_SIZE`].
    pub size: usize,
    /// How long to send, or to hold.
    pub duration: Duration,
    /// The threads to share the work among.
    pub threads: usize,
    /// Whether to send rows of packets with one call (GSO).
    pub gso: bool,
    /// Whether to send in Send indications, and bind no channels.
    pub indications: bool,
    /// Where the peers are: an address of this machine that the server reaches.
    pub peer: IpAddr,
    /// The server's process, if it runs on this machine and is to be measured, too.
    pub pid: Option<u32>,
}

/// A server that has been looked up.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it is, and how to get there: UDP, TCP or TLS.
    pub server: ServerAddress,
    /// Its name, which its certificate is to bear.
    pub host: Host,
    /// Whom to believe; needed for TLS.
    pub tls: Option<Arc<ClientConfig>>,
}

impl Settings {
    /// A packet carries a stamp.
    pub const MIN_SIZE: usize = crate::payload::Stamp::LENGTH;
    /// With all headers, a packet is to fit into a datagram.
    pub const MAX_SIZE: usize = 65_000;
}
