//! TCP allocations on the client's side (RFC 6062 §4), and the wishes of an Allocate request, against the
//! server machine.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::time::Duration;

use common::{PEER, World, addr, config};
use pinhole_sansio::{Datagram, FiveTuple, Transport};
use pinhole_stun::{Credentials, Message, Method};
use pinhole_turn::attribute::{
    ConnectionId, DontFragment, RequestedTransport, ReservationToken, XorPeerAddress,
};
use pinhole_turn::client::{
    Addresses, Client, Command, Config, ConnectError, Event, Port, Reason, Received, SendError,
};
use pinhole_turn::server;

/// A client and a server, between which every datagram and every connection arrives.
struct Pair {
    world: World,
    client: Client,
    path: FiveTuple,
    /// How many answers of the server have been delivered.
    delivered: usize,
    /// The requests that the client has sent.
    requests: Vec<(FiveTuple, Vec<u8>)>,
}

impl Pair {
    fn new(
        transport: Transport,
        able: impl FnOnce(&mut server::Config),
        wishes: impl FnOnce(&mut Config),
    ) -> Self {
        let mut server = config();
        server.tcp = true;
        able(&mut server);
        let world = World::new(server);
        let path = data_path(transport, 5_000);
        let mut config = Config::new(path, Credentials::new("alice", "secret").unwrap());
        wishes(&mut config);
        let client = Client::new(config, [9; 32], world.now);
        let mut pair = Self { world, client, path, delivered: 0, requests: vec![] };
        pair.settle();
        pair
    }

    /// A client with a TCP allocation.
    fn tcp() -> Self {
        let wish = |config: &mut Config| config.requested_transport = RequestedTransport::TCP;
        let mut pair = Self::new(Transport::Tcp, |_| {}, wish);
        assert!(matches!(pair.client.poll_event(), Some(Event::Allocated { .. })));
        pair
    }

    /// Carries messages to and fro until nobody has anything to say.
    fn settle(&mut self) {
        loop {
            while let Some(request) = self.client.poll_transmit() {
                self.requests.push((request.five_tuple, request.payload.to_vec()));
                let _ = self.world.input(request.five_tuple, &request.payload);
            }
            let Some((to, bytes)) = self.world.answers.get(self.delivered).cloned() else { return };
            self.delivered += 1;
            let datagram = Datagram { five_tuple: to.reversed(), payload: &bytes };
            assert_eq!(self.client.handle_datagram(datagram, self.world.now), Received::Handled);
        }
    }

    /// The server has connected to the peer it was last asked to, or has not.
    fn answer_connect(&mut self, success: bool) -> ConnectionId {
        let Some(server::Command::Connect { connection, .. }) = self.world.connections.pop() else {
            panic!("{:?}", self.world.connections)
        };
        self.world.server.connected(connection, success, self.world.now);
        self.world.drain();
        self.settle();
        connection
    }

    /// A peer connects, if it may.
    fn peer_connects(&mut self, peer: &str) -> Option<ConnectionId> {
        let relay = *self.world.open.keys().next().unwrap();
        let id = self.world.server.peer_connected(relay, addr(peer), self.world.now);
        self.world.drain();
        self.settle();
        id
    }

    fn advance(&mut self, duration: Duration) {
        self.world.advance(duration);
        self.client.handle_timeout(self.world.now);
        self.settle();
    }
}

fn data_path(transport: Transport, port: u16) -> FiveTuple {
    let local = format!("192.0.2.1:{port}");
    FiveTuple { transport, local: addr(&local), remote: addr("192.0.2.10:3478") }
}

#[test]
fn a_client_connects_to_a_peer() {
    let mut pair = Pair::tcp();
    assert_eq!(pair.client.connect(addr(PEER), pair.world.now), Ok(()));
    assert_eq!(pair.client.connect(addr(PEER), pair.world.now), Err(ConnectError::Exists));
    pair.settle();
    let id = pair.answer_connect(true);
    let open = Command::OpenConnection { connection: id, server: addr("192.0.2.10:3478") };
    assert_eq!((pair.client.poll_command(), pair.client.poll_command()), (Some(open), None));
    assert_eq!(pair.client.connect(addr(PEER), pair.world.now), Err(ConnectError::Exists));

    let data = data_path(Transport::Tcp, 5_001);
    pair.client.connection_opened(id, data, pair.world.now);
    pair.settle();
    assert_eq!(
        pair.client.poll_event(),
        Some(Event::Connected { connection: id, peer: addr(PEER) })
    );
    let splice = server::Command::Splice { connection: id, client: data.reversed() };
    assert_eq!(pair.world.connections, [splice]);
    let on_data: Vec<Method> = pair
        .requests
        .iter()
        .filter(|(path, _)| *path == data)
        .map(|(_, bytes)| Message::parse(bytes).unwrap().method())
        .collect();
    assert_eq!(on_data, [Method::CONNECTION_BIND; 2], "once with a nonce of the other path");
    let bytes = Datagram { five_tuple: data, payload: b"the peer's" };
    assert_eq!(pair.client.handle_datagram(bytes, pair.world.now), Received::NotMine);

    pair.client.data_connection_closed(id);
    pair.world.server.connection_closed(id);
    assert_eq!(pair.client.poll_event(), None);
    assert_eq!(pair.client.connect(addr(PEER), pair.world.now), Ok(()), "again");
}

