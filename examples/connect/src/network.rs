//! From the command line to a connection that gathers.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use pinhole_ice::{Config, Role};
use pinhole_io::{AddressFilter, Clock, Connection, Resolver, resolve_numeric, usable_addresses};
use pinhole_sansio::Transport;
use pinhole_stun::{Host, Uri};

use crate::cli::Network;

/// What every agent of this process is started with.
#[derive(Clone, Debug)]
pub(crate) struct NetworkSettings {
    pub(crate) clock: Clock,
    pub(crate) stun_servers: Vec<SocketAddr>,
    pub(crate) addresses: Vec<IpAddr>,
    /// How long to wait for the peer's checks; the default if `None`.
    pub(crate) patience: Option<Duration>,
}

impl NetworkSettings {
    /// Looks up the servers and this machine's addresses.
    pub(crate) async fn find(network: &Network, ipv6: bool) -> Result<Self> {
        for server in &network.turn {
            eprintln!("connect: {server}: relaying through TURN is not supported yet");
        }
        if network.relay_only {
            bail!("--relay-only leaves no candidates while TURN is not supported yet");
        }
        let mut stun_servers = Vec::new();
        for server in &network.stun {
            stun_servers.extend(resolve(server).await.with_context(|| format!("{server}"))?);
        }
        let filter = AddressFilter { loopback: network.loopback, ipv6 };
        let addresses =
            usable_addresses(filter).context("the machine's addresses are not known")?;
        if addresses.is_empty() {
            bail!("this machine has no address but loopback (which --loopback allows)");
        }
        Ok(Self { clock: Clock::start(), stun_servers, addresses, patience: network.patience })
    }

    /// Starts an agent.
    pub(crate) fn start(&self, role: Role) -> Result<Connection> {
        let mut config = Config { stun_servers: self.stun_servers.clone(), ..Config::new(role) };
        config.patience = self.patience.unwrap_or(config.patience);
        Connection::start_on(self.clock, config, &self.addresses)
            .context("no socket could be opened")
    }
}

/// The addresses of a STUN server over UDP. The name servers are read only where there is a name to look up.
async fn resolve(uri: &Uri) -> Result<Vec<SocketAddr>> {
    const SUPPORTED: &[Transport] = &[Transport::Udp];
    let servers = match uri.host {
        Host::Ip(_) => resolve_numeric(uri, SUPPORTED)?,
        Host::Name(_) => Resolver::system()?.resolve(uri, SUPPORTED).await?,
    };
    Ok(servers.into_iter().map(|server| server.address).collect())
}
