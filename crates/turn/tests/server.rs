//! The server machine, line by line of the checklist: RFC 8656 on a fake clock.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{Answer, Caller, PEER, World, addr, config, lifetime, relayed};
use pinhole_sansio::Transport;
use pinhole_stun::attribute::{ErrorCode, Family, XorMappedAddress};
use pinhole_stun::{AttributeType, Class, Message, Method, RawAttribute};
use pinhole_turn::attribute::{
    AdditionalAddressFamily, AddressErrorCode, Data, DontFragment, EvenPort, Icmp, Lifetime,
    RequestedAddressFamily, RequestedTransport, ReservationToken, XorPeerAddress,
};
use pinhole_turn::server::{Bandwidth, DropReason, EndReason, Event, Received};
use pinhole_turn::{ChannelData, ChannelNumber};

const SECOND: Duration = Duration::from_secs(1);
const UDP: RequestedTransport = RequestedTransport::UDP;

fn world() -> (World, Caller) {
    (World::new(config()), Caller::alice())
}

/// A client with an allocation and a permission for [`PEER`].
fn connected() -> (World, Caller, std::net::SocketAddr) {
    let (mut world, mut alice) = world();
    let relayed = alice.allocate(&mut world);
    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    (world, alice, relayed)
}

fn allocate_with(
    world: &mut World,
    caller: &mut Caller,
    attributes: &[&dyn pinhole_stun::attribute::AttributeWrite],
) -> Answer {
    caller.ask(world, Method::ALLOCATE, &|writer| {
        attributes.iter().try_for_each(|attribute| writer.attribute(*attribute).map(drop))
    })
}

#[test]
fn an_allocation_has_a_relayed_a_mapped_address_and_600_seconds() {
    let (mut world, mut alice) = world();
    let answer = allocate_with(&mut world, &mut alice, &[&UDP]);
    assert_eq!((answer.code, lifetime(&answer)), (0, 600));
    let relayed = relayed(&answer);
    assert!(relayed.ip() == addr("203.0.113.1:0").ip() && relayed.port() >= 49_152);
    let mapped = answer.message().get::<XorMappedAddress>().unwrap();
    assert_eq!(mapped, Some(XorMappedAddress(alice.path.local)));
    assert!(matches!(&world.events[..], [Event::Allocated { user, .. }] if **user == *"alice"));
}

/// Line 4 and T13.
#[test]
fn a_retransmission_gets_the_same_bytes_and_no_second_allocation() {
    let (mut world, mut alice) = world();
    alice.allocate(&mut world);
    let (request, first) = (alice.last.clone(), world.answers.last().unwrap().clone());
    world.advance(10 * SECOND);
    assert_eq!(world.input(alice.path, &request), Received::Handled);
    assert_eq!(world.answers.last(), Some(&first));
    assert_eq!((world.server.allocations(), world.opened), (1, 1));
}

/// Line 5: no state and no integrity for strangers.
#[test]
fn a_stranger_is_challenged_and_nothing_is_kept() {
    let (mut world, _) = world();
    let free = world.server.free_ports(Family::Ipv4);
    for port in 1_000..3_000 {
        let mut stranger = Caller::new("192.0.2.1:5000", "mallory", Transport::Udp);
        stranger.path.local.set_port(port);
        let request = [0, 3, 0, 8, 0x21, 0x12, 0xa4, 0x42, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7];
        let request = [&request[..], &[0, 0x19, 0, 4, 17, 0, 0, 0]].concat();
        assert_eq!(world.input(stranger.path, &request), Received::Handled);
        let (_, answer) = world.answers.pop().unwrap();
        assert!(answer.len() <= 3 * request.len(), "{} bytes", answer.len());
        let message = Message::parse(&answer).unwrap();
        assert_eq!(message.get(), Ok(Some(ErrorCode::bare(401))));
        assert!(!message.has_integrity() && !message.has_integrity_sha256());
    }
    assert_eq!(world.server.poll_timeout(), None);
    assert_eq!((world.server.allocations(), world.opened), (0, 0));
    assert_eq!(world.server.free_ports(Family::Ipv4), free);
}

