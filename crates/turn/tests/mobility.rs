//! Mobility (RFC 8016): CHECKLIST 38 and T21.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{Answer, Caller, PEER, World, addr, config, lifetime, relayed};
use pinhole_sansio::{FiveTuple, Transport};
use pinhole_stun::Method;
use pinhole_stun::attribute::Family;
use pinhole_turn::attribute::{Icmp, Lifetime, MobilityTicket, RequestedTransport};
use pinhole_turn::server::{DropReason, ToClient};

fn ticket(answer: &Answer) -> Vec<u8> {
    answer.message().get::<MobilityTicket<'_>>().unwrap().unwrap().0.to_vec()
}

/// A client with a ticket and a permission for [`PEER`].
fn mobile(transport: Transport) -> (World, Caller, SocketAddr, Vec<u8>) {
    let mut world = World::new(config());
    let mut alice = Caller::new("192.0.2.1:5000", "alice", transport);
    let answer = allocate(&mut world, &mut alice, b"");
    assert_eq!(answer.code, 0);
    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    (world, alice, relayed(&answer), ticket(&answer))
}

fn allocate(world: &mut World, caller: &mut Caller, ticket: &[u8]) -> Answer {
    caller.ask(world, Method::ALLOCATE, &|writer| {
        writer.attribute(&RequestedTransport::UDP)?;
        writer.attribute(&MobilityTicket(ticket)).map(drop)
    })
}

fn resume(world: &mut World, caller: &mut Caller, ticket: &[u8]) -> Answer {
    caller
        .ask(world, Method::REFRESH, &|writer| writer.attribute(&MobilityTicket(ticket)).map(drop))
}

/// Where a peer's datagram goes.
fn towards_client(world: &mut World, relayed: SocketAddr) -> Result<FiveTuple, DropReason> {
    let relay = world.relay_at(relayed);
    let route = world.server.handle_peer_datagram(relay, addr(PEER), 4, world.now);
    route.map(|ToClient { five_tuple, .. }| *five_tuple)
}

fn elsewhere(user: &str, transport: Transport) -> Caller {
    Caller::new("192.0.2.99:6000", user, transport)
}

#[test]
fn the_old_path_serves_until_data_comes_on_the_new_one() {
    let (mut world, mut alice, relayed, ticket_1) = mobile(Transport::Udp);
    let mut moved = elsewhere("alice", Transport::Udp);
    let answer = resume(&mut world, &mut moved, &ticket_1);
    assert_eq!((answer.code, lifetime(&answer)), (0, 600));
    let ticket_2 = ticket(&answer);
    assert_ne!(ticket_1, ticket_2);
    assert!(alice.send(&mut world, PEER, b"old").is_some());
    assert_eq!(towards_client(&mut world, relayed), Ok(alice.path.reversed()));

    assert!(moved.send(&mut world, PEER, b"new").is_some());
    assert_eq!(towards_client(&mut world, relayed), Ok(moved.path.reversed()));
    assert!(alice.send(&mut world, PEER, b"old").is_none());
    assert_eq!(alice.refresh(&mut world, 600).code, 437);
    assert_eq!(moved.refresh(&mut world, 600).code, 0);
    assert_eq!((world.server.allocations(), world.opened), (1, 1));
}

#[test]
fn channel_data_on_the_new_path_takes_the_allocation_along() {
    let (mut world, mut alice, relayed, ticket) = mobile(Transport::Udp);
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    let mut moved = elsewhere("alice", Transport::Udp);
    assert_eq!(resume(&mut world, &mut moved, &ticket).code, 0);
    let (old, new) = (alice.path.reversed(), moved.path.reversed());
    let id = world.server.allocation_of(&new).unwrap();
    assert_eq!(world.server.allocation_of(&old), Some(id), "both lead there");
    assert!(world.server.handle_channel_data(id, &old, &[0x40, 0, 0, 0], world.now).is_ok());
    assert_eq!(towards_client(&mut world, relayed), Ok(old));
    assert!(world.server.handle_channel_data(id, &new, &[0x40, 0, 0, 0], world.now).is_ok());
    assert_eq!(towards_client(&mut world, relayed), Ok(new));
    assert_eq!(world.server.allocation_of(&old), None);
}

