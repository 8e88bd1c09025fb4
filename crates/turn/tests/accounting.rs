//! What an allocation has relayed, and how it ended: what an operator bills, and looks at.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::time::Duration;

use common::{Caller, PEER, World, config};
use pinhole_sansio::{FiveTuple, Transport};
use pinhole_turn::server::{Bandwidth, DropReason, EndReason, Event, Received, Traffic};

const OTHER: &str = "198.51.100.7:9001";

/// An allocation with a channel to [`PEER`] that has relayed something in each of the four ways.
fn used(world: &mut World, alice: &mut Caller) {
    let relayed = alice.allocate(world);
    assert_eq!(alice.bind(world, 0x4000, PEER), 0);
    for length in [0, 1, 2] {
        assert!(alice.send(world, OTHER, &[7; 100][..length]).is_some());
        assert!(alice.channel(world, 0x4000, &[7; 100][..10 + length]).is_some());
    }
    for length in [30, 40] {
        assert!(world.peer_sends(relayed, PEER, &[7; 100][..length]).is_some());
        assert!(world.peer_sends(relayed, OTHER, &[7; 100][..50 + length]).is_some());
    }
    // What is not relayed is not counted.
    assert!(alice.send(world, "198.51.100.8:1", b"stranger").is_none());
    assert!(alice.channel(world, 0x4001, b"nobody").is_none());
    assert!(world.peer_sends(relayed, "198.51.100.8:1", b"stranger").is_none());
}

/// Payloads only: 3 + 33 bytes there, 70 + 170 back.
const USED: Traffic = Traffic {
    datagrams_to_peers: 6,
    bytes_to_peers: 36,
    datagrams_to_client: 4,
    bytes_to_client: 240,
};

#[test]
fn an_allocation_ends_with_its_traffic_and_its_reason() {
    type End = fn(&mut World, &mut Caller, FiveTuple);
    let ends: [(EndReason, End); 4] = [
        (EndReason::Deleted, |world, alice, _| assert_eq!(alice.refresh(world, 0).code, 0)),
        (EndReason::Expired, |world, _, _| world.advance(Duration::from_secs(600))),
        (EndReason::Disconnected, |world, _, client| world.server.client_closed(client)),
        (EndReason::Operator, |world, _, client| assert!(world.server.end_client(client))),
    ];
    for (expected, end) in ends {
        let mut world = World::new(config());
        let mut alice = Caller::new("192.0.2.1:5000", "alice", Transport::Tcp);
        used(&mut world, &mut alice);
        let path = alice.path.reversed();
        end(&mut world, &mut alice, path);
        world.drain();
        let Some(Event::Ended { client, user, reason, traffic }) = world.events.pop() else {
            panic!("{:?}", world.events)
        };
        assert_eq!((client, &*user, reason, traffic), (path, "alice", expected, USED));
    }
}

/// A datagram that the user has no bandwidth left for costs his allocation nothing.
#[test]
fn what_the_user_may_not_send_is_not_taken_from_his_allocation() {
    let mut slow = config();
    slow.limits.bandwidth = Some(Bandwidth { bytes_per_second: 1, burst: 2_000 });
    slow.limits.bandwidth_per_user = Some(Bandwidth { bytes_per_second: 1_000, burst: 1_000 });
    let (mut world, mut alice) = (World::new(slow), Caller::alice());
    alice.allocate(&mut world);
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    let mut message = vec![0x40, 0, 3, 0xe8];
    message.extend([7; 1_000]);
    let expected = [None, Some(DropReason::UserBandwidth), Some(DropReason::UserBandwidth)];
    let send = |world: &mut World| match world.input(alice.path, &message) {
        Received::Dropped(reason) => Some(reason),
        Received::Handled | Received::ToPeer(_) => None,
    };
    assert_eq!([0; 3].map(|_| send(&mut world)), expected);
    world.advance(Duration::from_secs(1));
    assert_eq!(send(&mut world), None, "2,000 bytes at once");
    world.advance(Duration::from_secs(1));
    assert_eq!(send(&mut world), Some(DropReason::Bandwidth), "and then one a second");
}
