//! What links do to packets. Each measurement is of one fixed seed, and so always the same.

#![allow(clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use common::{Peer, Received};
use pinhole_netsim::{
    Bandwidth, Conditions, Direction, DropReason, IcmpKind, Loss, Mtu, Reordering, World,
};
use pinhole_sansio::Instant;

const LATENCY: Duration = Duration::from_millis(50);

/// What arrives of `count` numbered datagrams of 100 bytes on the wire, sent `gap` apart over a link with
/// these conditions, and the world afterwards.
fn send_over(conditions: Conditions, count: u32, gap: Duration) -> (Vec<Received>, World) {
    let mut world = World::new(0x11_11);
    let alice = world.host("alice").link(conditions).start(Peer::default());
    let bob = world.host("bob").link(Conditions::PERFECT).start(Peer::default());
    let (local, remote) = (world.endpoint(alice, 1), world.endpoint(bob, 1));
    for number in 0..count {
        let mut payload = [0; 72];
        payload[..4].copy_from_slice(&number.to_be_bytes());
        world.with(alice, |peer, _| peer.send(local, remote, &payload));
        world.run_for(gap);
    }
    world.run_for(Duration::from_secs(60));
    (world.node(bob).received.clone(), world)
}

fn numbers(received: &[Received]) -> Vec<u32> {
    let number = |bytes: &[u8]| bytes[..4].iter().fold(0, |n, &byte| n << 8 | u32::from(byte));
    received.iter().map(|received| number(&received.payload)).collect()
}

fn delays(received: &[Received], gap: Duration) -> Vec<Duration> {
    let sent_at = numbers(received).into_iter().map(|number| Instant::ZERO + gap * number);
    received.iter().zip(sent_at).map(|(received, sent_at)| received.at - sent_at).collect()
}

#[test]
fn jitter_spreads_delays_and_keeps_the_order() {
    let gap = Duration::from_millis(5);
    let jitter = Duration::from_millis(20);
    let (received, _) = send_over(Conditions::latency(LATENCY).with_jitter(jitter), 1_000, gap);
    assert!(numbers(&received).is_sorted());
    let delays = delays(&received, gap);
    assert!(delays.iter().all(|&delay| (LATENCY..=LATENCY + jitter).contains(&delay)));
    let (least, most) = (delays.iter().min(), delays.iter().max());
    assert!(least < Some(&(LATENCY + jitter / 10)) && most > Some(&(LATENCY + jitter * 9 / 10)));
}

#[test]
fn random_loss_has_its_probability() {
    let conditions = Conditions::latency(LATENCY).with_loss(0.3);
    let (received, world) = send_over(conditions, 10_000, Duration::from_micros(100));
    let lost = world.drops().of(DropReason::Lost);
    assert_eq!(received.len() as u64 + lost, 10_000);
    assert!((2_850..=3_150).contains(&lost), "{lost} of 10000 lost");
}

#[test]
fn gilbert_elliott_loss_comes_in_bursts() {
    let loss = Loss::GilbertElliott { to_bad: 0.01, to_good: 0.1, good: 0.0, bad: 1.0 };
    let conditions = Conditions { loss, ..Conditions::latency(LATENCY) };
    let (received, _) = send_over(conditions, 20_000, Duration::from_micros(100));
    let numbers = numbers(&received);
    let bursts: Vec<_> =
        numbers.windows(2).map(|pair| pair[1] - pair[0] - 1).filter(|&lost| lost > 0).collect();
    let lost: u32 = bursts.iter().sum();
    let mean = f64::from(lost) / bursts.len() as f64;
    // In the long run a share of 0.01 / (0.01 + 0.1) is lost, in bursts of 1 / 0.1.
    assert!((1_400..=2_300).contains(&lost), "{lost} of 20000 lost");
    assert!((8.0..=12.0).contains(&mean), "the mean burst is {mean}");
}

#[test]
fn duplicates_arrive_besides_the_original() {
    let conditions = Conditions { duplication: 0.1, ..Conditions::latency(LATENCY) };
    let (received, _) = send_over(conditions, 10_000, Duration::from_micros(100));
    let mut numbers = numbers(&received);
    assert!((10_900..=11_100).contains(&numbers.len()), "{} arrived", numbers.len());
    numbers.dedup();
    assert!(numbers.into_iter().eq(0..10_000));
}

