//! Which NATs can be traversed by hole punching, and that no packet is ever unaccounted for.

#![allow(clippy::indexing_slicing)]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{Peer, mapped};
use pinhole_netsim::{
    Behavior, Conditions, Family, FirewallConfig, Hairpin, HostId, NatConfig, PortAllocation,
    PortPolicy, World,
};

/// Two hosts that know each other's address as a server sees it send to it, and then to where packets
/// come from, a few times. Whether both hear each other in the end.
fn punch(world: &mut World, left: HostId<Peer>, right: HostId<Peer>) -> bool {
    let server = world.host("server").start(Peer::default());
    let seen = [left, right].map(|host| mapped(world, host, 5000, (server, 3478)));
    let mut targets = [(left, seen[1]), (right, seen[0])];
    for _ in 0..4 {
        for (host, target) in targets {
            let local = world.endpoint(host, 5000);
            world.with(host, |peer, _| peer.send(local, target, b"punch"));
        }
        world.run_for(Duration::from_secs(1));
        for (host, target) in &mut targets {
            let received = &world.node(*host).received;
            *target = received.last().map_or(*target, |received| received.from);
        }
    }
    targets.iter().all(|(host, _)| !world.node(*host).received.is_empty())
}

fn punch_behind(left: NatConfig, right: NatConfig) -> bool {
    let mut world = World::new(3);
    let [left, right] = [("left", left), ("right", right)].map(|(name, config)| {
        let site = world.nat(name, config);
        world.host(name).on(site).start(Peer::default())
    });
    punch(&mut world, left, right)
}

/// What RFC 4787's behaviours alone say about it.
fn can_punch(left: &NatConfig, right: &NatConfig) -> bool {
    let is_stable = |nat: &NatConfig| nat.mapping == Behavior::EndpointIndependent;
    // A check to the address that the server saw. Behind a NAT that maps anew for each remote, that
    // address is open to the server only, unless to everybody. Otherwise it is open to where its owner
    // has sent, which is the other's real port if that is stable.
    let hears = |me: &NatConfig, peer: &NatConfig| match me.filtering {
        Behavior::EndpointIndependent => true,
        Behavior::AddressDependent => is_stable(me),
        Behavior::AddressAndPortDependent => is_stable(me) && is_stable(peer),
    };
    // The answer to a check, to the port that the check came from.
    let hears_answer = |me: &NatConfig, peer: &NatConfig| {
        me.filtering != Behavior::AddressAndPortDependent || is_stable(peer)
    };
    (hears(left, right) && hears_answer(right, left))
        || (hears(right, left) && hears_answer(left, right))
}

#[test]
fn hole_punching_works_where_the_behaviours_allow_it() {
    let behaviors = [
        Behavior::EndpointIndependent,
        Behavior::AddressDependent,
        Behavior::AddressAndPortDependent,
    ];
    let ports = PortPolicy { allocation: PortAllocation::Random, ..PortPolicy::default() };
    let configs: Vec<_> = behaviors
        .into_iter()
        .flat_map(|mapping| behaviors.map(|filtering| (mapping, filtering)))
        .map(|(mapping, filtering)| NatConfig {
            mapping,
            filtering,
            ports: ports.clone(),
            ..NatConfig::full_cone()
        })
        .collect();
    let mut failing = 0;
    for left in &configs {
        for right in &configs {
            let worked = punch_behind(left.clone(), right.clone());
            failing += u32::from(!worked);
            let names = [left, right].map(|nat| (nat.mapping, nat.filtering));
            assert_eq!(worked, can_punch(left, right), "{names:?}");
        }
    }
    assert!(failing > 0 && failing < 81);
}

#[test]
fn the_usual_types_traverse_as_the_field_says() {
    let types = [
        NatConfig::full_cone(),
        NatConfig::address_restricted(),
        NatConfig::port_restricted(),
        NatConfig::symmetric(),
    ];
    let table: Vec<String> = types
        .iter()
        .map(|left| {
            let row = types.iter().map(|right| punch_behind(left.clone(), right.clone()));
            row.map(|worked| if worked { '+' } else { '-' }).collect()
        })
        .collect();
    assert_eq!(table, ["++++", "++++", "+++-", "++--"]);
}

