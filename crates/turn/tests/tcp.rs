//! TCP allocations (RFC 6062): CHECKLIST 35.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{Answer, Caller, PEER, World, addr, config, relayed};
use pinhole_sansio::Transport;
use pinhole_stun::attribute::AttributeWrite;
use pinhole_stun::{Class, Message, Method};
use pinhole_turn::attribute::{
    ConnectionId, EvenPort, RequestedTransport, ReservationToken, XorPeerAddress,
};
use pinhole_turn::server::Command;

const TCP: RequestedTransport = RequestedTransport::TCP;
const PATIENCE: Duration = Duration::from_secs(30);

fn world() -> World {
    let mut able = config();
    able.tcp = true;
    World::new(able)
}

fn allocate(world: &mut World, caller: &mut Caller, attributes: &[&dyn AttributeWrite]) -> Answer {
    caller.ask(world, Method::ALLOCATE, &|writer| {
        attributes.iter().try_for_each(|attribute| writer.attribute(*attribute).map(drop))
    })
}

/// A client with a TCP allocation.
fn connected() -> (World, Caller, SocketAddr) {
    let mut world = world();
    let mut alice = Caller::new("192.0.2.1:5000", "alice", Transport::Tcp);
    let answer = allocate(&mut world, &mut alice, &[&TCP]);
    assert_eq!(answer.code, 0);
    (world, alice, relayed(&answer))
}

/// Asks for a connection, which takes its time: there is no answer yet, or a refusal.
fn connect(world: &mut World, caller: &mut Caller, peer: &str) -> Result<ConnectionId, u16> {
    let before = world.connections.len();
    let answer = caller.ask(world, Method::CONNECT, &|writer| {
        writer.attribute(&XorPeerAddress(addr(peer))).map(drop)
    });
    match world.connections.get(before) {
        Some(Command::Connect { connection, peer: to, .. }) => {
            assert_eq!((answer.code, *to), (1, addr(peer)));
            Ok(*connection)
        }
        _ => Err(answer.code),
    }
}

/// What the client is told on its control connection when the driver is done.
fn report(world: &mut World, connection: ConnectionId, success: bool) -> Option<u16> {
    let before = world.answers.len();
    world.server.connected(connection, success, world.now);
    world.drain();
    code_of(world, before)
}

fn code_of(world: &World, at: usize) -> Option<u16> {
    let (_, bytes) = world.answers.get(at)?;
    let message = Message::parse(bytes).unwrap();
    let error = message.get::<pinhole_stun::attribute::ErrorCode<'_>>().unwrap();
    Some(error.map_or(0, |error| error.code))
}

fn bind(world: &mut World, caller: &mut Caller, id: ConnectionId) -> u16 {
    caller.ask(world, Method::CONNECTION_BIND, &|writer| writer.attribute(&id).map(drop)).code
}

fn data_connection(user: &str, port: u16) -> Caller {
    Caller::new(&format!("192.0.2.1:{port}"), user, Transport::Tcp)
}

#[test]
fn the_checks_of_section_5_1() {
    let mut world = world();
    let mut udp = Caller::alice();
    assert_eq!(allocate(&mut world, &mut udp, &[&TCP]).code, 400);
    let mut tcp = data_connection("alice", 1);
    let (even, token) = (EvenPort { reserve_next: false }, ReservationToken([7; 8]));
    assert_eq!(allocate(&mut world, &mut tcp, &[&TCP, &even]).code, 400);
    assert_eq!(allocate(&mut world, &mut tcp, &[&TCP, &token]).code, 400);
    assert_eq!(allocate(&mut world, &mut tcp, &[&RequestedTransport(132)]).code, 442);
    assert_eq!(allocate(&mut world, &mut tcp, &[&TCP]).code, 0);

    let mut without = World::new(config());
    assert_eq!(allocate(&mut without, &mut tcp, &[&TCP]).code, 442);
    let answer = connect(&mut without, &mut tcp, PEER);
    assert_eq!(answer, Err(1), "the method is not known");
}

#[test]
fn a_connection_to_a_peer_is_bound_to_one_of_the_client() {
    let (mut world, mut alice, relayed) = connected();
    let id = connect(&mut world, &mut alice, PEER).unwrap();
    assert_eq!(connect(&mut world, &mut alice, PEER), Err(446));
    let mut data = data_connection("alice", 5_001);
    assert_eq!(bind(&mut world, &mut data, id), 400, "it is not there yet");
    assert_eq!(report(&mut world, id, true), Some(0));
    assert_eq!(connect(&mut world, &mut alice, PEER), Err(446));
    let answered = Message::parse(&world.answers[world.answers.len() - 2].1).unwrap();
    assert_eq!(answered.get(), Ok(Some(id)));

    assert_eq!(bind(&mut world, &mut alice, id), 400, "not on the control connection");
    let mut bob = data_connection("bob", 5_002);
    assert_eq!(bind(&mut world, &mut bob, id), 441);
    assert_eq!(bind(&mut world, &mut data, id), 0);
    let client = data.path.reversed();
    assert_eq!(world.connections.last(), Some(&Command::Splice { connection: id, client }));
    assert_eq!(bind(&mut world, &mut data_connection("alice", 5_003), id), 400, "once");
    world.advance(10 * PATIENCE);
    assert_eq!(world.connections.len(), 2, "what is bound does not expire");

    assert_eq!(world.relay_at(relayed), *world.open.keys().next().unwrap());
    alice.refresh(&mut world, 0);
    assert_eq!(world.connections.last(), Some(&Command::CloseConnection { connection: id }));
    assert!(world.open.is_empty());
}