/// Line 12 and T4.
#[test]
fn a_source_that_has_not_proved_its_address_gets_few_answers() {
    let mut limited = config();
    limited.rate = Some(pinhole_stun::binding::Rate::default());
    let mut world = World::new(limited);
    let binding = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7];
    let allocate = [0, 3, 0, 0, 0x21, 0x12, 0xa4, 0x42, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7];
    let udp = Caller::alice().path;
    for i in 0..1_000 {
        let _ = world.input(udp, if i % 2 == 0 { &binding } else { &allocate });
        world.now += Duration::from_millis(1);
    }
    assert!((10..=20).contains(&world.answers.len()), "{} answers", world.answers.len());
    let tcp = Caller::new("192.0.2.1:5000", "alice", Transport::Tcp).path;
    let before = world.answers.len();
    (0..100).for_each(|_| assert_eq!(world.input(tcp, &allocate), Received::Handled));
    assert_eq!(world.answers.len(), before + 100);
}

/// Line 6.
#[test]
fn a_request_replayed_from_another_port_is_stale() {
    let (mut world, mut alice) = world();
    alice.allocate(&mut world);
    let stranger = Caller::new("192.0.2.1:5001", "alice", Transport::Udp);
    let _ = world.input(stranger.path, &alice.last);
    let (_, answer) = world.answers.pop().unwrap();
    assert_eq!(Message::parse(&answer).unwrap().get(), Ok(Some(ErrorCode::bare(438))));
    assert_eq!(world.server.allocations(), 1);
}

/// Line 3: the list is exact, and no longer than the request.
#[test]
fn unknown_attributes_are_listed() {
    let (mut world, mut alice) = world();
    let kinds: Vec<AttributeType> = (0x7000..0x712c).map(AttributeType::new).collect();
    let answer = alice.ask(&mut world, Method::REFRESH, &|writer| {
        kinds
            .iter()
            .try_for_each(|&kind| writer.attribute(&RawAttribute { kind, value: &[] }).map(drop))
    });
    assert_eq!(answer.code, 420);
    let listed: pinhole_stun::attribute::UnknownAttributes<'_> =
        answer.message().get().unwrap().unwrap();
    assert_eq!(listed.iter().collect::<Vec<_>>(), kinds);
    assert!(answer.bytes.len() <= alice.last.len());
}

/// Line 17 and T7.
#[test]
fn another_user_on_the_five_tuple_is_told_441_and_changes_nothing() {
    let (mut world, mut alice, _) = connected();
    let mut bob = Caller::new("192.0.2.1:5000", "bob", Transport::Udp);
    assert_eq!(bob.refresh(&mut world, 0).code, 441);
    assert_eq!(bob.permit(&mut world, &["198.51.100.8:1"]), 441);
    assert_eq!(bob.bind(&mut world, 0x4000, PEER), 441);
    assert!(alice.send(&mut world, PEER, b"still").is_some());
    assert!(alice.send(&mut world, "198.51.100.8:1", b"not").is_none());
}

/// Line 18.
#[test]
fn without_an_allocation_there_is_437_and_silence() {
    let (mut world, mut alice) = world();
    assert_eq!(alice.refresh(&mut world, 600).code, 437);
    assert_eq!(alice.permit(&mut world, &[PEER]), 437);
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 437);
    assert_eq!(alice.send(&mut world, PEER, b"x"), None);
    assert_eq!(alice.channel(&mut world, 0x4000, b"x"), None);
}

/// Line 19 and T11.
#[test]
fn a_user_has_a_quota() {
    let mut small = config();
    small.limits.allocations_per_user = 3;
    let mut world = World::new(small);
    let caller =
        |port: u16, transport| Caller::new(&format!("192.0.2.1:{port}"), "alice", transport);
    let mut callers: Vec<Caller> = (1..=3).map(|port| caller(port, Transport::Udp)).collect();
    for caller in &mut callers {
        caller.allocate(&mut world);
    }
    let mut fourth = caller(4, Transport::Udp);
    assert_eq!(allocate_with(&mut world, &mut fourth, &[&UDP]).code, 486);
    assert_eq!(callers[0].refresh(&mut world, 0).code, 0);
    fourth.allocate(&mut world);
    fourth.refresh(&mut world, 0);
    for port in 100..200 {
        let mut tcp = caller(port, Transport::Tcp);
        tcp.allocate(&mut world);
        world.server.client_closed(tcp.path.reversed());
        world.drain();
    }
    assert_eq!(world.server.allocations(), 2);
    let free = world.server.free_ports(Family::Ipv4);
    assert_eq!(free + world.open.len(), 16_384, "T12");
}

