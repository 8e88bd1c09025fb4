//! Clients over TCP, connections to peers, and connections that want nothing good. Tests that begin with
//! `line_` prove that line of the security checklist.

#![allow(clippy::disallowed_types, clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::wildcard_enum_match_arm, missing_docs)]

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use pinhole_relay::Server;
use pinhole_stun::attribute::XorMappedAddress;
use pinhole_stun::{Class, Credentials, Message, MessageWriter, Method, TransactionId};
use pinhole_turn::attribute::ConnectionId;
use pinhole_turn::client::{Event, Reason};
use support::tcp::{TcpClient, bind_connection};
use support::{LOOPBACK, PATIENCE, address, alice, received, settings, socket, start};

fn binding(id: u8) -> Vec<u8> {
    let mut buffer = [0; 20];
    let id = TransactionId::new([id; 12]);
    let writer = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id).unwrap();
    writer.finish().to_vec()
}

/// A server with as many workers that is as patient as this with strangers.
fn start_with(workers: u8, patience: Duration) -> Server {
    let mut config = settings(workers).resolve().unwrap();
    assert_eq!(config.patience, Duration::from_secs(10));
    config.patience = patience;
    Server::start(&config).unwrap()
}

/// Longer than a test takes, and than its clients wait.
const FOR_EVER: Duration = Duration::from_secs(3_600);
/// Shorter than a test, and than what its clients want to say: the server may be gone before.
const BRIEF: Duration = Duration::from_millis(50);

fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Reads the answer to a Binding request with this id.
fn assert_answered(stream: &mut TcpStream, id: u8) {
    let mut answer = [0; 32];
    stream.read_exact(&mut answer).unwrap();
    let message = Message::parse(&answer).unwrap();
    assert_eq!(message.transaction_id(), TransactionId::new([id; 12]));
    let mapped = message.get().unwrap();
    assert_eq!(mapped, Some(XorMappedAddress(stream.local_addr().unwrap())));
}

/// The other side ends the connection, by whatever means.
fn assert_closed(stream: &mut TcpStream) {
    let end = stream.read(&mut [0]);
    let is_closed = match &end {
        Ok(length) => *length == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    };
    assert!(is_closed, "{end:?}");
}

#[test]
fn line_13_requests_may_come_byte_by_byte_or_all_at_once() {
    let server = start(settings(1));
    let mut stream = connect(address(&server));
    for byte in binding(7) {
        stream.write_all(&[byte]).unwrap();
    }
    assert_answered(&mut stream, 7);
    stream.write_all(&[binding(1), binding(2), binding(3)].concat()).unwrap();
    for id in [1, 2, 3] {
        assert_answered(&mut stream, id);
    }
}

/// A length that is not a multiple of four cannot begin a message; one that can is waited for, but
/// neither for ever nor in unlimited memory. What comes afterwards is not read as a message.
#[test]
fn line_13_lengths_that_never_come() {
    let server = start_with(1, FOR_EVER);
    let mut odd = connect(address(&server));
    odd.write_all(&[0, 1, 0xff, 0xff, 0x21, 0x12, 0xa4, 0x42]).unwrap();
    assert_closed(&mut odd);

    let server = start_with(1, BRIEF);
    let mut long = connect(address(&server));
    let all = [&[0, 1, 0xff, 0xfc, 0x21, 0x12, 0xa4, 0x42], &binding(7)[..]].concat();
    long.write_all(&all).unwrap_or_default();
    // Text that looks like ChannelData, a handshake that is not there, and nothing at all.
    let mut text = connect(address(&server));
    text.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap_or_default();
    let mut handshake = connect(address(&server));
    handshake.write_all(&[0x16, 3, 1, 0xff, 0xff]).unwrap_or_default();
    let silent = connect(address(&server));
    for mut stream in [long, text, handshake, silent] {
        assert_closed(&mut stream);
    }
}

#[test]
fn line_39_records_that_are_no_handshake_are_closed_at_once() {
    let server = start_with(1, FOR_EVER);
    for first in [0x14, 0x15, 0x17, 0x80, 0xff] {
        let mut stream = connect(address(&server));
        stream.write_all(&[first, 3, 3, 0, 1]).unwrap();
        assert_closed(&mut stream);
    }
}

#[test]
fn strangers_of_one_source_are_few() {
    let server = start_with(1, FOR_EVER);
    let mut streams: Vec<TcpStream> = (0..160).map(|_| connect(address(&server))).collect();
    for stream in streams.iter_mut().skip(128) {
        assert_closed(stream);
    }
    streams[0].write_all(&binding(7)).unwrap();
    assert_answered(&mut streams[0], 7);
}

/// A ConnectionBind request tells which worker it is for, and has its connection handed over.
#[test]
fn strangers_who_name_a_worker_are_as_few() {
    let server = start_with(2, FOR_EVER);
    let mut request = [0; 28];
    let (id, method) = (TransactionId::new([7; 12]), Method::CONNECTION_BIND);
    let mut writer = MessageWriter::new(&mut request, Class::Request, method, id).unwrap();
    writer.attribute(&ConnectionId(1)).unwrap();
    let request = writer.finish();
    let mut held = vec![];
    for _ in 0..160 {
        let mut stream = connect(address(&server));
        // Nobody may be there to take it.
        stream.write_all(request).unwrap_or_default();
        if stream.read(&mut [0]).is_ok_and(|length| length > 0) {
            held.push(stream);
        }
    }
    assert_eq!(held.len(), 128);
}

