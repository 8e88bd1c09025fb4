//! Firewalls: IPv6 home routers as RFC 6092 has them by default, and offices that are stricter.

#![allow(clippy::indexing_slicing)]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{Peer, endpoint, mapped, send, sources, stream};
use pinhole_netsim::{
    DropReason, Egress, Family, FirewallConfig, HostId, IcmpKind, Lifetimes, NatConfig,
    StreamCommand, StreamEvent, World,
};

/// An IPv6 host behind a firewall and two outside.
fn guarded(config: FirewallConfig) -> (World, [HostId<Peer>; 3]) {
    let mut world = World::new(6092);
    let home = world.gateway("home").ipv6().firewall(config).build();
    let alice = world.host("alice").on(home).family(Family::V6).start(Peer::default());
    let [bob, carol] =
        ["bob", "carol"].map(|name| world.host(name).family(Family::V6).start(Peer::default()));
    (world, [alice, bob, carol])
}

#[test]
fn unasked_packets_stay_out_and_answers_come_in() {
    let (mut world, [alice, bob, carol]) = guarded(FirewallConfig::stateful());
    let inside = endpoint(&world, alice, 5000);
    send(&mut world, bob, 1, inside);
    assert_eq!(world.drops().of(DropReason::Firewalled), 1);
    assert_eq!(mapped(&mut world, alice, 5000, (bob, 1)), inside, "addresses are not translated");
    send(&mut world, bob, 1, inside);
    send(&mut world, bob, 2, inside);
    send(&mut world, carol, 1, inside);
    assert_eq!(sources(&mut world, alice), [endpoint(&world, bob, 1)]);
}

#[test]
fn endpoint_independent_filtering_lets_everybody_reach_who_has_sent() {
    let (mut world, [alice, bob, carol]) = guarded(FirewallConfig::endpoint_independent());
    let inside = mapped(&mut world, alice, 5000, (bob, 1));
    send(&mut world, carol, 9, inside);
    assert_eq!(sources(&mut world, alice), [endpoint(&world, carol, 9)]);
    let other = endpoint(&world, alice, 5001);
    send(&mut world, carol, 9, other);
    assert!(sources(&mut world, alice).is_empty());
}

#[test]
fn an_opening_closes_after_its_lifetime() {
    let (mut world, [alice, bob, _]) = guarded(FirewallConfig::stateful());
    let inside = mapped(&mut world, alice, 5000, (bob, 1));
    world.run_for(Duration::from_secs(290));
    send(&mut world, bob, 1, inside);
    assert_eq!(sources(&mut world, alice).len(), 1);
    world.run_for(Duration::from_secs(10));
    send(&mut world, bob, 1, inside);
    assert!(sources(&mut world, alice).is_empty());
}

#[test]
fn errors_about_what_was_asked_come_in_and_others_do_not() {
    let (mut world, [alice, bob, _]) = guarded(FirewallConfig::stateful());
    world.with(bob, |peer, _| peer.closed.push(7));
    let remote = endpoint(&world, bob, 7);
    send(&mut world, alice, 5000, remote);
    assert_eq!(world.node(alice).errors[0].kind, IcmpKind::PortUnreachable);
    assert_eq!(world.node(alice).errors[0].five_tuple.remote, remote);
}

#[test]
fn a_firewall_that_tells_says_prohibited() {
    let (mut world, [alice, bob, _]) =
        guarded(FirewallConfig { tells: true, ..FirewallConfig::stateful() });
    let inside = endpoint(&world, alice, 5000);
    send(&mut world, bob, 1, inside);
    assert_eq!(world.node(bob).errors[0].kind, IcmpKind::Prohibited);
    assert_eq!(world.node(bob).errors[0].five_tuple.remote, inside);
}

#[test]
fn a_firewall_behind_a_nat_names_the_external_address_to_who_is_refused() {
    let mut world = World::new(1);
    let firewall = FirewallConfig { tells: true, ..FirewallConfig::stateful() };
    let home = world.gateway("home").nat(NatConfig::full_cone()).firewall(firewall).build();
    let alice = world.host("alice").on(home).start(Peer::default());
    let [bob, carol] = ["bob", "carol"].map(|name| world.host(name).start(Peer::default()));
    let external = mapped(&mut world, alice, 5000, (bob, 1));
    send(&mut world, carol, 1, external);
    assert_eq!(world.node(carol).errors[0].five_tuple.remote, external);
}

