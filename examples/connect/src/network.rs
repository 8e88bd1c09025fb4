//! From the command line to a connection that gathers.

use anyhow::{Context as _, Result, bail};
use pinhole_ice::{Config, Role};
use pinhole_io::{AddressFilter, Connection, usable_addresses};

use crate::cli::Network;

/// Starts an agent on the machine's addresses.
pub(crate) async fn start(network: &Network, role: Role, ipv6: bool) -> Result<Connection> {
    for server in &network.turn {
        eprintln!("connect: {}: relaying through TURN is not supported yet", server.uri);
    }
    if network.relay_only {
        bail!("--relay-only leaves no candidates while TURN is not supported yet");
    }
    let mut config = Config::new(role);
    for server in &network.stun {
        config.stun_servers.extend(server.resolve().await?);
    }
    let filter = AddressFilter { loopback: network.loopback, ipv6 };
    let addresses = usable_addresses(filter).context("the machine's addresses are not known")?;
    if addresses.is_empty() {
        bail!("this machine has no address but loopback (which --loopback allows)");
    }
    Connection::start(config, &addresses).context("no socket could be opened")
}