#[test]
fn two_homes_of_one_carrier_need_its_hairpin() {
    for hairpin in [Hairpin::ExternalSource, Hairpin::Off] {
        let mut world = World::new(3);
        let config = NatConfig { hairpin, ..NatConfig::carrier_grade() };
        let carrier = world.carrier("carrier", config);
        let [left, right] = ["left", "right"].map(|name| {
            let nat = world.gateway(name).nat(NatConfig::port_restricted());
            let home = nat.outside(carrier).build();
            world.host(name).on(home).start(Peer::default())
        });
        assert_eq!(punch(&mut world, left, right), hairpin == Hairpin::ExternalSource);
    }
}

#[test]
fn two_networks_of_one_nat_need_its_hairpin() {
    for hairpin in [Hairpin::ExternalSource, Hairpin::Off] {
        let mut world = World::new(3);
        let home = world.nat("home", NatConfig { hairpin, ..NatConfig::port_restricted() });
        let guests = world.another_lan(home);
        let left = world.host("left").on(home).start(Peer::default());
        let right = world.host("right").on(guests).start(Peer::default());
        let inside = world.endpoint(right, 5000);
        common::send(&mut world, left, 5000, inside);
        assert!(world.node(right).received.is_empty(), "no way inside");
        assert_eq!(punch(&mut world, left, right), hairpin == Hairpin::ExternalSource);
    }
}

#[test]
fn ipv6_firewalls_are_punched_like_port_restricted_nats() {
    let mut world = World::new(3);
    let [left, right] = ["left", "right"].map(|name| {
        let home = world.gateway(name).ipv6().firewall(FirewallConfig::stateful()).build();
        world.host(name).on(home).family(Family::V6).start(Peer::default())
    });
    let addresses = [left, right].map(|host| world.endpoint(host, 5000));
    for _ in 0..2 {
        for (host, local, remote) in
            [(left, addresses[0], addresses[1]), (right, addresses[1], addresses[0])]
        {
            world.with(host, |peer, _| peer.send(local, remote, b"punch"));
        }
        world.run_for(Duration::from_secs(1));
    }
    for host in [left, right] {
        assert!(!world.node(host).received.is_empty());
    }
}

#[test]
fn every_packet_is_received_or_dropped_for_a_reason() {
    for seed in 0..50 {
        let mut world = World::new(seed);
        let config = [
            NatConfig::full_cone(),
            NatConfig::address_restricted().without_hairpin(),
            NatConfig::symmetric(),
        ][usize::try_from(seed % 3).unwrap_or(0)]
        .clone();
        let link = Conditions { duplication: 0.0, ..Conditions::latency(Duration::from_millis(7)) }
            .with_loss(0.1)
            .with_jitter(Duration::from_millis(20));
        let isp = world.carrier("isp", config.clone());
        let home = world.gateway("home").nat(config).outside(isp).link(link.clone()).build();
        let hosts = [
            world.host("alice").on(home).start(Peer::default()),
            world.host("bob").on(home).link(link.clone()).start(Peer::reflector()),
            world.host("carol").link(link).start(Peer::reflector()),
            world.host("dave").start(Peer::default()),
        ];
        let mut known: Vec<SocketAddr> =
            hosts.iter().map(|&host| world.endpoint(host, 5000)).collect();
        for step in 0..200_usize {
            let host = hosts[step % 4];
            let remote = known[step * 7 % known.len()];
            let local = world.endpoint(host, 5000);
            world.with(host, |peer, _| peer.send(local, remote, b"x"));
            world.run_for(Duration::from_millis(10));
            let seen = &world.node(host).received;
            known.extend(seen.last().map(|received| received.from));
        }
        world.run_for(Duration::from_secs(10));
        let counts = hosts.map(|host| world.counters(host));
        let sent: u64 = counts.iter().map(|count| count.sent).sum();
        let received: u64 = counts.iter().map(|count| count.received).sum();
        assert_eq!(sent, received + world.drops().total(), "seed {seed}: {:?}", world.drops());
    }
}
