//! What an application holds: a path to one peer.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use pinhole_ice::{Abilities, Agent, AgentError, Candidate, Config, Credentials, Role, Route};
use pinhole_sansio::Instant;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use crate::base::{Base, Bases};
use crate::builder::{Builder, IceServer};
use crate::driver;
use crate::event::Event;
use crate::interface::AddressSource;
use crate::names::Registry;
use crate::path::{Counters, Path, Stats};
use crate::peer_connection::{self, Peers, Port};
use crate::random;
use crate::shared::{Inner, Shared};

/// An ICE agent with its sockets, driven by tasks of its own. Dropping it ends the session.
///
/// All methods take `&self`: receive, watch events and send at the same time as you like. All futures are
/// cancel-safe: one that is dropped before it is ready has taken nothing out of a queue, and has sent nothing.
#[derive(Debug)]
pub struct Connection {
    shared: Arc<Shared>,
    inbox: tokio::sync::Mutex<mpsc::Receiver<Vec<u8>>>,
    path: watch::Receiver<Option<Path>>,
    tasks: JoinSet<()>,
}

/// Why a datagram was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// No pair is valid yet, or the peer's consent has run out.
    #[error("there is no working path to the peer")]
    NoRoute,
    /// The operating system refused.
    #[error("the socket refused: {0}")]
    Io(#[from] io::Error),
}

impl Connection {
    /// A connection that is not started yet, for what [`start`](Self::start) cannot be told: servers by their URIs,
    /// whom to trust.
    #[must_use]
    pub fn builder(role: Role) -> Builder {
        Builder::new(Config::new(role))
    }

    /// Binds a socket on each address, in order of preference, and starts to gather. Checks start with
    /// [`set_remote_credentials`](Self::set_remote_credentials).
    ///
    /// # Errors
    /// When no address can be bound, the error of the last one; when the system has no randomness.
    pub fn start(config: Config, addresses: &[IpAddr]) -> io::Result<Self> {
        Builder::new(config).addresses(addresses).start()
    }

    pub(crate) fn open(builder: Builder, watched: Option<AddressSource>) -> io::Result<Self> {
        let Builder {
            clock,
            config,
            addresses,
            servers,
            connector,
            recovers,
            listeners,
            names,
            ..
        } = builder;
        let bases = Base::bind_all(&addresses)?;
        let bound = listeners.into_iter().map(|(address, port)| {
            let (address, listener) = peer_connection::bind(address, port)?;
            Ok((address, port, listener))
        });
        let listeners = bound.collect::<io::Result<Vec<_>>>()?;
        let shared_pacer = Some(config.shared_pacer.clone().unwrap_or_else(|| clock.pacer()));
        let config = Config { shared_pacer, ..config };
        let has_turn_servers =
            !config.turn_servers.is_empty() || servers.iter().any(IceServer::relays);
        let seed = random::seed()?;
        let names = names.map(|names| Registry::new(names, has_turn_servers, seed));
        let agent = Agent::new(config, random::seed()?, clock.now());
        let (inbox, receiver) = mpsc::channel(INBOX);
        let (commands, wanted) = mpsc::unbounded_channel();
        let (path, watcher) = watch::channel(None);
        let shared = Arc::new(Shared {
            clock,
            bases: Bases::new(bases),
            multicast: Bases::new(Vec::new()),
            inbox,
            commands,
            servers: Mutex::default(),
            peers: Peers::default(),
            rescheduled: Notify::new(),
            inner: Mutex::new(Inner::new(agent, recovers, names, path)),
            happened: Notify::new(),
            counters: Counters::default(),
        });
        tell_sockets(&shared, &listeners);
        let mut tasks = driver::spawn(&shared, servers, connector, wanted, watched);
        for (.., listener) in listeners {
            tasks.spawn(peer_connection::listen(Arc::clone(&shared), listener));
        }
        let inbox = tokio::sync::Mutex::new(receiver);
        Ok(Self { shared, inbox, path: watcher, tasks })
    }

    /// What the peer needs to know to check us.
    #[must_use]
    pub fn local_credentials(&self) -> Credentials {
        self.shared.lock().agent.local_credentials().clone()
    }

    /// What to signal beside the credentials; see [`Agent::local_abilities`].
    #[must_use]
    pub fn local_abilities(&self) -> Abilities {
        self.shared.lock().agent.local_abilities()
    }

    /// Sets what the peer can do, before its credentials; see [`Agent::set_remote_abilities`].
    pub fn set_remote_abilities(&self, abilities: Abilities) {
        self.shared.with_agent(|agent, _| agent.set_remote_abilities(abilities));
    }

    /// Sets what the peer signalled, and starts checking.
    ///
    /// Credentials that are not those of before are the peer's restart, unless they answer one of ours: this side
    /// restarts too, and [`Event::Restarted`] tells what to answer. Those that are known already change nothing.
    ///
    /// # Errors
    /// [`AgentError::Over`] after [`close`](Self::close), and where the session has failed and was not restarted.
    pub fn set_remote_credentials(&self, credentials: Credentials) -> Result<(), AgentError> {
        self.shared.with_inner(|inner, now| inner.set_remote_credentials(credentials, now))
    }

    /// Begins anew with other credentials, while data takes the path that it has; see [`Agent::restart`].
    /// [`Event::Restarted`] tells them. As long as the peer has not answered the last restart, that one goes on.
    ///
    /// # Errors
    /// As [`Agent::restart`].
    pub fn restart(&self) -> Result<(), AgentError> {
        self.shared.with_inner(Inner::restart)
    }

    /// Takes a candidate that the peer signalled; see [`Agent::add_remote_candidate`].
    pub fn add_remote_candidate(&self, candidate: Candidate) {
        self.shared.with_inner(|inner, now| inner.add_remote_candidate(candidate, now));
    }

