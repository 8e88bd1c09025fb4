//! The client machine against the server machine, on a simulated network.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pinhole_netsim::{HostId, Node, World};
use pinhole_sansio::{Datagram, FiveTuple, Instant, Transmit};
use pinhole_stun::attribute::ErrorCode;
use pinhole_stun::auth::AuthFailure;
use pinhole_stun::{Class, Credentials, Failure, Message, Method, Retransmission};
use pinhole_turn::client::{
    self, Addresses, Client, Event, MigrateError, Reason, Received, SendError,
};
use pinhole_turn::server::{self, Command, RelayId, Server, StaticUsers};

/// A TURN server on port 3478.
#[derive(Default)]
struct ServerNode {
    machine: Option<Server<StaticUsers>>,
    relays: BTreeMap<SocketAddr, RelayId>,
    unsent: VecDeque<Transmit>,
    /// The requests that came, by method.
    requests: BTreeMap<u16, usize>,
    /// How many bytes came from clients that were channel data, and how many were not.
    channel_data: usize,
    indications: usize,
}

impl ServerNode {
    fn drain(&mut self, now: Instant) {
        let machine = self.machine.as_mut().unwrap();
        while let Some(command) = machine.poll_command() {
            match command {
                Command::OpenRelay { relay, address, .. } => {
                    self.relays.insert(address, relay);
                    machine.relay_opened(relay, Ok(()), now);
                }
                Command::CloseRelay { relay } => self.relays.retain(|_, open| *open != relay),
                Command::Connect { .. }
                | Command::Splice { .. }
                | Command::CloseConnection { .. } => unreachable!("no TCP here"),
            }
        }
        self.unsent.extend(std::iter::from_fn(|| machine.poll_transmit()));
        while machine.poll_event().is_some() {}
    }

    fn count(&mut self, payload: &[u8]) {
        match Message::parse(payload) {
            Ok(message) if message.class() == Class::Request => {
                *self.requests.entry(message.method().value()).or_default() += 1;
            }
            Ok(_) => self.indications += 1,
            Err(_) => self.channel_data += 1,
        }
    }

    fn handle_client(&mut self, datagram: Datagram<'_>, now: Instant) {
        self.count(datagram.payload);
        let received = self.machine.as_mut().unwrap().handle_client_datagram(datagram, now);
        if let server::Received::ToPeer(route) = received {
            let relayed = self.relays.iter().find(|(_, relay)| **relay == route.relay).unwrap().0;
            let payload = datagram.payload[route.payload].into();
            let five_tuple = FiveTuple::udp(*relayed, route.peer);
            self.unsent.push_back(Transmit { five_tuple, payload });
        }
    }
}

impl Node for ServerNode {
    fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Instant) {
        if let Some(relay) = self.relays.get(&datagram.five_tuple.local).copied() {
            let machine = self.machine.as_mut().unwrap();
            let (peer, bytes) = (datagram.five_tuple.remote, datagram.payload);
            if let Ok(route) = machine.handle_peer_datagram(relay, peer, bytes.len(), now) {
                let padding = vec![0; route.padding.into()];
                let payload = [&route.header[..], bytes, &padding].concat()[..].into();
                self.unsent.push_back(Transmit { five_tuple: *route.five_tuple, payload });
            }
        } else {
            self.handle_client(datagram, now);
        }
        self.drain(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.machine.as_mut().unwrap().handle_timeout(now);
        self.drain(now);
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.unsent.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.machine.as_ref()?.poll_timeout()
    }
}

/// A client, or a peer: a node without a machine echoes what it gets.
#[derive(Default)]
struct UserNode {
    machine: Option<Client>,
    unsent: VecDeque<Transmit>,
    received: Vec<(SocketAddr, Vec<u8>)>,
    events: Vec<Event>,
}

impl UserNode {
    fn send(&mut self, peer: SocketAddr, data: &[u8], now: Instant) -> Result<(), SendError> {
        let route = self.machine.as_mut().unwrap().send(peer, data.len(), now)?;
        let padding = vec![0; route.padding.into()];
        let payload = [&route.header[..], data, &padding].concat()[..].into();
        self.unsent.push_back(Transmit { five_tuple: route.five_tuple, payload });
        Ok(())
    }

