//! Lines 23 to 25, 29 to 31: permissions, indications, ICMP.

use std::time::Duration;

use pinhole_stun::attribute::AttributeWrite;
use pinhole_stun::{
    AttributeType, Class, Message, MessageWriter, Method, RawAttribute, TransactionId,
};
use pinhole_turn::attribute::{Channel, Data, Icmp, Lifetime, XorPeerAddress};
use pinhole_turn::server::DropReason;

use crate::common::{Caller, PEER, World, addr, config, to_peer};
use crate::{State, answers, ask, connected};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// RFC 8656 §9: 300 s, and traffic in both directions does not prolong it (§12.6).
#[test]
fn line_23_a_permission_ends_after_300_seconds_of_constant_traffic() {
    let (mut world, mut alice, relayed) = connected();
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    for _ in 0..3_000 {
        assert!(alice.channel(&mut world, 0x4000, b"data").is_some());
        assert!(alice.send(&mut world, PEER, b"data").is_some());
        assert!(world.peer_sends(relayed, PEER, b"data").is_some());
        world.advance(if world.now.as_nanos() < 300_900_000_000 {
            100 * MILLISECOND
        } else {
            99 * MILLISECOND
        });
    }
    let start = pinhole_sansio::Instant::from_millis(1_000);
    assert_eq!(world.now - start, 300 * SECOND - MILLISECOND);
    assert!(world.peer_sends(relayed, PEER, b"data").is_some());
    world.advance(MILLISECOND);
    assert!(alice.channel(&mut world, 0x4000, b"data").is_none());
    assert!(alice.send(&mut world, PEER, b"data").is_none());
    assert!(world.peer_sends(relayed, PEER, b"data").is_none());
}

#[test]
fn line_24_a_thousand_datagrams_without_permission_reach_nobody() {
    let (mut world, _, relayed) = connected();
    let before = world.answers.len();
    for port in 1..=1_000 {
        let stranger = format!("198.51.100.8:{port}");
        assert_eq!(world.peer_sends(relayed, &stranger, b"data"), None);
    }
    world.drain();
    assert_eq!(world.answers.len(), before);
    let other_port = world.peer_sends(relayed, "198.51.100.7:1", b"data").unwrap();
    let message = Message::parse(&other_port).unwrap();
    assert_eq!((message.class(), message.method()), (Class::Indication, Method::DATA));
    assert_eq!(message.get(), Ok(Some(XorPeerAddress(addr("198.51.100.7:1")))));
}

#[test]
fn line_25_one_bad_peer_among_twenty_leaves_none() {
    let kind = AttributeType::XOR_PEER_ADDRESS;
    let cut = RawAttribute { kind, value: &[0, 7, 0, 1, 198, 51, 100, 7] };
    let (denied, v6) =
        (XorPeerAddress(addr("127.0.0.1:1")), XorPeerAddress(addr("[2001:db8::1]:1")));
    let bad: [(u16, &dyn AttributeWrite); 3] = [(400, &cut), (403, &denied), (443, &v6)];
    for (code, bad) in bad {
        for place in [0, 10, 19] {
            let (mut world, mut alice) = (World::new(config()), Caller::alice());
            alice.allocate(&mut world);
            let good: Vec<XorPeerAddress> =
                (1..20).map(|host| XorPeerAddress(addr(&format!("198.51.100.{host}:1")))).collect();
            let mut all: Vec<&dyn AttributeWrite> =
                good.iter().map(|peer| peer as &dyn AttributeWrite).collect();
            all.insert(place, bad);
            let answer = ask(&mut world, &mut alice, Method::CREATE_PERMISSION, &all);
            assert_eq!(answer.code, code, "at {place}");
            for XorPeerAddress(peer) in &good {
                assert!(alice.send(&mut world, &peer.to_string(), b"x").is_none());
            }
        }
    }
}

#[test]
fn line_25_five_hundred_peers_in_one_request_are_508_and_none_is_permitted() {
    let (mut world, mut alice) = (World::new(config()), Caller::alice());
    alice.allocate(&mut world);
    let peers: Vec<String> =
        (0..500).map(|i| format!("198.51.100.{}:{}", i % 250 + 1, 1 + i)).collect();
    let peers: Vec<&str> = peers.iter().map(String::as_str).collect();
    assert_eq!(alice.permit(&mut world, &peers), 508);
    assert!(peers.iter().all(|peer| alice.send(&mut world, peer, b"x").is_none()));
    assert_eq!(alice.permit(&mut world, &peers[..64]), 0);
    assert_eq!(alice.permit(&mut world, &peers[..64]), 0, "again");
    assert_eq!(alice.permit(&mut world, &peers[64..65]), 508);
}

