//! RFC 5382 and RFC 7857: what NATs do to TCP.

#![allow(clippy::indexing_slicing)]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{Peer, stream};
use pinhole_netsim::{
    Behavior, CloseReason, Conditions, Direction, DropReason, HostId, IcmpKind, Lifetimes, Mtu,
    NatConfig, Site, StreamCommand, StreamEvent, UnsolicitedSyn, World,
};
use pinhole_sansio::{FiveTuple, Transport};

/// A host behind a NAT and two public ones that listen on ports 80 and 81.
struct Lab {
    world: World,
    home: Site,
    alice: HostId<Peer>,
    bob: HostId<Peer>,
    carol: HostId<Peer>,
}

impl Lab {
    fn new(config: NatConfig) -> Self {
        let mut world = World::new(5382);
        let home = world.nat("home", config);
        let alice = world.host("alice").on(home).start(Peer::default());
        let bob = world.host("bob").start(Peer::reflector());
        let carol = world.host("carol").start(Peer::reflector());
        for host in [bob, carol] {
            for port in [80, 81] {
                let local = SocketAddr::new(world.addresses(host)[0], port);
                world.with(host, |peer, _| peer.command(StreamCommand::Listen(local)));
            }
        }
        Self { world, home, alice, bob, carol }
    }

    fn run(&mut self, seconds: u64) {
        self.world.run_for(Duration::from_secs(seconds));
    }

    /// Connects Alice's port 5000 and gives the path of both sides.
    fn connect(&mut self, to: (HostId<Peer>, u16)) -> (FiveTuple, FiveTuple) {
        let path = stream(&self.world, (self.alice, 5000), to);
        self.command(self.alice, StreamCommand::Connect(path));
        self.run(1);
        assert_eq!(self.last_event(self.alice), Some(&StreamEvent::Connected(path)));
        match self.last_event(to.0) {
            Some(&StreamEvent::Accepted(accepted)) => (path, accepted),
            other => panic!("the server accepts, but it has {other:?}"),
        }
    }

    fn command(&mut self, host: HostId<Peer>, command: StreamCommand) {
        self.world.with(host, |peer, _| peer.command(command));
    }

    fn last_event(&self, host: HostId<Peer>) -> Option<&StreamEvent> {
        self.world.node(host).events.last()
    }

    /// Whether bytes still go from Alice to the server and back.
    fn is_alive(&mut self, path: FiveTuple) -> bool {
        self.world.with(self.alice, |peer, _| {
            peer.events.clear();
            peer.write(path, b"ping");
        });
        self.run(2);
        self.world.node(self.alice).streamed() == b"ping"
    }

    fn knock(&mut self, external: SocketAddr) -> FiveTuple {
        let local = SocketAddr::new(self.world.addresses(self.carol)[0], 7000);
        let path = FiveTuple { transport: Transport::Tcp, local, remote: external };
        self.command(self.carol, StreamCommand::Connect(path));
        path
    }
}

#[test]
fn req_1_mapping_is_as_for_udp() {
    for mapping in [Behavior::EndpointIndependent, Behavior::AddressAndPortDependent] {
        let mut lab = Lab::new(NatConfig { mapping, ..NatConfig::symmetric() });
        let (_, by_bob) = lab.connect((lab.bob, 80));
        let (_, by_carol) = lab.connect((lab.carol, 80));
        let same = by_bob.remote == by_carol.remote;
        assert_eq!(same, mapping == Behavior::EndpointIndependent);
    }
}

#[test]
fn req_2_connections_from_the_outside_are_let_in_where_the_filter_allows() {
    for filtering in [Behavior::EndpointIndependent, Behavior::AddressDependent] {
        let mut lab = Lab::new(NatConfig { filtering, ..NatConfig::full_cone() });
        let (path, by_bob) = lab.connect((lab.bob, 80));
        lab.command(lab.alice, StreamCommand::Listen(path.local));
        let knocking = lab.knock(by_bob.remote);
        lab.run(1);
        let connected = lab.last_event(lab.carol) == Some(&StreamEvent::Connected(knocking));
        assert_eq!(connected, filtering == Behavior::EndpointIndependent);
    }
}

