//! What an application holds: a path to one peer.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pinhole_ice::{Agent, AgentError, Candidate, Command, Config, Credentials, Event, Role, Route};
use pinhole_sansio::{FiveTuple, Instant};
use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use crate::builder::Builder;
use crate::clock::Clock;
use crate::driver;
use crate::random;
use crate::server_connection::ServerConnection;
use crate::socket;

/// An ICE agent with its sockets, driven by tasks of its own. Dropping it ends the session.
///
/// All methods take `&self`: receive, watch events and send at the same time as you like.
#[derive(Debug)]
pub struct Connection {
    shared: Arc<Shared>,
    inbox: tokio::sync::Mutex<mpsc::Receiver<Vec<u8>>>,
    tasks: JoinSet<()>,
}

/// What the handle and the driving tasks have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) sockets: Vec<Base>,
    pub(crate) inbox: mpsc::Sender<Vec<u8>>,
    /// What the agent wants done about connections to servers.
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    pub(crate) servers: Mutex<HashMap<FiveTuple, Arc<ServerConnection>>>,
    /// The agent's deadline may have changed.
    pub(crate) rescheduled: Notify,
    state: Mutex<State>,
    /// There may be an event.
    happened: Notify,
}

/// A socket and the address that it is bound to.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) address: SocketAddr,
    pub(crate) socket: UdpSocket,
}

#[derive(Debug)]
struct State {
    agent: Agent,
    events: VecDeque<(Instant, Event)>,
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

    pub(crate) fn open(builder: Builder) -> io::Result<Self> {
        let Builder { clock, config, addresses, servers, connector } = builder;
        let sockets = bind_all(&addresses)?;
        let agent = Agent::new(config, random::seed()?, clock.now());
        let (inbox, receiver) = mpsc::channel(INBOX);
        let (commands, wanted) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            clock,
            sockets,
            inbox,
            commands,
            servers: Mutex::default(),
            rescheduled: Notify::new(),
            state: Mutex::new(State { agent, events: VecDeque::new() }),
            happened: Notify::new(),
        });
        shared.with_agent(|agent, now| {
            for base in &shared.sockets {
                // A bound socket has an address of its own, so it is always a usable base.
                if let Err(error) = agent.add_base(base.address, now) {
                    tracing::warn!(%error, "address left out");
                }
            }
        });
        let tasks = driver::spawn(&shared, servers, connector, wanted);
        Ok(Self { shared, inbox: tokio::sync::Mutex::new(receiver), tasks })
    }

    /// What the peer needs to know to check us.
    #[must_use]
    pub fn local_credentials(&self) -> Credentials {
        self.shared.lock().agent.local_credentials().clone()
    }

    /// Sets what the peer signalled, and starts checking.
    ///
    /// # Errors
    /// As [`Agent::set_remote_credentials`].
    pub fn set_remote_credentials(&self, credentials: Credentials) -> Result<(), AgentError> {
        self.shared.with_agent(|agent, now| agent.set_remote_credentials(credentials, now))
    }

    /// Begins anew with other credentials, while data takes the path that it has; see [`Agent::restart`].
    ///
    /// # Errors
    /// As [`Agent::restart`].
    pub fn restart(&self) -> Result<Credentials, AgentError> {
        self.shared.with_agent(|agent, now| {
            agent.restart(now)?;
            Ok(agent.local_credentials().clone())
        })
    }

    /// Takes a candidate that the peer signalled; see [`Agent::add_remote_candidate`].
    pub fn add_remote_candidate(&self, candidate: Candidate) {
        self.shared.with_agent(|agent, now| agent.add_remote_candidate(candidate, now));
    }

    /// The peer has no more candidates.
    pub fn end_of_remote_candidates(&self) {
        self.shared.with_agent(|agent, now| agent.end_of_remote_candidates(now));
    }

    /// The next event, and when it happened on the connection's clock. Cancel-safe.
    pub async fn next_event(&self) -> (Instant, Event) {
        loop {
            let happened = self.shared.happened.notified();
            if let Some(event) = self.shared.lock().events.pop_front() {
                return event;
            }
            happened.await;
        }
    }

    /// Sends one datagram over the selected pair, or the best that works.
    ///
    /// # Errors
    /// [`SendError`]. UDP being what it is, no error does not mean that it arrives.
    pub async fn send(&self, payload: &[u8]) -> Result<(), SendError> {
        let now = self.shared.clock.now();
        let route = self.shared.lock().agent.route(payload.len(), now);
        let Route { five_tuple, header, padding, .. } = route.ok_or(SendError::NoRoute)?;
        let header = header.as_deref().unwrap_or_default();
        let padding = PADDING.get(..padding.into()).unwrap_or_default();
        self.shared.send(five_tuple, &[header, payload, padding]).await
    }

    /// The next datagram from the peer. Cancel-safe. When the application is too slow, the newest are dropped.
    ///
    /// It waits for ever once the session is over: [`next_event`](Self::next_event) tells of that, as
    /// `StateChanged(Failed)`.
    pub async fn recv(&self) -> Vec<u8> {
        match self.inbox.lock().await.recv().await {
            Some(payload) => payload,
            // The sender lives in `shared`, as long as we do.
            None => std::future::pending().await,
        }
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

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.with_agent(|agent, now| agent.close(now));
        self.tasks.abort_all();
    }
}

