//! Starting and stopping the server.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{Builder, JoinHandle};

use mio::{Poll, Waker};
use pinhole_turn::credential::{SharedSecret, SharedSecrets};
use pinhole_turn::server::{RelayHost, StaticUsers};

use crate::auth::Directory;
use crate::config::{Config, ExternalIp};
use crate::metrics::{Counters, Metrics};
use crate::socket::{Buffers, Udp};
use crate::worker::{Message, Parts, Source, Worker};

/// A running server. It ends when this is dropped.
pub struct Server {
    workers: Vec<Handle>,
    users: Directory,
    metrics: Metrics,
    addresses: Vec<SocketAddr>,
}

/// A worker's thread, and the way to talk to it.
struct Handle {
    messages: Sender<Message>,
    waker: Waker,
    thread: JoinHandle<io::Result<()>>,
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
        let hosts = relay_hosts(config)?;
        let users = directory(config);
        let mut addresses = config.listen.clone();
        let counters: Vec<Arc<Counters>> =
            (0..config.workers.get()).map(|_| Arc::default()).collect();
        let mut ready = vec![];
        for (number, counters) in (0..).zip(&counters) {
            let poll = Poll::new()?;
            let waker = Waker::new(poll.registry(), Source::Control.token())?;
            let (messages, receiver) = channel();
            let mut machine = config.machine();
            for host in &hosts {
                if host.bind.is_ipv4() {
                    machine.relay_v4 = Some(*host);
                } else {
                    machine.relay_v6 = Some(*host);
                }
            }
            if let Some(share) = config.relay_ports.share(number, config.workers.get()) {
                machine.ports = share.ports();
            }
            let mut worker = Worker::new(Parts {
                poll,
                machine,
                seed: seed()?,
                users: users.clone(),
                messages: receiver,
                counters: Arc::clone(counters),
                relay_buffers: Buffers(config.relay_buffer),
            });
            for address in &mut addresses {
                let udp = Udp::listen(*address, Buffers(config.listen_buffer))
                    .map_err(|error| StartError::Listen(*address, error))?;
                *address = udp.local;
                worker.listen(udp).map_err(|error| StartError::Listen(*address, error))?;
            }
            ready.push((number, worker, messages, waker));
        }
        let workers: io::Result<Vec<Handle>> = ready
            .into_iter()
            .map(|(number, worker, messages, waker)| {
                let thread = Builder::new().name(format!("relay-{number}"));
                Ok(Handle { messages, waker, thread: thread.spawn(|| worker.run())? })
            })
            .collect();
        Ok(Self { workers: workers?, users, metrics: Metrics::new(&counters), addresses })
    }

    /// Where the server listens.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What the server counts.
    #[must_use]
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// From now on, the users and secrets of this configuration count.
    pub fn reload(&self, config: &Config) {
        let (users, secrets) = accounts(config);
        self.users.replace(users, secrets);
    }

    /// Closes all allocations, and ends.
    ///
    /// # Errors
    /// What has ended a worker before.
    pub fn stop(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        for worker in &self.workers {
            worker.messages.send(Message::Stop).unwrap_or_default();
            worker.waker.wake()?;
        }
        self.workers.drain(..).try_for_each(|worker| {
            let panicked = |_| Err(io::Error::other("a worker has panicked"));
            worker.thread.join().unwrap_or_else(panicked)
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end().unwrap_or_default();
    }
}

fn directory(config: &Config) -> Directory {
    let (users, secrets) = accounts(config);
    Directory::new(users, secrets)
}

fn accounts(config: &Config) -> (StaticUsers, SharedSecrets) {
    let users = config.users.iter().fold(StaticUsers::new(&config.realm), StaticUsers::with);
    let secrets = config.secrets.iter().map(|secret| SharedSecret::new(secret.as_bytes()));
    (users, secrets.fold(SharedSecrets::default(), SharedSecrets::with))
}

/// The hosts of relayed addresses; each address is tried.
fn relay_hosts(config: &Config) -> Result<Vec<RelayHost>, StartError> {
    let host = |&bind: &IpAddr| {
        Udp::relay(SocketAddr::new(bind, 0), Buffers(config.relay_buffer))
            .map_err(|error| StartError::Relay(bind, error))?;
        let external = config.external_ips.iter().find_map(|external| match external {
            ExternalIp::Address(address) if address.is_ipv4() == bind.is_ipv4() => Some(*address),
            ExternalIp::Address(_) | ExternalIp::Ask(_) => None,
        });
        Ok(RelayHost { bind, external: external.unwrap_or(bind) })
    };
    config.relay_ips.iter().map(host).collect()
}

/// A secret of 32 random bytes, in hexadecimal.
///
/// # Errors
/// When the system has no randomness to give.
pub fn random_secret() -> io::Result<String> {
    Ok(seed()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    Ok(seed)
}
