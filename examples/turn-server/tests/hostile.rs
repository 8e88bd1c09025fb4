//! The program in bad times: without descriptors, killed, under forged datagrams; and what it writes to
//! its log then.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_types)]
#![allow(clippy::wildcard_enum_match_arm)]

#[path = "../../../crates/relay/tests/support/mod.rs"]
mod client;
mod support;

use std::io::{BufRead, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use client::{LOOPBACK, UdpClient, received, socket};
use pinhole_stun::{Class, MessageWriter, Method, TransactionId};
use pinhole_turn::attribute::RequestedTransport;
use pinhole_turn::client::{Event, Reason};
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use support::{Server, command};

const SERVER: [&str; 10] = [
    "--user",
    "alice:north",
    "--allow-peer",
    "127.0.0.1",
    "--workers",
    "1",
    "--answers-per-second",
    "0",
    "--max-allocations-per-user",
    "100000",
];

fn start(more: &[&str]) -> (Server, SocketAddr) {
    let listen = ["--listen", "127.0.0.1:0"];
    let server = Server::start(1, &[&SERVER[..], &listen, more].concat());
    let address = server.addresses[0];
    (server, address)
}

/// Ticks of CPU time that a process has had: fields 14 and 15 of its `stat`.
fn ticks(id: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = fields.split_whitespace().collect();
    fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum()
}

/// Its resident memory in bytes.
fn resident(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}

/// Without descriptors there are no more allocations, and connections wait with the kernel: nobody else
/// is harmed, and no CPU time is burnt.
#[test]
fn without_descriptors_it_refuses_and_does_not_spin() {
    let (mut server, address) = start(&[]);
    let limit = format!("--pid={}", server.id());
    let status = std::process::Command::new("prlimit").args([&limit, "--nofile=48"]).status();
    assert!(status.unwrap().success());

    let (mut first, relayed) = UdpClient::allocated(address);
    first.permit(LOOPBACK);
    let mut clients = vec![];
    let refused = (0..64).find_map(|_| {
        let mut client = UdpClient::new(address, |_| {});
        match client.event() {
            Event::Allocated { .. } => {
                clients.push(client);
                None
            }
            event => Some(event),
        }
    });
    assert_eq!(refused, Some(Event::Lost { reason: Reason::Code(508) }));

    let mut waiting: Vec<TcpStream> =
        (0..20).map(|_| TcpStream::connect(address).unwrap()).collect();
    let before = ticks(server.id());
    for stream in &mut waiting[..2] {
        // Nobody accepts it: this takes two seconds of the server's idleness.
        stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        stream.read(&mut [0]).unwrap_err();
    }
    assert!(ticks(server.id()) - before <= 20, "a tenth of the time it had");

    let peer = socket();
    first.send(peer.local_addr().unwrap(), b"still here");
    assert_eq!(received(&peer), (b"still here".to_vec(), relayed));
    let mut log = server.log();
    server.signal("-TERM");
    let mut text = String::new();
    log.read_to_string(&mut text).unwrap();
    let complaints = text.lines().filter(|line| line.contains("no socket to give")).count();
    assert!((1..=10).contains(&complaints), "{complaints} lines in\n{text}");
}

/// A client whose server is gone, and back at the same address, has to allocate anew, and can.
#[test]
fn a_client_allocates_again_after_kill_and_restart() {
    let (mut server, address) = start(&[]);
    let (mut client, _) = UdpClient::allocated(address);
    client.permit(LOOPBACK);
    server.signal("-KILL");
    assert_eq!(server.wait(), None);

    let at = address.to_string();
    let _again = Server::start(1, &[&SERVER[..], &["--listen", &at]].concat());
    let now = client.now();
    client.machine.permit("127.0.0.2".parse().unwrap(), now);
    assert_eq!(client.event(), Event::Lost { reason: Reason::Code(437) });
    let (mut client, relayed) = UdpClient::allocated(address);
    client.permit(LOOPBACK);
    let peer = socket();
    client.send(peer.local_addr().unwrap(), b"hello again");
    assert_eq!(received(&peer), (b"hello again".to_vec(), relayed));
}

/// Allocate requests from as many addresses: each is answered with a challenge, and forgotten.
#[test]
fn forged_sources_leave_nothing_behind() {
    const SOURCES: u32 = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };
    let (server, address) = start(&[]);
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let state = UdpSocketState::new(UdpSockRef::from(&socket)).unwrap();
    let send = |source: u32| {
        let mut buffer = [0; 64];
        let id = TransactionId::new([7; 12]);
        let mut writer =
            MessageWriter::new(&mut buffer, Class::Request, Method::ALLOCATE, id).unwrap();
        writer.attribute(&RequestedTransport::UDP).unwrap();
        let transmit = Transmit {
            destination: address,
            ecn: None,
            contents: writer.finish(),
            segment_size: None,
            // 127.64.0.0 and what follows is this machine's, too.
            src_ip: Some(IpAddr::V4(Ipv4Addr::from_bits(0x7f40_0000 + source))),
        };
        while state.try_send(UdpSockRef::from(&socket), &transmit).is_err() {}
    };
    // What is made once, is made by the first ones.
    (0..1_000).for_each(send);
    let (mut client, _) = UdpClient::allocated(address);
    let peer = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    let before = resident(server.id());
    for source in 1_000..SOURCES {
        send(source);
        if source % 64 == 0 {
            // An answer shows that the server has kept pace.
            let now = client.now();
            client.machine.permit(peer, now);
            assert_eq!(client.event(), Event::Refused { peer, reason: Reason::Code(403) });
        }
    }
    let grown = resident(server.id()).saturating_sub(before);
    assert!(grown <= 512 * 1_024, "{grown} bytes more after {SOURCES} sources");
}

