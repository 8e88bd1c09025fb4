//! TCP allocations on the client's side (RFC 6062 §4), against the server machine.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::time::Duration;

use common::pair::{Pair, data_path};
use common::{PEER, addr};
use pinhole_sansio::{Datagram, Transport};
use pinhole_stun::{Message, Method};
use pinhole_turn::attribute::{ConnectionId, RequestedTransport, XorPeerAddress};
use pinhole_turn::client::{Command, Config, ConnectError, Event, Reason, Received, SendError};
use pinhole_turn::server;

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
