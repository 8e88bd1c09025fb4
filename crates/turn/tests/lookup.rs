//! What a driver looks up in the server machine.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::time::Duration;

use common::{Caller, PEER, World, addr, config};
use pinhole_sansio::{Datagram, FiveTuple};
use pinhole_stun::attribute::Family;
use pinhole_turn::server::{AllocationId, DropReason, Received};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_relayed_address_is_found_by_its_client_and_family() {
    let (mut world, mut alice) = (World::new(config()), Caller::alice());
    let client = alice.path.reversed();
    assert_eq!(world.server.relay(&client, Family::Ipv4), None);
    let relayed = alice.allocate(&mut world);
    assert_eq!(world.server.relay(&client, Family::Ipv4), Some(world.relay_at(relayed)));
    assert_eq!(world.server.relay(&client, Family::Ipv6), None);
    assert_eq!(alice.refresh(&mut world, 0).code, 0);
    assert_eq!(world.server.relay(&client, Family::Ipv4), None);
}

/// What becomes of ChannelData, asked in both ways.
fn channel_data(world: &mut World, id: AllocationId, client: FiveTuple, bytes: &[u8]) -> Received {
    let by_id = world.server.handle_channel_data(id, &client, bytes, world.now);
    let datagram = Datagram { five_tuple: client, payload: bytes };
    let whole = world.server.handle_client_datagram(datagram, world.now);
    assert_eq!(Received::from(by_id), whole, "{bytes:?}");
    whole
}

/// A driver may look a client up once for many messages.
#[test]
fn channel_data_goes_the_same_way_by_the_id_of_its_allocation() {
    let (mut world, mut alice) = (World::new(config()), Caller::alice());
    alice.allocate(&mut world);
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    let client = alice.path.reversed();
    assert_eq!(world.server.allocation_of(&alice.path), None);
    let id = world.server.allocation_of(&client).unwrap();
    let data: &[u8] = &[0x40, 0, 0, 2, 7, 7];
    let Received::ToPeer(route) = channel_data(&mut world, id, client, data) else { panic!() };
    assert_eq!((route.peer, route.payload, route.dont_fragment), (addr(PEER), 4..6, false));
    for (bytes, reason) in [
        (&[0x40, 1, 0, 1, 7][..], DropReason::NoChannel),
        (&[0x50, 0, 0, 1, 7], DropReason::Malformed),
        (&[0x40, 0, 0, 3, 7, 7], DropReason::Malformed),
        (&[0x40, 0, 0], DropReason::Malformed),
    ] {
        let by_id = world.server.handle_channel_data(id, &client, bytes, world.now);
        assert_eq!(by_id, Err(reason), "{bytes:?}");
        assert_eq!(world.input(alice.path, bytes), Received::Dropped(reason), "{bytes:?}");
    }
    world.advance(300 * SECOND);
    let dropped = Received::Dropped(DropReason::NoPermission);
    assert_eq!(channel_data(&mut world, id, client, data), dropped);
    assert_eq!(alice.refresh(&mut world, 0).code, 0);
    let dropped = Received::Dropped(DropReason::NoAllocation);
    assert_eq!(channel_data(&mut world, id, client, data), dropped);
    alice.allocate(&mut world);
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    let late = world.server.handle_channel_data(id, &client, data, world.now);
    assert_eq!(late, Err(DropReason::NoAllocation), "an id is never used twice");
    assert_ne!(world.server.allocation_of(&client), Some(id));
}