#[test]
fn a_peer_that_cannot_be_reached_is_left_alone_for_ten_seconds() {
    let mut pair = Pair::tcp();
    pair.client.connect(addr(PEER), pair.world.now).unwrap();
    pair.settle();
    pair.answer_connect(false);
    let failed = Event::NotConnected { peer: addr(PEER), reason: Reason::Code(447) };
    assert_eq!(pair.client.poll_event(), Some(failed));
    let end = pair.world.now + Duration::from_secs(10);
    let again = pair.client.connect(addr(PEER), pair.world.now);
    assert_eq!(again, Err(ConnectError::TooSoon(end)));
    assert_eq!(pair.client.connect(addr("198.51.100.8:1"), pair.world.now), Ok(()));
    pair.advance(Duration::from_secs(10));
    assert_eq!(pair.client.connect(addr(PEER), pair.world.now), Ok(()));

    let refused = addr("169.254.169.254:80");
    pair.client.connect(refused, pair.world.now).unwrap();
    pair.settle();
    let denied = Event::NotConnected { peer: refused, reason: Reason::Code(403) };
    assert_eq!(pair.client.poll_event(), Some(denied));
}

#[test]
fn a_client_accepts_a_peer_that_has_permission() {
    let mut pair = Pair::tcp();
    assert_eq!(pair.peer_connects(PEER), None);
    pair.client.permit(addr(PEER).ip(), pair.world.now);
    pair.settle();
    assert_eq!(pair.client.poll_event(), Some(Event::Permitted { peer: addr(PEER).ip() }));
    let id = pair.peer_connects(PEER).unwrap();
    let attempt = Event::ConnectionAttempt { connection: id, peer: addr(PEER) };
    assert_eq!((pair.client.poll_event(), pair.client.poll_command()), (Some(attempt), None));
    assert_eq!(pair.client.accept(id, pair.world.now), Ok(()));
    assert_eq!(pair.client.accept(id, pair.world.now), Err(ConnectError::Gone));
    assert!(matches!(pair.client.poll_command(), Some(Command::OpenConnection { .. })));
    pair.client.connection_opened(id, data_path(Transport::Tcp, 5_001), pair.world.now);
    pair.settle();
    assert_eq!(
        pair.client.poll_event(),
        Some(Event::Connected { connection: id, peer: addr(PEER) })
    );

    let late = pair.peer_connects("198.51.100.7:2").unwrap();
    pair.advance(Duration::from_secs(30));
    assert_eq!(pair.client.accept(late, pair.world.now), Err(ConnectError::Gone));
}

#[test]
fn an_attempt_that_the_server_did_not_have_to_tell_is_ignored() {
    let mut pair = Pair::tcp();
    let mut buffer = [0; 64];
    let id = pinhole_stun::TransactionId::new([3; 12]);
    let (class, method) = (pinhole_stun::Class::Indication, Method::CONNECTION_ATTEMPT);
    let mut writer = pinhole_stun::MessageWriter::new(&mut buffer, class, method, id).unwrap();
    writer.attribute(&XorPeerAddress(addr(PEER))).unwrap().attribute(&ConnectionId(7)).unwrap();
    let bytes = writer.finish().to_vec();
    let datagram = Datagram { five_tuple: pair.path, payload: &bytes };
    let _ = pair.client.handle_datagram(datagram, pair.world.now);
    assert_eq!(pair.client.poll_event(), None, "no permission");
}

#[test]
fn a_data_connection_that_fails_is_told() {
    let mut pair = Pair::tcp();
    pair.client.connect(addr(PEER), pair.world.now).unwrap();
    pair.settle();
    let id = pair.answer_connect(true);
    pair.client.data_connection_closed(id);
    let failed = Event::NotConnected { peer: addr(PEER), reason: Reason::Disconnected };
    assert_eq!(pair.client.poll_event(), Some(failed));

    pair.world.server.connection_closed(id);
    pair.client.connect(addr(PEER), pair.world.now).unwrap();
    pair.settle();
    let id = pair.answer_connect(true);
    pair.advance(Duration::from_secs(30));
    while pair.client.poll_command().is_some() {}
    pair.client.connection_opened(id, data_path(Transport::Tcp, 5_001), pair.world.now);
    pair.settle();
    let refused = Event::NotConnected { peer: addr(PEER), reason: Reason::Code(400) };
    assert_eq!(pair.client.poll_event(), Some(refused), "the server has given up waiting");
    let close = Command::CloseConnection { connection: id };
    assert_eq!(pair.client.poll_command(), Some(close));
}

