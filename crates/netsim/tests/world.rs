//! The clock, the order of events, and what a machine may not do.

#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{Peer, endpoint, mapped, send, sources};
use pinhole_netsim::{
    Breach, Conditions, Direction, DropReason, IcmpKind, Mtu, NatConfig, Node, Recording, World,
};
use pinhole_sansio::{Datagram, FiveTuple, Instant, Transmit};

/// Two hosts behind NATs that exchange datagrams over lossy links.
fn noisy_run(seed: u64) -> World {
    let mut world = World::new(seed);
    world.record(Recording::Everything);
    let lossy = || {
        Conditions::latency(Duration::from_millis(20))
            .with_loss(0.2)
            .with_jitter(Duration::from_millis(30))
    };
    let left = world.gateway("left").nat(NatConfig::full_cone()).link(lossy()).build();
    let right = world.gateway("right").nat(NatConfig::symmetric()).link(lossy()).build();
    let alice = world.host("alice").on(left).start(Peer::default());
    let bob = world.host("bob").on(right).start(Peer::reflector());
    let server = world.host("server").start(Peer::reflector());
    let target = endpoint(&world, server, 3478);
    for port in 0..50 {
        send(&mut world, alice, 4000 + port, target);
        send(&mut world, bob, 4000 + port, target);
    }
    world
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let trace = noisy_run(1).trace().to_string();
    assert!(trace.contains("lost on the link"));
    assert_eq!(trace, noisy_run(1).trace().to_string());
    assert!(noisy_run(1).trace().to_pcapng() == noisy_run(1).trace().to_pcapng());
    assert_ne!(trace, noisy_run(2).trace().to_string());
}

#[test]
fn a_datagram_takes_the_latency_of_both_links() {
    let mut world = World::new(1);
    let slow = Conditions::latency(Duration::from_millis(30));
    let alice = world.host("alice").link(slow).start(Peer::default());
    let bob = world.host("bob").start(Peer::default());
    let remote = endpoint(&world, bob, 1);
    send(&mut world, alice, 1, remote);
    assert_eq!(world.node(bob).received[0].at, Instant::from_millis(40));
    assert_eq!(world.counters(alice).sent, 1);
    assert_eq!(world.counters(bob).received_bytes, 20 + 8 + 5);
    assert_eq!(world.link_counters(world.links(bob)[0], Direction::Down).packets, 1);
}

#[test]
fn the_clock_stands_where_the_condition_became_true() {
    let mut world = World::new(1);
    let alice = world.host("alice").start(Peer::default());
    let bob = world.host("bob").start(Peer::default());
    let (local, remote) = (endpoint(&world, alice, 1), endpoint(&world, bob, 1));
    world.with(alice, |peer, _| peer.send(local, remote, b"now"));
    let limit = Duration::from_secs(9);
    assert!(world.run_until_done(limit, |world| !world.node(bob).received.is_empty()));
    assert_eq!(world.now(), Instant::from_millis(20));
    assert!(!world.run_until_done(limit, |world| world.node(bob).received.len() == 2));
    assert_eq!(world.now(), Instant::from_millis(20) + limit);
}

#[test]
fn a_host_behind_two_nats_appears_under_the_outer_address() {
    let mut world = World::new(1);
    let isp = world.carrier("isp", NatConfig::carrier_grade());
    let home = world.gateway("home").nat(NatConfig::port_restricted()).outside(isp).build();
    let alice = world.host("alice").on(home).start(Peer::default());
    let server = world.host("server").start(Peer::reflector());
    let seen = mapped(&mut world, alice, 5000, (server, 3478));
    assert_eq!(seen.ip(), world.external_addresses(isp.gateway)[0]);
    assert_eq!(world.node(alice).received[0].payload, seen.to_string().as_bytes());
}

