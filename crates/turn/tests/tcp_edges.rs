//! TCP allocations (RFC 6062) where a driver, a client or a peer does what it should not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{Caller, PEER, World, addr, ask, config, relayed};
use pinhole_sansio::Transport;
use pinhole_stun::Method;
use pinhole_stun::attribute::AttributeWrite;
use pinhole_turn::attribute::{
    ConnectionId, DontFragment, MobilityTicket, RequestedTransport, XorPeerAddress,
};
use pinhole_turn::server::{Command, Config, Protocol};

const TCP: RequestedTransport = RequestedTransport::TCP;
const UDP: RequestedTransport = RequestedTransport::UDP;

fn able() -> Config {
    let mut able = config();
    (able.tcp, able.dont_fragment) = (true, true);
    able
}

fn caller(port: u16, transport: Transport) -> Caller {
    Caller::new(&format!("192.0.2.1:{port}"), "alice", transport)
}

/// A client over TCP with an allocation of this kind, and a permission for [`PEER`].
fn allocated(wishes: &[&dyn AttributeWrite]) -> (World, Caller, SocketAddr) {
    let (mut world, mut alice) = (World::new(able()), caller(5_000, Transport::Tcp));
    let answer = ask(&mut world, &mut alice, Method::ALLOCATE, wishes);
    assert_eq!(answer.code, 0);
    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    (world, alice, relayed(&answer))
}

/// Asks for a connection to a peer.
fn connect(world: &mut World, alice: &mut Caller, peer: &str) -> Result<ConnectionId, u16> {
    let before = world.connections.len();
    let answer = ask(world, alice, Method::CONNECT, &[&XorPeerAddress(addr(peer))]);
    let Some(Command::Connect { relay, connection, peer }) = world.connections.get(before) else {
        return Err(answer.code);
    };
    assert_eq!((*peer, relay.family()), (addr(PEER), pinhole_stun::attribute::Family::Ipv4));
    Ok(*connection)
}

fn bind(world: &mut World, port: u16, transport: Transport, id: ConnectionId) -> u16 {
    ask(world, &mut caller(port, transport), Method::CONNECTION_BIND, &[&id]).code
}

/// RFC 6062 §5.1: "the server MUST reject the request with a 400" where DF is asked for, too.
#[test]
fn a_tcp_allocation_has_no_df_and_a_listening_socket() {
    let (mut world, mut alice) = (World::new(able()), caller(5_000, Transport::Tcp));
    let both = ask(&mut world, &mut alice, Method::ALLOCATE, &[&TCP, &DontFragment]);
    assert_eq!(both.code, 400);
    for (wish, expected) in [(TCP, Protocol::Tcp), (UDP, Protocol::Udp)] {
        let answer = ask(&mut world, &mut alice, Method::ALLOCATE, &[&wish]);
        assert_eq!(answer.code, 0);
        assert_eq!(world.protocol, Some(expected));
        assert_eq!(alice.refresh(&mut world, 0).code, 0);
    }
}

/// RFC 6062 §5.2 and §5.4: Connect is for TCP allocations, ConnectionBind for streams.
#[test]
fn connections_are_for_tcp_allocations_and_come_on_streams() {
    let (mut world, mut alice, relayed) = allocated(&[&UDP]);
    assert_eq!(connect(&mut world, &mut alice, PEER), Err(400));
    let relay = world.relay_at(relayed);
    assert_eq!(world.server.peer_connected(relay, addr(PEER), world.now), None);

    let (mut world, mut alice, _) = allocated(&[&TCP]);
    let id = connect(&mut world, &mut alice, PEER).unwrap();
    world.server.connected(id, true, world.now);
    world.drain();
    assert_eq!(bind(&mut world, 5_001, Transport::Udp, id), 400);
    assert_eq!(bind(&mut world, 5_001, Transport::Dtls, id), 400);
    assert_eq!(bind(&mut world, 5_001, Transport::Tls, id), 0);
}

/// A driver that tells twice how it went, or after the end, changes nothing.
#[test]
fn a_connection_is_told_of_once() {
    let (mut world, mut alice, _) = allocated(&[&TCP]);
    let id = connect(&mut world, &mut alice, PEER).unwrap();
    let answers = world.answers.len();
    for success in [true, true, false] {
        world.server.connected(id, success, world.now);
        world.drain();
    }
    assert_eq!(world.answers.len(), answers + 1);
    assert_eq!(bind(&mut world, 5_001, Transport::Tcp, id), 0);
    world.server.connected(id, true, world.now);
    assert_eq!(bind(&mut world, 5_002, Transport::Tcp, id), 400, "it is bound");
    let commands = world.connections.len();
    world.advance(Duration::from_secs(60));
    assert_eq!(world.connections.len(), commands, "and has no time to end");
    world.server.connection_closed(id);
    world.server.connected(id, true, world.now);
    assert_eq!(bind(&mut world, 5_003, Transport::Tcp, id), 400);
}