    fn drain(&mut self) {
        let Some(machine) = &mut self.machine else { return };
        self.events.extend(std::iter::from_fn(|| machine.poll_event()));
    }
}

impl Node for UserNode {
    fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Instant) {
        let Some(machine) = &mut self.machine else {
            let from = datagram.five_tuple.remote;
            self.received.push((from, datagram.payload.to_vec()));
            let five_tuple = datagram.five_tuple;
            self.unsent.push_back(Transmit { five_tuple, payload: datagram.payload.into() });
            return;
        };
        if let Received::Data { peer, payload } = machine.handle_datagram(datagram, now) {
            self.received.push((peer, datagram.payload[payload].to_vec()));
        }
        self.drain();
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.machine.as_mut().unwrap().handle_timeout(now);
        self.drain();
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        let control = self.machine.as_mut().and_then(Client::poll_transmit);
        control.or_else(|| self.unsent.pop_front())
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.machine.as_ref()?.poll_timeout()
    }
}

struct Net {
    world: World,
    server: HostId<ServerNode>,
    client: HostId<UserNode>,
    peer: HostId<UserNode>,
    path: FiveTuple,
}

const SECOND: Duration = Duration::from_secs(1);

fn net() -> Net {
    net_with(|_| {})
}

/// A server that relays to the simulated Internet, a client behind nothing, a peer that echoes.
fn net_with(configure: impl FnOnce(&mut server::Config)) -> Net {
    let mut world = World::new(7);
    let server = world.host("server").start(ServerNode::default());
    let client = world.host("client").start(UserNode::default());
    let peer = world.host("peer").start(UserNode::default());
    let (local, remote) = (world.endpoint(client, 5_000), world.endpoint(server, 3_478));
    let mut config = server::Config::new("test");
    config.relay_v4 = Some(remote.ip().into());
    config.policy = config.policy.with_rule("allow 203.0.113.0/24".parse().unwrap());
    configure(&mut config);
    let users = StaticUsers::new("test").with(&Credentials::new("alice", "secret").unwrap());
    world.with(server, |node, now| {
        let unix_time = Duration::from_secs(1_700_000_000);
        node.machine = Some(Server::new(config, users, [5; 32], unix_time, now));
    });
    Net { world, server, client, peer, path: FiveTuple::udp(local, remote) }
}

impl Net {
    fn start(&mut self, password: &str, configure: impl FnOnce(&mut client::Config)) {
        let credentials = Credentials::new("alice", password).unwrap();
        let mut config = client::Config::new(self.path, credentials);
        configure(&mut config);
        self.world.with(self.client, |node, now| {
            node.machine = Some(Client::new(config, [9; 32], now));
        });
    }

    /// A client with an allocation and a permission for the peer, and the peer's address.
    fn connected(mut self) -> (Self, SocketAddr) {
        self.start("secret", |_| {});
        self.world.run_for(SECOND);
        let peer = self.world.endpoint(self.peer, 7_000);
        self.world.with(self.client, |node, now| {
            node.machine.as_mut().unwrap().permit(peer.ip(), now);
        });
        self.world.run_for(SECOND);
        assert!(self.events().contains(&Event::Permitted { peer: peer.ip() }));
        (self, peer)
    }

    fn send(&mut self, peer: SocketAddr, data: &[u8]) -> Result<(), SendError> {
        self.world.with(self.client, |node, now| node.send(peer, data, now))
    }

    fn events(&self) -> Vec<Event> {
        self.world.node(self.client).events.clone()
    }

    fn lost(&self) -> Option<Reason> {
        let Some(Event::Lost { reason }) = self.events().last().cloned() else { return None };
        Some(reason)
    }

    fn requests(&self, method: Method) -> usize {
        self.world.node(self.server).requests.get(&method.value()).copied().unwrap_or(0)
    }