impl Shared {
    /// Lets the agent do something, then sends, tells and reschedules what came of it.
    pub(crate) fn with_agent<T>(&self, act: impl FnOnce(&mut Agent, Instant) -> T) -> T {
        let now = self.clock.now();
        let mut state = self.lock();
        let State { agent, events } = &mut *state;
        let before = agent.poll_timeout();
        let result = act(agent, now);
        while let Some(transmit) = agent.poll_transmit() {
            self.transmit(transmit.five_tuple, &transmit.payload);
        }
        while let Some(command) = agent.poll_command() {
            // Nobody listens any more once the connection is dropped, and its servers with it.
            let _ = self.commands.send(command);
        }
        let known = events.len();
        events.extend(std::iter::from_fn(|| agent.poll_event()).map(|event| (now, event)));
        if events.len() > known {
            self.happened.notify_one();
        }
        if agent.poll_timeout() != before {
            self.rescheduled.notify_one();
        }
        result
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.lock().agent.poll_timeout()
    }

    /// What the socket or the connection does not take at once is lost, as on any network; STUN asks again. The system
    /// is asked directly: tokio's `try_send_to` refuses until it has once seen the socket writable.
    fn transmit(&self, five_tuple: FiveTuple, payload: &[u8]) {
        let sent = match (self.server(five_tuple), self.socket(five_tuple)) {
            (Some(server), _) => server.send(&[payload]),
            (None, Some(socket)) => {
                SockRef::from(socket).send_to(payload, &five_tuple.remote.into()).map(drop)
            }
            (None, None) => return,
        };
        if let Err(error) = sent {
            tracing::debug!(%five_tuple, %error, "not sent");
        }
    }

    async fn send(&self, five_tuple: FiveTuple, parts: &[&[u8]]) -> Result<(), SendError> {
        if let Some(server) = self.server(five_tuple) {
            while let Err(error) = server.send(parts) {
                if error.kind() != io::ErrorKind::WouldBlock {
                    return Err(error.into());
                }
                server.writable().await?;
            }
            return Ok(());
        }
        let socket = self.socket(five_tuple).ok_or(SendError::NoRoute)?;
        Ok(socket::send_parts(socket, parts, five_tuple.remote).await?)
    }

    /// The connection that a five-tuple names, if it names one.
    fn server(&self, five_tuple: FiveTuple) -> Option<Arc<ServerConnection>> {
        if !five_tuple.transport.is_reliable() {
            return None;
        }
        self.servers().get(&five_tuple).cloned()
    }

    pub(crate) fn servers(&self) -> MutexGuard<'_, HashMap<FiveTuple, Arc<ServerConnection>>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn socket(&self, five_tuple: FiveTuple) -> Option<&UdpSocket> {
        let is_base = |base: &&Base| base.address == five_tuple.local;
        let socket = self.sockets.iter().find(is_base).map(|base| &base.socket);
        socket.filter(|_| !five_tuple.transport.is_reliable())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic inside the agent leaves it as it was before or after one input; both are states.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bind_all(addresses: &[IpAddr]) -> io::Result<Vec<Base>> {
    let mut bases = Vec::new();
    let mut last_error =
        io::Error::new(io::ErrorKind::AddrNotAvailable, "no usable network address");
    for &ip in addresses {
        match socket::bind(ip).and_then(|socket| Ok(Base { address: socket.local_addr()?, socket }))
        {
            Ok(base) => bases.push(base),
            Err(error) => {
                tracing::debug!(%ip, %error, "address cannot be bound");
                last_error = error;
            }
        }
    }
    if bases.is_empty() { Err(last_error) } else { Ok(bases) }
}

/// As much as a TURN server may want behind a payload.
const PADDING: [u8; 3] = [0; 3];
/// Datagrams that wait for the application.
const INBOX: usize = 4_096;
