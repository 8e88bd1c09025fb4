//! Hosts that crash, restart, sleep, jump, crawl and roam.

#![allow(clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use common::{Peer, endpoint, mapped, send, sources};
use pinhole_netsim::{DropReason, Family, HostId, Inbox, NatConfig, Node, World};
use pinhole_sansio::{Datagram, Instant, Transmit};

const SECOND: Duration = Duration::from_secs(1);

/// A machine with a deadline every second that notes when it was called.
#[derive(Default)]
struct Ticker {
    deadline: Instant,
    ticks: Vec<Instant>,
}

impl Node for Ticker {
    fn handle_datagram(&mut self, _datagram: Datagram<'_>, _now: Instant) {}

    fn handle_timeout(&mut self, now: Instant) {
        self.ticks.push(now);
        self.deadline = now + SECOND;
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Some(self.deadline)
    }
}

fn ticker() -> (World, HostId<Ticker>) {
    let mut world = World::new(1);
    let ticker = world.host("ticker").start(Ticker { deadline: at(1_000), ticks: Vec::new() });
    (world, ticker)
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn pair() -> (World, HostId<Peer>, HostId<Peer>) {
    let mut world = World::new(1);
    let alice = world.host("alice").start(Peer::default());
    let bob = world.host("bob").start(Peer::default());
    (world, alice, bob)
}

#[test]
fn a_crashed_host_is_silent_until_it_restarts_without_memory() {
    let (mut world, alice, bob) = pair();
    let remote = endpoint(&world, bob, 1);
    send(&mut world, alice, 1, remote);
    world.crash(bob);
    send(&mut world, alice, 1, remote);
    assert_eq!(world.node(bob).received.len(), 1);
    assert_eq!(world.drops().of(DropReason::HostDown), 1);
    world.restart(bob, Peer::default());
    assert!(world.node(bob).received.is_empty());
    send(&mut world, alice, 1, remote);
    assert_eq!(world.node(bob).received.len(), 1);
}

#[test]
fn a_crashed_machine_misses_its_deadlines_and_a_restarted_one_keeps_its_own() {
    let (mut world, ticker) = ticker();
    world.run_for(SECOND * 2);
    world.crash(ticker);
    world.run_for(SECOND * 10);
    assert_eq!(world.node(ticker).ticks, [at(1_000), at(2_000)]);
    world.restart(ticker, Ticker { deadline: at(12_500), ticks: Vec::new() });
    world.run_for(SECOND * 2);
    assert_eq!(world.node(ticker).ticks, [at(12_500), at(13_500)]);
}

#[test]
fn a_suspended_machine_is_late_and_then_goes_on() {
    let (mut world, ticker) = ticker();
    world.run_until(at(1_500));
    world.suspend(ticker, SECOND * 4, Inbox::Lost);
    world.run_for(SECOND * 6);
    assert_eq!(world.node(ticker).ticks, [at(1_000), at(5_500), at(6_500), at(7_500)]);
}

#[test]
fn packets_for_a_suspended_host_are_lost_or_wait() {
    for (inbox, expected) in [(Inbox::Lost, 0), (Inbox::Kept, 3)] {
        let (mut world, alice, bob) = pair();
        world.suspend(bob, SECOND * 10, inbox);
        let remote = endpoint(&world, bob, 1);
        for port in 1..=3 {
            send(&mut world, alice, port, remote);
        }
        assert!(world.node(bob).received.is_empty());
        world.run_for(SECOND * 10);
        let received = &world.node(bob).received;
        assert_eq!(received.len(), expected);
        assert!(received.iter().all(|received| received.at == at(10_000)));
        assert!(received.iter().map(|received| received.from.port()).is_sorted());
    }
}

#[test]
fn a_clock_that_jumps_makes_the_deadline_due() {
    let (mut world, ticker) = ticker();
    world.run_until(at(1_500));
    world.jump_clock(ticker, SECOND * 100);
    world.run_for(SECOND);
    assert_eq!(world.node(ticker).ticks, [at(1_000), at(101_500), at(102_500)]);
    assert_eq!(world.with(ticker, |_, now| now), at(102_500));
    assert_eq!(world.now(), at(2_500));
}

#[test]
fn a_slow_host_takes_its_time_for_each_packet_and_deadline() {
    let (mut world, alice, bob) = pair();
    world.slow_down(bob, SECOND);
    let (local, remote) = (endpoint(&world, alice, 1), endpoint(&world, bob, 1));
    world.with(alice, |peer, _| (0..3).for_each(|_| peer.send(local, remote, b"hello")));
    world.run_for(SECOND * 10);
    let times: Vec<_> = world.node(bob).received.iter().map(|received| received.at).collect();
    assert_eq!(times, [at(1_020), at(2_020), at(3_020)]);

    let (mut world, ticker) = ticker();
    world.slow_down(ticker, SECOND / 2);
    world.run_until(at(4_000));
    assert_eq!(world.node(ticker).ticks, [at(1_000), at(2_500), at(4_000)]);
}

#[test]
fn a_slow_host_that_is_suspended_keeps_or_loses_what_waits() {
    for (inbox, expected) in [(Inbox::Lost, vec![]), (Inbox::Kept, vec![at(11_000)])] {
        let (mut world, alice, bob) = pair();
        world.slow_down(bob, SECOND);
        let (local, remote) = (endpoint(&world, alice, 1), endpoint(&world, bob, 1));
        world.with(alice, |peer, _| peer.send(local, remote, b"hello"));
        world.run_until(at(500));
        world.suspend(bob, Duration::from_millis(10_500), inbox);
        world.run_for(SECOND * 20);
        let times: Vec<_> = world.node(bob).received.iter().map(|received| received.at).collect();
        assert_eq!(times, expected);
    }
}

#[test]
fn a_roaming_host_has_no_network_and_then_another_one() {
    let mut world = World::new(1);
    let wifi = world.nat("wifi", NatConfig::port_restricted());
    let mobile = world.carrier("mobile", NatConfig::carrier_grade());
    let alice = world.host("alice").on(wifi).start(Peer::default());
    let bob = world.host("bob").start(Peer::default());
    let over_wifi = mapped(&mut world, alice, 5000, (bob, 1));
    let old = endpoint(&world, alice, 5000);

    let link = world.links(alice)[0];
    world.roam(alice, link, mobile, SECOND * 3);
    assert_eq!(world.node(alice).addresses, Some(vec![]));
    send(&mut world, bob, 1, over_wifi);
    assert!(sources(&mut world, alice).is_empty());
    let remote = endpoint(&world, bob, 1);
    world.with(alice, |peer, _| peer.send(old, remote, b"from the old address"));
    assert_eq!(world.drops().of(DropReason::NoSuchSource), 1);

    world.run_for(SECOND * 3);
    assert_eq!(world.node(alice).addresses, Some(world.addresses(alice)));
    let over_mobile = mapped(&mut world, alice, 5000, (bob, 1));
    assert_eq!(over_mobile.ip(), world.external_addresses(mobile.gateway)[0]);
}

#[test]
fn a_packet_under_way_to_an_interface_that_goes_is_lost() {
    let (mut world, alice, bob) = pair();
    let (local, remote) = (endpoint(&world, alice, 1), endpoint(&world, bob, 1));
    world.with(alice, |peer, _| peer.send(local, remote, b"hello"));
    world.run_for(Duration::from_millis(15));
    let link = world.links(bob)[0];
    world.detach(bob, link);
    world.run_for(SECOND);
    assert_eq!(world.drops().of(DropReason::HostDown), 1);
}

#[test]
fn interfaces_come_and_addresses_change() {
    let (mut world, alice, bob) = pair();
    let lan = world.nat("lan", NatConfig::full_cone());
    world.attach(alice, lan, Family::V4);
    assert_eq!(world.addresses(alice).len(), 2);
    assert_eq!(world.node(alice).addresses, Some(world.addresses(alice)));

    let link = world.links(bob)[0];
    let old = endpoint(&world, bob, 1);
    let new = "203.0.113.77".parse().unwrap();
    world.set_addresses(bob, link, &[new]);
    assert_eq!(world.node(bob).addresses, Some(vec![new]));
    send(&mut world, alice, 1, old);
    assert_eq!(world.drops().of(DropReason::NoRoute), 1);
    let moved = endpoint(&world, bob, 1);
    send(&mut world, alice, 1, moved);
    assert_eq!(sources(&mut world, bob).len(), 1);
}