/// Line 20.
#[test]
fn the_checks_of_section_7_2_come_in_their_order() {
    let (mut world, mut alice) = world();
    let (token, even) = (ReservationToken([7; 8]), EvenPort { reserve_next: true });
    let v4 = RequestedAddressFamily(Family::Ipv4);
    let (add_v6, add_v4) =
        (AdditionalAddressFamily(Family::Ipv6), AdditionalAddressFamily(Family::Ipv4));
    let family_3 =
        RawAttribute { kind: AttributeType::REQUESTED_ADDRESS_FAMILY, value: &[3, 0, 0, 0] };
    let v6 = RequestedAddressFamily(Family::Ipv6);
    let cases: &[(&[&dyn pinhole_stun::attribute::AttributeWrite], u16)] = &[
        (&[], 400),
        (&[&RequestedTransport(254)], 442),
        (&[&RequestedTransport(254), &token, &even], 442),
        (&[&UDP, &DontFragment], 420),
        (&[&UDP, &token, &even], 400),
        (&[&UDP, &token, &v4], 400),
        (&[&UDP, &token, &add_v6], 400),
        (&[&UDP, &token], 508),
        (&[&UDP, &v4, &add_v6], 400),
        (&[&UDP, &family_3], 440),
        (&[&UDP, &v6], 440),
        (&[&UDP, &even, &add_v6], 400),
        (&[&UDP, &add_v4], 400),
        (&[&UDP], 0),
        (&[], 437),
    ];
    for (number, (attributes, code)) in cases.iter().enumerate() {
        let answer = allocate_with(&mut world, &mut alice, attributes);
        assert_eq!(answer.code, *code, "case {number}");
    }
    assert_eq!(world.server.allocations(), 1);
}

/// Line 21.
#[test]
fn lifetimes_are_bounded() {
    let (mut world, mut alice) = world();
    let forever = Lifetime(Duration::from_secs(u32::MAX.into()));
    let answer = allocate_with(&mut world, &mut alice, &[&UDP, &forever]);
    assert_eq!(lifetime(&answer), 3_600);
    assert_eq!(lifetime(&alice.refresh(&mut world, 1)), 600);
    assert_eq!(lifetime(&alice.refresh(&mut world, 1_000)), 1_000);
    world.advance(1_000 * SECOND - Duration::from_nanos(1));
    assert_eq!(world.server.allocations(), 1);
    world.advance(Duration::from_nanos(1));
    assert_eq!((world.server.allocations(), world.open.len()), (0, 0));
    let last = world.events.last().unwrap();
    assert!(matches!(last, Event::Ended { reason: EndReason::Expired, .. }), "{last:?}");
}

/// Line 22 and T15.
#[test]
fn after_a_refresh_to_zero_nothing_can_be_observed() {
    let (mut world, mut alice, _) = connected();
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    let relay = *world.open.keys().next().unwrap();
    let answer = alice.refresh(&mut world, 0);
    assert_eq!((answer.code, lifetime(&answer)), (0, 0));
    assert!(world.open.is_empty());
    assert_eq!(alice.refresh(&mut world, 600).code, 437);
    assert_eq!(alice.channel(&mut world, 0x4000, b"x"), None);
    let late = world.server.handle_peer_datagram(relay, addr(PEER), 10, world.now);
    assert_eq!(late, Err(DropReason::NoAllocation));
    assert_eq!(world.server.free_ports(Family::Ipv4), 16_384);
    assert_eq!(world.server.poll_timeout(), None);
    alice.allocate(&mut world);
    let late = world.server.handle_peer_datagram(relay, addr(PEER), 10, world.now);
    assert_eq!(late, Err(DropReason::NoAllocation), "an id is never used twice");
}