    /// Takes the peer's word that a candidate is gone; see [`Agent::remove_remote_candidate`].
    pub fn remove_remote_candidate(&self, candidate: &Candidate) {
        self.shared.with_inner(|inner, now| inner.remove_remote_candidate(candidate, now));
    }

    /// The peer has no more candidates.
    pub fn end_of_remote_candidates(&self) {
        self.shared.with_inner(Inner::end_of_remote_candidates);
    }

    /// The next event, and when it happened on the connection's clock. Cancel-safe.
    pub async fn next_event(&self) -> (Instant, Event) {
        loop {
            let happened = self.shared.happened.notified();
            if let Some(event) = self.shared.lock().pop_event() {
                return event;
            }
            happened.await;
        }
    }

    /// The path that data takes, and its changes; `None` while there is none.
    ///
    /// ```no_run
    /// # async fn show(connection: &pinhole_io::Connection) -> Option<()> {
    /// let mut paths = connection.path();
    /// let path = paths.wait_for(Option::is_some).await.ok()?.clone()?; // data can be sent from here on
    /// println!("{} {} -> {} {}", path.local.kind, path.local.address, path.remote.kind, path.remote.address);
    /// # Some(()) }
    /// ```
    #[must_use]
    pub fn path(&self) -> watch::Receiver<Option<Path>> {
        self.path.clone()
    }

    /// What has gone over the path so far. The agent counts for each pair: see
    /// [`PairInfo::stats`](pinhole_ice::PairInfo::stats), by [`inspect`](Self::inspect).
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.counters.stats()
    }

    /// Ends the session: TURN servers are told, and nothing is sent or received any more.
    pub fn close(&self) {
        self.shared.with_inner(Inner::close);
    }

    /// Sends one datagram over the selected pair, or the best that works. Cancel-safe: it waits until the socket takes
    /// the whole of it.
    ///
    /// # Errors
    /// [`SendError`]. UDP being what it is, no error does not mean that it arrives.
    pub async fn send(&self, payload: &[u8]) -> Result<(), SendError> {
        let now = self.shared.clock.now();
        let route = self.shared.lock().agent.route(payload.len(), now);
        let route = route.ok_or(SendError::NoRoute)?;
        self.shared.send(route.five_tuple, &parts(&route, payload)).await?;
        self.shared.counters.sent(payload.len());
        Ok(())
    }

    /// Sends several datagrams, as [`send`](Self::send) does one after the other; those in a row that have one length
    /// go to the system in one call, where it can cut them apart (UDP GSO), the last of them may be shorter. Cancel-safe:
    /// each is sent whole, and in order, or not at all.
    ///
    /// # Errors
    /// [`SendError`], of the first datagram that is refused; those after it are not sent.
    pub async fn send_many(&self, payloads: &[&[u8]]) -> Result<(), SendError> {
        let mut rest = payloads;
        while !rest.is_empty() {
            let sent = self.shared.send_some(rest).await?;
            let (gone, left) = rest.split_at(sent);
            gone.iter().for_each(|payload| self.shared.counters.sent(payload.len()));
            rest = left;
        }
        Ok(())
    }

    /// The next datagram from the peer. Cancel-safe. When the application is too slow, the newest are dropped.
    ///
    /// It waits for ever once the session is over, for a restart may mend it: [`next_event`](Self::next_event) tells of
    /// that, as `StateChanged(Failed)`.
    pub async fn recv(&self) -> Vec<u8> {
        match self.inbox.lock().await.recv().await {
            Some(payload) => payload,
            // The sender lives in `shared`, as long as we do.
            None => std::future::pending().await,
        }
    }

    /// Waits for a datagram from the peer, and appends it and those that have come with it, at most `limit`; how many
    /// that are, 0 if `limit` is. Cancel-safe, and else as [`recv`](Self::recv).
    pub async fn recv_many(&self, datagrams: &mut Vec<Vec<u8>>, limit: usize) -> usize {
        self.inbox.lock().await.recv_many(datagrams, limit).await
    }

    /// Looks at the agent: its pairs, candidates, state.
    pub fn inspect<T>(&self, look: impl FnOnce(&Agent) -> T) -> T {
        look(&self.shared.lock().agent)
    }

    /// The time on the connection's clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.shared.clock.now()
    }
}

/// Tells the agent what it has to send from, and where it is listened for connections.
fn tell_sockets(shared: &Shared, listeners: &[(SocketAddr, Port, TcpListener)]) {
    shared.with_agent(|agent, now| {
        for base in shared.bases.all() {
            // A bound socket has an address of its own, so it is always a usable base.
            if let Err(error) = agent.add_base(base.address, now) {
                tracing::warn!(%error, "address left out");
            }
        }
        for (address, port, _) in listeners {
            let added = match port {
                Port::Passive => agent.add_tcp_listener(*address, now),
                Port::Simultaneous => agent.add_tcp_simultaneous_open(*address, now),
            };
            if let Err(error) = added {
                tracing::warn!(%error, "listener left out");
            }
        }
    });
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.with_inner(Inner::close);
        self.tasks.abort_all();
    }
}

/// What goes over a route: the TURN server's header, the payload, and zeros behind it.
pub(crate) fn parts<'a>(route: &'a Route, payload: &'a [u8]) -> [&'a [u8]; 3] {
    let padding = PADDING.get(..route.padding.into()).unwrap_or_default();
    [route.header.as_deref().unwrap_or_default(), payload, padding]
}

/// As much as a TURN server may want behind a payload.
const PADDING: [u8; 3] = [0; 3];
/// Datagrams that wait for the application.
const INBOX: usize = 4_096;
