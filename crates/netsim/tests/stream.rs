//! TCP: connect, refuse, reset, close, and bytes in order over links that lose them.

#![allow(clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use common::{Peer, endpoint, stream};
use pinhole_netsim::{
    Bandwidth, CloseReason, Conditions, Direction, DropReason, HostId, IcmpKind, Mtu, Reordering,
    StreamCommand, StreamEvent, World,
};
use pinhole_sansio::{FiveTuple, Instant};

struct Pair {
    world: World,
    client: HostId<Peer>,
    server: HostId<Peer>,
    /// The connection as the client names it.
    path: FiveTuple,
}

impl Pair {
    /// A client whose link has `conditions` in both directions, and a server that listens.
    fn new(conditions: Conditions) -> Self {
        let mut world = World::new(6);
        let client = world.host("client").link(conditions).start(Peer::default());
        let server = world.host("server").start(Peer::default());
        let path = stream(&world, (client, 5000), (server, 80));
        world.with(server, |peer, _| peer.command(StreamCommand::Listen(path.remote)));
        Self { world, client, server, path }
    }

    fn connect(&mut self) {
        let path = self.path;
        self.world.with(self.client, |peer, _| peer.command(StreamCommand::Connect(path)));
    }

    fn run(&mut self, seconds: u64) {
        self.world.run_for(Duration::from_secs(seconds));
    }

    fn client_events(&self) -> &[StreamEvent] {
        &self.world.node(self.client).events
    }
}

fn ten_milliseconds() -> Conditions {
    Conditions::latency(Duration::from_millis(10))
}