#[test]
fn reordered_packets_are_overtaken() {
    let gap = Duration::from_millis(1);
    let reordering = Reordering { probability: 0.05, delay: Duration::from_millis(10) };
    let (received, _) =
        send_over(Conditions { reordering, ..Conditions::latency(LATENCY) }, 1_000, gap);
    let late = delays(&received, gap);
    let late = late.iter().filter(|&&delay| delay == LATENCY + reordering.delay).count();
    assert_eq!(received.len(), 1_000);
    assert!((30..=70).contains(&late), "{late} of 1000 were late");
    assert!(!numbers(&received).is_sorted());
}

#[test]
fn a_slow_link_spaces_packets_and_drops_what_its_queue_cannot_hold() {
    // 100 bytes take 10 ms; ten packets fit into the queue.
    let bandwidth = Some(Bandwidth { bytes_per_second: 10_000, queue: 1_000 });
    let conditions = Conditions { bandwidth, ..Conditions::latency(LATENCY) };
    let (received, world) = send_over(conditions.clone(), 15, Duration::ZERO);
    assert_eq!(numbers(&received), (0..10).collect::<Vec<_>>());
    assert_eq!(world.drops().of(DropReason::QueueFull), 5);
    for (position, received) in (1..).zip(&received) {
        let leaves = Instant::ZERO + Duration::from_millis(10) * position;
        assert_eq!(received.at, leaves + LATENCY);
    }
    let (received, _) = send_over(conditions, 1_000, Duration::from_millis(10));
    assert_eq!(received.len(), 1_000, "the link is fast enough for one packet each 10 ms");
}

#[test]
fn a_packet_above_the_mtu_is_lost_silently_or_with_a_word() {
    for tells in [true, false] {
        let mut world = World::new(1);
        let mtu = Some(Mtu { bytes: 1_280, tells });
        let narrow = Conditions { mtu, ..Conditions::latency(LATENCY) };
        let alice = world.host("alice").start(Peer::default());
        let bob = world.host("bob").link(narrow).start(Peer::default());
        let (local, remote) = (world.endpoint(alice, 1), world.endpoint(bob, 1));
        for length in [1_252, 1_253] {
            world.with(alice, |peer, _| peer.send(local, remote, &vec![0; length]));
        }
        world.run_for(Duration::from_secs(1));
        assert_eq!(world.node(bob).received.len(), 1);
        assert_eq!(world.drops().of(DropReason::TooBig), 1);
        let told: Vec<_> = world.node(alice).errors.iter().map(|error| error.kind).collect();
        let expected = if tells { vec![IcmpKind::PacketTooBig { mtu: 1_280 }] } else { vec![] };
        assert_eq!(told, expected);
    }
}

#[test]
fn no_datagram_is_longer_than_ip_allows() {
    let mut world = World::new(1);
    let alice = world.host("alice").start(Peer::default());
    let bob = world.host("bob").start(Peer::default());
    let (local, remote) = (world.endpoint(alice, 1), world.endpoint(bob, 1));
    for length in [65_507, 65_508] {
        world.with(alice, |peer, _| peer.send(local, remote, &vec![0; length]));
    }
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.node(bob).received.len(), 1);
    assert_eq!(world.drops().of(DropReason::TooBig), 1);
}

#[test]
fn a_link_counts_what_enters_it_in_each_direction() {
    let conditions = Conditions::latency(LATENCY).with_loss(1.0);
    let mut world = World::new(1);
    let alice = world.host("alice").link(conditions).start(Peer::default());
    let bob = world.host("bob").start(Peer::default());
    let (local, remote) = (world.endpoint(alice, 1), world.endpoint(bob, 1));
    world.with(alice, |peer, _| peer.send(local, remote, b"lost"));
    world.run_for(Duration::from_secs(1));
    let [up, down] = [Direction::Up, Direction::Down]
        .map(|direction| world.link_counters(world.links(alice)[0], direction));
    assert_eq!((up.packets, up.bytes, up.dropped), (1, 32, 1));
    assert_eq!((down.packets, down.bytes, down.dropped), (0, 0, 0));
}
