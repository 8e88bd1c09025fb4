//! Lines 17 to 22, 36 and 38: allocations, their owners, their ports and their end.

use std::collections::BTreeMap;
use std::time::Duration;

use pinhole_sansio::Transport;
use pinhole_stun::attribute::{AttributeWrite, Family};
use pinhole_stun::{AttributeType, Method, RawAttribute};
use pinhole_turn::attribute::{
    AdditionalAddressFamily, EvenPort, Lifetime, MobilityTicket, RequestedAddressFamily,
    RequestedTransport, ReservationToken,
};
use pinhole_turn::server::DropReason;

use crate::common::{Caller, PEER, World, addr, config, lifetime, relayed};
use crate::{State, UDP, allocate, ask, caller, connected, times};

/// RFC 8656 §5: only the owner can use the five-tuple.
#[test]
fn line_17_another_user_on_the_five_tuple_is_told_441() {
    let (mut world, mut alice, _) = connected();
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    let mut bob = Caller::new("192.0.2.1:5000", "bob", Transport::Udp);
    let before = State::of(&world);
    assert_eq!(bob.refresh(&mut world, 0).code, 441);
    assert_eq!(bob.refresh(&mut world, 3_600).code, 441);
    assert_eq!(bob.permit(&mut world, &["198.51.100.9:1"]), 441);
    assert_eq!(bob.bind(&mut world, 0x4001, "198.51.100.9:1"), 441);
    assert_eq!(State::of(&world), before);
    assert!(alice.channel(&mut world, 0x4000, b"data").is_some());
    assert!(alice.send(&mut world, "198.51.100.9:1", b"data").is_none());
}

#[test]
fn line_18_without_an_allocation_requests_get_437_and_data_silence() {
    let (mut world, mut alice) = (World::new(config()), Caller::alice());
    assert_eq!(alice.refresh(&mut world, 600).code, 437);
    assert_eq!(alice.permit(&mut world, &[PEER]), 437);
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 437);
    let before = world.answers.len();
    assert!(alice.send(&mut world, PEER, b"data").is_none());
    assert!(alice.channel(&mut world, 0x4000, b"data").is_none());
    assert_eq!(world.answers.len(), before);
}

#[test]
fn line_19_a_quota_of_three_is_three_whatever_the_connections_do() {
    let mut small = config();
    small.limits.allocations_per_user = 3;
    let mut world = World::new(small);
    let mut callers: Vec<Caller> = (1..=4).map(|port| caller("alice", port)).collect();
    for caller in &mut callers[..3] {
        caller.allocate(&mut world);
    }
    assert_eq!(allocate(&mut world, &mut callers[3], &[&UDP]).code, 486);
    assert_eq!(callers[0].refresh(&mut world, 0).code, 0);
    callers[3].allocate(&mut world);
    for caller in &mut callers[1..] {
        assert_eq!(caller.refresh(&mut world, 0).code, 0);
    }
    for ticket in [None, Some(MobilityTicket(&[]))] {
        for port in 1_000..1_100 {
            let local = format!("192.0.2.1:{port}");
            let mut caller = Caller::new(&local, "alice", Transport::Tcp);
            let mut attributes: Vec<&dyn AttributeWrite> = vec![&UDP];
            attributes.extend(ticket.iter().map(|ticket| ticket as &dyn AttributeWrite));
            let code = allocate(&mut world, &mut caller, &attributes).code;
            assert!(code == 0 || code == 486 && ticket.is_some() && port >= 1_003, "{port}");
            world.server.client_closed(caller.path.reversed());
            world.drain();
            assert!(world.server.allocations() <= 3);
        }
    }
}

/// The order of RFC 8656 §7.2. A REQUESTED-TRANSPORT that is too short is beside the code: no writer
/// here writes one.
#[test]
fn line_20_the_checks_come_in_their_order() {
    let token = ReservationToken([9; 8]);
    let even = EvenPort { reserve_next: true };
    let (v4, v6) = (RequestedAddressFamily(Family::Ipv4), RequestedAddressFamily(Family::Ipv6));
    let (dual, dual_v4) =
        (AdditionalAddressFamily(Family::Ipv6), AdditionalAddressFamily(Family::Ipv4));
    let strange = RequestedTransport(254);
    let bad_family = RawAttribute { kind: AttributeType::REQUESTED_ADDRESS_FAMILY, value: &[7; 4] };
    let cases: [(u16, &[&dyn AttributeWrite]); 11] = [
        (400, &[]),
        (400, &[&token, &even, &v4]),
        (442, &[&strange, &token, &even]),
        (400, &[&UDP, &token, &even]),
        (400, &[&UDP, &token, &v4]),
        (400, &[&UDP, &token, &dual]),
        (508, &[&UDP, &token]),
        (400, &[&UDP, &v4, &dual]),
        (440, &[&UDP, &bad_family]),
        (440, &[&UDP, &v6]),
        (400, &[&UDP, &dual_v4]),
    ];
    let mut world = World::new(config());
    for (number, (code, attributes)) in cases.into_iter().enumerate() {
        let answer = allocate(&mut world, &mut Caller::alice(), attributes);
        assert_eq!(answer.code, code, "case {number}");
    }
    assert_eq!((world.server.allocations(), world.open.len()), (0, 0));
    let mut alice = Caller::alice();
    alice.allocate(&mut world);
    assert_eq!(allocate(&mut world, &mut alice, &[&strange]).code, 437, "before all others");
}