/// Line 23, T1, T2 and T8.
#[test]
fn a_permission_lives_for_300_seconds_whatever_is_sent() {
    let (mut world, mut alice, relayed) = connected();
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    for _ in 0..299 {
        world.advance(SECOND);
        assert!(alice.channel(&mut world, 0x4000, b"x").is_some());
        assert!(world.peer_sends(relayed, PEER, b"y").is_some());
    }
    world.advance(SECOND - Duration::from_nanos(1));
    assert!(alice.channel(&mut world, 0x4000, b"x").is_some());
    assert!(world.peer_sends(relayed, PEER, b"y").is_some());
    world.advance(Duration::from_nanos(1));
    assert!(alice.channel(&mut world, 0x4000, b"x").is_none());
    assert!(alice.send(&mut world, PEER, b"x").is_none());
    assert!(world.peer_sends(relayed, PEER, b"y").is_none());
}

/// T8, the channel's part.
#[test]
fn a_channel_lives_for_600_seconds() {
    let (mut world, mut alice, _) = connected();
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    alice.refresh(&mut world, 3_600);
    world.advance(Duration::from_secs(599));
    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    assert!(alice.channel(&mut world, 0x4000, b"x").is_some());
    world.advance(SECOND);
    assert!(alice.channel(&mut world, 0x4000, b"x").is_none());
    assert!(alice.send(&mut world, PEER, b"x").is_some(), "the permission is younger");
    assert_eq!(alice.bind(&mut world, 0x4000, "198.51.100.8:1"), 0, "the number is free again");
}

/// Line 24.
#[test]
fn a_permission_is_for_an_address_and_every_port_of_it() {
    let (mut world, _, relayed) = connected();
    let before = world.answers.len();
    for _ in 0..1_000 {
        assert_eq!(world.peer_sends(relayed, "198.51.100.8:9000", b"x"), None);
    }
    assert_eq!(world.answers.len(), before);
    let indication = world.peer_sends(relayed, "198.51.100.7:1", b"hello").unwrap();
    let message = Message::parse(&indication).unwrap();
    assert_eq!((message.class(), message.method()), (Class::Indication, Method::DATA));
    assert_eq!(message.get(), Ok(Some(Data(b"hello"))));
    assert_eq!(message.get(), Ok(Some(XorPeerAddress(addr("198.51.100.7:1")))));
}

