//! The relayed ports, which all workers share: the kernel gives clients to workers as it likes.

#![allow(clippy::disallowed_types, clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::wildcard_enum_match_arm, missing_docs)]

mod support;

use std::collections::BTreeSet;
use std::net::UdpSocket;

use pinhole_relay::{Server, Settings};
use pinhole_turn::client::{Event, Port, Reason};
use support::{LOOPBACK, UdpClient, address, settings, start};

/// Where to look for ports: below those that systems give out by themselves.
const FROM: u16 = 20_000;

/// Four workers that share the first so many free ports, from an even one on, and the first of these.
fn server(ports: u16, from: u16) -> (Server, u16) {
    let is_free = |port: u16| UdpSocket::bind((LOOPBACK, port)).is_ok();
    // Another run of this may go on beside it.
    let from = from + u16::try_from(std::process::id() % 20).unwrap() * 200;
    let first = (from..from + 200)
        .step_by(2)
        .find(|first| (*first..first + ports).all(is_free))
        .expect("free ports in a row");
    let range = format!("{first}-{}", first + ports - 1).parse().unwrap();
    (start(Settings { relay_ports: Some(range), ..settings(4) }), first)
}

/// A client with a port, or the reason why it has none.
fn allocate(server: &Server, port: Port) -> Result<(UdpClient, u16), Reason> {
    let mut client = UdpClient::new(address(server), |config| config.port = port);
    match client.event() {
        Event::Allocated { relayed, .. } => Ok((client, relayed.port())),
        Event::Lost { reason } => Err(reason),
        event => panic!("{event:?}"),
    }
}

#[test]
fn no_worker_refuses_while_a_port_is_free() {
    let (server, first) = server(12, FROM);
    let mut clients: Vec<_> = (0..12).map(|_| allocate(&server, Port::Any).unwrap()).collect();
    let ports: BTreeSet<u16> = clients.iter().map(|(_, port)| *port).collect();
    assert_eq!(ports, (first..first + 12).collect());
    for _ in 0..4 {
        assert_eq!(allocate(&server, Port::Any).err(), Some(Reason::Code(508)));
    }
    let text = server.metrics().render();
    assert!(text.contains("\npinhole_free_ports{family=\"ipv4\"} 0\n"), "{text}");
    assert!(!text.contains("family=\"ipv6\""), "{text}");
    let (mut leaving, port) = clients.swap_remove(5);
    let now = leaving.now();
    leaving.machine.close(now);
    assert_eq!(leaving.event(), Event::Closed);
    // The answer may leave before the socket is closed, and another worker is asked meanwhile.
    let next = (0..1_000).find_map(|_| allocate(&server, Port::Any).ok());
    assert_eq!(next.map(|(_, port)| port), Some(port));
}

#[test]
fn no_pair_is_cut() {
    let (server, first) = server(12, FROM + 4_000);
    let mut evens = BTreeSet::new();
    let mut clients = vec![];
    for _ in 0..6 {
        let (client, port) = allocate(&server, Port::Pair).unwrap();
        let token = client.machine.reservation().expect("a token");
        let (second, next) = allocate(&server, Port::Reserved(token)).unwrap();
        assert_eq!(next, port + 1);
        evens.insert(port);
        clients.extend([client, second]);
    }
    assert_eq!(evens, (first..first + 12).step_by(2).collect());
    assert_eq!(allocate(&server, Port::Any).err(), Some(Reason::Code(508)));
}