/// The control connection moves; what is under way on a data connection is not asked for twice.
#[test]
fn a_data_connection_is_bound_while_the_client_moves() {
    let wishes = |config: &mut Config| {
        config.requested_transport = RequestedTransport::TCP;
        config.mobility = true;
    };
    let mut pair = Pair::new(Transport::Tcp, |_| {}, wishes);
    let now = pair.world.now;
    assert!(matches!(pair.client.poll_event(), Some(Event::Allocated { .. })));
    pair.client.connect(addr(PEER), now).unwrap();
    pair.settle();
    let id = pair.answer_connect(true);
    let _ = pair.client.poll_command();
    let (moved, data) = (data_path(Transport::Tcp, 6_000), data_path(Transport::Tcp, 6_001));
    pair.client.migrate(moved, now).unwrap();
    pair.client.connection_opened(id, data, now);
    // The request on the data connection is slow: the move is done before it arrives.
    let mut slow = vec![];
    while let Some(request) = pair.client.poll_transmit() {
        if request.five_tuple == data {
            slow.push(request);
            continue;
        }
        let _ = pair.world.input(request.five_tuple, &request.payload);
        let (to, bytes) = pair.world.answers[pair.delivered].clone();
        pair.delivered += 1;
        let datagram = Datagram { five_tuple: to.reversed(), payload: &bytes };
        let _ = pair.client.handle_datagram(datagram, now);
    }
    assert_eq!((pair.client.poll_event(), slow.len()), (Some(Event::Migrated), 1));
    let _ = pair.world.input(data, &slow[0].payload);
    pair.settle();
    assert_eq!(
        pair.client.poll_event(),
        Some(Event::Connected { connection: id, peer: addr(PEER) })
    );
    assert_eq!(pair.client.poll_command(), None);
}

#[test]
fn a_connect_request_is_not_repeated_on_the_path_that_the_client_moves_to() {
    let wishes = |config: &mut Config| {
        config.requested_transport = RequestedTransport::TCP;
        config.mobility = true;
    };
    let mut pair = Pair::new(Transport::Tcp, |_| {}, wishes);
    let now = pair.world.now;
    let _ = pair.client.poll_event();
    pair.client.connect(addr(PEER), now).unwrap();
    pair.settle();
    pair.client.migrate(data_path(Transport::Tcp, 6_000), now).unwrap();
    pair.settle();
    assert_eq!((pair.client.poll_event(), pair.client.poll_event()), (Some(Event::Migrated), None));
    let id = pair.answer_connect(true);
    let command = pair.client.poll_command();
    assert!(
        matches!(command, Some(Command::OpenConnection { connection, .. }) if connection == id)
    );
}

#[test]
fn the_end_of_the_allocation_closes_its_connections() {
    let mut pair = Pair::tcp();
    pair.client.connect(addr(PEER), pair.world.now).unwrap();
    pair.settle();
    let id = pair.answer_connect(true);
    let _ = pair.client.poll_command();
    pair.client.close(pair.world.now);
    pair.settle();
    assert_eq!(pair.client.poll_command(), Some(Command::CloseConnection { connection: id }));
    assert_eq!(pair.client.poll_event(), Some(Event::Closed));
    assert_eq!(pair.world.server.allocations(), 0);
}

#[test]
fn each_kind_of_allocation_keeps_to_its_own() {
    let mut tcp = Pair::tcp();
    let now = tcp.world.now;
    assert_eq!(tcp.client.send(addr(PEER), 4, now), Err(SendError::NotUdp));
    let mut udp = Pair::new(Transport::Udp, |_| {}, |_| {});
    assert_eq!(udp.client.connect(addr(PEER), now), Err(ConnectError::NotTcp));
    assert_eq!(udp.client.accept(ConnectionId(1), now), Err(ConnectError::Gone));
}