/// Line 25 and T16.
#[test]
fn one_bad_peer_among_twenty_spoils_them_all() {
    let (mut world, mut alice) = world();
    alice.allocate(&mut world);
    let good: Vec<String> = (1..20).map(|host| format!("198.51.100.{host}:1")).collect();
    for (bad, code) in [("127.0.0.1:1", 403), ("[2001:db8::1]:1", 443)] {
        let mut peers: Vec<&str> = good.iter().map(String::as_str).collect();
        peers.push(bad);
        assert_eq!(alice.permit(&mut world, &peers), code);
        assert!(alice.send(&mut world, &good[0], b"x").is_none());
    }
    assert_eq!(alice.permit(&mut world, &[]), 400);
    let many: Vec<String> = (0..500).map(|i| format!("198.51.100.{}:1", i % 256)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(alice.permit(&mut world, &many), 508);
    assert!(alice.send(&mut world, many[0], b"x").is_none());
    assert_eq!(alice.permit(&mut world, &[many[0]; 200]), 0, "one peer, many times");
    let refused = world.events.iter().filter(|e| matches!(e, Event::PeerRefused { .. })).count();
    assert_eq!(refused, 1);
}

/// Line 26 and T9.
#[test]
fn channel_numbers_and_peers_are_a_bijection() {
    let (mut world, mut alice, _) = connected();
    for number in [0x3fff, 0x5000, 0x7fff] {
        assert_eq!(alice.bind(&mut world, number, PEER), 400);
    }
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    assert_eq!(alice.bind(&mut world, 0x4000, "198.51.100.8:1"), 400);
    assert_eq!(alice.bind(&mut world, 0x4001, PEER), 400);
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    assert_eq!(alice.bind(&mut world, 0x4fff, "198.51.100.7:9001"), 0);
    assert_eq!(alice.bind(&mut world, 0x4001, "127.0.0.1:1"), 403);
    assert_eq!(alice.bind(&mut world, 0x4001, "[2001:db8::1]:1"), 443);
}

/// Line 28.
#[test]
fn channel_data_is_relayed_as_long_as_it_says() {
    let (mut world, mut alice, relayed) = connected();
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    for data in [&b""[..], b"x", b"1234"] {
        let route = alice.channel(&mut world, 0x4000, data).unwrap();
        assert_eq!((route.peer, route.relay), (addr(PEER), world.relay_at(relayed)));
    }
    let short = [0x40, 0, 0x8a, 0xb6, 1, 2, 3];
    assert_eq!(world.input(alice.path, &short), Received::Dropped(DropReason::Malformed));
    assert_eq!(alice.channel(&mut world, 0x4001, b"x"), None);
    assert_eq!(alice.channel(&mut world, 0x5000, b"x"), None);
    let back = world.peer_sends(relayed, PEER, b"hello").unwrap();
    let expected = ChannelData { number: ChannelNumber::FIRST, data: b"hello" };
    assert_eq!((ChannelData::parse(&back), back.len()), (Some(expected), 9));
}

/// Line 28: "Over TCP and TLS-over-TCP, the ChannelData message MUST be padded".
#[test]
fn channel_data_on_a_stream_is_padded() {
    let mut world = World::new(config());
    let mut alice = Caller::new("192.0.2.1:5000", "alice", Transport::Tcp);
    let relayed = alice.allocate(&mut world);
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    for length in 0..9 {
        let back = world.peer_sends(relayed, PEER, &[7; 9][..length]).unwrap();
        assert_eq!(back.len(), 4 + length.next_multiple_of(4));
    }
}

/// Line 29.
#[test]
fn a_send_indication_needs_a_peer_and_data_and_installs_nothing() {
    let (mut world, mut alice, relayed) = connected();
    assert!(alice.send(&mut world, PEER, b"").is_some_and(|route| route.payload.is_empty()));
    assert!(alice.send(&mut world, "198.51.100.8:1", b"x").is_none());
    assert!(world.peer_sends(relayed, "198.51.100.8:1", b"x").is_none());
    let no_data = [
        0, 0x16, 0, 12, 0x21, 0x12, 0xa4, 0x42, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0, 0x12, 0, 8,
        0, 1, 0, 0, 0xe7, 0x21, 0xc0, 0x45,
    ];
    assert_eq!(world.input(alice.path, &no_data), Received::Dropped(DropReason::Malformed));
    let no_peer =
        [0, 0x16, 0, 4, 0x21, 0x12, 0xa4, 0x42, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0, 0x13, 0, 0];
    assert_eq!(world.input(alice.path, &no_peer), Received::Dropped(DropReason::Malformed));
}

/// Line 30.
#[test]
fn icmp_errors_of_permitted_peers_are_told() {
    let (mut world, _, relayed) = connected();
    let relay = world.relay_at(relayed);
    let before = world.answers.len();
    let unreachable = Icmp { kind: 3, code: 3, data: 0 };
    let redirect = Icmp { kind: 5, code: 0, data: 0 };
    let now = world.now;
    world.server.handle_peer_icmp(relay, addr("198.51.100.8:9000"), unreachable, now);
    world.server.handle_peer_icmp(relay, addr(PEER), redirect, now);
    world.drain();
    assert_eq!(world.answers.len(), before);
    world.server.handle_peer_icmp(relay, addr(PEER), unreachable, now);
    world.drain();
    let (_, bytes) = world.answers.last().unwrap();
    let message = Message::parse(bytes).unwrap();
    assert_eq!(message.get(), Ok(Some(unreachable)));
    assert_eq!(message.get(), Ok(Some(XorPeerAddress(addr(PEER)))));
    assert_eq!(message.raw(AttributeType::DATA), None);
}

/// Line 36 and T12.
#[test]
fn even_ports_do_not_leak() {
    let (mut world, mut alice) = world();
    for _ in 0..1_000 {
        let even = EvenPort { reserve_next: false };
        let answer = allocate_with(&mut world, &mut alice, &[&UDP, &even]);
        assert_eq!(relayed(&answer).port() % 2, 0);
        alice.refresh(&mut world, 0);
    }
    assert_eq!(world.server.free_ports(Family::Ipv4), 16_384);
}

/// Line 36.
#[test]
fn a_reservation_is_good_once_and_for_thirty_seconds() {
    let (mut world, mut alice) = world();
    let even = EvenPort { reserve_next: true };
    let answer = allocate_with(&mut world, &mut alice, &[&UDP, &even]);
    let token: ReservationToken = answer.message().get().unwrap().unwrap();
    assert_eq!(world.server.free_ports(Family::Ipv4), 16_382);
    let mut second = Caller::new("192.0.2.2:5000", "alice", Transport::Tcp);
    let next = allocate_with(&mut world, &mut second, &[&UDP, &token]);
    assert_eq!(relayed(&next).port(), relayed(&answer).port() + 1);
    let mut third = Caller::new("192.0.2.3:5000", "alice", Transport::Udp);
    assert_eq!(allocate_with(&mut world, &mut third, &[&UDP, &token]).code, 508);

    let answer = allocate_with(&mut world, &mut third, &[&UDP, &even]);
    let token: ReservationToken = answer.message().get().unwrap().unwrap();
    world.advance(30 * SECOND - Duration::from_nanos(1));
    assert_eq!(world.server.free_ports(Family::Ipv4), 16_380);
    world.advance(Duration::from_nanos(1));
    assert_eq!(world.server.free_ports(Family::Ipv4), 16_381);
    let mut fourth = Caller::new("192.0.2.4:5000", "alice", Transport::Udp);
    assert_eq!(allocate_with(&mut world, &mut fourth, &[&UDP, &token]).code, 508);
}

#[test]
fn a_dual_allocation_has_both_families_or_says_which_is_missing() {
    let mut both = config();
    both.relay_v6 = Some("2001:db8::1".parse::<std::net::IpAddr>().unwrap().into());
    let dual = AdditionalAddressFamily(Family::Ipv6);
    let (mut world, mut alice) = (World::new(both), Caller::alice());
    assert_eq!(allocate_with(&mut world, &mut alice, &[&UDP, &dual]).code, 0);
    assert_eq!(alice.permit(&mut world, &[PEER, "[2001:db8::7]:1"]), 0);
    let families: BTreeSet<bool> = world.open.values().map(|open| open.is_ipv4()).collect();
    assert_eq!(families.len(), 2);
    let end_v4 = |writer: &mut pinhole_stun::MessageWriter<'_>| {
        writer.attribute(&RequestedAddressFamily(Family::Ipv4))?;
        writer.attribute(&Lifetime(Duration::ZERO)).map(drop)
    };
    assert_eq!(alice.ask(&mut world, Method::REFRESH, &end_v4).code, 0);
    assert!(alice.send(&mut world, PEER, b"x").is_none());
    assert!(alice.send(&mut world, "[2001:db8::7]:1", b"x").is_some());
    assert_eq!(alice.ask(&mut world, Method::REFRESH, &end_v4).code, 443);

    let mut only_v4 = World::new(config());
    let answer = allocate_with(&mut only_v4, &mut Caller::alice(), &[&UDP, &dual]);
    let missing = AddressErrorCode { family: Family::Ipv6, error: ErrorCode::bare(440) };
    assert_eq!(answer.message().get(), Ok(Some(missing)));
}

