//! The invariants T1 to T22, each by itself. Random programs check most of them after every step, in
//! `model.rs`; what is counted on the heap is in `allocations.rs`.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use pinhole_sansio::{Datagram, Instant, Transport};
use pinhole_stun::attribute::{AttributeWrite, Family};
use pinhole_stun::{Message, Method};
use pinhole_turn::attribute::{
    AdditionalAddressFamily, Channel, EvenPort, Icmp, Lifetime, MobilityTicket, ReservationToken,
    XorPeerAddress,
};
use pinhole_turn::policy::Policy;
use pinhole_turn::server::{DropReason, Event, Received};
use pinhole_turn::{ChannelData, stream_buffer};

use crate::common::{Caller, PEER, World, addr, config, relayed};
use crate::{State, UDP, allocate, answers, caller, connected};

const SECOND: Duration = Duration::from_secs(1);
const STRANGER: &str = "198.51.100.8:1";

/// Numbers that look random, and are the same each time.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[test]
fn t1_no_byte_leaves_to_a_peer_without_permission() {
    let (mut world, mut alice, _) = connected();
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    assert!(alice.send(&mut world, STRANGER, b"x").is_none());
    assert!(alice.channel(&mut world, 0x4001, b"x").is_none());
    world.advance(300 * SECOND);
    assert!(
        alice.channel(&mut world, 0x4000, b"x").is_none(),
        "the channel outlives its permission"
    );
    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    assert!(alice.channel(&mut world, 0x4000, b"x").is_some());
}

#[test]
fn t2_no_byte_comes_from_a_peer_without_permission() {
    let mut able = config();
    able.tcp = true;
    let (mut world, mut alice) = (World::new(able), Caller::alice());
    let relayed = alice.allocate(&mut world);
    let relay = world.relay_at(relayed);
    let before = world.answers.len();
    assert_eq!(world.peer_sends(relayed, STRANGER, b"x"), None);
    let icmp = Icmp { kind: 3, code: 3, data: 0 };
    world.server.handle_peer_icmp(relay, addr(STRANGER), icmp, world.now);
    assert_eq!(world.server.peer_connected(relay, addr(STRANGER), world.now), None);
    world.drain();
    assert_eq!(world.answers.len(), before);
}

#[test]
fn t3_a_payload_goes_as_it_is_to_one_allocation() {
    let mut world = World::new(config());
    let mut callers = [caller("alice", 1), caller("alice", 2), caller("bob", 3)];
    let relays: Vec<_> = callers
        .iter_mut()
        .map(|caller| {
            let relayed = caller.allocate(&mut world);
            assert_eq!(caller.bind(&mut world, 0x4000, PEER), 0);
            relayed
        })
        .collect();
    let mut state = 3;
    for length in 0..300 {
        let payload: Vec<u8> = (0..length).map(|_| random(&mut state) as u8).collect();
        for (caller, relayed) in callers.iter_mut().zip(&relays) {
            let relay = world.relay_at(*relayed);
            let got = world.server.handle_peer_datagram(relay, addr(PEER), length, world.now);
            assert_eq!(*got.unwrap().five_tuple, caller.path.reversed());
            let got = world.peer_sends(*relayed, PEER, &payload).unwrap();
            assert_eq!(ChannelData::parse(&got).unwrap().data, payload);
            assert_eq!(caller.channel(&mut world, 0x4000, &payload).unwrap().relay, relay);
        }
    }
}

/// RFC 8489 §16.1.2: a server is no amplifier.
#[test]
fn t4_a_stranger_gets_one_answer_of_three_times_his_bytes_at_most() {
    let mut world = World::new(config());
    let path = Caller::alice().path;
    let header = |kind: u8, length: u8| {
        let mut bytes = vec![0, kind, 0, length, 0x21, 0x12, 0xa4, 0x42];
        bytes.extend([7; 12]);
        bytes
    };
    let mut allocate = header(3, 8);
    allocate.extend([0, 0x19, 0, 4, 17, 0, 0, 0]);
    let binding = answers(&mut world, path, &header(1, 0));
    assert!(binding.len() == 1 && binding[0].len() * 10 <= 20 * 16, "{} bytes", binding[0].len());
    let challenge = answers(&mut world, path, &allocate);
    assert!(challenge.len() == 1 && challenge[0].len() <= 28 * 3, "{} bytes", challenge[0].len());
    for kind in 0..=u8::MAX {
        assert!(answers(&mut world, path, &header(kind, 0)).len() <= 1);
    }
}

