//! Lines 26 and 28: channels and ChannelData. The million steps of line 26 are beside `Peers`.

use std::time::Duration;

use pinhole_sansio::{Datagram, Transport};
use pinhole_stun::Credentials;
use pinhole_turn::client::{self, Client};

use crate::common::{Caller, PEER, World, addr, config, to_peer};
use crate::connected;

const OTHER: &str = "198.51.100.7:9001";

#[test]
fn line_26_a_channel_is_in_range_and_one_to_one() {
    let (mut world, mut alice, _) = connected();
    for number in [0, 0x3fff, 0x5000, 0x7fff, 0xffff] {
        assert_eq!(alice.bind(&mut world, number, PEER), 400, "{number:#x}");
    }
    assert_eq!(alice.bind(&mut world, 0x4fff, PEER), 0);
    assert_eq!(alice.bind(&mut world, 0x4fff, OTHER), 400, "the number has a peer");
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 400, "the peer has a number");
    world.advance(Duration::from_secs(599));
    assert_eq!(alice.refresh(&mut world, 600).code, 0);
    assert_eq!(alice.bind(&mut world, 0x4fff, PEER), 0, "the same pair is refreshed");
    world.advance(Duration::from_secs(299));
    assert!(alice.channel(&mut world, 0x4fff, b"data").is_some());
}

/// The "memoryleak" attack: the bytes behind a datagram must not go to the peer.
#[test]
fn line_28_a_length_beyond_the_datagram_relays_nothing() {
    let (mut world, mut alice, _) = connected();
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    for length in [4, 5, 1_000, 35_510, 65_535_u16] {
        let [high, low] = length.to_be_bytes();
        let bytes = [0x40, 0, high, low, 1, 2, 3];
        assert!(to_peer(world.input(alice.path, &bytes)).is_none(), "{length}");
    }
    for cut in 0..4 {
        assert!(to_peer(world.input(alice.path, &[0x40, 0, 0, 0][..cut])).is_none());
    }
    let empty = to_peer(world.input(alice.path, &[0x40, 0, 0, 0])).unwrap();
    assert!(empty.payload.is_empty(), "an empty datagram is sent");
}

#[test]
fn line_28_other_first_bytes_are_dropped() {
    let (mut world, mut alice, _) = connected();
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    for first in 0x4001..=0xffff_u16 {
        let [high, low] = first.to_be_bytes();
        let before = world.answers.len();
        assert!(to_peer(world.input(alice.path, &[high, low, 0, 4, 1, 2, 3, 4])).is_none());
        assert_eq!(world.answers.len(), before);
    }
}

/// RFC 8656 §12.5: over streams to a multiple of four, over UDP as it is.
#[test]
fn line_28_padding_is_for_streams() {
    for (transport, expected) in [(Transport::Tcp, 8), (Transport::Udp, 5)] {
        let mut world = World::new(config());
        let mut alice = Caller::new("192.0.2.1:5000", "alice", transport);
        let relayed = alice.allocate(&mut world);
        assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
        assert_eq!(world.peer_sends(relayed, PEER, b"x").unwrap().len(), expected);
        assert!(alice.channel(&mut world, 0x4000, b"x").is_some());
    }
}

/// RFC 8656 §12: client and server do not agree about a channel, so neither can trust its numbers.
#[test]
fn line_27_an_unexpected_400_ends_the_allocation() {
    let mut world = World::new(config());
    let mut alice = Caller::alice();
    let credentials = Credentials::new("alice", "secret").unwrap();
    let mut settings = client::Config::new(alice.path, credentials);
    settings.channel_after = Some(1);
    let mut machine = Client::new(settings, [9; 32], world.now);
    let talk = |world: &mut World, machine: &mut Client| {
        while let Some(request) = machine.poll_transmit() {
            let before = world.answers.len();
            let _ = world.input(request.five_tuple, &request.payload);
            for (to, payload) in world.answers.split_off(before) {
                let datagram = Datagram { five_tuple: to.reversed(), payload: &payload };
                let _ = machine.handle_datagram(datagram, world.now);
            }
        }
    };
    talk(&mut world, &mut machine);
    machine.permit(addr(PEER).ip(), world.now);
    talk(&mut world, &mut machine);
    assert_eq!(alice.bind(&mut world, 0x4000, OTHER), 0, "not by the machine");
    assert!(machine.send(addr(PEER), 4, world.now).is_ok());
    talk(&mut world, &mut machine);
    let events: Vec<_> = std::iter::from_fn(|| machine.poll_event()).collect();
    assert_eq!(events.last(), Some(&client::Event::Lost { reason: client::Reason::Code(400) }));
    assert_eq!(world.server.allocations(), 0, "and the server is told");
}