#[test]
fn req_2a_simultaneous_open_passes_two_nats() {
    let mut world = World::new(2);
    let server = world.host("server").start(Peer::default());
    let listener = SocketAddr::new(world.addresses(server)[0], 80);
    world.with(server, |peer, _| peer.command(StreamCommand::Listen(listener)));
    let peers = ["left", "right"].map(|name| {
        let site = world.nat(name, NatConfig::port_restricted());
        let host = world.host(name).on(site).start(Peer::default());
        (host, SocketAddr::new(world.external_addresses(site.gateway)[0], 5000))
    });
    // Both keep a mapping open, as for ICE-TCP; the ports are preserved.
    for (host, _) in peers {
        let path = stream(&world, (host, 5000), (server, 80));
        world.with(host, |peer, _| peer.command(StreamCommand::Connect(path)));
    }
    world.run_for(Duration::from_secs(1));
    let [(left, left_external), (right, right_external)] = peers;
    for (host, remote) in [(left, right_external), (right, left_external)] {
        let local = stream(&world, (host, 5000), (server, 80)).local;
        let path = FiveTuple { transport: Transport::Tcp, local, remote };
        world.with(host, |peer, _| peer.command(StreamCommand::Connect(path)));
    }
    world.run_for(Duration::from_secs(5));
    for (host, remote) in [(left, right_external), (right, left_external)] {
        let last = world.node(host).events.last();
        assert!(
            matches!(last, Some(StreamEvent::Connected(path)) if path.remote == remote),
            "{last:?}"
        );
    }
}

#[test]
fn req_4_an_unsolicited_syn_is_answered_after_six_seconds_or_not_at_all_or_too_soon() {
    for unsolicited_syn in
        [UnsolicitedSyn::ReportedLate, UnsolicitedSyn::Dropped, UnsolicitedSyn::Reset]
    {
        let mut lab = Lab::new(NatConfig { unsolicited_syn, ..NatConfig::port_restricted() });
        let (_, by_bob) = lab.connect((lab.bob, 80));
        let path = lab.knock(by_bob.remote);
        lab.run(1);
        let refused = StreamEvent::Closed(path, CloseReason::Refused);
        let early = lab.last_event(lab.carol) == Some(&refused);
        assert_eq!(early, unsolicited_syn == UnsolicitedSyn::Reset);
        lab.world.run_for(Duration::from_millis(5_100));
        let reason = CloseReason::Unreachable(IcmpKind::PortUnreachable);
        let reported = lab.last_event(lab.carol) == Some(&StreamEvent::Closed(path, reason));
        assert_eq!(reported, unsolicited_syn == UnsolicitedSyn::ReportedLate);
    }
}

#[test]
fn req_4_a_syn_that_the_inside_wants_after_all_is_not_reported() {
    let mut lab = Lab::new(NatConfig::port_restricted());
    let (path, by_bob) = lab.connect((lab.bob, 80));
    let knocking = lab.knock(by_bob.remote);
    lab.run(2);
    assert!(lab.world.drops().of(DropReason::Filtered) > 0);
    let wanted = FiveTuple { remote: knocking.local, ..path };
    lab.command(lab.alice, StreamCommand::Connect(wanted));
    // Carol answers the SYN with a SYN of her own at once, so one round trip is enough.
    lab.world.run_for(Duration::from_millis(50));
    assert_eq!(lab.last_event(lab.alice), Some(&StreamEvent::Connected(wanted)));
    lab.run(9);
    assert!(lab.world.node(lab.carol).errors.is_empty());
    assert_eq!(lab.last_event(lab.carol), Some(&StreamEvent::Connected(knocking)));
}

#[test]
fn req_5_an_idle_connection_lives_for_two_hours_and_four_minutes() {
    let mut lab = Lab::new(NatConfig::port_restricted());
    let (path, _) = lab.connect((lab.bob, 80));
    lab.run(7_430);
    assert!(lab.is_alive(path));
    lab.run(7_441);
    assert!(!lab.is_alive(path));
    assert!(lab.world.drops().of(DropReason::NoMapping) > 0);
}

#[test]
fn req_5_a_connection_that_nobody_answers_is_forgotten_after_four_minutes() {
    let mut lab = Lab::new(NatConfig::port_restricted());
    lab.world.crash(lab.bob);
    let path = stream(&lab.world, (lab.alice, 5000), (lab.bob, 80));
    lab.command(lab.alice, StreamCommand::Connect(path));
    lab.world.run_for(Duration::from_millis(100));
    lab.command(lab.alice, StreamCommand::Reset(path));
    lab.world.run_for(Duration::from_secs(239));
    assert_eq!(lab.world.mappings(lab.home.gateway), 1);
    lab.run(2);
    assert_eq!(lab.world.mappings(lab.home.gateway), 0);
}

