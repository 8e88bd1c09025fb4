//! Line 35: connections with peers (RFC 6062).

use std::net::SocketAddr;
use std::time::Duration;

use pinhole_sansio::Transport;
use pinhole_stun::Method;
use pinhole_turn::attribute::{ConnectionId, RequestedTransport, XorPeerAddress};
use pinhole_turn::server::Command;

use crate::common::{Caller, PEER, World, addr, config};
use crate::{allocate, ask};

fn tcp() -> (World, Caller) {
    let mut able = config();
    able.tcp = true;
    let mut world = World::new(able);
    let mut alice = Caller::new("192.0.2.1:5000", "alice", Transport::Tcp);
    assert_eq!(allocate(&mut world, &mut alice, &[&RequestedTransport::TCP]).code, 0);
    (world, alice)
}

fn connect(world: &mut World, caller: &mut Caller, peer: SocketAddr) -> u16 {
    ask(world, caller, Method::CONNECT, &[&XorPeerAddress(peer)]).code
}

fn bind(world: &mut World, user: &str, port: u16, id: ConnectionId) -> u16 {
    let mut data = Caller::new(&format!("192.0.2.1:{port}"), user, Transport::Tcp);
    ask(world, &mut data, Method::CONNECTION_BIND, &[&id]).code
}

#[test]
fn line_35_a_peer_without_permission_is_closed_at_once() {
    let (mut world, mut alice) = tcp();
    let relay = *world.open.keys().next().unwrap();
    let before = world.answers.len();
    for port in 1..100 {
        let stranger = SocketAddr::from(([198, 51, 100, 8], port));
        assert_eq!(world.server.peer_connected(relay, stranger, world.now), None);
    }
    world.drain();
    assert_eq!((world.answers.len(), world.connections.len()), (before, 0));
    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    assert!(world.server.peer_connected(relay, addr(PEER), world.now).is_some());
    world.advance(Duration::from_secs(300));
    let late = addr("198.51.100.7:2");
    assert_eq!(world.server.peer_connected(relay, late, world.now), None, "it has expired");
}

#[test]
fn line_35_connect_runs_the_same_policy_and_storms_are_bounded() {
    let (mut world, mut alice) = tcp();
    for peer in ["127.0.0.1:22", "169.254.169.254:80", "203.0.113.1:1"] {
        assert_eq!(connect(&mut world, &mut alice, addr(peer)), 403);
    }
    assert!(world.connections.is_empty());
    let codes: Vec<u16> = (1..=1_000)
        .map(|port| {
            let peer = SocketAddr::from(([198, 51, 100, 7], port));
            connect(&mut world, &mut alice, peer)
        })
        .collect();
    assert!(codes[..16].iter().all(|code| *code == 1), "on their way");
    assert!(codes[16..].iter().all(|code| *code == 508));
    assert_eq!(world.connections.len(), 16);
    world.connections.clear();
    world.advance(Duration::from_secs(30));
    let closed =
        world.connections.iter().filter(|one| matches!(one, Command::CloseConnection { .. }));
    assert_eq!(closed.count(), 16, "and each ends after 30 s");
    assert_eq!(connect(&mut world, &mut alice, addr(PEER)), 1);
}

#[test]
fn line_35_a_connection_is_bound_by_its_user_within_thirty_seconds() {
    let (mut world, mut alice) = tcp();
    assert_eq!(connect(&mut world, &mut alice, addr(PEER)), 1);
    let Some(Command::Connect { connection, .. }) = world.connections.pop() else { panic!() };
    world.server.connected(connection, true, world.now);
    world.drain();
    assert_eq!(bind(&mut world, "bob", 6_000, connection), 441);
    world.advance(Duration::from_secs(30) - Duration::from_nanos(1));
    assert_eq!(bind(&mut world, "bob", 6_001, connection), 441);
    assert_eq!(bind(&mut world, "alice", 6_002, connection), 0);
    assert_eq!(bind(&mut world, "alice", 6_003, connection), 400, "once");

    let other = addr("198.51.100.7:2");
    assert_eq!(connect(&mut world, &mut alice, other), 1);
    let Some(Command::Connect { connection, .. }) = world.connections.pop() else { panic!() };
    world.server.connected(connection, true, world.now);
    world.advance(Duration::from_secs(30));
    assert_eq!(world.connections.last(), Some(&Command::CloseConnection { connection }));
    assert_eq!(bind(&mut world, "alice", 6_004, connection), 400);
}