/// "Half of the relay ports held by others": other ports are tried, and at last a 508.
#[test]
fn ports_that_others_hold_are_skipped() {
    let mut narrow = config();
    narrow.ports = 50_000..=50_099;
    narrow.limits.allocations_per_user = 100;
    let mut world = World::new(narrow);
    world.held = (50_000..=50_099).step_by(2).collect();
    let mut codes = vec![];
    for port in 1..=60 {
        let mut caller = Caller::new(&format!("192.0.2.1:{port}"), "alice", Transport::Udp);
        codes.push(allocate_with(&mut world, &mut caller, &[&UDP]).code);
    }
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 50);
    assert_eq!(codes.iter().filter(|code| **code == 508).count(), 10);
    assert!(world.opened <= 100, "each held port is tried once: {}", world.opened);
    world.advance(60 * SECOND);
    assert_eq!(world.server.free_ports(Family::Ipv4), 50, "T12");
}

#[test]
fn no_more_sockets_is_508_at_once() {
    let (mut world, mut alice) = world();
    world.sockets = 0;
    assert_eq!(allocate_with(&mut world, &mut alice, &[&UDP]).code, 508);
    assert_eq!((world.opened, world.server.allocations()), (1, 0));
    assert_eq!(world.server.free_ports(Family::Ipv4), 16_384);
}

#[test]
fn dont_fragment_is_obeyed_where_the_driver_can() {
    let mut able = config();
    able.dont_fragment = true;
    let (mut world, mut alice) = (World::new(able), Caller::alice());
    assert_eq!(allocate_with(&mut world, &mut alice, &[&UDP, &DontFragment]).code, 0);
}