#[test]
fn a_hop_limit_that_runs_out_is_told_to_the_sender() {
    let mut world = World::new(1);
    let isp = world.carrier("isp", NatConfig::carrier_grade());
    let home = world.gateway("home").nat(NatConfig::full_cone()).outside(isp).build();
    let alice = world.host("alice").on(home).hop_limit(2).start(Peer::default());
    let bob = world.host("bob").start(Peer::default());
    let remote = endpoint(&world, bob, 1);
    send(&mut world, alice, 1, remote);
    assert!(sources(&mut world, bob).is_empty());
    assert_eq!(world.node(alice).errors[0].kind, IcmpKind::TimeExceeded);
    assert_eq!(world.node(alice).errors[0].five_tuple.local, endpoint(&world, alice, 1));
}

#[test]
fn packets_to_nowhere_vanish_or_are_answered() {
    let mut world = World::new(1);
    let home = world.nat("home", NatConfig::full_cone());
    let alice = world.host("alice").on(home).start(Peer::default());
    let nowhere = "198.51.100.1:1".parse().unwrap();
    send(&mut world, alice, 1, nowhere);
    assert!(world.node(alice).errors.is_empty());
    world.answer_unroutable(Some(IcmpKind::HostUnreachable));
    send(&mut world, alice, 1, nowhere);
    assert_eq!(world.drops().of(DropReason::NoRoute), 2);
    assert_eq!(world.node(alice).errors[0].kind, IcmpKind::HostUnreachable);
    assert_eq!(world.node(alice).errors[0].five_tuple.remote, nowhere);
}

#[test]
fn a_partition_cuts_and_heals() {
    let mut world = World::new(1);
    let alice = world.host("alice").start(Peer::default());
    let bob = world.host("bob").start(Peer::default());
    let remote = endpoint(&world, bob, 1);
    world.partition(&world.links(bob));
    send(&mut world, alice, 1, remote);
    assert_eq!(world.drops().of(DropReason::Partitioned), 1);
    // Another partition does not join the first.
    world.partition(&world.links(alice));
    send(&mut world, alice, 1, remote);
    assert_eq!(world.drops().of(DropReason::Partitioned), 2);
    world.heal(world.core());
    send(&mut world, alice, 1, remote);
    assert_eq!(sources(&mut world, bob).len(), 1);
}

#[test]
fn what_is_cut_off_together_stays_together() {
    let mut world = World::new(1);
    let home = world.nat("home", NatConfig::full_cone());
    let alice = world.host("alice").on(home).start(Peer::default());
    let server = world.host("server").start(Peer::reflector());
    world.partition(&[home.link, world.links(server)[0]]);
    let remote = endpoint(&world, server, 1);
    send(&mut world, alice, 1, remote);
    assert_eq!(sources(&mut world, alice), [remote]);
}

#[test]
fn there_are_no_errors_about_errors() {
    let mut world = World::new(1);
    let alice = world.host("alice").start(Peer::default());
    let bob = world.host("bob").start(Peer::default());
    world.with(bob, |peer, _| peer.closed.push(9));
    let tiny = Conditions { mtu: Some(Mtu { bytes: 40, tells: true }), ..Conditions::PERFECT };
    world.set_conditions(world.links(alice)[0], Direction::Down, tiny);
    let remote = endpoint(&world, bob, 9);
    send(&mut world, alice, 1, remote);
    assert_eq!(world.drops().of(DropReason::TooBig), 1);
    assert!(world.node(alice).errors.is_empty());
    assert!(world.node(bob).errors.is_empty());
}

#[test]
fn an_outage_may_be_one_way() {
    let mut world = World::new(1);
    let alice = world.host("alice").start(Peer::default());
    let server = world.host("server").start(Peer::reflector());
    let remote = endpoint(&world, server, 1);
    let link = world.links(alice)[0];
    world.set_outage(link, Direction::Down, true);
    send(&mut world, alice, 1, remote);
    assert_eq!(sources(&mut world, server).len(), 1);
    assert!(sources(&mut world, alice).is_empty());
    world.set_outage(link, Direction::Down, false);
    send(&mut world, alice, 1, remote);
    assert_eq!(sources(&mut world, alice).len(), 1);
}

