//! RFC 4787, requirement by requirement.

#![allow(clippy::indexing_slicing)]

mod common;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use common::{Peer, endpoint, mapped, send, sources};
use pinhole_netsim::{
    Behavior, Conditions, Direction, DropReason, Hairpin, HostId, IcmpKind, Lifetimes, Mtu,
    NatConfig, Pooling, PortAllocation, PortPolicy, Prefix, Site, World,
};

/// A host behind a NAT and two public ones.
struct Lab {
    world: World,
    home: Site,
    alice: HostId<Peer>,
    bob: HostId<Peer>,
    carol: HostId<Peer>,
}

impl Lab {
    fn new(config: NatConfig) -> Self {
        let mut world = World::new(4787);
        let home = world.nat("home", config);
        let alice = world.host("alice").on(home).start(Peer::default());
        let bob = world.host("bob").start(Peer::default());
        let carol = world.host("carol").start(Peer::default());
        Self { world, home, alice, bob, carol }
    }

    fn mapped(&mut self, port: u16, to: (HostId<Peer>, u16)) -> SocketAddr {
        mapped(&mut self.world, self.alice, port, to)
    }

    /// Whether a datagram from outside reaches Alice through her external address.
    fn gets_in(&mut self, from: (HostId<Peer>, u16), external: SocketAddr) -> bool {
        send(&mut self.world, from.0, from.1, external);
        !sources(&mut self.world, self.alice).is_empty()
    }
}

const BEHAVIORS: [Behavior; 3] =
    [Behavior::EndpointIndependent, Behavior::AddressDependent, Behavior::AddressAndPortDependent];

fn with_ports(ports: PortPolicy) -> NatConfig {
    NatConfig { ports, ..NatConfig::full_cone() }
}

fn with_lifetimes(lifetimes: Lifetimes) -> NatConfig {
    NatConfig { lifetimes, ..NatConfig::full_cone() }
}

#[test]
fn req_1_mapping_depends_on_nothing_the_address_or_the_port() {
    for mapping in BEHAVIORS {
        let ports = PortPolicy { allocation: PortAllocation::Random, ..PortPolicy::default() };
        let mut lab = Lab::new(NatConfig { mapping, ports, ..NatConfig::full_cone() });
        let first = lab.mapped(5000, (lab.bob, 1));
        assert_eq!(lab.mapped(5000, (lab.bob, 1)), first);
        let other_port = lab.mapped(5000, (lab.bob, 2)) == first;
        let other_address = lab.mapped(5000, (lab.carol, 1)) == first;
        assert_eq!(other_port, mapping != Behavior::AddressAndPortDependent, "{mapping:?}");
        assert_eq!(other_address, mapping == Behavior::EndpointIndependent, "{mapping:?}");
    }
}

#[test]
fn req_2_pooling_is_paired_or_arbitrary() {
    for pooling in [Pooling::Paired, Pooling::Arbitrary] {
        let mut world = World::new(2);
        let config = NatConfig { pooling, ..NatConfig::full_cone() };
        let pool = [1, 2, 3, 4].map(|n| IpAddr::from([203, 0, 113, 100 + n]));
        let gateway = world.gateway("home").nat(config);
        let home = pool.into_iter().fold(gateway, |gateway, ip| gateway.external(ip)).build();
        let alice = world.host("alice").on(home).start(Peer::default());
        let bob = world.host("bob").start(Peer::default());
        let first = mapped(&mut world, alice, 5000, (bob, 1)).ip();
        let paired =
            (5001..5020).all(|port| mapped(&mut world, alice, port, (bob, 1)).ip() == first);
        assert_eq!(paired, pooling == Pooling::Paired);
    }
}

#[test]
fn req_3_ports_are_never_overloaded() {
    let mut lab = Lab::new(NatConfig::full_cone());
    let dave = lab.world.host("dave").on(lab.home).start(Peer::default());
    let of_alice = lab.mapped(5000, (lab.bob, 1));
    let of_dave = mapped(&mut lab.world, dave, 5000, (lab.bob, 1));
    assert_eq!(of_alice.port(), 5000);
    assert_ne!(of_dave.port(), 5000);
    assert_eq!(of_alice.ip(), of_dave.ip());
}