/// Table 1e (e): unknown methods are met with silence, and so are responses.
#[test]
fn what_is_not_expected_is_dropped() {
    let (mut world, alice) = world();
    let mut bytes = [0, 3, 0, 0, 0x21, 0x12, 0xa4, 0x42, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7];
    for kind in [0x3e8e, 0x000a, 0x0103, 0x0113, 0x0017] {
        bytes[..2].copy_from_slice(&u16::to_be_bytes(kind));
        assert!(matches!(world.input(alice.path, &bytes), Received::Dropped(_)), "{kind:#x}");
    }
    for first in 0..=255 {
        let received = world.input(alice.path, &[first, 0, 0]);
        assert!(matches!(received, Received::Dropped(_)), "{first}");
    }
    assert!(world.answers.is_empty());
}

/// Line 19: "bandwidth over quota: discard at once, others unharmed".
#[test]
fn an_allocation_has_a_bandwidth() {
    let mut slow = config();
    slow.limits.bandwidth = Some(Bandwidth { bytes_per_second: 1_000, burst: 2_000 });
    let (mut world, mut alice) = (World::new(slow), Caller::alice());
    let relayed = alice.allocate(&mut world);
    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    let data = [7; 1_000];
    assert!(alice.send(&mut world, PEER, &data).is_some());
    assert!(world.peer_sends(relayed, PEER, &data).is_some());
    assert!(alice.send(&mut world, PEER, &data).is_none());
    assert!(world.peer_sends(relayed, PEER, &data).is_none());
    let mut bob = Caller::new("192.0.2.2:5000", "bob", Transport::Udp);
    bob.allocate(&mut world);
    assert_eq!(bob.permit(&mut world, &[PEER]), 0);
    assert!(bob.send(&mut world, PEER, &data).is_some());
    world.advance(SECOND);
    assert!(alice.send(&mut world, PEER, &data).is_some());
    assert!(alice.send(&mut world, PEER, &data).is_none());
}

/// Line 34: a relayed address is no peer, so that nothing goes round in circles.
#[test]
fn the_own_addresses_of_the_server_are_refused() {
    let (mut world, mut alice) = world();
    let relayed = alice.allocate(&mut world).to_string();
    assert_eq!(alice.permit(&mut world, &[&relayed]), 403);
    assert_eq!(alice.bind(&mut world, 0x4000, &relayed), 403);
    assert!(alice.send(&mut world, &relayed, b"x").is_none());

    let mut global = config();
    global.relay_v4 = Some("9.9.9.9".parse::<std::net::IpAddr>().unwrap().into());
    let (mut world, mut alice) = (World::new(global), Caller::alice());
    alice.allocate(&mut world);
    assert_eq!(alice.permit(&mut world, &["9.9.9.9:1"]), 403, "also where it is a global one");
    assert_eq!(alice.permit(&mut world, &["9.9.9.8:1"]), 0);
}

/// Line 33: no requests from Teredo and 6to4, either (RFC 8656 §21.4).
#[test]
fn clients_behind_tunnels_get_no_allocation() {
    for local in ["[2001:0:4136:e378:8000:63bf:3fff:fdd2]:1", "[2002:c000:201::1]:1"] {
        let (mut world, mut alice) = (World::new(config()), Caller::alice());
        alice.path.local = addr(local);
        assert_eq!(allocate_with(&mut world, &mut alice, &[&UDP]).code, 403);
        alice.path.local = addr("[2001:db8::1]:1");
        assert_eq!(allocate_with(&mut world, &mut alice, &[&UDP]).code, 0);
    }
}

/// `turnutils_uclient -Z` of coturn 4.6 asks with the number of a draft.
#[test]
fn a_dual_allocation_can_be_asked_for_with_the_number_of_a_draft() {
    let mut both = config();
    both.relay_v6 = Some("2001:db8::1".parse::<std::net::IpAddr>().unwrap().into());
    let (mut world, mut alice) = (World::new(both), Caller::alice());
    let draft = RawAttribute { kind: AttributeType::new(0x8032), value: &[2, 0, 0, 0] };
    assert_eq!(allocate_with(&mut world, &mut alice, &[&UDP, &draft]).code, 0);
    assert_eq!(world.open.len(), 2);
}
