//! From the command line to a connection that gathers.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use pinhole_ice::{CandidatePolicy, Config, Role};
use pinhole_io::{
    AddressFilter, Builder, Clock, Connection, IceServer, IpHandling, Names, usable_addresses,
};
use pinhole_stun::Credentials;

use crate::cli::Network;

/// What every agent of this process is started with.
#[derive(Clone, Debug)]
pub(crate) struct NetworkSettings {
    pub(crate) clock: Clock,
    pub(crate) servers: Vec<IceServer>,
    /// Which of the machine's addresses are used, now and as they come.
    pub(crate) addresses: AddressFilter,
    pub(crate) candidates: CandidatePolicy,
    /// How much of them is told; all, if `None`.
    pub(crate) ip_handling: Option<IpHandling>,
    /// Whether TCP candidates are offered, too.
    pub(crate) tcp: bool,
    /// Whether addresses are hidden behind names.
    pub(crate) mdns: bool,
    /// How long to wait for the peer's checks; the default if `None`.
    pub(crate) patience: Option<Duration>,
}

impl NetworkSettings {
    /// Makes sure that this machine has addresses.
    pub(crate) fn find(network: &Network, ipv6: bool) -> Result<Self> {
        let loopback = network.loopback;
        let addresses = AddressFilter { loopback, ipv6, ..AddressFilter::default() };
        let found =
            usable_addresses(&addresses).context("the machine's addresses are not known")?;
        if found.is_empty() {
            bail!("this machine has no address but loopback (which --loopback allows)");
        }
        let candidates =
            if network.relay_only { CandidatePolicy::Relay } else { CandidatePolicy::All };
        let (clock, patience) = (Clock::start(), network.patience);
        let (tcp, mdns, servers) = (network.tcp, network.mdns, servers(network)?);
        let ip_handling = network.ip_handling();
        Ok(Self { clock, servers, addresses, candidates, ip_handling, tcp, mdns, patience })
    }

    /// Starts an agent.
    pub(crate) fn start(&self, role: Role) -> Result<Connection> {
        let mut config = Config { candidates: self.candidates, ..Config::new(role) };
        config.ta = TA;
        if let Some(patience) = self.patience {
            config.patience = patience;
            // Its own checks go on for no longer.
            let tries = patience.as_millis() / config.checks.rto.as_millis().max(1) + 1;
            config.checks.rc = u32::try_from(tries).unwrap_or(u32::MAX).min(config.checks.rc);
            config.checks.rm = 1;
        }
        let builder = Builder::new(config).clock(self.clock);
        let builder = builder.watch(self.addresses.clone()).recover();
        let builder = if self.mdns { builder.mdns(Names::ResolveAndConceal) } else { builder };
        let builder = if self.tcp { self.with_tcp(builder)? } else { builder };
        let builder = self.ip_handling.into_iter().fold(builder, Builder::ip_handling);
        let builder = self.servers.iter().cloned().fold(builder, Builder::server);
        builder.start().context("no socket could be opened")
    }

    /// Opens connections from each address, and listens at each that there is now.
    fn with_tcp(&self, builder: Builder) -> Result<Builder> {
        let addresses = usable_addresses(&self.addresses)?;
        Ok(addresses.into_iter().fold(builder.tcp(), |builder, ip| builder.listen((ip, 0).into())))
    }
}

fn servers(network: &Network) -> Result<Vec<IceServer>> {
    let mut servers: Vec<_> = network.stun.iter().cloned().map(IceServer::stun).collect();
    if let Some(first) = network.turn.first() {
        let (Some(user), Some(password)) = (&network.user, &network.password) else {
            bail!("{first} wants to know who asks: give --user and --pass");
        };
        let credentials =
            Credentials::new(user, password).context("--user and --pass are no credentials")?;
        let turn = network.turn.iter().cloned();
        servers.extend(turn.map(|uri| IceServer::turn(uri, credentials.clone())));
    }
    Ok(servers)
}

/// What this program wishes for Ta: the least that RFC 8445 §14.2 allows, used where the peer wishes so, too.
const TA: Duration = Duration::from_millis(5);
