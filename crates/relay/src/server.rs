//! Starting and stopping the server.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{Builder, JoinHandle};

use pinhole_turn::credential::{SharedSecret, SharedSecrets};
use pinhole_turn::server::{
    self, AccessTokens, Alternate, LocalQuota, NonceSeed, RelayHost, StaticUsers,
};
use rustls::ServerConfig;
use socket2::Type;
use tracing::info;

use crate::auth::{Directory, Everybody, SharedQuota};
use crate::clock::Clock;
use crate::config::{Config, ExternalIp};
use crate::external;
use crate::metrics::{Counters, Metrics};
use crate::ports::SharedPorts;
use crate::socket::{Buffers, Udp, bind_alone, listen_tcp};
use crate::stream::{self, TlsError};
use crate::worker::{Message, Neighbour, Parts, Poll, QUEUE, Waker, Worker};

/// A running server. It ends when this is dropped.
pub struct Server {
    threads: Vec<JoinHandle<io::Result<()>>>,
    neighbours: Arc<[Neighbour]>,
    /// The machines' realm, which stays as it is.
    realm: String,
    users: Directory,
    metrics: Metrics,
    addresses: Vec<SocketAddr>,
    tls_addresses: Vec<SocketAddr>,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address cannot be listened at.
    #[error("cannot listen at {0}: {1}")]
    Listen(SocketAddr, #[source] io::Error),
    /// An address is not this machine's.
    #[error("cannot open relayed addresses on {0}: {1}")]
    Relay(IpAddr, #[source] io::Error),
    /// The STUN server does not tell the external address.
    #[error("cannot learn how peers reach {0}: {1}")]
    External(IpAddr, #[source] io::Error),
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system lacks something.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl Server {
    /// Starts a server.
    ///
    /// # Errors
    /// [`StartError`]; then nothing of it runs.
    pub fn start(config: &Config) -> Result<Self, StartError> {
        check_alone(config)?;
        let shared = Shared::new(config)?;
        let counters: Vec<Arc<Counters>> =
            (0..config.workers.get()).map(|_| Arc::default()).collect();
        let mut ends = vec![];
        let mut neighbours = vec![];
        for _ in &counters {
            let poll = Poll::new()?;
            let waker = Waker::new(&poll)?;
            let (messages, receiver) = sync_channel(QUEUE);
            let mail = Arc::default();
            neighbours.push(Neighbour::new(messages, waker, Arc::clone(&mail)));
            ends.push((poll, receiver, mail));
        }
        let neighbours: Arc<[Neighbour]> = neighbours.into();
        let ports = SharedPorts::new(&shared.machine(config, 0));
        let mut listeners = Listeners::of(config);
        let mut workers = vec![];
        for (number, ((poll, messages, mail), counters)) in
            (0..).zip(ends.into_iter().zip(&counters))
        {
            let mut worker = Worker::new(Parts {
                poll,
                number,
                neighbours: Arc::clone(&neighbours),
                messages,
                mail,
                clock: shared.clock,
                machine: shared.machine(config, number),
                seed: seed()?,
                users: shared.users.clone(),
                quota: Box::new(shared.quota.clone()),
                ports: Box::new(ports.clone()),
                counters: Arc::clone(counters),
                relay_buffers: Buffers(config.relay_buffer),
                patience: config.patience,
                tls: shared.tls.clone(),
            });
            listeners.open(&mut worker, Buffers(config.listen_buffer))?;
            workers.push((number, worker));
        }
        let mut server = Self {
            threads: vec![],
            neighbours,
            realm: config.realm.clone(),
            users: shared.users,
            metrics: Metrics::new(&counters, ports),
            addresses: listeners.mixed,
            tls_addresses: listeners.tls,
        };
        for (number, worker) in workers {
            server.threads.push(spawn(number, worker)?);
        }
        if config.drain {
            server.drain(config.alternate.as_ref());
        }
        Ok(server)
    }

    /// Where the server listens.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where it serves only TLS.
    #[must_use]
    pub fn tls_addresses(&self) -> &[SocketAddr] {
        &self.tls_addresses
    }

    /// What the server counts.
    #[must_use]
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// From now on, the users, secrets, keys of tokens and certificates of this configuration count, and so
    /// does whether there are new allocations, and where others are sent. Nothing changes if its certificate
    /// cannot be read. What else is new in it ([`Config::waiting`]) takes a new start.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn reload(&self, config: &Config) -> Result<(), TlsError> {
        let tls = certificate(config)?;
        self.users.replace(everybody(config, &self.realm));
        if let Some(tls) = tls {
            for worker in &*self.neighbours {
                worker.insist(Message::Certificate(Arc::clone(&tls)));
            }
        }
        self.set_intake(!config.drain, config.alternate.as_ref());
        Ok(())
    }

    /// Takes no new allocations any more: who wants one is sent to this server, or refused without one.
    /// Those that there are go on, and [`Metrics::allocations`] tells when none is left.
    pub fn drain(&self, alternate: Option<&Alternate>) {
        self.set_intake(false, alternate);
    }

    fn set_intake(&self, is_open: bool, alternate: Option<&Alternate>) {
        for worker in &*self.neighbours {
            worker.insist(Message::Intake { is_open, alternate: alternate.cloned() });
        }
    }

    /// Closes all allocations, and ends.
    ///
    /// # Errors
    /// What has ended a worker before.
    pub fn stop(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        for worker in &*self.neighbours {
            worker.insist(Message::Stop);
        }
        self.threads.drain(..).try_for_each(|thread| {
            let panicked = |_| Err(io::Error::other("a worker has panicked"));
            thread.join().unwrap_or_else(panicked)
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end().unwrap_or_default();
    }
}

/// Tells that a worker has ended, in whatever way.
struct End(Arc<Counters>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.ended();
    }
}

/// What the workers have in common.
struct Shared {
    clock: Clock,
    nonce_seed: NonceSeed,
    hosts: Vec<RelayHost>,
    users: Directory,
    quota: SharedQuota,
    tls: Option<Arc<ServerConfig>>,
}

impl Shared {
    fn new(config: &Config) -> Result<Self, StartError> {
        let [q0, q1, q2, q3, q4, q5, q6, q7, ..] = seed()?;
        let quota =
            LocalQuota::new(config.limits, u64::from_ne_bytes([q0, q1, q2, q3, q4, q5, q6, q7]));
        Ok(Self {
            clock: Clock,
            nonce_seed: NonceSeed(seed()?),
            hosts: relay_hosts(config)?,
            users: Directory::new(everybody(config, &config.realm)),
            quota: SharedQuota::new(quota),
            tls: certificate(config)?,
        })
    }

    /// What the machine of a worker is told.
    fn machine(&self, config: &Config, number: u8) -> server::Config {
        let mut machine = config.machine();
        machine.shard = number;
        machine.nonce_seed = Some(self.nonce_seed);
        for host in &self.hosts {
            if host.bind.is_ipv4() {
                machine.relay_v4 = Some(*host);
            } else {
                machine.relay_v6 = Some(*host);
            }
        }
        machine
    }
}

/// The addresses to listen at; a port that was left to the system is the same for all workers.
struct Listeners {
    mixed: Vec<SocketAddr>,
    tls: Vec<SocketAddr>,
}

impl Listeners {
    fn of(config: &Config) -> Self {
        Self { mixed: config.listen.clone(), tls: config.tls_listen.clone() }
    }

    /// Opens this worker's share of the listeners.
    fn open(&mut self, worker: &mut Worker, buffers: Buffers) -> Result<(), StartError> {
        for address in &mut self.mixed {
            open_mixed(worker, address, buffers)
                .map_err(|error| StartError::Listen(*address, error))?;
        }
        for address in &mut self.tls {
            let opened = listen_tcp(*address).and_then(|listener| {
                *address = listener.local_addr()?;
                worker.listen_tcp(listener, true)
            });
            opened.map_err(|error| StartError::Listen(*address, error))?;
        }
        Ok(())
    }
}

/// A worker's thread.
fn spawn(number: u8, worker: Worker) -> io::Result<JoinHandle<io::Result<()>>> {
    let end = End(Arc::clone(&worker.counters));
    Builder::new().name(format!("relay-{number}")).spawn(|| {
        let _end = end;
        worker.run()
    })
}

/// Nobody else may listen where this server shall: the kernel would give him a part of the clients without a word,
/// as it gives one to each worker.
fn check_alone(config: &Config) -> Result<(), StartError> {
    let mixed = config.listen.iter().flat_map(|at| [(*at, Type::DGRAM), (*at, Type::STREAM)]);
    let tls = config.tls_listen.iter().map(|at| (*at, Type::STREAM));
    mixed.chain(tls).filter(|(address, _)| address.port() != 0).try_for_each(|(address, kind)| {
        bind_alone(address, kind).map_err(|error| StartError::Listen(address, error))
    })
}

/// UDP and TCP at the same port, which the system may choose: then another one if TCP's is taken.
fn open_mixed(worker: &mut Worker, address: &mut SocketAddr, buffers: Buffers) -> io::Result<()> {
    let mut attempts = if address.port() == 0 { ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        let udp = Udp::listen(*address, buffers)?;
        match listen_tcp(udp.local) {
            Err(_) if attempts > 0 => {}
            Err(error) => return Err(error),
            Ok(listener) => {
                *address = udp.local;
                worker.listen_udp(udp)?;
                return worker.listen_tcp(listener, false);
            }
        }
    }
}

/// Ports of the system's choice that are tried.
const ATTEMPTS: u32 = 16;

fn certificate(config: &Config) -> Result<Option<Arc<ServerConfig>>, TlsError> {
    let files = config.certificate.as_ref();
    files.map(|(certificate, key)| stream::load(certificate, key)).transpose()
}

fn everybody(config: &Config, realm: &str) -> Everybody {
    let users = config.users.iter().fold(StaticUsers::new(realm), StaticUsers::with);
    let secrets = config.secrets.iter().map(|secret| SharedSecret::new(secret.as_bytes()));
    let secrets = secrets.fold(SharedSecrets::default(), SharedSecrets::with);
    let tokens = AccessTokens::new(&config.server_name);
    let keys = config.token_keys.iter();
    let tokens = keys.fold(tokens, |tokens, entry| tokens.with(entry.name(), entry.key().clone()));
    ((users, secrets), tokens)
}

/// The hosts of relayed addresses; each address is tried.
fn relay_hosts(config: &Config) -> Result<Vec<RelayHost>, StartError> {
    let host = |&bind: &IpAddr| {
        Udp::relay(SocketAddr::new(bind, 0), Buffers(config.relay_buffer))
            .map_err(|error| StartError::Relay(bind, error))?;
        let external = external_ip(config, bind)?;
        Ok(RelayHost { bind, external })
    };
    config.relay_ips.iter().map(host).collect()
}

/// How peers reach what is opened at this address: as configured, as the first STUN server that answers sees it, as
/// it is.
fn external_ip(config: &Config, bind: IpAddr) -> Result<IpAddr, StartError> {
    let mut known = config.external_ips.iter().filter_map(ExternalIp::address);
    if let Some(known) = known.find(|address| address.is_ipv4() == bind.is_ipv4()) {
        return Ok(known);
    }
    let mut failed = None;
    for external in &config.external_ips {
        let ExternalIp::Ask(server) = external else { continue };
        match external::ask(server, bind) {
            Ok(seen) => {
                info!(relay_ip = %bind, external_ip = %seen, %server, "known by another address");
                return Ok(seen);
            }
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(bind), |error| Err(StartError::External(bind, error)))
}

fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    Ok(seed)
}