#[test]
fn an_error_that_comes_after_the_opening_has_closed_stays_out() {
    let brief = Lifetimes { udp: Duration::from_millis(30), ..Lifetimes::default() };
    let (mut world, [alice, bob, _]) =
        guarded(FirewallConfig { lifetimes: brief, ..FirewallConfig::stateful() });
    world.with(bob, |peer, _| peer.closed.push(7));
    let remote = endpoint(&world, bob, 7);
    send(&mut world, alice, 5000, remote);
    assert!(world.node(alice).errors.is_empty());
    assert_eq!(world.drops().of(DropReason::Firewalled), 1);
}

/// Whether UDP, TCP to port 80 and TCP to port 443 work out of an office with this firewall.
fn what_works(config: FirewallConfig) -> [bool; 3] {
    let mut world = World::new(443);
    let office = world.gateway("office").nat(NatConfig::port_restricted()).firewall(config).build();
    let alice = world.host("alice").on(office).start(Peer::default());
    let server = world.host("server").start(Peer::reflector());
    let remote = endpoint(&world, server, 3478);
    send(&mut world, alice, 5000, remote);
    let udp = !sources(&mut world, alice).is_empty();
    let tcp = [80, 443].map(|port| {
        let path = stream(&world, (alice, 5000), (server, port));
        let listener: SocketAddr = path.remote;
        world.with(server, |peer, _| peer.command(StreamCommand::Listen(listener)));
        world.with(alice, |peer, _| peer.command(StreamCommand::Connect(path)));
        world.run_for(Duration::from_secs(2));
        world.node(alice).events.contains(&StreamEvent::Connected(path))
    });
    [udp, tcp[0], tcp[1]]
}

#[test]
fn offices_block_udp_or_all_but_tcp_443() {
    assert_eq!(what_works(FirewallConfig::stateful()), [true, true, true]);
    assert_eq!(what_works(FirewallConfig::udp_blocked()), [false, true, true]);
    assert_eq!(what_works(FirewallConfig::only_tcp_443()), [false, false, true]);
    let egress = Egress::OnlyTcp(vec![80]);
    let only_80 = FirewallConfig { egress, ..FirewallConfig::stateful() };
    assert_eq!(what_works(only_80), [false, true, false]);
}

#[test]
fn a_dual_stack_home_translates_one_family_and_guards_the_other() {
    let mut world = World::new(46);
    let home = world
        .gateway("home")
        .nat(NatConfig::full_cone())
        .ipv6()
        .firewall(FirewallConfig { guards: Family::V6, ..FirewallConfig::stateful() })
        .build();
    let alice = world.host("alice").on(home).family(Family::Dual).start(Peer::default());
    let bob = world.host("bob").family(Family::Dual).start(Peer::default());
    let [v4, v6] =
        [0, 1].map(|i| [alice, bob].map(|host| SocketAddr::new(world.addresses(host)[i], 5000)));
    for [local, remote] in [v4, v6] {
        world.with(alice, |peer, _| peer.send(local, remote, b"hello"));
    }
    world.run_for(Duration::from_secs(1));
    let external = SocketAddr::new(world.external_addresses(home.gateway)[0], 5000);
    assert_eq!(sources(&mut world, bob), [external, v6[0]]);
    // From another port of Bob: the full cone lets it in, the firewall does not.
    for [to, local] in [[external, v4[1]], [v6[0], v6[1]]] {
        let local = SocketAddr::new(local.ip(), 9);
        world.with(bob, |peer, _| peer.send(local, to, b"hello"));
    }
    world.run_for(Duration::from_secs(1));
    assert_eq!(sources(&mut world, alice), [SocketAddr::new(v4[1].ip(), 9)]);
}

#[test]
fn ipv6_passes_two_routers() {
    let mut world = World::new(2);
    let isp = world.gateway("isp").ipv6().build();
    let home = world.gateway("home").ipv6().outside(isp).build();
    let alice = world.host("alice").on(home).family(Family::V6).start(Peer::default());
    let bob = world.host("bob").family(Family::V6).start(Peer::default());
    let inside = mapped(&mut world, alice, 5000, (bob, 1));
    assert_eq!(inside, endpoint(&world, alice, 5000));
    send(&mut world, bob, 1, inside);
    assert_eq!(sources(&mut world, alice).len(), 1);
}