#[test]
fn a_rebooted_nat_knows_nobody_and_a_new_address_leads_to_it() {
    let mut world = World::new(1);
    let home = world.nat("home", NatConfig::full_cone());
    let alice = world.host("alice").on(home).start(Peer::default());
    let bob = world.host("bob").start(Peer::default());
    let old = mapped(&mut world, alice, 5000, (bob, 1));
    world.reboot(home.gateway);
    send(&mut world, bob, 1, old);
    assert!(sources(&mut world, alice).is_empty());
    let new_address = [203, 0, 113, 200].into();
    world.set_external_addresses(home.gateway, &[new_address]);
    assert_eq!(mapped(&mut world, alice, 5000, (bob, 1)).ip(), new_address);
    send(&mut world, bob, 1, old);
    assert_eq!(world.drops().of(DropReason::NoRoute), 1);
}

/// A machine that answers its deadline with another one, `step` later.
struct Clockwork {
    deadline: Instant,
    step: Duration,
}

impl Node for Clockwork {
    fn handle_datagram(&mut self, _datagram: Datagram<'_>, _now: Instant) {}

    fn handle_timeout(&mut self, now: Instant) {
        self.deadline = now + self.step;
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Some(self.deadline)
    }
}

fn run_clockwork(step: Duration) -> Result<u64, Breach> {
    let mut world = World::new(77);
    let deadline = Instant::from_millis(5);
    let clock = world.host("clock").start(Clockwork { deadline, step });
    match world.try_run_until(Instant::from_millis(1_000)) {
        Ok(()) => Ok(world.counters(clock).timeouts),
        Err(violation) => {
            assert!(violation.to_string().contains("seed 77"));
            assert!(violation.to_string().contains("clock wakes"));
            Err(violation.breach)
        }
    }
}

#[test]
fn a_deadline_that_stays_due_is_a_violation() {
    let now = Instant::from_millis(5);
    assert_eq!(run_clockwork(Duration::from_millis(5)), Ok(200));
    assert_eq!(run_clockwork(Duration::ZERO), Err(Breach::DeadlineStillDue { deadline: now, now }));
}

#[test]
fn deadlines_that_follow_each_other_without_end_are_a_violation() {
    assert!(matches!(run_clockwork(Duration::from_nanos(1)), Err(Breach::Spins { .. })));
}

/// A machine that answers each datagram, or never stops to send.
struct Parrot {
    outbox: Vec<Transmit>,
    endless: bool,
}

impl Node for Parrot {
    fn handle_datagram(&mut self, datagram: Datagram<'_>, _now: Instant) {
        let five_tuple = datagram.five_tuple;
        self.outbox.push(Transmit { five_tuple, payload: datagram.payload.into() });
    }

    fn handle_timeout(&mut self, _now: Instant) {}

    fn poll_transmit(&mut self) -> Option<Transmit> {
        if self.endless { self.outbox.last().cloned() } else { self.outbox.pop() }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

fn run_parrots(endless: bool) -> Option<Breach> {
    let mut world = World::new(1);
    let lan = world.nat("lan", NatConfig::full_cone());
    let parrot = || Parrot { outbox: Vec::new(), endless };
    let [left, right] = ["left", "right"].map(|name| world.host(name).on(lan).start(parrot()));
    let five_tuple = FiveTuple::udp(world.endpoint(left, 1), world.endpoint(right, 1));
    world.with(left, |parrot, _| {
        parrot.outbox.push(Transmit { five_tuple, payload: b"hello"[..].into() });
    });
    let ran = world.try_run_until(Instant::from_millis(1));
    assert_eq!(world.now(), Instant::ZERO);
    ran.err().map(|violation| violation.breach)
}

#[test]
fn output_without_end_is_a_violation() {
    assert!(matches!(run_parrots(true), Some(Breach::Floods { .. })));
}

#[test]
fn answers_without_end_while_no_time_passes_are_a_violation() {
    assert!(matches!(run_parrots(false), Some(Breach::StandsStill { .. })));
}

#[test]
#[should_panic(expected = "clock at 0.005000s: the deadline 0.005000s is still due")]
fn running_panics_with_the_violation() {
    let mut world = World::new(1);
    let deadline = Instant::from_millis(5);
    world.host("clock").start(Clockwork { deadline, step: Duration::ZERO });
    world.run_for(Duration::from_secs(1));
}
