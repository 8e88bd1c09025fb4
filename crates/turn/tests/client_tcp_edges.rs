//! The client machine's TCP allocations (RFC 6062 §4) where a server, a peer or a driver repeats itself, or comes late.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::time::Duration;

use common::fake::{Fake, Request, path};
use common::{PEER, addr};
use pinhole_sansio::Transport;
use pinhole_stun::Method;
use pinhole_turn::attribute::{ConnectionId, RequestedTransport, XorPeerAddress};
use pinhole_turn::client::{Command, ConnectError, Event, Reason};

const TCP: Transport = Transport::Tcp;
const SECOND: Duration = Duration::from_secs(1);

/// A client with a TCP allocation and a permission for [`PEER`].
fn permitted() -> Fake {
    Fake::permitted(TCP, |config| config.requested_transport = RequestedTransport::TCP)
}

/// The server tells of a peer's connection.
fn attempt(fake: &mut Fake, id: u32) {
    let peer = XorPeerAddress(addr(PEER));
    let _ = fake.indicate(Method::CONNECTION_ATTEMPT, &[&peer, &ConnectionId(id)]);
}

fn commands(fake: &mut Fake) -> Vec<Command> {
    std::iter::from_fn(|| fake.client.poll_command()).collect()
}

/// The client asks for a connection to a peer, and the server has it under this id.
fn connect(fake: &mut Fake, peer: &str, id: u32) {
    fake.client.connect(addr(peer), fake.now).unwrap();
    let request = fake.request().unwrap();
    fake.succeed(&request, &[&ConnectionId(id)]);
}

/// The request on the data connection that the driver has opened.
fn opened(fake: &mut Fake, id: u32, port: u16) -> Request {
    fake.client.connection_opened(ConnectionId(id), path(TCP, port), fake.now);
    let request = fake.request().unwrap();
    assert_eq!((request.method(), request.path), (Method::CONNECTION_BIND, path(TCP, port)));
    request
}

/// A server that tells of attempts without end fills no table; what nobody accepts is forgotten after 30 s.
#[test]
fn attempts_are_bounded_and_end() {
    let mut fake = permitted();
    (0..3).for_each(|_| attempt(&mut fake, 1));
    assert_eq!(fake.events().len(), 1, "told once");
    (2..=100).for_each(|id| attempt(&mut fake, id));
    assert_eq!(fake.events().len(), 63);
    fake.now += 30 * SECOND;
    assert_eq!(fake.client.accept(ConnectionId(7), fake.now), Err(ConnectError::Gone));
    (1..=100).for_each(|id| attempt(&mut fake, id));
    assert_eq!(fake.events().len(), 64);
    assert_eq!(fake.client.accept(ConnectionId(7), fake.now), Ok(()));
    attempt(&mut fake, 101);
    assert_eq!(fake.events().len(), 1, "what is accepted makes room");
}

#[test]
fn attempts_are_for_tcp_allocations_that_live() {
    let mut udp = Fake::permitted(Transport::Udp, |_| {});
    attempt(&mut udp, 1);
    assert_eq!(udp.events(), []);

    let mut fake = permitted();
    fake.now += 599 * SECOND;
    fake.permit(addr(PEER));
    attempt(&mut fake, 1);
    assert_eq!(fake.events().len(), 1);
    fake.now += SECOND;
    attempt(&mut fake, 2);
    assert_eq!(fake.events(), [], "the allocation has ended, the permission not");
    let late = fake.client.accept(ConnectionId(1), fake.now);
    assert_eq!(late, Err(ConnectError::NoAllocation));
    assert_eq!(commands(&mut fake), []);
}

/// What has been accepted is opened; what has not is closed by the server.
#[test]
fn the_end_closes_what_was_opened_and_accepts_nothing() {
    let mut fake = permitted();
    attempt(&mut fake, 1);
    attempt(&mut fake, 2);
    assert_eq!(fake.client.accept(ConnectionId(1), fake.now), Ok(()));
    assert!(matches!(commands(&mut fake)[..], [Command::OpenConnection { .. }]));
    fake.events();
    fake.client.refresh(fake.now);
    let refresh = fake.request().unwrap();
    fake.refuse(&refresh, 437);
    assert_eq!(fake.events(), [Event::Lost { reason: Reason::Code(437) }]);
    let close = Command::CloseConnection { connection: ConnectionId(1) };
    assert_eq!(commands(&mut fake), [close]);
    let late = fake.client.accept(ConnectionId(2), fake.now);
    assert_eq!(late, Err(ConnectError::NoAllocation));
    fake.client.connection_opened(ConnectionId(1), path(TCP, 5_001), fake.now);
    assert!(fake.request().is_none());
}

/// RFC 6062 §4.3: a CONNECTION-ID names one connection; a server that gives it twice is not believed.
#[test]
fn an_id_that_is_in_use_is_not_given_again() {
    let mut fake = permitted();
    connect(&mut fake, PEER, 7);
    assert_eq!(fake.events(), []);
    let other = "198.51.100.7:2";
    connect(&mut fake, other, 7);
    let unusable = Event::NotConnected { peer: addr(other), reason: Reason::Unusable };
    assert_eq!(fake.events(), [unusable]);
    let again = fake.client.connect(addr(other), fake.now);
    assert_eq!(again, Err(ConnectError::TooSoon(fake.now + 10 * SECOND)));
    let request = opened(&mut fake, 7, 5_001);
    fake.succeed(&request, &[]);
    let connection = ConnectionId(7);
    assert_eq!(fake.events(), [Event::Connected { connection, peer: addr(PEER) }]);
}

/// One data connection has one ConnectionBind request, however often the driver tells of it.
#[test]
fn a_data_connection_is_opened_once() {
    let mut fake = permitted();
    connect(&mut fake, PEER, 7);
    let request = opened(&mut fake, 7, 5_001);
    fake.client.connection_opened(ConnectionId(7), path(TCP, 5_002), fake.now);
    assert!(fake.request().is_none());
    fake.succeed(&request, &[]);
    assert_eq!(fake.events().len(), 1);
    fake.client.connection_opened(ConnectionId(7), path(TCP, 5_003), fake.now);
    assert!(fake.request().is_none());
}

/// A data connection that fails while its request is on its way takes the request with it.
#[test]
fn a_data_connection_that_is_closed_is_not_asked_about() {
    let mut fake = permitted();
    connect(&mut fake, PEER, 7);
    let _request = opened(&mut fake, 7, 5_001);
    assert!(fake.client.is_waiting());
    fake.client.data_connection_closed(ConnectionId(7));
    assert!(!fake.client.is_waiting());
    let reason = Reason::Disconnected;
    assert_eq!(fake.events(), [Event::NotConnected { peer: addr(PEER), reason }]);
    fake.advance(60 * SECOND);
    assert_eq!(fake.events(), []);
}