    fn allocations(&self) -> usize {
        self.world.node(self.server).machine.as_ref().unwrap().allocations()
    }

    /// Sends a datagram a second, and counts those that the peer got.
    fn talk(&mut self, peer: SocketAddr, seconds: usize) -> usize {
        let before = self.world.node(self.peer).received.len();
        for _ in 0..seconds {
            let _ = self.send(peer, b"data");
            self.world.run_for(SECOND);
        }
        self.world.node(self.peer).received.len() - before
    }
}

#[test]
fn a_challenge_is_answered_and_the_addresses_are_told() {
    let mut net = net();
    net.start("secret", |_| {});
    net.world.run_for(SECOND);
    let [Event::Allocated { relayed, second: None, mapped }] = net.events()[..] else {
        panic!("{:?}", net.events());
    };
    assert_eq!((relayed.ip(), mapped), (net.path.remote.ip(), net.path.local));
    assert_eq!((net.requests(Method::ALLOCATE), net.allocations()), (2, 1));
}

#[test]
fn a_wrong_password_is_told_after_two_requests() {
    let mut net = net();
    net.start("wrong", |_| {});
    net.world.run_for(60 * SECOND);
    assert_eq!(net.lost(), Some(Reason::Credentials(AuthFailure::Refused)));
    assert_eq!((net.requests(Method::ALLOCATE), net.allocations()), (2, 0));
}

#[test]
fn a_server_that_does_not_answer_is_told_as_loss() {
    let mut net = net();
    let nowhere = net.world.endpoint(net.peer, 1);
    net.path.remote = nowhere;
    net.world.with(net.server, |node, _| node.requests.clear());
    net.start("secret", |config| {
        config.server.remote = SocketAddr::new("203.0.113.250".parse().unwrap(), 3_478);
        config.retransmission = Retransmission { rc: 2, rm: 2, ..Retransmission::default() };
    });
    net.world.run_for(60 * SECOND);
    assert_eq!(net.lost(), Some(Reason::Transaction(Failure::TimedOut)));
}

#[test]
fn a_refusal_is_told_with_its_code() {
    let mut net = net_with(|config| config.limits.allocations = 0);
    net.start("secret", |_| {});
    net.world.run_for(SECOND);
    assert_eq!(net.lost(), Some(Reason::Code(486)));

    let mut other = net_with(|_| {});
    other.start("secret", |config| config.addresses = Addresses::Ipv6);
    other.world.run_for(SECOND);
    assert_eq!(other.lost(), Some(Reason::Code(440)));
}

#[test]
fn data_goes_there_and_back() {
    let (mut net, peer) = net().connected();
    for data in [&b""[..], b"x", b"hello"] {
        assert_eq!(net.send(peer, data), Ok(()));
        net.world.run_for(SECOND);
        assert_eq!(net.world.node(net.peer).received.last().unwrap().1, data);
        assert_eq!(net.world.node(net.client).received.last(), Some(&(peer, data.to_vec())));
    }
}

#[test]
fn a_peer_without_permission_gets_one_asked_for() {
    let mut net = net();
    net.start("secret", |_| {});
    let peer = net.world.endpoint(net.peer, 7_000);
    assert_eq!(net.send(peer, b"x"), Err(SendError::NoAllocation));
    net.world.run_for(SECOND);
    assert_eq!(net.send(peer, b"x"), Err(SendError::NotPermitted));
    assert_eq!(net.send(peer, b"x"), Err(SendError::NotPermitted));
    net.world.run_for(SECOND);
    assert_eq!(net.send(peer, b"x"), Ok(()));
    assert_eq!(net.requests(Method::CREATE_PERMISSION), 1);
}

#[test]
fn a_refused_peer_is_told_once_and_not_asked_for_again() {
    let (mut net, _) = net().connected();
    let metadata: SocketAddr = "169.254.169.254:80".parse().unwrap();
    assert_eq!(net.send(metadata, b"x"), Err(SendError::NotPermitted));
    net.world.run_for(SECOND);
    let refused = Event::Refused { peer: metadata.ip(), reason: Reason::Code(403) };
    assert_eq!(net.events().last(), Some(&refused));
    assert_eq!(net.send(metadata, b"x"), Err(SendError::Refused(Reason::Code(403))));
    assert_eq!(net.requests(Method::CREATE_PERMISSION), 2);
}

