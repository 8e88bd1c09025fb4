//! What a connection is told before it starts.

use std::io;
use std::net::{IpAddr, SocketAddr};

use pinhole_ice::{CandidatePolicy, Config};
use pinhole_sansio::Transport;
use pinhole_stun::{Credentials, Host, Uri};

use crate::clock::Clock;
use crate::connection::Connection;
use crate::interface::{AddressFilter, AddressSource, Choice, DefaultRoute};
use crate::ip_handling::IpHandling;
use crate::names::Names;
use crate::peer_connection::Port;
use crate::server_connection::ServerConnector;

/// A [`Connection`] that is not started yet.
///
/// ```no_run
/// use pinhole_ice::Role;
/// use pinhole_io::{AddressFilter, Connection, IceServer};
/// use pinhole_stun::Credentials;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let credentials = Credentials::new("user", "password")?;
/// let connection = Connection::builder(Role::Controlling)
///     .watch(AddressFilter::default())
///     .recover()
///     .server(IceServer::stun("stun:stun.example.org".parse()?))
///     .server(IceServer::turn("turns:turn.example.org:443".parse()?, credentials))
///     .start()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Builder {
    pub(crate) clock: Clock,
    pub(crate) config: Config,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) servers: Vec<IceServer>,
    pub(crate) connector: ServerConnector,
    watched: Option<AddressFilter>,
    ip_handling: Option<IpHandling>,
    pub(crate) recovers: bool,
    pub(crate) listeners: Vec<(SocketAddr, Port)>,
    pub(crate) names: Option<Names>,
}

/// A server by its URI, as browsers are given it. Its name is looked up while gathering has begun; one that is not
/// found is told by [`Event::ServerNotFound`](pinhole_ice::Event::ServerNotFound).
#[derive(Clone, Debug)]
pub struct IceServer {
    pub(crate) uri: Uri,
    pub(crate) credentials: Option<Credentials>,
}

impl IceServer {
    /// A STUN server, asked over UDP.
    #[must_use]
    pub const fn stun(uri: Uri) -> Self {
        Self { uri, credentials: None }
    }

    /// A TURN server, with the user's name and password there.
    #[must_use]
    pub const fn turn(uri: Uri, credentials: Credentials) -> Self {
        Self { uri, credentials: Some(credentials) }
    }

    pub(crate) const fn relays(&self) -> bool {
        self.credentials.is_some()
    }
}