#[test]
fn line_29_a_send_indication_needs_both_attributes_and_installs_nothing() {
    let (mut world, mut alice, _) = connected();
    let send = |attributes: &[&dyn AttributeWrite]| {
        let mut buffer = [0xa5; 256];
        let id = TransactionId::new([3; 12]);
        let mut writer =
            MessageWriter::new(&mut buffer, Class::Indication, Method::SEND, id).unwrap();
        for attribute in attributes {
            writer.attribute(*attribute).unwrap();
        }
        writer.finish().to_vec()
    };
    let (peer, data) = (XorPeerAddress(addr(PEER)), Data(b"data"));
    for broken in [send(&[]), send(&[&peer]), send(&[&data])] {
        assert!(to_peer(world.input(alice.path, &broken)).is_none());
    }
    let empty = to_peer(world.input(alice.path, &send(&[&peer, &Data(b"")]))).unwrap();
    assert!(empty.payload.is_empty());
    world.advance(299 * SECOND);
    assert!(alice.send(&mut world, PEER, b"data").is_some());
    assert!(alice.send(&mut world, "198.51.100.8:1", b"data").is_none());
    world.advance(SECOND);
    assert!(alice.send(&mut world, PEER, b"data").is_none());
}

/// RFC 8656 §11.5: types 3 and 11 of ICMP, 1 to 3 of ICMPv6, for permitted peers.
#[test]
fn line_30_icmp_is_told_of_permitted_peers_and_known_types_only() {
    let mut both = config();
    both.relay_v6 = Some("2001:db8::1".parse::<std::net::IpAddr>().unwrap().into());
    let (mut world, mut alice) = (World::new(both), Caller::alice());
    let dual =
        pinhole_turn::attribute::AdditionalAddressFamily(pinhole_stun::attribute::Family::Ipv6);
    assert_eq!(crate::allocate(&mut world, &mut alice, &[&crate::UDP, &dual]).code, 0);
    assert_eq!(alice.permit(&mut world, &[PEER, "[2001:db8::7]:1"]), 0);
    let relays: Vec<_> = world.open.iter().map(|(relay, at)| (*relay, at.is_ipv4())).collect();
    for (relay, is_v4) in relays {
        let (known, stranger): (&[u8], _) =
            if is_v4 { (&[3, 11], "198.51.100.8:1") } else { (&[1, 2, 3], "[2001:db8::8]:1") };
        let peer = if is_v4 { PEER } else { "[2001:db8::7]:1" };
        for kind in 0..=u8::MAX {
            let icmp = Icmp { kind, code: 3, data: 0 };
            let before = world.answers.len();
            world.server.handle_peer_icmp(relay, addr(stranger), icmp, world.now);
            world.drain();
            assert_eq!(world.answers.len(), before, "without permission");
            world.server.handle_peer_icmp(relay, addr(peer), icmp, world.now);
            world.drain();
            let told = &world.answers[before..];
            assert_eq!(told.len(), usize::from(known.contains(&kind)), "type {kind}");
            if let [(to, bytes)] = told {
                let message = Message::parse(bytes).unwrap();
                assert_eq!(*to, alice.path.reversed());
                assert_eq!(message.get(), Ok(Some(icmp)));
                assert_eq!(message.get(), Ok(Some(XorPeerAddress(addr(peer)))));
            }
        }
    }
}

#[test]
fn line_31_unauthenticated_requests_get_401_and_change_nothing() {
    let (mut world, alice, relayed) = connected();
    let (zero, peer) = (Lifetime(Duration::ZERO), XorPeerAddress(addr("198.51.100.9:1")));
    let channel = Channel(0x4000);
    let requests: [(Method, &[&dyn AttributeWrite]); 4] = [
        (Method::REFRESH, &[&zero]),
        (Method::CREATE_PERMISSION, &[&peer]),
        (Method::CHANNEL_BIND, &[&channel, &peer]),
        (Method::ALLOCATE, &[&crate::UDP]),
    ];
    let before = State::of(&world);
    for (method, attributes) in requests {
        let mut buffer = [0xa5; 256];
        let id = TransactionId::new([3; 12]);
        let mut writer = MessageWriter::new(&mut buffer, Class::Request, method, id).unwrap();
        for attribute in attributes {
            writer.attribute(*attribute).unwrap();
        }
        let answers = answers(&mut world, alice.path, writer.finish());
        let [answer] = &answers[..] else { panic!("{answers:?}") };
        let message = Message::parse(answer).unwrap();
        assert_eq!(message.get(), Ok(Some(pinhole_stun::attribute::ErrorCode::bare(401))));
        assert!(!message.has_integrity() && !message.has_integrity_sha256());
    }
    assert_eq!(State::of(&world), before);
    let relay = world.relay_at(relayed);
    let stranger = world.server.handle_peer_datagram(relay, addr("198.51.100.9:1"), 4, world.now);
    assert_eq!(stranger, Err(DropReason::NoPermission));
    assert!(world.peer_sends(relayed, PEER, b"data").is_some());
}