#[test]
fn req_3a_ports_keep_their_range() {
    let allocations =
        [PortAllocation::Preserving, PortAllocation::Sequential, PortAllocation::Random];
    for allocation in allocations {
        let mut lab = Lab::new(with_ports(PortPolicy { allocation, ..PortPolicy::default() }));
        for port in 1..40 {
            assert!(lab.mapped(port, (lab.bob, 1)).port() < 1024);
            assert!(lab.mapped(1024 + port, (lab.bob, 1)).port() >= 1024);
        }
    }
}

#[test]
fn req_4_parity_is_preserved() {
    let ports = PortPolicy { allocation: PortAllocation::Random, ..PortPolicy::default() };
    let mut lab = Lab::new(with_ports(ports.clone()));
    for port in 5000..5040 {
        assert_eq!(lab.mapped(port, (lab.bob, 1)).port() % 2, port % 2);
    }
    let mut lab = Lab::new(with_ports(PortPolicy { parity: false, ..ports }));
    assert!((5000..5040).any(|port| lab.mapped(port, (lab.bob, 1)).port() % 2 != port % 2));
}

#[test]
fn section_4_2_3_contiguity_keeps_neighbours_together() {
    let allocation = PortAllocation::Random;
    let ports = PortPolicy { allocation, contiguity: true, ..PortPolicy::default() };
    let mut lab = Lab::new(with_ports(ports));
    for rtp in (5000..5040).step_by(2) {
        let external = lab.mapped(rtp, (lab.bob, 1)).port();
        assert_eq!(lab.mapped(rtp + 1, (lab.bob, 1)).port(), external + 1);
    }
}

#[test]
fn sequential_ports_count_up() {
    let mut lab = Lab::new(NatConfig::symmetric_sequential());
    let first = lab.mapped(5000, (lab.bob, 1)).port();
    for step in 1..10 {
        assert_eq!(lab.mapped(5000, (lab.bob, 1 + step)).port(), first + step);
    }
    lab.world.reboot(lab.home.gateway);
    assert_eq!(lab.mapped(5000, (lab.bob, 1)).port(), first);
}

#[test]
fn exhausted_ports_drop_packets_until_a_mapping_expires() {
    let ports = PortPolicy { range: 2000..=2003, parity: false, ..PortPolicy::default() };
    let mut lab = Lab::new(with_ports(ports));
    for port in 0..4 {
        lab.mapped(5000 + port, (lab.bob, 1));
    }
    assert_eq!(lab.world.mappings(lab.home.gateway), 4);
    let bob = endpoint(&lab.world, lab.bob, 1);
    send(&mut lab.world, lab.alice, 5004, bob);
    assert_eq!(lab.world.drops().of(DropReason::PortsExhausted), 1);
    assert!(sources(&mut lab.world, lab.bob).is_empty());
    lab.world.run_for(Duration::from_secs(300));
    lab.mapped(5004, (lab.bob, 1));
}

#[test]
fn req_5_a_mapping_lives_for_its_lifetime_and_no_longer() {
    let lifetime = Duration::from_secs(120);
    let mut lab = Lab::new(with_lifetimes(Lifetimes { udp: lifetime, ..Lifetimes::default() }));
    let sent_at = lab.world.now();
    let external = lab.mapped(5000, (lab.bob, 1));
    // The datagram from Bob takes the 20 ms of two links to reach the NAT, as Alice's took none.
    lab.world.run_until(sent_at + (lifetime - Duration::from_millis(21)));
    assert!(lab.gets_in((lab.bob, 1), external));

    let sent_at = lab.world.now();
    assert_eq!(lab.mapped(5000, (lab.bob, 1)), external);
    lab.world.run_until(sent_at + (lifetime - Duration::from_millis(20)));
    assert!(!lab.gets_in((lab.bob, 1), external));
    assert_eq!(lab.world.drops().of(DropReason::NoMapping), 1);
}