#[test]
fn datagrams_pass_over_tcp() {
    let server = start(settings(2));
    let mut client = TcpClient::new(address(&server), alice(), false);
    let relayed = client.allocated();
    client.permit(LOOPBACK);
    let peer = socket();
    let peer_address = peer.local_addr().unwrap();
    for length in 0..60 {
        let payload = vec![length; length.into()];
        client.send(peer_address, &payload);
        assert_eq!(received(&peer), (payload.clone(), relayed));
        peer.send_to(&payload, relayed).unwrap();
        assert_eq!(client.receive(), (peer_address, payload));
    }
    let text = server.metrics().render();
    for direction in ["to_peers", "to_clients"] {
        // Without headers and padding.
        let line = format!("pinhole_bytes_total{{direction=\"{direction}\"}} {}\n", 59 * 60 / 2);
        assert!(text.contains(&line), "{line} in\n{text}");
    }
}

/// Eight data connections: each is another worker's to accept than the one that has the allocation,
/// three times out of four.
#[test]
fn connections_to_peers_carry_what_they_are_given() {
    let server = start(settings(4));
    let mut client = TcpClient::new(address(&server), alice(), true);
    client.allocated();
    client.permit(LOOPBACK);
    // Much more than any buffer holds.
    let bytes: Vec<u8> = (0..8 << 20).map(|number: u32| (number % 251) as u8).collect();
    for _ in 0..8 {
        let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
        let peer = listener.local_addr().unwrap();
        let now = client.now();
        client.machine.connect(peer, now).unwrap();
        let Event::Connected { connection, .. } = client.event() else { panic!("no connection") };
        let (mut far, _) = listener.accept().unwrap();
        let (mut near, early) = client.data_connection(connection);
        assert_eq!(early, b"");
        far.set_read_timeout(Some(PATIENCE)).unwrap();
        exchange(&mut near, &mut far, &bytes);
        exchange(&mut far, &mut near, &bytes);
    }
}

/// A reader that begins late gets all of it; then one side ends, and the other one goes on.
fn exchange(from: &mut TcpStream, to: &mut TcpStream, bytes: &[u8]) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            from.write_all(bytes).unwrap();
            from.shutdown(Shutdown::Write).unwrap();
        });
        let mut read = vec![];
        to.read_to_end(&mut read).unwrap();
        assert!(read == bytes, "{} bytes of {}", read.len(), bytes.len());
    });
}

#[test]
fn line_35_a_peer_without_permission_is_closed_at_once() {
    let server = start(settings(1));
    let mut client = TcpClient::new(address(&server), alice(), true);
    let relayed = client.allocated();
    assert_closed(&mut connect(relayed));
    client.permit(LOOPBACK);
    let mut peer = connect(relayed);
    let Event::ConnectionAttempt { connection, peer: from } = client.event() else {
        panic!("no attempt")
    };
    assert_eq!(from, peer.local_addr().unwrap());
    peer.write_all(b"early").unwrap();
    let now = client.now();
    client.machine.accept(connection, now).unwrap();
    let Event::Connected { .. } = client.event() else { panic!("no connection") };
    let (mut near, mut early) = client.data_connection(connection);
    let read = early.len();
    early.resize(5, 0);
    near.read_exact(&mut early[read..]).unwrap();
    assert_eq!(early, b"early");
}

#[test]
fn line_35_connect_obeys_the_policy() {
    let server = start(settings(1));
    let mut client = TcpClient::new(address(&server), alice(), true);
    client.allocated();
    for peer in ["10.0.0.1:80", "169.254.169.254:80"] {
        let peer = peer.parse().unwrap();
        let now = client.now();
        client.machine.connect(peer, now).unwrap();
        assert_eq!(client.event(), Event::NotConnected { peer, reason: Reason::Code(403) });
    }
}

/// The number of Alice's connection does not help Bob.
#[test]
fn line_35_nobody_else_binds_a_connection() {
    let server = start(settings(1));
    let mut client = TcpClient::new(address(&server), alice(), true);
    let relayed = client.allocated();
    client.permit(LOOPBACK);
    let _peer = connect(relayed);
    let Event::ConnectionAttempt { connection, .. } = client.event() else { panic!("no attempt") };
    let bob = Credentials::new("bob", "south").unwrap();
    assert_eq!(bind_connection(address(&server), &bob, connection), 441);
    assert_eq!(bind_connection(address(&server), &alice(), connection), 0);
    assert_eq!(bind_connection(address(&server), &alice(), connection), 400);
}

#[test]
fn an_allocation_ends_with_its_connection() {
    let server = start(settings(1));
    let mut client = TcpClient::new(address(&server), alice(), false);
    client.allocated();
    assert_eq!(server.metrics().allocations(), 1);
    drop(client);
    let mut other = TcpClient::new(address(&server), alice(), false);
    other.allocated();
    assert_eq!(server.metrics().allocations(), 1, "that of the other");
}