#[test]
fn t5_strangers_leave_no_trace() {
    let mut world = World::new(config());
    let before = State::of(&world);
    let mut request = vec![0, 3, 0, 8, 0x21, 0x12, 0xa4, 0x42];
    request.extend([7; 12]);
    request.extend([0, 0x19, 0, 4, 17, 0, 0, 0]);
    for port in 1..=10_000 {
        let local = format!("192.0.2.{}:{port}", port % 250);
        let _ = world.input(Caller::new(&local, "nobody", Transport::Udp).path, &request);
    }
    assert_eq!(State::of(&world), before);
    assert_eq!(world.server.free_ports(Family::Ipv4), 16_384);
}

/// Appends an attribute behind the integrity, which stays right.
fn append(request: &[u8], kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = request.to_vec();
    bytes.extend(kind.to_be_bytes());
    bytes.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
    bytes.extend(value);
    let length = u16::try_from(bytes.len() - 20).unwrap().to_be_bytes();
    bytes[2..4].copy_from_slice(&length);
    bytes
}

#[test]
fn t6_what_follows_the_integrity_does_not_count() {
    let (mut world, mut alice, _) = connected();
    assert_eq!(alice.refresh(&mut world, 600).code, 0);
    let request = alice.last.clone();
    let with_zero = append(&request, 0x000d, &[0; 4]);
    let without_first = answers(&mut world, alice.path, &with_zero);
    assert_eq!(without_first, answers(&mut world, alice.path, &request));
    assert_eq!(world.server.allocations(), 1);

    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    let hidden = append(&alice.last.clone(), 0x0012, &[0, 1, 0, 0, 0xe7, 0x21, 0xc0, 0x4a]);
    assert_eq!(answers(&mut world, alice.path, &hidden).len(), 1);
    assert!(alice.send(&mut world, "198.51.100.8:1", b"x").is_none());
}

/// Each bit of a Refresh request to zero is flipped, and nothing ends.
#[test]
fn t7_a_forged_request_changes_nothing() {
    let (mut world, mut alice, _) = connected();
    let mut other = World::new(config());
    let mut twin = Caller::alice();
    twin.allocate(&mut other);
    assert_eq!(twin.refresh(&mut other, 0).code, 0);
    let request = twin.last.clone();
    let before = State::of(&world);
    for bit in 0..request.len() * 8 {
        let mut forged = request.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        let _ = world.input(alice.path, &forged);
        assert_eq!(State::of(&world), before, "bit {bit}");
    }
    assert_eq!(alice.refresh(&mut world, 600).code, 0);
    let _ = world.input(alice.path, &request);
    assert_eq!(world.server.allocations(), 0, "as it is, it counts: the same user, the same nonce");
}

#[test]
fn t8_lives_are_bounded_and_data_prolongs_none() {
    let (mut world, mut alice, relayed) = connected();
    assert_eq!(alice.refresh(&mut world, 3_600).code, 0);
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    let mut ends = [None; 3];
    for seconds in 0..3_700_u64 {
        if world.open.values().any(|open| *open == relayed) {
            let _ = world.peer_sends(relayed, PEER, b"x");
        }
        let permitted = alice.send(&mut world, PEER, b"x").is_some();
        let has_channel = alice.channel(&mut world, 0x4000, b"x").is_some();
        let live = world.server.allocations() == 1;
        for (end, is) in ends.iter_mut().zip([permitted, has_channel, live]) {
            if !is {
                end.get_or_insert(seconds);
            }
        }
        if seconds == 299 {
            assert_eq!(alice.permit(&mut world, &[PEER]), 0);
        }
        world.advance(SECOND);
    }
    assert_eq!(ends, [Some(599), Some(599), Some(3_600)]);
}

#[test]
fn t9_channel_and_peer_are_a_bijection() {
    let (mut world, mut alice, _) = connected();
    let peers: Vec<String> = (1..=4).map(|port| format!("198.51.100.7:{port}")).collect();
    for (number, peer) in (0x4000..).zip(&peers) {
        assert_eq!(alice.bind(&mut world, number, peer), 0);
    }
    for (number, peer) in (0x4000..0x4006).flat_map(|n| peers.iter().map(move |p| (n, p))) {
        let own = usize::from(number - 0x4000_u16);
        let is_same = peers.get(own) == Some(peer);
        let code = alice.bind(&mut world, number, peer);
        assert_eq!(code, if is_same { 0 } else { 400 }, "{number:#x} {peer}");
    }
}

