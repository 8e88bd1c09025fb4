//! A client with a password, a server, and sockets that open or do not: each byte says what is next. Data goes to
//! whom it is for, and every port is free, open, or left alone because somebody else holds it.
#![no_main]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pinhole_sansio::{Datagram, FiveTuple, Instant};
use pinhole_stun::Credentials;
use pinhole_stun::attribute::Family;
use pinhole_turn::client::{self, Client, Port};
use pinhole_turn::server::{Command, Config, OpenError, Received, RelayId, Server, StaticUsers};

const RESULTS: [Result<(), OpenError>; 4] =
    [Ok(()), Err(OpenError::InUse), Ok(()), Err(OpenError::Exhausted)];
/// How long the server leaves a port alone that somebody else holds.
const HELD: Duration = Duration::from_secs(60);

fuzz_target!(|bytes: &[u8]| {
    let mut world = World::new();
    for byte in bytes {
        world.step(*byte);
        world.settle(byte >> 3);
        world.check();
    }
});

struct World {
    now: Instant,
    server: Server<StaticUsers>,
    client: Client,
    open: BTreeMap<RelayId, SocketAddr>,
    /// Until when ports are left alone.
    held: Vec<Instant>,
}

fn alice() -> Credentials {
    Credentials::new("alice", "secret").expect("both are plain")
}

fn path(port: u8) -> FiveTuple {
    FiveTuple::udp(([192, 0, 2, 1], port.into()).into(), ([192, 0, 2, 2], 1).into())
}

fn peer(value: u8) -> SocketAddr {
    ([8, 8, 8, value & 3], 9).into()
}

fn client(byte: u8, now: Instant) -> Client {
    let mut config = client::Config::new(path((byte >> 6) + 1), alice());
    (config.mobility, config.channel_after) = (byte & 16 != 0, Some(1));
    config.port = if byte & 32 == 0 { Port::Any } else { Port::Pair };
    Client::new(config, [byte; 32], now)
}

impl World {
    fn new() -> Self {
        let mut config = Config::new("fuzz");
        config.relay_v4 = Some(std::net::IpAddr::from([192, 0, 2, 2]).into());
        config.ports = 50_000..=50_007;
        let (users, now) = (StaticUsers::new("fuzz").with(&alice()), Instant::ZERO);
        let server = Server::new(config, users, [1; 32], Duration::from_secs(1), now);
        Self { now, server, client: client(16, now), open: BTreeMap::new(), held: vec![] }
    }

    fn step(&mut self, byte: u8) {
        let (action, value, now) = (byte & 7, byte >> 3, self.now);
        match action {
            0 => self.client = client(byte, now),
            1 => self.client.permit(peer(value).ip(), now),
            2 => self.send(peer(value)),
            3 => self.client.close(now),
            4 => drop(self.client.migrate(path(value), now)),
            5 => self.server.client_closed(path((value & 3) + 1).reversed()),
            _ => self.now += Duration::from_secs(1 << (value & 15)),
        }
        self.client.handle_timeout(self.now);
        self.server.handle_timeout(self.now);
        self.held.retain(|until| *until > self.now);
    }

    /// Carries out what both want; `value` decides which sockets open.
    fn settle(&mut self, value: u8) {
        loop {
            while let Some(command) = self.server.poll_command() {
                self.obey(command, RESULTS[usize::from(value & 3)]);
            }
            while let Some(answer) = self.server.poll_transmit() {
                let _ = self.client.handle_datagram(answer.as_datagram(), self.now);
            }
            let Some(request) = self.client.poll_transmit() else { return };
            let _ = self.server.handle_client_datagram(request.as_datagram(), self.now);
        }
    }

    fn obey(&mut self, command: Command, result: Result<(), OpenError>) {
        match command {
            Command::OpenRelay { relay, address, .. } => {
                assert!(self.open.values().all(|open| *open != address), "opened twice");
                match result {
                    Ok(()) => assert_eq!(self.open.insert(relay, address), None),
                    Err(OpenError::InUse) => self.held.push(self.now + HELD),
                    Err(OpenError::Exhausted) => {}
                }
                self.server.relay_opened(relay, result, self.now);
            }
            Command::CloseRelay { relay } => {
                assert!(self.open.remove(&relay).is_some(), "closed, and was not open");
            }
            command => unreachable!("{command:?} without TCP"),
        }
    }

    /// What the client sends goes to the peer that it is for, or nowhere.
    fn send(&mut self, peer: SocketAddr) {
        let Ok(to_server) = self.client.send(peer, 4, self.now) else { return };
        let payload = &[&to_server.header[..], b"data"].concat()[..];
        let datagram = Datagram { five_tuple: to_server.five_tuple.reversed(), payload };
        match self.server.handle_client_datagram(datagram, self.now) {
            Received::ToPeer(route) => {
                assert_eq!((route.peer, &payload[route.payload]), (peer, &b"data"[..]));
                assert!(self.open.contains_key(&route.relay), "from a socket that is closed");
            }
            received => assert!(matches!(received, Received::Dropped(_)), "{received:?}"),
        }
    }

    fn check(&mut self) {
        let (open, free) = (self.open.len(), self.server.free_ports(Family::Ipv4));
        assert!(self.server.allocations() <= open);
        assert_eq!(open + free + self.held.len(), 8, "{:?} {:?}", self.open, self.held);
        let now = self.now;
        assert!(self.server.poll_timeout().is_none_or(|at| at > now), "a timer is due for ever");
        assert!(self.client.poll_timeout().is_none_or(|at| at > now), "a timer is due for ever");
        for (relay, from) in
            self.open.keys().flat_map(|relay| (0..4).map(move |at| (*relay, peer(at))))
        {
            let Ok(route) = self.server.handle_peer_datagram(relay, from, 4, now) else { continue };
            let (padding, five_tuple) =
                (&[0; 3][..route.padding.into()], route.five_tuple.reversed());
            let payload = &[&route.header[..], b"data", padding].concat()[..];
            let datagram = Datagram { five_tuple, payload };
            if let client::Received::Data { peer, payload: range } =
                self.client.handle_datagram(datagram, now)
            {
                assert_eq!((peer, &payload[range]), (from, &b"data"[..]));
            }
        }
    }
}