#[test]
fn line_21_a_lifetime_is_from_600_to_3600_seconds() {
    for (asked, granted) in [(0xffff_ffff, 3_600), (3_601, 3_600), (601, 601), (599, 600), (1, 600)]
    {
        let (mut world, mut alice) = (World::new(config()), Caller::alice());
        let asked = Lifetime(Duration::from_secs(asked));
        assert_eq!(lifetime(&allocate(&mut world, &mut alice, &[&UDP, &asked])), granted);
        world.advance(Duration::from_secs(granted) - Duration::from_nanos(1));
        assert_eq!(world.server.allocations(), 1);
        world.advance(Duration::from_nanos(1));
        assert_eq!(world.server.allocations(), 0);
    }
}

/// RFC 6056: a runs test over the ports of 10,000 allocations, and predictors that know the past.
#[test]
fn line_21_ports_are_random() {
    const COUNT: usize = 10_000;
    let (mut world, mut alice) = (World::new(config()), Caller::alice());
    let ports: Vec<u16> = (0..COUNT)
        .map(|_| {
            let port = alice.allocate(&mut world).port();
            assert_eq!(alice.refresh(&mut world, 0).code, 0);
            port
        })
        .collect();
    assert!(ports.iter().all(|port| *port >= 49_152));

    // Runs above and below the middle: their number is about normal for independent draws.
    let above: Vec<bool> = ports.iter().map(|port| *port >= 57_344).collect();
    let runs = 1 + above.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let n1 = above.iter().filter(|above| **above).count() as f64;
    let n2 = COUNT as f64 - n1;
    let mean = 2.0 * n1 * n2 / (n1 + n2) + 1.0;
    let variance = (mean - 1.0) * (mean - 2.0) / (n1 + n2 - 1.0);
    let z = (runs as f64 - mean) / variance.sqrt();
    assert!(z.abs() < 3.5, "{runs} runs, z = {z}");

    // The same port again, the next one, the same step again, and the one that came most often.
    let mut hits = [0; 4];
    let mut seen = BTreeMap::<u16, usize>::new();
    for three in ports.windows(3) {
        let [a, b, c] = [three[0], three[1], three[2]];
        *seen.entry(b).or_default() += 1;
        let most = seen.iter().max_by_key(|(_, count)| **count).map(|(port, _)| *port);
        let guesses = [b, b.wrapping_add(1), b.wrapping_add(b.wrapping_sub(a)), most.unwrap()];
        for (hit, guess) in hits.iter_mut().zip(guesses) {
            *hit += usize::from(guess == c);
        }
    }
    // One in 16,384 is chance: 0.6 of 10,000. More than one in 10,000 would be 1.0; six is beyond luck.
    assert!(hits.iter().all(|hits| *hits < 6), "{hits:?} of {COUNT} guessed");
}

#[test]
fn line_22_refresh_after_delete_is_437() {
    let (mut world, mut alice, relayed) = connected();
    let relay = world.relay_at(relayed);
    assert_eq!(alice.refresh(&mut world, 0).code, 0);
    assert_eq!(world.open.len(), 0, "the port is closed by the same input, so the peer gets ICMP");
    assert_eq!(alice.refresh(&mut world, 600).code, 437);
    assert_eq!(alice.refresh(&mut world, 0).code, 437);
    let late = world.server.handle_peer_datagram(relay, addr(PEER), 4, world.now);
    assert_eq!(late, Err(DropReason::NoAllocation));
}