#[test]
fn t10_a_five_tuple_has_one_allocation_and_a_relayed_address_one_owner() {
    let mut large = config();
    large.limits.allocations_per_user = 1_000;
    let mut world = World::new(large);
    let mut relays = BTreeSet::new();
    for port in 1..=500 {
        let mut alice = caller("alice", port);
        assert!(relays.insert(alice.allocate(&mut world)));
        assert_eq!(allocate(&mut world, &mut alice, &[&UDP]).code, 437);
    }
    assert_eq!((world.server.allocations(), world.open.len()), (500, 500));
}

#[test]
fn t11_a_suspended_allocation_counts() {
    let mut small = config();
    small.limits.allocations_per_user = 1;
    let mut world = World::new(small);
    let mut alice = Caller::new("192.0.2.1:1", "alice", Transport::Tcp);
    let ticket = MobilityTicket(&[]);
    assert_eq!(allocate(&mut world, &mut alice, &[&UDP, &ticket]).code, 0);
    world.server.client_closed(alice.path.reversed());
    world.drain();
    assert_eq!(allocate(&mut world, &mut caller("alice", 2), &[&UDP]).code, 486);
    world.advance(600 * SECOND);
    caller("alice", 2).allocate(&mut world);
}

#[test]
fn t12_ports_are_free_live_or_reserved() {
    let mut small = config();
    small.ports = 50_000..=50_009;
    let mut world = World::new(small);
    world.held.insert(50_009);
    let pair = EvenPort { reserve_next: true };
    let free = |world: &World| world.server.free_ports(Family::Ipv4);
    let answer = allocate(&mut world, &mut caller("alice", 1), &[&UDP, &pair]);
    assert_eq!((free(&world), world.open.len()), (8, 2));
    let token: ReservationToken = answer.message().get().unwrap().unwrap();
    let mut second = caller("alice", 2);
    assert_eq!(allocate(&mut world, &mut second, &[&UDP, &token]).code, 0);
    assert_eq!((free(&world), world.open.len()), (8, 2));
    for port in 3..=9 {
        caller("alice", port).allocate(&mut world);
    }
    assert_eq!(allocate(&mut world, &mut caller("alice", 10), &[&UDP]).code, 508);
    assert_eq!((free(&world), world.open.len()), (0, 9), "one is held by somebody else");
    world.held.clear();
    world.advance(60 * SECOND);
    caller("alice", 10).allocate(&mut world);
    world.advance(600 * SECOND);
    assert_eq!((free(&world), world.open.len(), world.server.allocations()), (10, 0, 0));
}

/// The exception is Refresh to zero, which is 437 the second time (RFC 8656 §8.3).
#[test]
fn t13_the_same_datagram_twice_is_once() {
    let (mut world, mut alice) = (World::new(config()), Caller::alice());
    type Step = fn(&mut Caller, &mut World);
    let steps: [Step; 4] = [
        |alice, world| _ = alice.allocate(world),
        |alice, world| assert_eq!(alice.permit(world, &[PEER]), 0),
        |alice, world| assert_eq!(alice.bind(world, 0x4000, PEER), 0),
        |alice, world| assert_eq!(alice.refresh(world, 600).code, 0),
    ];
    for step in steps {
        step(&mut alice, &mut world);
        let (first, state) = (world.answers.last().unwrap().1.clone(), State::of(&world));
        for _ in 0..5 {
            assert_eq!(answers(&mut world, alice.path, &alice.last), std::slice::from_ref(&first));
            assert_eq!(State::of(&world), state);
        }
    }
    assert_eq!(world.server.free_ports(Family::Ipv4), 16_383);
}

