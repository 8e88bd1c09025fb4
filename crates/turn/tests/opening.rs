//! What becomes of an allocation whose relayed addresses are still being opened: it is nobody's yet.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use common::{Caller, PEER, World, addr, config};
use pinhole_sansio::{Datagram, FiveTuple, Transport};
use pinhole_stun::attribute::{AttributeWrite, Family};
use pinhole_stun::{Class, Message, Method};
use pinhole_turn::attribute::{EvenPort, Icmp, MobilityTicket, RequestedTransport};
use pinhole_turn::server::{DropReason, Event, Received};

const UDP: RequestedTransport = RequestedTransport::UDP;

/// A client whose Allocate request waits for its socket; the client has been challenged before.
fn opening(transport: Transport, more: &[&dyn AttributeWrite]) -> (World, Caller) {
    let mut world = World::new(config());
    let mut alice = Caller::new("192.0.2.1:5000", "alice", transport);
    alice.allocate(&mut world);
    assert_eq!(alice.refresh(&mut world, 0).code, 0);
    world.events.clear();
    world.is_slow = true;
    let answer = alice.ask(&mut world, Method::ALLOCATE, &|writer| {
        writer.attribute(&UDP)?;
        more.iter().try_for_each(|attribute| writer.attribute(*attribute).map(drop))
    });
    assert_eq!((answer.code, world.waiting.len()), (1, 1), "no answer yet");
    (world, alice)
}

#[test]
fn a_retransmission_waits_with_the_request() {
    let (mut world, alice) = opening(Transport::Udp, &[]);
    let before = world.answers.len();
    for _ in 0..3 {
        assert_eq!(world.input(alice.path, &alice.last), Received::Handled);
    }
    assert_eq!((world.answers.len(), world.waiting.len()), (before, 1));
    world.open_waiting();
    let [(to, bytes)] = &world.answers[before..] else { panic!("{:?}", world.answers) };
    let message = Message::parse(bytes).unwrap();
    assert_eq!((*to, message.class()), (alice.path.reversed(), Class::SuccessResponse));
    let request = Message::parse(&alice.last).unwrap();
    assert_eq!(message.transaction_id(), request.transaction_id());
    assert!(matches!(&world.events[..], [Event::Allocated { .. }]), "{:?}", world.events);
}

#[test]
fn other_requests_find_no_allocation_before_there_is_one() {
    let (mut world, mut alice) = opening(Transport::Udp, &[]);
    assert_eq!(alice.refresh(&mut world, 600).code, 437);
    assert_eq!(alice.refresh(&mut world, 0).code, 437);
    assert_eq!(alice.permit(&mut world, &[PEER]), 437);
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 437);
    let another =
        alice.ask(&mut world, Method::ALLOCATE, &|writer| writer.attribute(&UDP).map(drop));
    assert_eq!(another.code, 437);
    assert_eq!((world.waiting.len(), world.server.poll_timeout()), (1, None));
    world.open_waiting();
    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
}

#[test]
fn no_data_passes_before_there_is_an_allocation() {
    let (mut world, alice) = opening(Transport::Udp, &[]);
    let client = alice.path.reversed();
    let (relay, _) = world.waiting[0];
    assert_eq!(world.server.relay(&client, Family::Ipv4), None);
    let before = world.answers.len();
    let dropped = world.server.handle_peer_datagram(relay, addr(PEER), 4, world.now);
    assert_eq!(dropped, Err(DropReason::NoAllocation));
    let icmp = Icmp { kind: 3, code: 3, data: 0 };
    world.server.handle_peer_icmp(relay, addr(PEER), icmp, world.now);
    world.drain();
    assert_eq!(world.answers.len(), before);
    let send = [
        0, 0x16, 0, 20, 0x21, 0x12, 0xa4, 0x42, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0, 0x12, 0, 8,
        0, 1, 0, 0, 0xe7, 0x21, 0xc0, 0x45, 0, 0x13, 0, 4, 1, 2, 3, 4,
    ];
    for bytes in [&send[..], &[0x40, 0, 0, 1, 7]] {
        assert!(matches!(world.input(alice.path, bytes), Received::Dropped(_)));
    }
    world.open_waiting();
    assert_eq!(world.server.relay(&client, Family::Ipv4), Some(relay));
}

/// Nor does a ticket keep what the client has never been told of.
#[test]
fn who_goes_before_the_answer_leaves_nothing() {
    type End = fn(&mut World, FiveTuple);
    let ends: [End; 4] = [
        |world, client| world.server.client_closed(client),
        |world, client| assert!(world.server.end_client(client)),
        |world, _| assert_eq!(world.server.end_user("alice"), 1),
        |world, _| assert_eq!(world.server.end_all(), 1),
    ];
    for end in ends {
        let (mut world, mut alice) = opening(Transport::Tcp, &[&MobilityTicket(&[])]);
        end(&mut world, alice.path.reversed());
        world.drain();
        assert_eq!((world.server.allocations(), world.waiting.len()), (0, 0));
        assert_eq!(world.server.free_ports(Family::Ipv4), 16_384);
        assert_eq!(world.server.poll_timeout(), None);
        assert!(world.events.is_empty(), "what never began does not end: {:?}", world.events);
        world.is_slow = false;
        alice.allocate(&mut world);
    }
}

/// A driver that tells twice that a socket is open gets one more to open for a pair, not two.
#[test]
fn a_socket_that_is_told_of_twice_counts_once() {
    let (mut world, _) = opening(Transport::Udp, &[&EvenPort { reserve_next: true }]);
    let (relay, address) = world.waiting.pop().unwrap();
    world.open.insert(relay, address);
    for _ in 0..3 {
        world.server.relay_opened(relay, Ok(()), world.now);
        world.drain();
    }
    let [(_, spare)] = world.waiting[..] else { panic!("{:?}", world.waiting) };
    assert_eq!(spare.port(), address.port() + 1);
    world.open_waiting();
    assert_eq!((world.open.len(), world.server.allocations()), (2, 1));
    assert_eq!(world.server.free_ports(Family::Ipv4), 16_382);
}

/// A socket that has come too late is another's business: the place in the table has a new holder.
#[test]
fn an_answer_for_one_that_has_gone_changes_nothing_for_the_next() {
    let (mut world, alice) = opening(Transport::Tcp, &[]);
    let (late, _) = world.waiting[0];
    world.server.client_closed(alice.path.reversed());
    world.drain();
    let mut bob = Caller::new("192.0.2.1:5001", "bob", Transport::Udp);
    let answer = bob.ask(&mut world, Method::ALLOCATE, &|writer| writer.attribute(&UDP).map(drop));
    assert_eq!((answer.code, world.waiting[0].0.index()), (1, late.index()));
    world.server.relay_opened(late, Ok(()), world.now);
    world.drain();
    let datagram = Datagram { five_tuple: bob.path.reversed(), payload: &bob.last };
    assert_eq!(world.server.handle_client_datagram(datagram, world.now), Received::Handled);
    assert!(world.server.poll_transmit().is_none(), "bob's socket is not open yet");
    world.open_waiting();
    assert_eq!(bob.refresh(&mut world, 600).code, 0);
}