/// What the driver has read from one socket of a dual allocation before it closed it.
#[test]
fn line_22_half_of_a_dual_allocation_ends_with_its_family() {
    let mut both = config();
    both.relay_v6 = Some("2001:db8::1".parse::<std::net::IpAddr>().unwrap().into());
    let (mut world, mut alice) = (World::new(both), Caller::alice());
    let dual = AdditionalAddressFamily(Family::Ipv6);
    let answer = allocate(&mut world, &mut alice, &[&UDP, &dual]);
    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    let relay = world.relay_at(relayed(&answer));
    assert!(world.server.handle_peer_datagram(relay, addr(PEER), 4, world.now).is_ok());
    let (v4, zero) = (RequestedAddressFamily(Family::Ipv4), Lifetime(Duration::ZERO));
    assert_eq!(ask(&mut world, &mut alice, Method::REFRESH, &[&v4, &zero]).code, 0);
    let late = world.server.handle_peer_datagram(relay, addr(PEER), 4, world.now);
    assert_eq!(late, Err(DropReason::NoAllocation));
    assert!(alice.send(&mut world, PEER, b"data").is_none());
    assert_eq!((world.server.allocations(), world.open.len()), (1, 1));
}

#[test]
fn line_36_an_even_port_reserves_nothing_by_itself() {
    let (mut world, mut alice) = (World::new(config()), Caller::alice());
    let even = EvenPort { reserve_next: false };
    for _ in 0..times(10_000) {
        let answer = allocate(&mut world, &mut alice, &[&UDP, &even]);
        assert!(relayed(&answer).port().is_multiple_of(2));
        assert_eq!(world.open.len(), 1);
        assert_eq!(alice.refresh(&mut world, 0).code, 0);
    }
    assert_eq!(world.server.free_ports(Family::Ipv4), 16_384);
}

#[test]
fn line_36_a_reservation_is_good_once_for_thirty_seconds_and_cannot_be_guessed() {
    let pair = EvenPort { reserve_next: true };
    let mut world = World::new(config());
    let token = |world: &mut World, port| {
        let answer = allocate(world, &mut caller("alice", port), &[&UDP, &pair]);
        answer.message().get::<ReservationToken>().unwrap().unwrap()
    };
    let first = token(&mut world, 1);
    assert_eq!(allocate(&mut world, &mut caller("alice", 2), &[&UDP, &first]).code, 0);
    assert_eq!(allocate(&mut world, &mut caller("alice", 3), &[&UDP, &first]).code, 508);

    let second = token(&mut world, 4);
    world.advance(Duration::from_secs(30) - Duration::from_nanos(1));
    assert_eq!(allocate(&mut world, &mut caller("alice", 5), &[&UDP, &second]).code, 0);
    let third = token(&mut world, 6);
    world.advance(Duration::from_secs(30));
    assert_eq!(allocate(&mut world, &mut caller("alice", 7), &[&UDP, &third]).code, 508);

    let fourth = token(&mut world, 8);
    for bit in 8..64 {
        let mut guess = fourth;
        guess.0[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(allocate(&mut world, &mut caller("alice", 9), &[&UDP, &guess]).code, 508);
    }
    let differing = |a: ReservationToken, b: ReservationToken| {
        a.0.iter().zip(b.0).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>()
    };
    for (a, b) in [(first, second), (second, third), (third, fourth)] {
        assert!((12..=44).contains(&differing(a, b)), "of 56 random bits half differ");
    }
}

#[test]
fn line_38_a_ticket_rotates_and_an_unknown_one_is_refused() {
    let mut world = World::new(config());
    let mut alice = Caller::alice();
    let answer = allocate(&mut world, &mut alice, &[&UDP, &MobilityTicket(&[])]);
    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    let ticket = |answer: &crate::common::Answer| {
        answer.message().get::<MobilityTicket<'_>>().unwrap().unwrap().0.to_vec()
    };
    let first = ticket(&answer);
    let resume = |world: &mut World, caller: &mut Caller, ticket: &[u8]| {
        ask(world, caller, Method::REFRESH, &[&MobilityTicket(ticket)])
    };
    let mut bob = caller("bob", 6_000);
    assert_eq!(resume(&mut world, &mut bob, &first).code, 441, "the owner's only");
    let mut moved = caller("alice", 6_001);
    let answer = resume(&mut world, &mut moved, &first);
    assert_eq!(answer.code, 0);
    assert_ne!(ticket(&answer), first);
    assert!(alice.send(&mut world, PEER, b"x").is_some(), "the old path serves until data comes");
    assert!(moved.send(&mut world, PEER, b"x").is_some());
    assert!(alice.send(&mut world, PEER, b"x").is_none());
    assert_eq!(resume(&mut world, &mut caller("alice", 6_002), &first).code, 400, "used up");
    assert_eq!(moved.refresh(&mut world, 0).code, 0);
    let gone = resume(&mut world, &mut caller("alice", 6_003), &ticket(&answer));
    assert_eq!(gone.code, 437);
}