#[test]
fn t14_a_denied_address_is_denied_in_every_encoding() {
    let own: IpAddr = "8.8.4.4".parse().unwrap();
    let policy = Policy::default().with_own(own);
    let mut state = 14;
    for _ in 0..20_000 {
        let address = match random(&mut state) % 4 {
            0 => Ipv4Addr::new(10, 1, random(&mut state) as u8, 1),
            1 => Ipv4Addr::new(8, 8, 4, 4),
            _ => Ipv4Addr::from_bits(random(&mut state) as u32),
        };
        let is_allowed = policy.allows(IpAddr::V4(address));
        let mapped = IpAddr::V6(address.to_ipv6_mapped());
        let nat64 = IpAddr::V6(((0x64_ff9b << 96) | u128::from(address.to_bits())).into());
        assert_eq!(policy.allows(mapped), is_allowed, "{mapped}");
        assert_eq!(policy.allows(nat64), is_allowed, "{nat64}");
        let compatible = IpAddr::V6(u128::from(address.to_bits()).into());
        assert!(!policy.allows(compatible), "{compatible} is nobody's");
    }
    assert!(!policy.allows(own));
}

#[test]
fn t15_nothing_of_an_ended_allocation_can_be_observed() {
    for delete in [true, false] {
        let mut small = config();
        small.limits.allocations_per_user = 1;
        let (mut world, mut alice) = (World::new(small), Caller::alice());
        let relayed = alice.allocate(&mut world);
        assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
        let relay = world.relay_at(relayed);
        if delete {
            assert_eq!(alice.refresh(&mut world, 0).code, 0);
        } else {
            world.advance(600 * SECOND);
        }
        assert_eq!((world.open.len(), world.server.allocations()), (0, 0));
        assert_eq!(world.server.poll_timeout(), None);
        assert!(alice.channel(&mut world, 0x4000, b"x").is_none());
        let late = world.server.handle_peer_datagram(relay, addr(PEER), 4, world.now);
        assert_eq!(late, Err(DropReason::NoAllocation));
        assert_eq!(alice.permit(&mut world, &[PEER]), 437);
        caller("alice", 7).allocate(&mut world);
        let again = world.server.handle_peer_datagram(relay, addr(PEER), 4, world.now);
        assert_eq!(again, Err(DropReason::NoAllocation), "an id is nobody else's");
    }
}

#[test]
fn t16_all_peers_or_none() {
    let (mut world, mut alice, _) = connected();
    assert_eq!(alice.permit(&mut world, &["198.51.100.1:1", "10.0.0.1:1"]), 403);
    assert_eq!(alice.permit(&mut world, &["198.51.100.1:1", "[2001:db8::1]:1"]), 443);
    assert!(alice.send(&mut world, "198.51.100.1:1", b"x").is_none());
    assert_eq!(alice.permit(&mut world, &["198.51.100.1:1", "198.51.100.2:1"]), 0);
    assert!(alice.send(&mut world, "198.51.100.1:1", b"x").is_some());
    assert!(alice.send(&mut world, "198.51.100.2:1", b"x").is_some());
}

#[test]
fn t17_a_timeout_that_has_been_handled_is_not_due() {
    let mut world = World::new(config());
    let mut state = 17;
    for port in 1..=60 {
        let lifetime = Lifetime(Duration::from_secs(600 + random(&mut state) % 3_000));
        let pair = EvenPort { reserve_next: port % 7 == 0 };
        let mut attributes: Vec<&dyn AttributeWrite> = vec![&UDP, &lifetime];
        if pair.reserve_next {
            attributes.push(&pair);
        }
        let user = if port % 2 == 0 { "alice" } else { "bob" };
        assert_eq!(allocate(&mut world, &mut caller(user, port), &attributes).code, 0);
        world.now += Duration::from_millis(random(&mut state) % 5_000);
    }
    let mut turns = 0;
    while let Some(at) = world.server.poll_timeout() {
        world.now = world.now.max(at);
        world.server.handle_timeout(world.now);
        assert!(world.server.poll_timeout().is_none_or(|next| next > world.now));
        turns += 1;
    }
    assert!(turns <= 70, "{turns} turns for 60 allocations and 8 reservations");
}