#[test]
fn a_retransmission_is_answered_alike_and_an_old_ticket_is_not_good() {
    let (mut world, _, _, first) = mobile(Transport::Udp);
    let mut moved = elsewhere("alice", Transport::Udp);
    let answer = resume(&mut world, &mut moved, &first);
    let (request, before) = (moved.last.clone(), world.answers.len());
    let _ = world.input(moved.path, &request);
    assert_eq!(world.answers[before].1, answer.bytes);
    assert!(moved.send(&mut world, PEER, b"x").is_some());
    let _ = world.input(moved.path, &request);
    assert_eq!(world.answers[before + 1].1, answer.bytes, "also after the move");

    let mut third = Caller::new("192.0.2.50:1", "alice", Transport::Udp);
    assert_eq!(resume(&mut world, &mut third, &first).code, 400);
    assert_eq!(resume(&mut world, &mut third, &ticket(&answer)).code, 0);
}

#[test]
fn a_ticket_is_good_for_its_owner_only() {
    let (mut world, alice, relayed, ticket) = mobile(Transport::Udp);
    let mut bob = elsewhere("bob", Transport::Udp);
    assert_eq!(resume(&mut world, &mut bob, &ticket).code, 441);
    assert!(bob.send(&mut world, PEER, b"x").is_none());
    assert_eq!(towards_client(&mut world, relayed), Ok(alice.path.reversed()));
}

#[test]
fn tickets_that_nobody_made_are_refused() {
    let (mut world, mut alice, _, ticket) = mobile(Transport::Udp);
    let mut moved = elsewhere("alice", Transport::Udp);
    for at in 0..ticket.len() {
        let mut forged = ticket.clone();
        forged[at] ^= 1;
        assert_eq!(resume(&mut world, &mut moved, &forged).code, 400, "byte {at}");
        assert_eq!(resume(&mut world, &mut moved, &ticket[..at]).code, 400, "{at} bytes");
    }
    assert_eq!(resume(&mut world, &mut alice, &ticket).code, 400, "it has not moved");
    assert_eq!(alice.refresh(&mut world, 0).code, 0);
    assert_eq!(resume(&mut world, &mut moved, &ticket).code, 437, "it is gone");
}

/// T21: a later move replaces one that has sent no data.
#[test]
fn there_is_one_move_at_a_time() {
    let (mut world, alice, relayed, first) = mobile(Transport::Udp);
    let mut second = elsewhere("alice", Transport::Udp);
    let mut third = Caller::new("192.0.2.50:1", "alice", Transport::Udp);
    let answer = resume(&mut world, &mut second, &first);
    assert_eq!(resume(&mut world, &mut third, &ticket(&answer)).code, 0);
    assert!(second.send(&mut world, PEER, b"x").is_none());
    assert_eq!(towards_client(&mut world, relayed), Ok(alice.path.reversed()));
    assert!(third.send(&mut world, PEER, b"x").is_some());
    assert_eq!(towards_client(&mut world, relayed), Ok(third.path.reversed()));
}

/// T11, and what becomes of a connection's address that somebody else gets.
#[test]
fn a_client_that_is_away_keeps_its_allocation_and_its_quota() {
    let mut small = config();
    small.limits.allocations_per_user = 1;
    let mut world = World::new(small);
    let mut alice = Caller::new("192.0.2.1:5000", "alice", Transport::Tcp);
    let answer = allocate(&mut world, &mut alice, b"");
    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    world.server.client_closed(alice.path.reversed());
    world.drain();
    assert_eq!(world.server.allocations(), 1);
    assert_eq!(towards_client(&mut world, relayed(&answer)), Err(DropReason::Suspended));
    let mut again = elsewhere("alice", Transport::Tcp);
    assert_eq!(allocate(&mut world, &mut again, b"").code, 486);

    let mut bob = Caller::new("192.0.2.1:5000", "bob", Transport::Tcp);
    bob.allocate(&mut world);
    assert_eq!(resume(&mut world, &mut again, &ticket(&answer)).code, 0);
    assert_eq!(towards_client(&mut world, relayed(&answer)), Ok(again.path.reversed()));
    assert_eq!(bob.refresh(&mut world, 600).code, 0, "bob has what is his");
    world.server.client_closed(again.path.reversed());
    world.advance(Duration::from_secs(600));
    assert_eq!((world.server.allocations(), world.server.free_ports(Family::Ipv4)), (0, 16_384));
}

