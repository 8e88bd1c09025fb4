use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// How the server listens, whom it lets in, and how much.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address to listen on; port 0 lets the system choose one.
    pub listen: SocketAddr,
    /// Serve HTTPS and WSS with this certificate instead of HTTP and WS.
    pub tls: Option<TlsFiles>,
    /// Which web pages may connect.
    pub origins: Origins,
    /// Bounds on everything that a stranger can ask for.
    pub limits: Limits,
}

/// A certificate chain and its private key, as PEM files.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The server's certificate first, then those that lead to the root.
    pub certificates: PathBuf,
    /// The key of the first certificate.
    pub key: PathBuf,
}

/// Which web pages may open a WebSocket. Programs that are no browsers send no `Origin`, and are let
/// in: the check protects users of a browser, not the server.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Origins {
    /// Pages that came from the host that the WebSocket is opened to.
    #[default]
    Same,
    /// Pages with one of these origins, such as `https://example.org`.
    Listed(Vec<String>),
    /// Any page.
    Any,
}

/// Bounds on everything that a stranger can ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Peers in one room.
    pub room_size: usize,
    /// Rooms at a time.
    pub rooms: usize,
    /// Connections at a time.
    pub connections: usize,
    /// Connections at a time from one IPv4 address or one IPv6 /64 network.
    pub connections_per_ip: usize,
    /// Bytes of one WebSocket message. A longer one closes the connection (1009).
    pub message_bytes: usize,
    /// Bytes of one HTTP request's head, at least 8,192. A longer one is answered with 431.
    pub header_bytes: usize,
    /// Messages that wait for one slow reader, before senders to it have to wait as well.
    pub queue: usize,
    /// How long senders wait for a slow reader before it is closed (1008).
    pub slow_reader: Duration,
    /// How long a TLS handshake, an HTTP request, or the first `join` may take.
    pub handshake: Duration,
    /// How long a connection may be silent. It is pinged three times in this while, and closed (1008)
    /// if it answers none of them.
    pub idle: Duration,
}

impl Default for Config {
    /// Any free port of 127.0.0.1, no TLS, pages of the same origin, the default [`Limits`].
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            tls: None,
            origins: Origins::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            room_size: 2,
            rooms: 1_024,
            connections: 1_024,
            connections_per_ip: 32,
            message_bytes: 64 * 1_024,
            header_bytes: 16 * 1_024,
            queue: 16,
            slow_reader: Duration::from_secs(5),
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(60),
        }
    }
}