/// Noise, and clocks that jump and stand still.
#[test]
fn t18_no_noise_and_no_clock_hinders_an_honest_request() {
    let mut state = 18;
    let (mut world, mut alice, relayed) = connected();
    let paths: Vec<_> = (1..9).map(|port| caller("alice", 4_995 + port).path).collect();
    for round in 0..20_000 {
        let length = usize::try_from(random(&mut state) % 64).unwrap();
        let mut bytes: Vec<u8> = (0..length).map(|_| random(&mut state) as u8).collect();
        if round % 2 == 0 && length >= 20 {
            bytes[..2].copy_from_slice(&[0, 3 + (random(&mut state) % 9) as u8]);
            bytes[2..4].copy_from_slice(&u16::try_from((length - 20) & !3).unwrap().to_be_bytes());
            bytes[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
            bytes.truncate(20 + ((length - 20) & !3));
        }
        let path = paths[round % paths.len()];
        let nanos = [0, 1, u64::MAX, world.now.as_nanos()][round % 4];
        let datagram = Datagram { five_tuple: path.reversed(), payload: &bytes };
        // A clock far ahead only for what does not end allocations by itself.
        let is_stun = bytes.first().is_some_and(|first| *first < 4);
        let now = if is_stun { world.now } else { Instant::from_nanos(nanos) };
        let received = world.server.handle_client_datagram(datagram, now);
        assert!(!matches!(received, Received::ToPeer(_)));
        let relay = world.relay_at(relayed);
        let _ = world.server.handle_peer_datagram(relay, addr(STRANGER), length, now);
        world.drain();
    }
    assert_eq!(alice.refresh(&mut world, 600).code, 0);
    assert!(alice.send(&mut world, PEER, b"x").is_some());
}

#[test]
fn t19_after_a_framing_error_there_is_nothing_but_the_end() {
    let mut stream = stream_buffer(1_500);
    stream.push(&[0x16, 3, 1]);
    assert!(stream.next_message().is_err());
    stream.push(&[0x40, 0, 0, 0]);
    assert!(stream.next_message().is_err(), "what comes later is never a message");
}

#[test]
fn t20_no_secret_is_in_answers_events_or_debug_output() {
    let mut able = config();
    able.nonce_seed = Some(pinhole_turn::server::NonceSeed([0xAB; 32]));
    let debug = format!("{able:?}");
    assert!(!debug.contains("171, 171") && !debug.contains("AB"), "the nonces' seed");
    let (mut world, mut alice) = (World::new(able), Caller::alice());
    let answer = allocate(&mut world, &mut alice, &[&UDP, &MobilityTicket(&[])]);
    let ticket = answer.message().get::<MobilityTicket<'_>>().unwrap().unwrap();
    assert_eq!(format!("{ticket:?}"), format!("MobilityTicket({} bytes)", ticket.0.len()));
    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    for (_, bytes) in &world.answers {
        assert!(!bytes.windows(6).any(|window| window == b"secret"));
    }
    let output = format!("{:?} {:?} {:?}", world.server, world.events, alice.auth);
    assert!(output.contains("alice") && !output.contains("secret"), "{output}");
}

#[test]
fn t21_a_ticket_is_its_owners_and_good_once() {
    let mut world = World::new(config());
    let mut alice = Caller::alice();
    let answer = allocate(&mut world, &mut alice, &[&UDP, &MobilityTicket(&[])]);
    let ticket = answer.message().get::<MobilityTicket<'_>>().unwrap().unwrap().0.to_vec();
    let resume = |world: &mut World, caller: &mut Caller| {
        crate::ask(world, caller, Method::REFRESH, &[&MobilityTicket(&ticket)]).code
    };
    assert_eq!(resume(&mut world, &mut caller("bob", 1)), 441);
    let mut moved = caller("alice", 2);
    assert_eq!(resume(&mut world, &mut moved), 0);
    assert_eq!(resume(&mut world, &mut caller("alice", 3)), 400);
    assert_eq!(resume(&mut world, &mut caller("bob", 4)), 441);
    assert_eq!(world.server.allocations(), 1);
}

#[test]
fn t22_the_same_inputs_give_the_same_bytes() {
    let run = || {
        let mut world = World::new(config());
        let mut alice = Caller::alice();
        let dual = AdditionalAddressFamily(Family::Ipv6);
        let answer = allocate(&mut world, &mut alice, &[&UDP, &MobilityTicket(&[]), &dual]);
        assert_eq!(answer.code, 0);
        let at = relayed(&answer);
        assert_eq!(alice.permit(&mut world, &[PEER]), 0);
        let data = world.peer_sends(at, PEER, b"data");
        let peer = XorPeerAddress(addr(PEER));
        crate::ask(&mut world, &mut alice, Method::CHANNEL_BIND, &[&Channel(0x4000), &peer]);
        world.advance(700 * SECOND);
        assert!(matches!(world.events.last(), Some(Event::Ended { .. })));
        (data, world.answers, world.events)
    };
    assert_eq!(run(), run());
    assert!(Message::parse(&run().1[0].1).is_ok());
}