#[test]
fn a_pair_of_ports_is_asked_for_and_used() {
    let mut first = Pair::new(Transport::Udp, |_| {}, |config| config.port = Port::Pair);
    let Some(Event::Allocated { relayed, .. }) = first.client.poll_event() else { panic!() };
    assert!(relayed.port().is_multiple_of(2));
    let token = first.client.reservation().unwrap();

    let mut config =
        Config::new(data_path(Transport::Udp, 5_002), Credentials::new("alice", "secret").unwrap());
    config.port = Port::Reserved(token);
    first.client = Client::new(config, [3; 32], first.world.now);
    first.settle();
    let Some(Event::Allocated { relayed: second, .. }) = first.client.poll_event() else {
        panic!()
    };
    assert_eq!((second.ip(), second.port()), (relayed.ip(), relayed.port() + 1));

    let mut even = Pair::new(Transport::Udp, |_| {}, |config| config.port = Port::Even);
    let Some(Event::Allocated { relayed, .. }) = even.client.poll_event() else { panic!() };
    assert!(relayed.port().is_multiple_of(2) && even.client.reservation().is_none());
}

/// RFC 8656 §10.1 and §12.1: no XOR-PEER-ADDRESS of a family without a relayed address is sent.
#[test]
fn a_peer_of_the_other_family_is_refused_without_a_request() {
    let other = addr("[2001:db8::7]:9000");
    let refused = Event::Refused { peer: other.ip(), reason: Reason::Family };
    let mut udp = Pair::new(Transport::Udp, |_| {}, |_| {});
    let (now, before) = (udp.world.now, udp.requests.len());
    let _allocated = udp.client.poll_event();
    assert_eq!(udp.client.send(other, 4, now), Err(SendError::Refused(Reason::Family)));
    udp.client.permit(other.ip(), now);
    udp.settle();
    assert_eq!(udp.client.poll_event(), Some(refused.clone()));
    assert_eq!(udp.client.poll_event(), Some(refused));
    assert_eq!(udp.requests.len(), before);
    let mut tcp = Pair::tcp();
    assert_eq!(tcp.client.connect(other, now), Err(ConnectError::Family));

    let both = |config: &mut Config| config.addresses = Addresses::Both;
    let v6 = |config: &mut server::Config| {
        config.relay_v6 = Some("2001:db8::1".parse::<std::net::IpAddr>().unwrap().into());
    };
    let mut dual = Pair::new(Transport::Udp, v6, both);
    let _allocated = dual.client.poll_event();
    dual.client.permit(other.ip(), now);
    dual.settle();
    assert_eq!(dual.client.poll_event(), Some(Event::Permitted { peer: other.ip() }));
}

/// RFC 6062 §4.1: "The request MUST NOT include a DONT-FRAGMENT, RESERVATION-TOKEN, or EVEN-PORT attribute"; RFC 8656
/// §7.1: no ADDITIONAL-ADDRESS-FAMILY with the R bit.
#[test]
fn wishes_that_exclude_each_other_are_not_sent_together() {
    for port in [Port::Even, Port::Pair, Port::Reserved(ReservationToken([7; 8]))] {
        let wishes = |config: &mut Config| {
            config.requested_transport = RequestedTransport::TCP;
            (config.port, config.dont_fragment) = (port, true);
        };
        let mut tcp = Pair::new(Transport::Tcp, |_| {}, wishes);
        assert!(matches!(tcp.client.poll_event(), Some(Event::Allocated { .. })), "{port:?}");
    }
    let pair_of_both = |config: &mut Config| {
        (config.port, config.addresses) = (Port::Pair, Addresses::Both);
    };
    let mut udp = Pair::new(Transport::Udp, |_| {}, pair_of_both);
    assert!(matches!(udp.client.poll_event(), Some(Event::Allocated { second: None, .. })));
    assert!(udp.client.reservation().is_some());
}

#[test]
fn df_is_asked_for_where_the_server_can() {
    let mut able = Pair::new(
        Transport::Udp,
        |config| config.dont_fragment = true,
        |config| config.dont_fragment = true,
    );
    able.client.permit(addr(PEER).ip(), able.world.now);
    able.settle();
    let route = able.client.send_unfragmented(addr(PEER), 4, able.world.now).unwrap();
    let bytes = [&route.header[..], b"data"].concat();
    assert_eq!(Message::parse(&bytes).unwrap().get(), Ok(Some(DontFragment)));
    let server::Received::ToPeer(to_peer) = able.world.input(able.path, &bytes) else { panic!() };
    assert!(to_peer.dont_fragment);
    assert_eq!(&bytes[to_peer.payload], b"data");

    let mut unable = Pair::new(Transport::Udp, |_| {}, |config| config.dont_fragment = true);
    assert!(matches!(unable.client.poll_event(), Some(Event::Allocated { .. })));
    assert_eq!(unable.requests.len(), 3, "a challenge, a 420, and without");
    unable.client.permit(addr(PEER).ip(), unable.world.now);
    unable.settle();
    let refused = unable.client.send_unfragmented(addr(PEER), 4, unable.world.now);
    assert_eq!(refused, Err(SendError::MayFragment));
}