#[test]
fn req_6_outbound_packets_refresh_a_mapping_and_inbound_ones_only_when_asked() {
    for refresh_inbound in [false, true] {
        let mut lab =
            Lab::new(with_lifetimes(Lifetimes { refresh_inbound, ..Lifetimes::default() }));
        let external = lab.mapped(5000, (lab.bob, 1));
        lab.world.run_for(Duration::from_secs(290));
        assert_eq!(lab.mapped(5000, (lab.bob, 1)), external, "refreshed by outbound");
        lab.world.run_for(Duration::from_secs(290));
        assert!(lab.gets_in((lab.bob, 1), external));
        lab.world.run_for(Duration::from_secs(290));
        assert_eq!(lab.gets_in((lab.bob, 1), external), refresh_inbound);
    }
}

#[test]
fn rfc_7857_section_7_what_is_filtered_refreshes_nothing() {
    let config = NatConfig {
        lifetimes: Lifetimes { refresh_inbound: true, ..Lifetimes::default() },
        ..NatConfig::address_restricted()
    };
    let mut lab = Lab::new(config);
    let external = lab.mapped(5000, (lab.bob, 1));
    lab.world.run_for(Duration::from_secs(200));
    assert!(!lab.gets_in((lab.carol, 1), external));
    lab.world.run_for(Duration::from_secs(100));
    assert!(!lab.gets_in((lab.bob, 1), external));
}

#[test]
fn req_7_equal_addresses_inside_and_outside_do_not_conflict() {
    let mut world = World::new(7);
    let lan = Prefix::new([192, 168, 1, 0].into(), 24);
    let isp = world.gateway("isp").nat(NatConfig::full_cone()).inside(lan).build();
    let home = world.gateway("home").nat(NatConfig::full_cone()).outside(isp).inside(lan).build();
    let alice = world.host("alice").on(home).start(Peer::default());
    let bob = world.host("bob").start(Peer::default());
    let seen = mapped(&mut world, alice, 5000, (bob, 1));
    assert_eq!(seen.ip(), world.external_addresses(isp.gateway)[0]);
    send(&mut world, bob, 1, seen);
    assert_eq!(sources(&mut world, alice), [endpoint(&world, bob, 1)]);
}

#[test]
fn req_8_filtering_depends_on_nothing_the_address_or_the_port() {
    for filtering in BEHAVIORS {
        let mut lab = Lab::new(NatConfig { filtering, ..NatConfig::full_cone() });
        let external = lab.mapped(5000, (lab.bob, 1));
        assert!(lab.gets_in((lab.bob, 1), external), "the peer itself always may");
        let other_port = lab.gets_in((lab.bob, 2), external);
        let other_address = lab.gets_in((lab.carol, 1), external);
        assert_eq!(other_port, filtering != Behavior::AddressAndPortDependent, "{filtering:?}");
        assert_eq!(other_address, filtering == Behavior::EndpointIndependent, "{filtering:?}");
    }
}

#[test]
fn req_9_hairpinning_shows_the_external_or_the_internal_source_or_fails() {
    for hairpin in [Hairpin::ExternalSource, Hairpin::InternalSource, Hairpin::Off] {
        let mut lab = Lab::new(NatConfig { hairpin, ..NatConfig::full_cone() });
        let dave = lab.world.host("dave").on(lab.home).start(Peer::default());
        let of_dave = mapped(&mut lab.world, dave, 6000, (lab.bob, 1));
        let of_alice = lab.mapped(5000, (lab.bob, 1));
        send(&mut lab.world, lab.alice, 5000, of_dave);
        let expected = match hairpin {
            Hairpin::ExternalSource => vec![of_alice],
            Hairpin::InternalSource => vec![endpoint(&lab.world, lab.alice, 5000)],
            Hairpin::Off => vec![],
        };
        assert_eq!(sources(&mut lab.world, dave), expected);
    }
}

