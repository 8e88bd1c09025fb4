//! A server that sends its clients elsewhere (RFC 8489 §10).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::net::SocketAddr;
use std::time::Duration;

use pinhole_sansio::{FiveTuple, Instant, Payload, Transmit, Transport};
use pinhole_stun::attribute::{
    Algorithm, AlternateDomain, AlternateServer, Attribute, ErrorCode, Username,
};
use pinhole_stun::auth::{LongTermServer, Realms, User};
use pinhole_stun::{Credentials, IntegrityKey, Message, response};
use pinhole_turn::client::{Client, Command, Config, Event, Reason};

const NOW: Instant = Instant::from_millis(1_000);

struct Alice;

impl Realms for Alice {
    fn key(&self, realm: &str, _: User<'_>, algorithm: Algorithm) -> Option<IntegrityKey> {
        alice().key(realm, algorithm)
    }
}

fn alice() -> Credentials {
    Credentials::new("alice", "secret").unwrap()
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn client(transport: Transport) -> Client {
    let path =
        FiveTuple { transport, local: addr("192.0.2.1:5000"), remote: addr("192.0.2.10:3478") };
    Client::new(Config::new(path, alice()), [9; 32], NOW)
}

/// The answer of a server that knows alice and sends her to `target`.
fn redirect(request: &Transmit, target: SocketAddr) -> Transmit {
    let server = LongTermServer::new("test", [5; 32], Duration::from_secs(600));
    let message = Message::parse(&request.payload).unwrap();
    let source = request.five_tuple.local;
    let mut buffer = [0; 512];
    let writer = match server.authenticate(&message, source, &Alice, NOW) {
        Err(rejection) => server.reject(rejection, &message, source, NOW, &mut buffer).unwrap(),
        Ok(authenticated) => {
            let mut writer = response::error(&message, ErrorCode::bare(300), &mut buffer).unwrap();
            writer.attribute(&AlternateServer(target)).unwrap();
            writer.attribute(&AlternateDomain("b.example")).unwrap();
            authenticated.seal(&mut writer).unwrap();
            writer
        }
    };
    let payload = Payload::from(writer.finish());
    Transmit { five_tuple: request.five_tuple.reversed(), payload }
}

/// Answers until the client asks another server, or nobody any more.
fn follow(client: &mut Client, target: impl Fn(SocketAddr) -> SocketAddr) -> Vec<SocketAddr> {
    let mut asked = vec![];
    while let Some(request) = client.poll_transmit() {
        if asked.last() != Some(&request.five_tuple.remote) {
            let message = Message::parse(&request.payload).unwrap();
            assert_eq!(message.raw(Username::KIND), None, "nobody is told who was asked before");
        }
        asked.push(request.five_tuple.remote);
        let answer = redirect(&request, target(request.five_tuple.remote));
        let _ = client.handle_datagram(answer.as_datagram(), NOW);
        assert!(asked.len() < 100, "an endless journey");
    }
    asked.dedup();
    asked
}

#[test]
fn a_client_goes_where_it_is_sent_and_not_in_circles() {
    let mut client = client(Transport::Udp);
    let (first, second) = (addr("192.0.2.10:3478"), addr("192.0.2.11:3478"));
    let asked = follow(&mut client, |from| if from == first { second } else { first });
    assert_eq!(asked, [first, second]);
    assert_eq!(client.poll_event(), Some(Event::Lost { reason: Reason::Redirected }));
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn a_journey_ends() {
    let mut client = client(Transport::Udp);
    let next = |from: SocketAddr| SocketAddr::new(from.ip(), from.port() + 1);
    assert!(follow(&mut client, next).len() <= 10);
    assert_eq!(client.poll_event(), Some(Event::Lost { reason: Reason::Redirected }));
}

#[test]
fn a_connection_is_opened_anew_to_follow() {
    let mut client = client(Transport::Tls);
    let (first, second) = (addr("192.0.2.10:3478"), addr("192.0.2.11:5349"));
    assert_eq!(follow(&mut client, |_| second), [first]);
    let reconnect = Command::Reconnect { server: second, domain: Some("b.example".into()) };
    assert_eq!(client.poll_command(), Some(reconnect));
    assert_eq!((client.poll_event(), client.poll_timeout()), (None, None));

    let local = addr("192.0.2.1:5001");
    client.reconnected(FiveTuple { transport: Transport::Tls, local, remote: second }, NOW);
    assert_eq!(follow(&mut client, |_| first), [second], "and not back again");
    assert_eq!(client.poll_event(), Some(Event::Lost { reason: Reason::Redirected }));
    assert_eq!(client.poll_command(), None);
}

#[test]
fn a_server_that_cannot_be_reached_ends_the_journey() {
    let mut lost = client(Transport::Tcp);
    follow(&mut lost, |_| addr("192.0.2.11:3478"));
    assert!(matches!(lost.poll_command(), Some(Command::Reconnect { .. })));
    lost.connection_closed();
    assert_eq!(lost.poll_event(), Some(Event::Lost { reason: Reason::Disconnected }));

    let mut closed = client(Transport::Tcp);
    follow(&mut closed, |_| addr("192.0.2.11:3478"));
    closed.close(NOW);
    assert_eq!(closed.poll_event(), Some(Event::Closed));
    closed.reconnected(FiveTuple::udp(addr("192.0.2.1:1"), addr("192.0.2.11:3478")), NOW);
    assert!(closed.poll_transmit().is_none(), "it is over");
}