#[test]
fn rfc_7857_section_2_closing_and_reset_connections_have_their_own_lifetime() {
    let closing = Lifetimes { tcp_closing: Duration::from_secs(30), ..Lifetimes::default() };
    for resets in [false, true] {
        let mut lab = Lab::new(NatConfig { lifetimes: closing, ..NatConfig::port_restricted() });
        let (path, back) = lab.connect((lab.bob, 80));
        if resets {
            lab.command(lab.alice, StreamCommand::Reset(path));
        } else {
            lab.command(lab.alice, StreamCommand::Close(path));
            lab.command(lab.bob, StreamCommand::Close(back));
        }
        lab.run(28);
        assert_eq!(lab.world.mappings(lab.home.gateway), 1);
        lab.run(4);
        assert_eq!(lab.world.mappings(lab.home.gateway), 0);
    }
}

#[test]
fn rfc_7857_section_5_tcp_and_udp_have_mappings_of_their_own() {
    let mut lab = Lab::new(NatConfig::full_cone());
    let (path, by_bob) = lab.connect((lab.bob, 80));
    let local = path.local;
    let udp = FiveTuple { transport: Transport::Udp, ..lab.knock(by_bob.remote) };
    lab.world.with(lab.carol, |peer, _| peer.send(udp.local, udp.remote, b"udp"));
    lab.run(1);
    assert!(lab.world.node(lab.alice).received.is_empty(), "a TCP mapping lets no UDP in");
    assert_eq!(lab.world.mappings(lab.home.gateway), 1);
    lab.world.with(lab.alice, |peer, _| peer.send(local, udp.local, b"udp"));
    lab.run(1);
    assert_eq!(lab.world.mappings(lab.home.gateway), 2);
}

#[test]
fn req_8_hairpinning_works_for_tcp() {
    let mut lab = Lab::new(NatConfig::full_cone());
    let (path, by_bob) = lab.connect((lab.bob, 80));
    lab.command(lab.alice, StreamCommand::Listen(path.local));
    let dave = lab.world.host("dave").on(lab.home).start(Peer::default());
    let local = SocketAddr::new(lab.world.addresses(dave)[0], 6000);
    let hairpin = FiveTuple { transport: Transport::Tcp, local, remote: by_bob.remote };
    lab.command(dave, StreamCommand::Connect(hairpin));
    lab.run(1);
    assert_eq!(lab.last_event(dave), Some(&StreamEvent::Connected(hairpin)));
    let external = lab.world.external_addresses(lab.home.gateway)[0];
    assert!(matches!(
        lab.last_event(lab.alice),
        Some(StreamEvent::Accepted(path)) if path.remote.ip() == external
    ));
}

#[test]
fn req_9_and_10_icmp_is_translated_and_ends_no_connection() {
    let mut lab = Lab::new(NatConfig::port_restricted());
    let (path, _) = lab.connect((lab.bob, 80));
    let link = lab.world.links(lab.bob)[0];
    let mtu = Some(Mtu { bytes: 1_280, tells: true });
    let narrow = Conditions { mtu, ..Conditions::latency(Duration::from_millis(10)) };
    lab.world.set_conditions(link, Direction::Down, narrow);
    lab.world.with(lab.alice, |peer, _| peer.write(path, &[7; 5_000]));
    lab.run(5);
    let alice = lab.world.node(lab.alice);
    assert!(alice.errors.iter().all(|error| error.five_tuple == path));
    assert_eq!(alice.errors[0].kind, IcmpKind::PacketTooBig { mtu: 1_280 });
    assert_eq!(alice.streamed(), [7; 5_000], "echoed in smaller segments");
    assert!(lab.is_alive(path));
}

#[test]
fn a_rebooted_nat_drops_connections_that_it_does_not_know() {
    let mut lab = Lab::new(NatConfig::full_cone());
    let (path, _) = lab.connect((lab.bob, 80));
    assert!(lab.is_alive(path));
    let received = lab.world.counters(lab.bob).received;
    lab.world.reboot(lab.home.gateway);
    assert!(!lab.is_alive(path));
    assert_eq!(lab.world.counters(lab.bob).received, received);
}