fn megabyte() -> Vec<u8> {
    (0..1_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[test]
fn a_connection_is_open_after_one_round_trip() {
    let mut pair = Pair::new(ten_milliseconds());
    pair.connect();
    let (client, path) = (pair.client, pair.path);
    let limit = Duration::from_secs(1);
    assert!(pair.world.run_until_done(limit, |world| !world.node(client).events.is_empty()));
    assert_eq!(pair.world.now(), Instant::from_millis(40));
    assert_eq!(pair.client_events(), [StreamEvent::Connected(path)]);
    pair.run(1);
    assert_eq!(pair.world.node(pair.server).events, [StreamEvent::Accepted(path.reversed())]);
}

#[test]
fn nobody_listening_refuses_and_a_dead_host_times_out() {
    let mut pair = Pair::new(ten_milliseconds());
    let listener = pair.path.remote;
    pair.world.with(pair.server, |peer, _| peer.command(StreamCommand::StopListening(listener)));
    pair.connect();
    pair.run(1);
    let refused = StreamEvent::Closed(pair.path, CloseReason::Refused);
    assert_eq!(pair.client_events(), [refused]);

    let mut pair = Pair::new(ten_milliseconds());
    pair.world.crash(pair.server);
    pair.connect();
    pair.run(300);
    let timed_out = StreamEvent::Closed(pair.path, CloseReason::TimedOut);
    assert_eq!(pair.client_events(), [timed_out]);
    assert_eq!(pair.world.drops().of(DropReason::HostDown), 11, "one SYN and ten repetitions");
}

#[test]
fn bytes_before_the_handshake_wait_for_it_and_both_sides_close() {
    let mut pair = Pair::new(ten_milliseconds());
    let path = pair.path;
    pair.connect();
    pair.world.with(pair.client, |peer, _| peer.write(path, b"hello"));
    pair.world.with(pair.client, |peer, _| peer.command(StreamCommand::Close(path)));
    pair.run(1);
    let back = path.reversed();
    let received = StreamEvent::Received(back, b"hello".to_vec());
    let accepted = StreamEvent::Accepted(back);
    let events = [accepted, received, StreamEvent::Finished(back)];
    assert_eq!(pair.world.node(pair.server).events, events);
    // The other direction is still open.
    pair.world.with(pair.server, |peer, _| peer.write(back, b"bye"));
    pair.world.with(pair.server, |peer, _| peer.command(StreamCommand::Close(back)));
    pair.run(1);
    assert_eq!(pair.world.node(pair.client).streamed(), b"bye");
    let closed = StreamEvent::Closed(path, CloseReason::Finished);
    assert_eq!(pair.client_events().last(), Some(&closed));
    let closed = StreamEvent::Closed(back, CloseReason::Finished);
    assert_eq!(pair.world.node(pair.server).events.last(), Some(&closed));
    pair.world.with(pair.server, |peer, _| peer.write(back, b"too late"));
    assert_eq!(pair.world.drops().of(DropReason::NoStream), 1);
    let sent = pair.world.counters(pair.client).sent + pair.world.counters(pair.server).sent;
    pair.run(600);
    assert_eq!(pair.world.counters(pair.client).sent + pair.world.counters(pair.server).sent, sent);
    assert_eq!(sent, 8, "SYN, SYN ACK, hello FIN, ACK, bye, ACK, FIN, ACK");
}

#[test]
fn a_reset_ends_the_connection_on_the_other_side() {
    let mut pair = Pair::new(ten_milliseconds());
    let path = pair.path;
    pair.connect();
    pair.run(1);
    pair.world.with(pair.client, |peer, _| peer.command(StreamCommand::Reset(path)));
    pair.run(1);
    let reset = StreamEvent::Closed(path.reversed(), CloseReason::Reset);
    assert_eq!(pair.world.node(pair.server).events.last(), Some(&reset));
}

#[test]
fn a_restarted_server_resets_what_it_does_not_know() {
    let mut pair = Pair::new(ten_milliseconds());
    let path = pair.path;
    pair.connect();
    pair.run(1);
    pair.world.restart(pair.server, Peer::default());
    pair.world.with(pair.client, |peer, _| peer.write(path, b"still there?"));
    pair.run(1);
    let reset = StreamEvent::Closed(path, CloseReason::Reset);
    assert_eq!(pair.client_events().last(), Some(&reset));
}

#[test]
fn a_restarted_client_connects_again_from_the_same_port() {
    let mut pair = Pair::new(ten_milliseconds());
    let path = pair.path;
    pair.connect();
    pair.run(1);
    pair.world.restart(pair.client, Peer::default());
    pair.connect();
    pair.run(3);
    assert_eq!(pair.client_events(), [StreamEvent::Connected(path)]);
    let back = path.reversed();
    let events = [
        StreamEvent::Accepted(back),
        StreamEvent::Closed(back, CloseReason::Reset),
        StreamEvent::Accepted(back),
    ];
    assert_eq!(pair.world.node(pair.server).events, events);
}

#[test]
fn two_hosts_that_connect_to_each_other_meet_in_one_connection() {
    let mut pair = Pair::new(ten_milliseconds());
    let (path, listener) = (pair.path, pair.path.remote);
    pair.world.with(pair.server, |peer, _| peer.command(StreamCommand::StopListening(listener)));
    pair.connect();
    pair.world.with(pair.server, |peer, _| peer.command(StreamCommand::Connect(path.reversed())));
    pair.run(1);
    assert_eq!(pair.client_events(), [StreamEvent::Connected(path)]);
    let connected = StreamEvent::Connected(path.reversed());
    assert_eq!(pair.world.node(pair.server).events, [connected]);
}

#[test]
fn a_megabyte_arrives_whole_over_every_kind_of_bad_link() {
    let bad = ten_milliseconds();
    let links = [
        bad.clone().with_loss(0.05),
        Conditions { duplication: 0.2, ..bad.clone().with_jitter(Duration::from_millis(20)) },
        Conditions {
            reordering: Reordering { probability: 0.1, delay: Duration::from_millis(15) },
            ..bad.clone()
        },
        Conditions {
            bandwidth: Some(Bandwidth { bytes_per_second: 500_000, queue: 20_000 }),
            ..bad.clone()
        },
        Conditions { mtu: Some(Mtu { bytes: 600, tells: true }), ..bad },
    ];
    for conditions in links {
        let mut pair = Pair::new(conditions.clone());
        let path = pair.path;
        pair.connect();
        pair.world.with(pair.client, |peer, _| peer.write(path, &megabyte()));
        pair.world.with(pair.client, |peer, _| peer.command(StreamCommand::Close(path)));
        pair.run(120);
        let server = pair.world.node(pair.server);
        assert!(server.streamed() == megabyte(), "all bytes in order over {conditions:?}");
        assert_eq!(server.events.last(), Some(&StreamEvent::Finished(path.reversed())));
    }
}

#[test]
fn both_directions_are_whole_and_close_in_any_weather() {
    for seed in 0..40 {
        let weather = Conditions {
            duplication: 0.05,
            reordering: Reordering { probability: 0.05, delay: Duration::from_millis(30) },
            ..ten_milliseconds().with_loss(0.1).with_jitter(Duration::from_millis(10))
        };
        let mut world = World::new(seed);
        let client = world.host("client").link(weather).start(Peer::default());
        let server = world.host("server").start(Peer::default());
        let path = stream(&world, (client, 5000), (server, 80));
        let bytes = &megabyte()[..100_000];
        world.with(server, |peer, _| peer.command(StreamCommand::Listen(path.remote)));
        world.with(client, |peer, _| {
            peer.command(StreamCommand::Connect(path));
            peer.write(path, bytes);
            peer.command(StreamCommand::Close(path));
        });
        let accepted = |world: &World| !world.node(server).events.is_empty();
        assert!(world.run_until_done(Duration::from_secs(60), accepted), "seed {seed}");
        world.with(server, |peer, _| {
            peer.write(path.reversed(), bytes);
            peer.command(StreamCommand::Close(path.reversed()));
        });
        world.run_for(Duration::from_secs(300));
        for (host, path) in [(client, path), (server, path.reversed())] {
            let peer = world.node(host);
            assert!(peer.streamed() == bytes, "seed {seed}: all bytes in order");
            let closed = StreamEvent::Closed(path, CloseReason::Finished);
            assert_eq!(peer.events.last(), Some(&closed), "seed {seed}");
        }
    }
}

#[test]
fn a_dead_link_ends_a_connection_that_has_something_to_say() {
    let mut pair = Pair::new(ten_milliseconds());
    let path = pair.path;
    pair.connect();
    pair.run(1);
    let link = pair.world.links(pair.client)[0];
    pair.world.set_outage(link, Direction::Up, true);
    pair.run(3_600);
    assert_eq!(pair.client_events().len(), 1, "silence is no end");
    pair.world.with(pair.client, |peer, _| peer.write(path, b"hello?"));
    pair.run(1_000);
    let timed_out = StreamEvent::Closed(path, CloseReason::TimedOut);
    assert_eq!(pair.client_events().last(), Some(&timed_out));
}

#[test]
fn a_hop_limit_too_small_ends_the_attempt_with_the_reason() {
    let mut world = World::new(1);
    let office = world.gateway("office").build();
    let client = world.host("client").on(office).hop_limit(1).start(Peer::default());
    let server = world.host("server").start(Peer::default());
    let path = stream(&world, (client, 5000), (server, 80));
    world.with(client, |peer, _| peer.command(StreamCommand::Connect(path)));
    world.run_for(Duration::from_secs(1));
    let reason = CloseReason::Unreachable(IcmpKind::TimeExceeded);
    assert_eq!(world.node(client).events, [StreamEvent::Closed(path, reason)]);
    assert_eq!(endpoint(&world, client, 5000), path.local);
}
