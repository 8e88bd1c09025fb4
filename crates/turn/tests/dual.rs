//! Relayed addresses of two families, of one, and behind a NAT (RFC 8656 §7.2, §8.2, §9).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use common::{Answer, Caller, PEER, RELAY, World, addr, ask, config, relayed};
use pinhole_sansio::Transport;
use pinhole_stun::attribute::{Attribute, AttributeWrite, ErrorCode, Family, XorMappedAddress};
use pinhole_stun::{AttributeType, Method, RawAttribute};
use pinhole_turn::attribute::{
    AdditionalAddressFamily, AddressErrorCode, EvenPort, Icmp, Lifetime, RequestedAddressFamily,
    RequestedTransport, XorPeerAddress, XorRelayedAddress,
};
use pinhole_turn::server::{Command, Config, DropReason, Event, RelayHost};

const UDP: RequestedTransport = RequestedTransport::UDP;
const V6_PEER: &str = "[2001:db8::7]:9000";
const ZERO: Lifetime = Lifetime(Duration::ZERO);
const DUAL: AdditionalAddressFamily = AdditionalAddressFamily(Family::Ipv6);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A server with addresses of both families, over which TCP is relayed, too.
fn both() -> Config {
    let mut both = config();
    both.relay_v6 = Some(ip("2001:db8::1").into());
    both.tcp = true;
    both
}

fn allocate(world: &mut World, caller: &mut Caller, attributes: &[&dyn AttributeWrite]) -> Answer {
    ask(world, caller, Method::ALLOCATE, attributes)
}

/// All relayed addresses that an answer tells.
fn all_relayed(answer: &Answer) -> Vec<SocketAddr> {
    let (message, id) = (answer.message(), answer.message().transaction_id());
    let of_kind = message.attributes().filter(|one| one.kind == XorRelayedAddress::KIND);
    of_kind.map(|one| XorRelayedAddress::decode(one.value, id).unwrap().0).collect()
}

/// RFC 8656 §8.1: "delete an allocation of a specific address type"; the last one takes the allocation with it.
#[test]
fn an_allocation_ends_with_its_last_family() {
    let (v4, v6) = (RequestedAddressFamily(Family::Ipv4), RequestedAddressFamily(Family::Ipv6));
    let mut world = World::new(both());
    let mut single = Caller::alice();
    single.allocate(&mut world);
    assert_eq!(ask(&mut world, &mut single, Method::REFRESH, &[&v4, &ZERO]).code, 0);
    assert_eq!((world.server.allocations(), world.open.len()), (0, 0));
    assert_eq!(single.refresh(&mut world, 600).code, 437);

    let mut dual = Caller::new("192.0.2.1:5001", "alice", Transport::Udp);
    let relayed = all_relayed(&allocate(&mut world, &mut dual, &[&UDP, &DUAL]));
    assert!(matches!(relayed[..], [SocketAddr::V4(_), SocketAddr::V6(_)]), "{relayed:?}");
    assert_eq!(ask(&mut world, &mut dual, Method::REFRESH, &[&v6, &ZERO]).code, 0);
    let free = |world: &World| [Family::Ipv4, Family::Ipv6].map(|of| world.server.free_ports(of));
    assert_eq!((world.server.allocations(), free(&world)), (1, [16_383, 16_384]));
    assert_eq!(ask(&mut world, &mut dual, Method::REFRESH, &[&v6]).code, 443);
    assert_eq!(dual.permit(&mut world, &[V6_PEER]), 443);
    assert_eq!(ask(&mut world, &mut dual, Method::REFRESH, &[&v4]).code, 0);
    assert_eq!(ask(&mut world, &mut dual, Method::REFRESH, &[&v4, &ZERO]).code, 0);
    assert_eq!((world.server.allocations(), free(&world)), (0, [16_384; 2]));
}