#[test]
fn a_move_ends_an_allocation_if_it_asks_for_no_more_time() {
    let (mut world, _, _, ticket) = mobile(Transport::Udp);
    let mut moved = elsewhere("alice", Transport::Udp);
    let answer = moved.ask(&mut world, Method::REFRESH, &|writer| {
        writer.attribute(&MobilityTicket(&ticket))?;
        writer.attribute(&Lifetime(Duration::ZERO)).map(drop)
    });
    assert_eq!((answer.code, lifetime(&answer), world.server.allocations()), (0, 0, 0));
}

#[test]
fn mobility_can_be_forbidden() {
    let mut strict = config();
    strict.mobility = false;
    let (mut world, mut alice) = (World::new(strict), Caller::alice());
    assert_eq!(allocate(&mut world, &mut alice, b"").code, 405);
    assert_eq!(allocate(&mut world, &mut alice, b"x").code, 400);
    assert_eq!(resume(&mut world, &mut alice, b"x").code, 405);
}

/// RFC 8016 §3.2.2: "a message from the client to close the old connection" moves the allocation like data does.
#[test]
fn the_end_of_the_old_connection_takes_the_allocation_along() {
    let (mut world, alice, relayed, ticket) = mobile(Transport::Tcp);
    let mut moved = elsewhere("alice", Transport::Tcp);
    assert_eq!(resume(&mut world, &mut moved, &ticket).code, 0);
    assert_eq!(towards_client(&mut world, relayed), Ok(alice.path.reversed()));
    world.server.client_closed(alice.path.reversed());
    assert_eq!(towards_client(&mut world, relayed), Ok(moved.path.reversed()));
    assert_eq!(world.server.allocation_of(&alice.path.reversed()), None);
}

/// A move that is done is over: the connection that it led to may close like the first one.
#[test]
fn a_client_that_has_moved_may_go_away_again() {
    let (mut world, _, relayed, ticket_1) = mobile(Transport::Tcp);
    let mut moved = elsewhere("alice", Transport::Tcp);
    let answer = resume(&mut world, &mut moved, &ticket_1);
    assert!(moved.send(&mut world, PEER, b"x").is_some());
    world.server.client_closed(moved.path.reversed());
    assert_eq!(towards_client(&mut world, relayed), Err(DropReason::Suspended));
    let mut third = Caller::new("192.0.2.50:1", "alice", Transport::Tcp);
    assert_eq!(resume(&mut world, &mut third, &ticket(&answer)).code, 0);
    assert_eq!(towards_client(&mut world, relayed), Ok(third.path.reversed()));
}

/// While nobody can be told of it, an ICMP message is dropped.
#[test]
fn a_client_that_is_away_is_told_of_no_icmp() {
    let (mut world, alice, relayed, _) = mobile(Transport::Tcp);
    let (relay, before) = (world.relay_at(relayed), world.answers.len());
    let icmp = Icmp { kind: 3, code: 3, data: 0 };
    world.server.client_closed(alice.path.reversed());
    world.server.handle_peer_icmp(relay, addr(PEER), icmp, world.now);
    world.drain();
    assert_eq!(world.answers.len(), before);
}

/// A connection that was cut, and one from the same port: found by a random program.
#[test]
fn a_client_comes_back_on_the_path_that_it_had() {
    let (mut world, mut alice, relayed, ticket) = mobile(Transport::Tcp);
    world.server.client_closed(alice.path.reversed());
    world.drain();
    assert_eq!(resume(&mut world, &mut alice, &ticket).code, 0);
    assert_eq!(towards_client(&mut world, relayed), Ok(alice.path.reversed()));
    assert!(alice.send(&mut world, PEER, b"x").is_some());
    assert_eq!(alice.refresh(&mut world, 600).code, 0);
}

/// Clients that keep a ticket as a string (coturn's `turnutils_uclient`, of 32 bytes) lose what comes after a
/// zero.
#[test]
fn a_ticket_is_text_of_32_characters() {
    let (_, _, _, ticket) = mobile(Transport::Udp);
    assert_eq!(ticket.len(), 32);
    assert!(ticket.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte)));
}