#[test]
fn a_channel_is_bound_after_eight_datagrams() {
    let (mut net, peer) = net().connected();
    assert_eq!(net.talk(peer, 8), 8);
    let node = net.world.node(net.server);
    assert_eq!((node.indications, node.channel_data), (8, 0));
    assert_eq!(net.talk(peer, 10), 10);
    let node = net.world.node(net.server);
    assert_eq!((node.indications, node.channel_data), (8, 10));
    assert_eq!(net.requests(Method::CHANNEL_BIND), 1);
    assert_eq!(net.world.node(net.client).received.len(), 18, "the echo came back");
}

#[test]
fn two_hours_of_traffic_lose_nothing() {
    let (mut net, peer) = net().connected();
    assert_eq!(net.talk(peer, 7_200), 7_200);
    assert_eq!(net.world.node(net.client).received.len(), 7_200);
    assert_eq!(net.lost(), None);
    // One in 510 to 540 s, one in 225 to 240 s, one in 525 to 540 s; and a stale nonce now and then.
    let counts = [Method::REFRESH, Method::CREATE_PERMISSION, Method::CHANNEL_BIND]
        .map(|method| net.requests(method));
    let bounds = [13..=19, 15..=36, 13..=19];
    for (count, bound) in counts.into_iter().zip(bounds) {
        assert!(bound.contains(&count), "{counts:?}");
    }
}

#[test]
fn permissions_and_channels_are_not_renewed_in_silence() {
    let (mut net, peer) = net().connected();
    net.talk(peer, 20);
    let asked =
        |net: &Net| net.requests(Method::CREATE_PERMISSION) + net.requests(Method::CHANNEL_BIND);
    net.world.run_for(300 * SECOND);
    let once = asked(&net);
    net.world.run_for(3_600 * SECOND);
    assert!(asked(&net) <= once + 1, "{} after {once}", asked(&net));
    assert_eq!(net.send(peer, b"x"), Err(SendError::NotPermitted));
    net.world.run_for(SECOND);
    assert_eq!(net.talk(peer, 20), 20, "and they come back");
    assert_eq!(net.allocations(), 1, "the allocation is kept all the time");
}

/// 438 in the middle of anything: nonces that live for a minute.
#[test]
fn stale_nonces_are_replaced() {
    let (mut net, peer) = net_with(|config| config.nonce_lifetime = 60 * SECOND).connected();
    assert_eq!(net.talk(peer, 1_800), 1_800);
    assert_eq!(net.lost(), None);
}

#[test]
fn a_server_that_has_forgotten_is_told_as_loss() {
    let (mut net, peer) = net().connected();
    let path = net.path.reversed();
    net.world.with(net.server, |node, now| {
        node.machine.as_mut().unwrap().client_closed(path);
        node.drain(now);
    });
    net.talk(peer, 600);
    assert_eq!(net.lost(), Some(Reason::Code(437)));
    assert_eq!(net.send(peer, b"x"), Err(SendError::NoAllocation));
}

#[test]
fn close_ends_the_allocation_on_the_server() {
    let (mut net, peer) = net().connected();
    let close = |net: &mut Net| {
        net.world.with(net.client, |node, now| node.machine.as_mut().unwrap().close(now));
    };
    close(&mut net);
    close(&mut net);
    net.world.run_for(SECOND);
    assert_eq!((net.allocations(), net.events().last()), (0, Some(&Event::Closed)));
    assert_eq!(net.requests(Method::REFRESH), 1);
    assert_eq!(net.send(peer, b"x"), Err(SendError::NoAllocation));
    let timeout = net.world.node(net.client).machine.as_ref().unwrap().poll_timeout();
    assert_eq!(timeout, None);

    let mut early = net_with(|_| {});
    early.start("secret", |_| {});
    close(&mut early);
    early.world.run_for(SECOND);
    assert_eq!((early.allocations(), early.events()), (0, vec![Event::Closed]));
}