/// RFC 8656 §8.2: 443 for a family that is not the allocation's, whatever else it may be.
#[test]
fn a_refresh_of_a_strange_family_is_443() {
    let (mut world, mut alice) = (World::new(both()), Caller::alice());
    alice.allocate(&mut world);
    let strange = RawAttribute { kind: AttributeType::REQUESTED_ADDRESS_FAMILY, value: &[7; 4] };
    assert_eq!(ask(&mut world, &mut alice, Method::REFRESH, &[&strange, &ZERO]).code, 443);
    assert_eq!(world.server.allocations(), 1);
}

/// RFC 8656 §7.2, check 9: one address of the two, and 508 for the other; none is 508, no family 440.
#[test]
fn what_can_be_had_of_two_families_is_given() {
    let mut world = World::new(both());
    world.sockets = 1;
    let answer = allocate(&mut world, &mut Caller::alice(), &[&UDP, &DUAL]);
    assert_eq!(all_relayed(&answer).len(), 1);
    let missing = AddressErrorCode { family: Family::Ipv6, error: ErrorCode::bare(508) };
    assert_eq!(answer.message().get(), Ok(Some(missing)));
    let free = [Family::Ipv4, Family::Ipv6].map(|of| world.server.free_ports(of));
    assert_eq!(free, [16_383, 16_384]);
    let mut second = Caller::new("192.0.2.1:5001", "alice", Transport::Udp);
    assert_eq!(allocate(&mut world, &mut second, &[&UDP, &DUAL]).code, 508);

    let neither = Config { relay_v4: None, ..config() };
    let (mut world, mut alice) = (World::new(neither), Caller::alice());
    for wishes in [&[&UDP as &dyn AttributeWrite, &DUAL][..], &[&UDP]] {
        assert_eq!(allocate(&mut world, &mut alice, wishes).code, 440);
    }
}

/// RFC 8656 §7.1 lets EVEN-PORT without the R bit go with both families: then both ports are even.
#[test]
fn both_ports_of_a_dual_allocation_are_even() {
    let mut world = World::new(both());
    for port in 1..=20 {
        let mut alice = Caller::new(&format!("192.0.2.1:{port}"), "alice", Transport::Udp);
        let even = EvenPort { reserve_next: false };
        let relayed = all_relayed(&allocate(&mut world, &mut alice, &[&UDP, &even, &DUAL]));
        assert_eq!(relayed.len(), 2);
        assert!(relayed.iter().all(|address| address.port().is_multiple_of(2)), "{relayed:?}");
    }
}

/// What the driver has still read from a socket that it was told to close.
#[test]
fn nothing_of_the_family_that_has_ended_reaches_the_client() {
    for protocol in [UDP, RequestedTransport::TCP] {
        let mut world = World::new(both());
        let mut alice = Caller::new("192.0.2.1:5000", "alice", Transport::Tcp);
        assert_eq!(allocate(&mut world, &mut alice, &[&protocol, &DUAL]).code, 0);
        assert_eq!(alice.permit(&mut world, &[PEER, V6_PEER]), 0);
        let relay = *world.open.iter().find(|(_, address)| address.is_ipv4()).unwrap().0;
        let v4 = RequestedAddressFamily(Family::Ipv4);
        assert_eq!(ask(&mut world, &mut alice, Method::REFRESH, &[&v4, &ZERO]).code, 0);
        let before = world.answers.len();
        let late = world.server.handle_peer_datagram(relay, addr(PEER), 4, world.now);
        assert_eq!(late, Err(DropReason::NoAllocation));
        let icmp = Icmp { kind: 3, code: 3, data: 0 };
        world.server.handle_peer_icmp(relay, addr(PEER), icmp, world.now);
        assert_eq!(world.server.peer_connected(relay, addr(PEER), world.now), None);
        world.drain();
        assert_eq!(world.answers.len(), before);
    }
}