#[test]
fn a_peer_that_does_not_answer_is_told_with_447() {
    let (mut world, mut alice, _) = connected();
    let id = connect(&mut world, &mut alice, PEER).unwrap();
    assert_eq!(report(&mut world, id, false), Some(447));
    let slow = connect(&mut world, &mut alice, PEER).unwrap();
    let before = world.answers.len();
    world.advance(PATIENCE - Duration::from_nanos(1));
    assert_eq!(world.answers.len(), before);
    world.advance(Duration::from_nanos(1));
    assert_eq!(code_of(&world, before), Some(447));
    assert_eq!(world.connections.last(), Some(&Command::CloseConnection { connection: slow }));
    assert_eq!(report(&mut world, slow, true), None, "too late");
}

#[test]
fn a_connection_that_nobody_binds_is_closed_after_thirty_seconds() {
    let (mut world, mut alice, _) = connected();
    let id = connect(&mut world, &mut alice, PEER).unwrap();
    world.advance(PATIENCE / 2);
    assert_eq!(report(&mut world, id, true), Some(0));
    world.advance(PATIENCE - Duration::from_nanos(1));
    assert_eq!(world.connections.len(), 1);
    world.advance(Duration::from_nanos(1));
    assert_eq!(world.connections.last(), Some(&Command::CloseConnection { connection: id }));
    assert_eq!(bind(&mut world, &mut data_connection("alice", 5_001), id), 400);
    assert!(connect(&mut world, &mut alice, PEER).is_ok(), "and the peer is free again");
}

#[test]
fn the_policy_holds_for_connections_too() {
    let (mut world, mut alice, _) = connected();
    assert_eq!(connect(&mut world, &mut alice, "169.254.169.254:80"), Err(403));
    assert_eq!(connect(&mut world, &mut alice, "[2001:db8::1]:80"), Err(443));
    let mut bob = Caller::new("192.0.2.1:5000", "bob", Transport::Tcp);
    assert_eq!(connect(&mut world, &mut bob, PEER), Err(441));
    assert_eq!(connect(&mut world, &mut data_connection("alice", 9), PEER), Err(437));
}

#[test]
fn a_storm_of_connections_is_bounded() {
    let (mut world, mut alice, _) = connected();
    let results: Vec<Result<ConnectionId, u16>> = (1..100)
        .map(|port| connect(&mut world, &mut alice, &format!("198.51.100.7:{port}")))
        .collect();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 16);
    assert!(results[16..].iter().all(|result| *result == Err(508)));
    for id in results[..16].iter().flatten() {
        world.server.connection_closed(*id);
    }
    assert!(connect(&mut world, &mut alice, PEER).is_ok());
}

#[test]
fn a_peer_without_permission_is_turned_away() {
    let (mut world, mut alice, relayed) = connected();
    let relay = world.relay_at(relayed);
    let before = world.answers.len();
    assert_eq!(world.server.peer_connected(relay, addr(PEER), world.now), None);
    world.drain();
    assert_eq!(world.answers.len(), before);

    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    let id = world.server.peer_connected(relay, addr(PEER), world.now).unwrap();
    world.drain();
    let (to, bytes) = world.answers.last().unwrap();
    let attempt = Message::parse(bytes).unwrap();
    assert_eq!(*to, alice.path.reversed());
    assert_eq!(attempt.class(), Class::Indication);
    assert_eq!(attempt.method(), Method::CONNECTION_ATTEMPT);
    assert_eq!(attempt.get(), Ok(Some(id)));
    assert_eq!(attempt.get(), Ok(Some(XorPeerAddress(addr(PEER)))));
    assert_eq!(bind(&mut world, &mut data_connection("alice", 5_001), id), 0);
}

#[test]
fn a_tcp_allocation_relays_no_datagrams() {
    let (mut world, mut alice, _) = connected();
    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 400);
    assert!(alice.send(&mut world, PEER, b"x").is_none());
}

#[test]
fn the_end_of_the_control_connection_ends_all() {
    let (mut world, mut alice, _) = connected();
    let id = connect(&mut world, &mut alice, PEER).unwrap();
    assert_eq!(report(&mut world, id, true), Some(0));
    world.server.client_closed(alice.path.reversed());
    world.drain();
    assert_eq!(world.connections.last(), Some(&Command::CloseConnection { connection: id }));
    assert_eq!((world.server.allocations(), world.open.len()), (0, 0));
    assert_eq!(world.server.poll_timeout(), None);
}