#[test]
fn req_9_hairpinned_packets_meet_the_filter() {
    let mut lab = Lab::new(NatConfig::port_restricted());
    let dave = lab.world.host("dave").on(lab.home).start(Peer::default());
    let of_dave = mapped(&mut lab.world, dave, 6000, (lab.bob, 1));
    let of_alice = lab.mapped(5000, (lab.bob, 1));
    send(&mut lab.world, lab.alice, 5000, of_dave);
    assert!(sources(&mut lab.world, dave).is_empty());
    send(&mut lab.world, dave, 6000, of_alice);
    assert_eq!(sources(&mut lab.world, lab.alice), [of_dave]);
}

#[test]
fn req_10_payloads_are_never_rewritten() {
    let mut lab = Lab::new(NatConfig::full_cone());
    let local = endpoint(&lab.world, lab.alice, 5000);
    let remote = endpoint(&lab.world, lab.bob, 1);
    let IpAddr::V4(ip) = local.ip() else { unreachable!("alice has an IPv4 address") };
    let text = local.to_string();
    let payload = [&ip.octets()[..], &local.port().to_be_bytes(), text.as_bytes()];
    lab.world.with(lab.alice, |peer, _| peer.send(local, remote, &payload.concat()));
    lab.world.run_for(Duration::from_secs(1));
    assert_eq!(lab.world.node(lab.bob).received[0].payload, payload.concat());
}

#[test]
fn req_11_behaviour_stays_when_ports_conflict() {
    let mut lab = Lab::new(NatConfig::port_restricted());
    let dave = lab.world.host("dave").on(lab.home).start(Peer::default());
    lab.mapped(5000, (lab.bob, 1));
    let first = mapped(&mut lab.world, dave, 5000, (lab.bob, 1));
    assert_ne!(first.port(), 5000);
    assert_eq!(mapped(&mut lab.world, dave, 5000, (lab.carol, 9)), first);
}

#[test]
fn req_12_icmp_reaches_the_sender_and_ends_no_mapping() {
    let mut lab = Lab::new(NatConfig::port_restricted());
    let external = lab.mapped(5000, (lab.bob, 1));
    lab.world.with(lab.bob, |peer, _| peer.closed.push(1));
    let (local, remote) = (endpoint(&lab.world, lab.alice, 5000), endpoint(&lab.world, lab.bob, 1));
    send(&mut lab.world, lab.alice, 5000, remote);
    let errors = &lab.world.node(lab.alice).errors;
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].kind, IcmpKind::PortUnreachable);
    assert_eq!((errors[0].five_tuple.local, errors[0].five_tuple.remote), (local, remote));
    lab.world.with(lab.bob, |peer, _| peer.closed.clear());
    assert_eq!(lab.mapped(5000, (lab.bob, 1)), external);
}

#[test]
fn req_12_icmp_from_the_inside_names_the_external_address() {
    let mut lab = Lab::new(NatConfig::full_cone());
    let external = lab.mapped(5000, (lab.bob, 1));
    lab.world.with(lab.alice, |peer, _| peer.closed.push(5000));
    send(&mut lab.world, lab.bob, 1, external);
    let errors = &lab.world.node(lab.bob).errors;
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].five_tuple.remote, external);
    assert_eq!(errors[0].reporter, external.ip());
}

#[test]
fn req_13_a_packet_too_big_for_the_outside_is_told_to_the_sender() {
    let mut lab = Lab::new(NatConfig::full_cone());
    let mtu = Some(Mtu { bytes: 576, tells: true });
    let conditions = Conditions { mtu, ..Conditions::latency(Duration::from_millis(10)) };
    lab.world.set_conditions(lab.home.link, Direction::Up, conditions);
    let (local, remote) = (endpoint(&lab.world, lab.alice, 5000), endpoint(&lab.world, lab.bob, 1));
    for length in [548, 549] {
        lab.world.with(lab.alice, |peer, _| peer.send(local, remote, &vec![0; length]));
    }
    lab.world.run_for(Duration::from_secs(1));
    assert_eq!(lab.world.node(lab.bob).received.len(), 1);
    let errors = &lab.world.node(lab.alice).errors;
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].kind, IcmpKind::PacketTooBig { mtu: 576 });
    assert_eq!(errors[0].five_tuple.local, local);
}