#[test]
fn a_dual_allocation_tells_both_addresses() {
    let mut net = net_with(|config| {
        config.relay_v6 = Some("2001:db8::77".parse::<IpAddr>().unwrap().into());
    });
    net.start("secret", |config| config.addresses = Addresses::Both);
    net.world.run_for(SECOND);
    let [Event::Allocated { relayed, second: Some(second), .. }] = net.events()[..] else {
        panic!("{:?}", net.events());
    };
    assert!(relayed.is_ipv4() && second.is_ipv6());
}

/// CHECKLIST 11: answers that cannot be believed change nothing.
#[test]
fn forged_answers_and_strangers_are_ignored() {
    let (mut net, peer) = net().connected();
    let before = net.events().len();
    let path = net.path;
    net.world.with(net.client, |node, now| {
        let machine = node.machine.as_mut().unwrap();
        let mut buffer = [0; 128];
        let id = pinhole_stun::TransactionId::new([1; 12]);
        let mut writer = pinhole_stun::MessageWriter::new(
            &mut buffer,
            Class::ErrorResponse,
            Method::REFRESH,
            id,
        )
        .unwrap();
        writer.attribute(&ErrorCode::bare(437)).unwrap();
        let payload = writer.finish();
        let forged = Datagram { five_tuple: path, payload };
        assert_eq!(machine.handle_datagram(forged, now), Received::NotMine);
        let mut elsewhere = path;
        elsewhere.remote.set_port(3_479);
        let channel_data = Datagram { five_tuple: elsewhere, payload: &[0x40, 0, 0, 0] };
        assert_eq!(machine.handle_datagram(channel_data, now), Received::NotMine);
        let unbound = Datagram { five_tuple: path, payload: &[0x40, 0, 0, 0] };
        assert_eq!(machine.handle_datagram(unbound, now), Received::Handled);
    });
    assert_eq!(net.events().len(), before);
    assert_eq!(net.talk(peer, 3), 3);
}

/// RFC 8016: the client's port changes in the middle of a conversation.
#[test]
fn an_allocation_comes_along_to_another_path() {
    let mut net = net();
    net.start("secret", |config| config.mobility = true);
    net.world.run_for(SECOND);
    let peer = net.world.endpoint(net.peer, 7_000);
    let _ = net.send(peer, b"x");
    net.world.run_for(SECOND);
    assert_eq!(net.talk(peer, 20), 20);
    for port in [5_001, 5_002] {
        let path = FiveTuple::udp(net.world.endpoint(net.client, port), net.path.remote);
        net.world.with(net.client, |node, now| {
            node.machine.as_mut().unwrap().migrate(path, now).unwrap();
        });
        net.world.run_for(SECOND);
        assert_eq!(net.events().last(), Some(&Event::Migrated));
        let before = net.world.node(net.client).received.len();
        assert_eq!(net.talk(peer, 1_000), 1_000);
        assert_eq!(net.world.node(net.client).received.len() - before, 1_000);
    }
    assert_eq!((net.allocations(), net.requests(Method::ALLOCATE)), (1, 2));
}

#[test]
fn without_a_ticket_an_allocation_stays() {
    let (mut net, peer) = net().connected();
    let path = FiveTuple::udp(net.world.endpoint(net.client, 5_001), net.path.remote);
    let migrate = |net: &mut Net| {
        net.world.with(net.client, |node, now| node.machine.as_mut().unwrap().migrate(path, now))
    };
    assert_eq!(migrate(&mut net), Err(MigrateError::NoTicket));
    assert_eq!(net.talk(peer, 1), 1);
    net.world.with(net.client, |node, _| {
        node.machine.as_mut().unwrap().connection_closed();
        node.drain();
    });
    assert_eq!(net.lost(), Some(Reason::Disconnected));
    assert_eq!(migrate(&mut net), Err(MigrateError::NoAllocation));
}