/// How much memory the server takes for ten thousand connections of one source that send this and nothing
/// else; five hundred of them stay open.
fn grown_by(hello: &[u8]) -> u64 {
    let tls = support::certificate("localhost");
    let (server, address) = start(&["--certificate", &tls.certificate, "--key", &tls.key]);
    let connect = || {
        let mut connection = TcpStream::connect(address).unwrap();
        // The server may have refused it already.
        connection.write_all(hello).unwrap_or_default();
        connection
    };
    // What is used for the first time, code not least, is not the handshakes'.
    drop(connect());
    UdpClient::allocated(address);
    let before = resident(server.id());
    let mut connections = std::collections::VecDeque::new();
    for _ in 0..10_000 {
        connections.push_back(connect());
        if connections.len() > 500 {
            connections.pop_front();
        }
    }
    let (mut client, _) = UdpClient::allocated(address);
    client.permit(LOOPBACK);
    let grown = resident(server.id()).saturating_sub(before);
    println!("{grown} bytes more for {} bytes each", hello.len());
    grown
}

/// A whole ClientHello.
fn client_hello() -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut hello = vec![];
    ClientConnection::new(Arc::new(config), name).unwrap().write_tls(&mut hello).unwrap();
    hello
}

/// Nothing is prepared for a handshake before there is a whole ClientHello, and little for one that
/// stops after that.
#[test]
fn line_39_handshakes_that_never_end_cost_little() {
    let hello = client_hello();
    assert!(grown_by(&hello[..hello.len() - 1]) <= 512 * 1_024, "parts");
    assert!(grown_by(&hello) <= 512 * 1_024, "whole");
}

/// Checklist line 37: who, from where, at which address, with whom; and nothing that is secret.
#[test]
fn line_37_the_log_names_user_client_relay_and_peer_and_no_secret() {
    let (mut server, address) = start(&["--secret", "topsecret"]);
    let log = server.log();
    let (mut client, relayed) = UdpClient::allocated(address);
    client.permit(LOOPBACK);
    let from = client.path.local;
    for peer in 1..200 {
        let now = client.now();
        let peer = IpAddr::V4(Ipv4Addr::new(10, 0, 0, peer));
        client.machine.permit(peer, now);
        assert_eq!(client.event(), Event::Refused { peer, reason: Reason::Code(403) });
    }
    let now = client.now();
    client.machine.close(now);
    assert_eq!(client.event(), Event::Closed);
    server.signal("-TERM");
    let lines: Vec<String> = log.lines().map(Result::unwrap).collect();
    let text = lines.join("\n");
    let has =
        |parts: &[&str]| lines.iter().any(|line| parts.iter().all(|part| line.contains(part)));
    let (client, relayed) = (format!("client={from}"), format!("relayed={relayed}"));
    assert!(has(&["allocated", "user=alice", &client, &relayed]), "{text}");
    assert!(has(&["peer permitted", "user=alice", &client, "peer=127.0.0.1"]), "{text}");
    assert!(has(&["peer refused", "user=alice", &client, "10.0.0.1 is refused"]), "{text}");
    assert!(has(&["ended", "user=alice", &client, "reason=Deleted"]), "{text}");
    let refusals = lines.iter().filter(|line| line.contains("peer refused")).count();
    assert!((1..=10).contains(&refusals), "{refusals} lines in\n{text}");
    for secret in ["north", "topsecret", "nonce", "ticket"] {
        assert!(!text.contains(secret), "{secret} in\n{text}");
    }
}

#[test]
fn sigterm_gives_every_allocation_its_last_line() {
    let (mut server, address) = start(&[]);
    let log = server.log();
    let _clients: Vec<_> = (0..3).map(|_| UdpClient::allocated(address)).collect();
    server.signal("-TERM");
    assert_eq!(server.wait(), Some(0));
    let lines = log.lines().map(Result::unwrap);
    assert_eq!(lines.filter(|line| line.contains("reason=Operator")).count(), 3);
}

