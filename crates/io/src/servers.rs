//! The servers of a connection: looked up, connected to, listened to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use pinhole_ice::{Command, ServerConnection as Id, TurnServer};
use pinhole_sansio::{Datagram, Transport};
use pinhole_stun::resolve::ServerAddress;
use pinhole_stun::{Host, Uri};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use crate::builder::IceServer;
use crate::event::Event;
use crate::peer_connection;
use crate::resolve::{LookupError, Resolver, resolve_numeric};
use crate::server_connection::{ServerConnection, ServerConnector};
use crate::shared::Shared;

/// Tells the agent of all servers as they are found, and then opens the connections that it asks for.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    servers: Vec<IceServer>,
    connector: ServerConnector,
    mut wanted: mpsc::UnboundedReceiver<Command>,
) {
    let mut lookups = JoinSet::new();
    for server in servers {
        lookups.spawn(look_up(server, connector.speaks_udp()));
    }
    let mut hosts = HashMap::new();
    let mut tasks = JoinSet::new();
    let mut running = HashMap::new();
    let mut is_finding = true;
    loop {
        tokio::select! {
            found = lookups.join_next(), if is_finding => match found {
                Some(found) => found.into_iter().for_each(|found| tell(&shared, found, &mut hosts)),
                None => {
                    is_finding = false;
                    shared.with_agent(|agent, now| agent.end_of_bases(now));
                }
            },
            command = wanted.recv() => {
                let Some(command) = command else { return };
                obey(&shared, command, &connector, &hosts, &mut tasks, &mut running);
            }
            Some(_) = tasks.join_next() => {}
        }
    }
}

/// What a look-up came to.
struct Found {
    server: IceServer,
    addresses: Result<Vec<ServerAddress>, LookupError>,
}

/// By which name a server is to prove itself.
type Hosts = HashMap<(SocketAddr, Transport), Host>;

async fn look_up(server: IceServer, speaks_udp: bool) -> Found {
    let supported = match (&server.credentials, speaks_udp) {
        (Some(_), true) => &[Transport::Udp, Transport::Tcp, Transport::Tls][..],
        (Some(_), false) => &[Transport::Tcp, Transport::Tls],
        (None, true) => &[Transport::Udp],
        (None, false) => &[],
    };
    let addresses = addresses_of(&server.uri, supported).await;
    Found { server, addresses }
}

/// The name servers are read only where there is a name to look up.
async fn addresses_of(
    uri: &Uri,
    supported: &[Transport],
) -> Result<Vec<ServerAddress>, LookupError> {
    match uri.host {
        Host::Ip(_) => resolve_numeric(uri, supported),
        Host::Name(_) => Resolver::system()?.resolve(uri, supported).await,
    }
}

fn tell(shared: &Shared, found: Found, hosts: &mut Hosts) {
    let Found { server: IceServer { uri, credentials }, addresses } = found;
    shared.with_agent(|agent, now| match addresses {
        Ok(addresses) => {
            for ServerAddress { address, transport } in addresses {
                match &credentials {
                    None => agent.add_stun_server(address, now),
                    Some(credentials) => {
                        hosts.insert((address, transport), uri.host.clone());
                        let server = TurnServer::new(address, transport, credentials.clone());
                        agent.add_turn_server(server, now);
                    }
                }
            }
        }
        Err(error) => agent.server_not_found(uri.to_string(), error.to_string()),
    });
}

fn obey(
    shared: &Arc<Shared>,
    command: Command,
    connector: &ServerConnector,
    hosts: &Hosts,
    tasks: &mut JoinSet<()>,
    running: &mut HashMap<Id, AbortHandle>,
) {
    match command {
        Command::Connect { connection, local, server, transport } => {
            let host = hosts.get(&(server, transport)).cloned();
            let host = host.unwrap_or(Host::Ip(server.ip()));
            let connector = connector.clone().from_address(local);
            let server = ServerAddress { address: server, transport };
            let task = connect(Arc::clone(shared), connection, connector, server, host);
            running.insert(connection, tasks.spawn(task));
        }
        Command::Disconnect(connection) => {
            if let Some(task) = running.remove(&connection) {
                task.abort();
            }
        }
        Command::ConnectToPeer { pair, local, remote } => {
            tasks.spawn(peer_connection::connect(Arc::clone(shared), pair, local, remote));
        }
        Command::DisconnectPeer(five_tuple) => shared.peers.close(five_tuple),
        _ => {}
    }
}

/// One connection, from its opening to its end.
async fn connect(
    shared: Arc<Shared>,
    id: Id,
    connector: ServerConnector,
    server: ServerAddress,
    host: Host,
) {
    let connection = match connector.connect(&server, &host).await {
        Ok(connection) => Arc::new(connection),
        Err(error) => {
            let reason = error.to_string();
            return shared.with_inner(|inner, now| {
                inner.tell(Event::ServerNotReached { server, reason }, now);
                inner.agent.server_connected(id, None, now);
            });
        }
    };
    let five_tuple = connection.five_tuple();
    let _entry = Entry::new(&shared, &connection);
    shared.with_agent(|agent, now| agent.server_connected(id, Some(five_tuple), now));
    let mut buffer = vec![0; ServerConnection::MAX_MESSAGE];
    loop {
        match connection.recv(&mut buffer).await {
            Ok(length) => {
                let payload = buffer.get(..length).unwrap_or_default();
                shared.receive([Datagram { five_tuple, payload }]);
            }
            Err(error) => {
                tracing::debug!(server = %server.address, %error, "the connection has ended");
                return shared.with_agent(|agent, now| agent.server_disconnected(id, now));
            }
        }
    }
}

/// A connection's place in the table, for as long as its task lives.
struct Entry<'a> {
    shared: &'a Shared,
    five_tuple: pinhole_sansio::FiveTuple,
}

impl<'a> Entry<'a> {
    fn new(shared: &'a Shared, connection: &Arc<ServerConnection>) -> Self {
        let five_tuple = connection.five_tuple();
        shared.servers().insert(five_tuple, Arc::clone(connection));
        Self { shared, five_tuple }
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.shared.servers().remove(&self.five_tuple);
    }
}