/// RFC 6062 §5.5, for one family: its connections are closed with it, and the others stay.
#[test]
fn connections_end_with_the_family_of_their_peers() {
    let mut world = World::new(both());
    let mut alice = Caller::new("192.0.2.1:5000", "alice", Transport::Tcp);
    assert_eq!(allocate(&mut world, &mut alice, &[&RequestedTransport::TCP, &DUAL]).code, 0);
    let ids = [PEER, V6_PEER].map(|peer| {
        ask(&mut world, &mut alice, Method::CONNECT, &[&XorPeerAddress(addr(peer))]);
        let Some(Command::Connect { connection, .. }) = world.connections.pop() else { panic!() };
        world.server.connected(connection, true, world.now);
        world.drain();
        connection
    });
    for (family, id) in [Family::Ipv4, Family::Ipv6].into_iter().zip(ids) {
        let family = RequestedAddressFamily(family);
        assert_eq!(ask(&mut world, &mut alice, Method::REFRESH, &[&family, &ZERO]).code, 0);
        assert_eq!(world.connections, [Command::CloseConnection { connection: id }]);
        world.connections.clear();
    }
    assert_eq!(world.server.poll_timeout(), None);
}

/// The address that is bound, and the one that peers and clients are told; neither is a peer.
#[test]
fn behind_a_nat_the_external_address_is_told_and_the_other_is_bound() {
    let [bind, external] = ["10.0.0.5", RELAY].map(ip);
    let mut inside = config();
    inside.relay_v4 = Some(RelayHost { bind, external });
    inside.policy = inside.policy.with_rule("allow 192.0.2.0/24".parse().unwrap());
    let (mut world, mut alice) = (World::new(inside), Caller::alice());
    let pair = EvenPort { reserve_next: true };
    let answer = allocate(&mut world, &mut alice, &[&UDP, &pair]);
    let told = relayed(&answer);
    assert_eq!(told.ip(), external);
    let bound: BTreeSet<SocketAddr> = world.open.values().copied().collect();
    let expected = [told.port(), told.port() + 1].map(|port| SocketAddr::new(bind, port));
    assert_eq!(bound, expected.into());
    let [Event::Allocated { relayed, .. }] = &world.events[..] else { panic!() };
    assert_eq!(*relayed, told);

    for own in ["8.8.4.4", "9.9.9.9"] {
        let mut hosts = config();
        hosts.relay_v4 = Some(RelayHost { bind: ip("8.8.4.4"), external: ip("9.9.9.9") });
        let (mut world, mut alice) = (World::new(hosts), Caller::alice());
        alice.allocate(&mut world);
        assert_eq!(
            alice.permit(&mut world, &[&format!("{own}:1")]),
            403,
            "{own} is the server's own"
        );
        assert_eq!(alice.permit(&mut world, &["8.8.8.8:1"]), 0);
    }
}

/// A socket of both families shows IPv4 addresses as mapped ones (RFC 4291 §2.5.5.2); they are IPv4 all the same.
#[test]
fn a_mapped_address_is_its_ipv4_address_everywhere() {
    let mut world = World::new(both());
    let mut alice = Caller::new("[::ffff:192.0.2.1]:5000", "alice", Transport::Udp);
    let answer = allocate(&mut world, &mut alice, &[&UDP]);
    let mapped = answer.message().get::<XorMappedAddress>().unwrap();
    assert_eq!(mapped, Some(XorMappedAddress(addr("192.0.2.1:5000"))));
    let spelled = "[::ffff:198.51.100.7]:9000";
    assert_eq!(alice.permit(&mut world, &[spelled]), 0);
    let route = alice.send(&mut world, spelled, b"x").unwrap();
    assert_eq!(route.peer, addr(PEER), "what is sent leaves from the IPv4 socket");
    let relay = world.relay_at(relayed(&answer));
    let icmp = Icmp { kind: 11, code: 0, data: 0 };
    let before = world.answers.len();
    world.server.handle_peer_icmp(relay, addr(spelled), icmp, world.now);
    world.drain();
    assert_eq!(world.answers.len(), before + 1, "type 11 is ICMP's, not ICMPv6's");
}
