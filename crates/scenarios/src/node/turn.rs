use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pinhole_netsim::{Node, StreamCommand, StreamEvent};
use pinhole_sansio::{Datagram, FiveTuple, Instant, Transmit};
use pinhole_stun::Credentials;
use pinhole_turn::policy::{Action, Policy, Rule};
use pinhole_turn::server::{
    Command, Config, Received, RelayId, Server, StaticUsers, ToClient, ToPeer,
};

use super::streams::Streams;
use super::{HTTPS_PORT, SERVER_PORT};

/// A TURN server over UDP and TCP, with relayed addresses of each family that its host has.
#[derive(Debug)]
pub struct TurnServer {
    config: Config,
    user: Credentials,
    server: Server<StaticUsers>,
    relays: BTreeMap<SocketAddr, RelayId>,
    listeners: Vec<SocketAddr>,
    streams: Streams,
    outbox: VecDeque<Transmit>,
    stream_commands: VecDeque<StreamCommand>,
}

impl TurnServer {
    /// A server on these addresses of its host, with one user.
    #[must_use]
    pub fn new(user: &Credentials, seed: [u8; 32], addresses: &[IpAddr]) -> Self {
        let mut config = Config::new(REALM);
        config.policy = everybody();
        config.relay_v4 = addresses.iter().copied().find(IpAddr::is_ipv4).map(Into::into);
        config.relay_v6 = addresses.iter().copied().find(IpAddr::is_ipv6).map(Into::into);
        let users = StaticUsers::new(REALM).with(user);
        let listeners: Vec<SocketAddr> = addresses
            .iter()
            .flat_map(|ip| [SERVER_PORT, HTTPS_PORT].map(|port| SocketAddr::new(*ip, port)))
            .collect();
        Self {
            server: Server::new(config.clone(), users, seed, Duration::ZERO, Instant::ZERO),
            config,
            user: user.clone(),
            relays: BTreeMap::new(),
            stream_commands: listeners.iter().copied().map(StreamCommand::Listen).collect(),
            listeners,
            streams: Streams::default(),
            outbox: VecDeque::new(),
        }
    }

    /// Loses everything, as a server that is restarted does.
    pub fn forget(&mut self) {
        let config = self.config.clone();
        let users = StaticUsers::new(REALM).with(&self.user);
        self.server = Server::new(config, users, [9; 32], Duration::ZERO, Instant::ZERO);
        self.relays.clear();
    }

    /// How many allocations there are.
    #[must_use]
    pub const fn allocations(&self) -> usize {
        self.server.allocations()
    }

    fn client_sent(&mut self, datagram: Datagram<'_>, now: Instant) {
        if let Received::ToPeer(route) = self.server.handle_client_datagram(datagram, now) {
            self.send_to_peer(&route, datagram.payload);
        }
        self.obey(now);
    }

    fn send_to_peer(&mut self, route: &ToPeer, payload: &[u8]) {
        let local = self.relays.iter().find(|(_, id)| **id == route.relay).map(|(at, _)| *at);
        if let Some(local) = local {
            let payload = payload[route.payload.clone()].into();
            self.outbox
                .push_back(Transmit { five_tuple: FiveTuple::udp(local, route.peer), payload });
        }
    }

    fn send_to_client(&mut self, route: ToClient, payload: &[u8]) {
        let whole = [&route.header, payload, &[0; 3][..route.padding.into()]].concat();
        let five_tuple = route.five_tuple;
        self.outbox.push_back(Transmit { five_tuple, payload: whole[..].into() });
    }

    fn obey(&mut self, now: Instant) {
        while let Some(command) = self.server.poll_command() {
            match command {
                Command::OpenRelay { relay, address, .. } => {
                    self.relays.insert(address, relay);
                    self.server.relay_opened(relay, Ok(()), now);
                }
                Command::CloseRelay { relay } => self.relays.retain(|_, known| *known != relay),
                _ => {}
            }
        }
    }
}

impl Node for TurnServer {
    fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Instant) {
        let FiveTuple { local, remote, .. } = datagram.five_tuple;
        match self.relays.get(&local) {
            Some(&relay) => {
                let length = datagram.payload.len();
                let routed = self.server.handle_peer_datagram(relay, remote, length, now);
                if let Ok(route) = routed {
                    self.send_to_client(route, datagram.payload);
                }
            }
            None => self.client_sent(datagram, now),
        }
    }

    fn handle_stream(&mut self, event: StreamEvent, now: Instant) {
        match event {
            StreamEvent::Accepted(five_tuple) => self.streams.open(five_tuple),
            StreamEvent::Received(five_tuple, bytes) => {
                for payload in self.streams.frames(five_tuple, &bytes) {
                    self.client_sent(Datagram { five_tuple, payload: &payload }, now);
                }
            }
            StreamEvent::Finished(five_tuple) | StreamEvent::Closed(five_tuple, _)
                if self.streams.forget(five_tuple) =>
            {
                self.server.client_closed(five_tuple);
                self.obey(now);
                self.stream_commands.push_back(StreamCommand::Close(five_tuple));
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.server.handle_timeout(now);
        self.obey(now);
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.server.poll_transmit().or_else(|| self.outbox.pop_front())
    }

    fn poll_stream(&mut self) -> Option<StreamCommand> {
        self.stream_commands.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.server.poll_timeout()
    }

    fn is_open(&self, local: SocketAddr) -> bool {
        self.listeners.contains(&local) || self.relays.contains_key(&local)
    }
}

/// The simulated Internet's addresses are those that the real one keeps for documentation.
fn everybody() -> Policy {
    let allow = |range: &str| Rule {
        action: Action::Allow,
        range: range.parse().expect("a range of addresses"),
    };
    Policy::default().with_rule(allow("203.0.113.0/24")).with_rule(allow("2001:db8::/32"))
}

const REALM: &str = "scenario";