impl Builder {
    /// With an agent's settings, and no address yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            clock: Clock::start(),
            config,
            addresses: Vec::new(),
            servers: Vec::new(),
            connector: ServerConnector::default(),
            watched: None,
            ip_handling: None,
            recovers: false,
            listeners: Vec::new(),
            names: None,
        }
    }

    /// Changes the agent's settings.
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Binds a socket on each of these addresses, the preferred one first.
    #[must_use]
    pub fn addresses(mut self, addresses: &[IpAddr]) -> Self {
        self.addresses = addresses.to_vec();
        self
    }

    /// Binds a socket on each of the machine's addresses that pass the filter, if none are given, and once a second
    /// looks for addresses that have come or gone: the agent hears of their sockets, and their candidates are told
    /// like the others.
    #[must_use]
    pub fn watch(mut self, filter: AddressFilter) -> Self {
        self.watched = Some(filter);
        self
    }

    /// Uses and tells as many of the machine's addresses as this mode of RFC 8828 wants, of those that pass the filter of
    /// [`watch`](Self::watch): they are watched, whether that was called or not. The way out is the one to the first
    /// server of each family that is given by number, or else to the Internet.
    ///
    /// ```no_run
    /// use pinhole_ice::Role;
    /// use pinhole_io::{Connection, IceServer, IpHandling};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let connection = Connection::builder(Role::Controlling)
    ///     .ip_handling(IpHandling::DefaultRouteOnly) // the peer is told what the server sees, and no more
    ///     .server(IceServer::stun("stun:stun.example.org".parse()?))
    ///     .start()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn ip_handling(mut self, mode: IpHandling) -> Self {
        self.ip_handling = Some(mode);
        self
    }

    /// Restarts ICE by itself when a path that worked is in doubt or lost, or an address has come in place of a lost
    /// one. [`Event::Restarted`](crate::Event::Restarted) says what to signal then, and the peer's answer goes to
    /// [`Connection::set_remote_credentials`].
    #[must_use]
    pub const fn recover(mut self) -> Self {
        self.recovers = true;
        self
    }

    /// Opens TCP connections to the peer where it listens and UDP does not get through (RFC 6544).
    #[must_use]
    pub const fn tcp(mut self) -> Self {
        self.config.tcp = true;
        self
    }

    /// Listens for TCP connections of the peer at this address, too; port 0 for any.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listeners.push((address, Port::Passive));
        self
    }

    /// Opens and accepts TCP connections at one port of this address, besides; port 0 for any. Between two firewalls that
    /// let a connection in only where one has gone out, it takes that on both sides (RFC 6544 §4.1, "simultaneous-open").
    #[must_use]
    pub fn open_simultaneously(mut self, address: SocketAddr) -> Self {
        self.listeners.push((address, Port::Simultaneous));
        self.tcp()
    }

    /// Joins the group of multicast DNS on the link of each address, to resolve the names that a peer tells in place of its
    /// addresses, and perhaps to do likewise. Where TURN servers are asked, no name is resolved: they would learn the
    /// address behind it (draft-ietf-mmusic-mdns-ice-candidates §3.3.2).
    #[must_use]
    pub const fn mdns(mut self, names: Names) -> Self {
        self.names = Some(names);
        self
    }

    /// Asks this server too.
    #[must_use]
    pub fn server(mut self, server: IceServer) -> Self {
        self.servers.push(server);
        self
    }

    /// Opens connections to TURN servers in this way: for certificates that the system does not trust.
    #[must_use]
    pub fn connector(mut self, connector: ServerConnector) -> Self {
        self.connector = connector;
        self
    }

    /// Uses a clock that was started before, so that several connections tell comparable times.
    #[must_use]
    pub const fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Opens the sockets and starts to gather. Call it inside of a tokio runtime.
    ///
    /// # Errors
    /// When no address can be bound, the error of the last one, or that of a listener; when the system does not tell its addresses, or has no
    /// randomness.
    pub fn start(mut self) -> io::Result<Connection> {
        let source = self.source();
        if let (Some(source), true) = (&source, self.addresses.is_empty()) {
            self.addresses = source.usable()?;
        }
        match self.ip_handling {
            Some(IpHandling::DefaultRouteOnly) => self.hide_host_candidates(),
            Some(IpHandling::ForceProxy(proxy)) => self.go_through(proxy),
            Some(IpHandling::EnumerateAll | IpHandling::DefaultRoute) | None => {}
        }
        Connection::open(self, source)
    }

    /// Where addresses come from, unless they are given.
    fn source(&self) -> Option<AddressSource> {
        if self.watched.is_none() && self.ip_handling.is_none() {
            return None;
        }
        let filter = self.watched.clone().unwrap_or_default();
        let choice = match self.ip_handling {
            Some(IpHandling::EnumerateAll) | None => Choice::All,
            Some(IpHandling::DefaultRoute | IpHandling::DefaultRouteOnly) => {
                Choice::OnRoute(DefaultRoute::towards(self.numeric_servers()))
            }
            // The sockets are not used, and the system chooses the address that the proxy sees.
            Some(IpHandling::ForceProxy(_)) => Choice::OneOfEach,
        };
        Some(AddressSource { filter, choice })
    }

    fn numeric_servers(&self) -> impl Iterator<Item = IpAddr> {
        let Config { stun_servers, turn_servers, .. } = &self.config;
        let configured = stun_servers.iter().map(SocketAddr::ip);
        let configured = configured.chain(turn_servers.iter().map(|server| server.address.ip()));
        let by_uri = self.servers.iter().filter_map(|server| match server.uri.host {
            Host::Ip(ip) => Some(ip),
            Host::Name(_) => None,
        });
        configured.chain(by_uri)
    }

    /// What allows less stays as it is.
    fn hide_host_candidates(&mut self) {
        if self.config.candidates == CandidatePolicy::All {
            self.config.candidates = CandidatePolicy::NoHost;
        }
    }

    /// Nothing but streams to TURN servers, and those through the proxy.
    fn go_through(&mut self, proxy: SocketAddr) {
        self.config.candidates = CandidatePolicy::Relay;
        self.config.tcp = false;
        self.config.stun_servers.clear();
        self.config.turn_servers.retain(|server| server.transport != Transport::Udp);
        self.servers.retain(IceServer::relays);
        self.listeners.clear();
        self.names = None;
        self.connector = self.connector.clone().through_proxy(proxy);
    }
}
