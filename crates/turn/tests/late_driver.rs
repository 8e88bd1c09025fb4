//! A driver that has not handled a timeout yet: what has expired is gone all the same, to the nanosecond.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{Caller, PEER, World, addr, config, relayed};
use pinhole_sansio::Transport;
use pinhole_stun::Method;
use pinhole_stun::attribute::Family;
use pinhole_turn::attribute::{EvenPort, Icmp, RequestedTransport, ReservationToken};
use pinhole_turn::server::{DropReason, EndReason, Event, Received};

const SECOND: Duration = Duration::from_secs(1);
const NANOSECOND: Duration = Duration::from_nanos(1);
const NO_ALLOCATION: Received = Received::Dropped(DropReason::NoAllocation);

/// A client whose permission and channel outlive its allocation, a nanosecond before the end of that.
fn ending(transport: Transport, protocol: RequestedTransport) -> (World, Caller, SocketAddr) {
    let mut able = config();
    able.tcp = true;
    let mut world = World::new(able);
    let mut alice = Caller::new("192.0.2.1:5000", "alice", transport);
    let answer =
        alice.ask(&mut world, Method::ALLOCATE, &|writer| writer.attribute(&protocol).map(drop));
    world.now += 500 * SECOND;
    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    if protocol == RequestedTransport::UDP {
        assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    }
    world.now += 100 * SECOND - NANOSECOND;
    (world, alice, relayed(&answer))
}

#[test]
fn data_ends_with_the_allocation() {
    let (mut world, mut alice, relayed) = ending(Transport::Udp, RequestedTransport::UDP);
    let relay = world.relay_at(relayed);
    let icmp = Icmp { kind: 3, code: 3, data: 0 };
    assert!(alice.send(&mut world, PEER, b"x").is_some());
    assert!(alice.channel(&mut world, 0x4000, b"x").is_some());
    assert!(world.peer_sends(relayed, PEER, b"x").is_some());
    let before = world.answers.len();
    world.server.handle_peer_icmp(relay, addr(PEER), icmp, world.now);
    world.drain();
    assert_eq!(world.answers.len(), before + 1);

    world.now += NANOSECOND;
    assert_eq!(world.server.poll_timeout(), Some(world.now), "nobody has handled it");
    assert!(alice.send(&mut world, PEER, b"x").is_none());
    assert_eq!(world.input(alice.path, &[0x40, 0, 0, 1, 7]), NO_ALLOCATION);
    let late = world.server.handle_peer_datagram(relay, addr(PEER), 4, world.now);
    assert_eq!(late, Err(DropReason::NoAllocation));
    world.server.handle_peer_icmp(relay, addr(PEER), icmp, world.now);
    world.drain();
    assert_eq!(world.answers.len(), before + 1);
}

#[test]
fn peers_connect_until_the_allocation_ends() {
    let (mut world, _, relayed) = ending(Transport::Tcp, RequestedTransport::TCP);
    let relay = world.relay_at(relayed);
    assert!(world.server.peer_connected(relay, addr(PEER), world.now).is_some());
    world.now += NANOSECOND;
    assert_eq!(world.server.peer_connected(relay, addr("198.51.100.7:2"), world.now), None);
}

/// RFC 8656 §7.2: the five-tuple is not "currently in use", nor is a repeated Allocate request one any more.
#[test]
fn a_request_finds_nothing_that_has_expired() {
    let (mut world, mut alice, _) = ending(Transport::Udp, RequestedTransport::UDP);
    world.now += NANOSECOND;
    assert_eq!(alice.refresh(&mut world, 600).code, 437);
    let (mut world, mut alice, relayed) = ending(Transport::Udp, RequestedTransport::UDP);
    world.now += NANOSECOND;
    assert_ne!(alice.allocate(&mut world), relayed);
    assert_eq!((world.server.allocations(), world.open.len()), (1, 1));
    let is_end = |event: &&Event| matches!(event, Event::Ended { reason: EndReason::Expired, .. });
    assert_eq!(world.events.iter().filter(is_end).count(), 1);
}

#[test]
fn a_token_is_not_good_after_its_thirty_seconds() {
    let mut world = World::new(config());
    let answer = Caller::alice().ask(&mut world, Method::ALLOCATE, &|writer| {
        writer.attribute(&RequestedTransport::UDP)?;
        writer.attribute(&EvenPort { reserve_next: true }).map(drop)
    });
    let token: ReservationToken = answer.message().get().unwrap().unwrap();
    world.now += 30 * SECOND;
    let mut second = Caller::new("192.0.2.1:5001", "alice", Transport::Udp);
    let late = second.ask(&mut world, Method::ALLOCATE, &|writer| {
        writer.attribute(&RequestedTransport::UDP)?.attribute(&token).map(drop)
    });
    assert_eq!((late.code, world.server.free_ports(Family::Ipv4)), (508, 16_383));
}