/// RFC 6062 §5.2: 446 for a peer that there is a connection to, whoever began it, and however it is spelled.
#[test]
fn a_peer_has_one_connection_whoever_begins_it() {
    let spelled = "[::ffff:198.51.100.7]:9000";
    for (first, second) in [(PEER, spelled), (spelled, PEER)] {
        let (mut world, mut alice, relayed) = allocated(&[&TCP]);
        let relay = world.relay_at(relayed);
        connect(&mut world, &mut alice, first).unwrap();
        assert_eq!(connect(&mut world, &mut alice, second), Err(446));
        assert_eq!(world.server.peer_connected(relay, addr(second), world.now), None);

        let (mut world, mut alice, relayed) = allocated(&[&TCP]);
        let relay = world.relay_at(relayed);
        assert!(world.server.peer_connected(relay, addr(first), world.now).is_some());
        world.drain();
        assert_eq!(world.server.peer_connected(relay, addr(second), world.now), None);
        assert_eq!(connect(&mut world, &mut alice, second), Err(446));
    }
}

/// CHECKLIST 35: a peer with permission cannot make more connections than there may be, either.
#[test]
fn a_storm_of_peers_is_bounded() {
    let (mut world, mut alice, relayed) = allocated(&[&TCP]);
    let relay = world.relay_at(relayed);
    let taken: Vec<ConnectionId> = (1..=100)
        .filter_map(|port| {
            let peer = SocketAddr::from(([198, 51, 100, 7], port));
            world.server.peer_connected(relay, peer, world.now)
        })
        .collect();
    assert_eq!(taken.len(), 16);
    world.drain();
    assert_eq!(connect(&mut world, &mut alice, PEER), Err(508));
    world.server.connection_closed(taken[3]);
    assert!(connect(&mut world, &mut alice, PEER).is_ok());
}

/// RFC 6062 §5.3: "If no ConnectionBind request [...] is received after 30 seconds", to the nanosecond.
#[test]
fn a_peer_waits_for_thirty_seconds() {
    let (mut world, _, relayed) = allocated(&[&TCP]);
    let relay = world.relay_at(relayed);
    let connection = world.server.peer_connected(relay, addr(PEER), world.now).unwrap();
    world.advance(Duration::from_secs(30) - Duration::from_nanos(1));
    assert_eq!(world.connections, []);
    world.advance(Duration::from_nanos(1));
    assert_eq!(world.connections, [Command::CloseConnection { connection }]);
}

/// Each allocation has its own connections: as many as it may, and until its own end.
#[test]
fn connections_are_counted_and_closed_by_allocation() {
    let mut world = World::new(able());
    let mut clients = [1, 2, 3].map(|port| caller(port, Transport::Tcp));
    let relays = clients.each_mut().map(|client| {
        let answer = ask(&mut world, client, Method::ALLOCATE, &[&TCP]);
        assert_eq!(client.permit(&mut world, &[PEER]), 0);
        world.relay_at(relayed(&answer))
    });
    let ids = relays.map(|relay| {
        (1..=16)
            .map(|port| {
                let peer = SocketAddr::from(([198, 51, 100, 7], port));
                world.server.peer_connected(relay, peer, world.now).expect("room for each")
            })
            .collect::<Vec<_>>()
    });
    world.drain();
    for (client, own) in clients.iter_mut().zip(&ids) {
        assert_eq!(client.refresh(&mut world, 0).code, 0);
        let expected = own.iter().map(|id| Command::CloseConnection { connection: *id });
        assert_eq!(world.connections, expected.collect::<Vec<_>>());
        world.connections.clear();
    }
    assert_eq!(world.server.poll_timeout(), None);
}

/// RFC 8016: while the client is away, nobody could be told of an attempt.
#[test]
fn a_client_that_is_away_takes_no_connections() {
    let (mut world, alice, relayed) = allocated(&[&TCP, &MobilityTicket(&[])]);
    let relay = world.relay_at(relayed);
    assert!(world.server.peer_connected(relay, addr(PEER), world.now).is_some());
    world.server.client_closed(alice.path.reversed());
    let late = addr("198.51.100.7:2");
    assert_eq!(world.server.peer_connected(relay, late, world.now), None);
}