/// How many descriptors a process has.
fn descriptors(id: u32) -> usize {
    std::fs::read_dir(format!("/proc/{id}/fd")).unwrap().count()
}

/// T12: descriptors are the listeners', the connections' and the relayed addresses', and no others.
#[test]
fn t12_a_descriptor_for_each_relayed_address_and_connection() {
    let (server, address) = start(&[]);
    let before = descriptors(server.id());
    let mut clients: Vec<_> = (0..20).map(|_| UdpClient::allocated(address).0).collect();
    assert_eq!(descriptors(server.id()), before + 20);
    let mut connection = TcpStream::connect(address).unwrap();
    connection.write_all(&binding()).unwrap();
    connection.read_exact(&mut [0; 20]).unwrap();
    assert_eq!(descriptors(server.id()), before + 21);
    for client in &mut clients {
        let now = client.now();
        client.machine.close(now);
        assert_eq!(client.event(), Event::Closed);
    }
    drop(connection);
    // What an answered request shows has been done before it.
    let mut last = UdpClient::allocated(address).0;
    let now = last.now();
    last.machine.close(now);
    assert_eq!(last.event(), Event::Closed);
    let (_client, _) = UdpClient::allocated(address);
    assert_eq!(descriptors(server.id()), before + 1);
}

fn binding() -> Vec<u8> {
    let mut buffer = [0; 20];
    let id = TransactionId::new([7; 12]);
    let writer = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id).unwrap();
    writer.finish().to_vec()
}

/// Half of the ports are somebody else's: whoever comes gets another one or a 508, and the log is silent
/// about the others.
#[test]
fn ports_that_others_hold_fill_no_log() {
    let first = socket().local_addr().unwrap().port().min(65_400) & !1;
    let range = format!("{first}-{}", first + 39);
    let held = (first..first + 40).step_by(2).map(|port| UdpSocket::bind((LOOPBACK, port)));
    let _held: Vec<UdpSocket> = held.filter_map(Result::ok).collect();
    let (mut server, address) = start(&["--relay-ports", &range]);
    let log = server.log();
    let mut clients = vec![];
    for number in 0.. {
        assert!(number <= 40, "no end of ports");
        let mut client = UdpClient::new(address, |_| {});
        match client.event() {
            Event::Allocated { .. } => clients.push(client),
            event => {
                assert_eq!(event, Event::Lost { reason: Reason::Code(508) });
                break;
            }
        }
    }
    server.signal("-TERM");
    assert_eq!(server.wait(), Some(0));
    let others = log.lines().map(Result::unwrap);
    let others = others.filter(|line| !line.contains(": allocated ") && !line.contains(" ended"));
    assert!(others.count() <= 10);
}

/// SIGUSR1 closes the doors, SIGHUP opens them again.
#[test]
fn sigusr1_sends_new_clients_elsewhere_until_sighup() {
    let (_other, elsewhere) = start(&[]);
    let (mut server, address) = start(&["--alternate", &elsewhere.to_string()]);
    let mut log = server.log().lines().map(Result::unwrap);
    let (mut inside, _) = UdpClient::allocated(address);
    server.signal("-USR1");
    assert!(log.any(|line| line.contains("no new allocations") && line.contains("allocations=1")));
    let (client, _) = UdpClient::allocated(address);
    assert_eq!(client.path.remote, elsewhere);
    inside.permit(LOOPBACK);
    server.signal("-HUP");
    assert!(log.any(|line| line.contains("are reloaded")));
    let (client, _) = UdpClient::allocated(address);
    assert_eq!(client.path.remote, address);
}

/// Checklist line 12: a thousand requests of one source, sent as fast as they go, get a burst of answers
/// and then twenty a second.
#[test]
fn line_12_a_source_that_may_be_forged_gets_few_answers() {
    let server = Server::start(1, &["--listen", "127.0.0.1:0", "--user", "alice:north"]);
    let socket = socket();
    let mut buffer = [0; 64];
    let id = TransactionId::new([7; 12]);
    let mut writer = MessageWriter::new(&mut buffer, Class::Request, Method::ALLOCATE, id).unwrap();
    writer.attribute(&RequestedTransport::UDP).unwrap();
    let request = writer.finish();
    for _ in 0..1_000 {
        socket.send_to(request, server.addresses[0]).unwrap();
    }
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let answers = std::iter::from_fn(|| socket.recv(&mut [0; 512]).ok()).count();
    // Four seconds would have to pass for so many.
    assert!((1..=100).contains(&answers), "{answers} answers");
}

#[test]
fn an_unknown_flag_is_an_error() {
    assert_eq!(command(&["--listn", "127.0.0.1:0"]).output().unwrap().status.code(), Some(2));
}
