//! How many small worlds a core simulates in a second: two agents behind NATs that ask a server for
//! their addresses, check each other's until both have an answer, and then keep alive for a minute.
//!
//! ```text
//! cargo run --release -p pinhole-netsim --example throughput
//! ```

#![allow(clippy::disallowed_methods, reason = "it measures time")]
#![allow(clippy::indexing_slicing, reason = "each host and NAT has an address")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use pinhole_netsim::{Conditions, HostId, NatConfig, Node, Recording, World};
use pinhole_sansio::{Datagram, FiveTuple, Instant, Payload, Transmit};

/// Sends a request to each target every 50 ms until it is answered, then every 5 s.
struct Agent {
    local: SocketAddr,
    targets: Vec<Target>,
    outbox: VecDeque<Transmit>,
}

struct Target {
    remote: SocketAddr,
    answered: bool,
    due: Instant,
}

impl Agent {
    const fn new(local: SocketAddr) -> Self {
        Self { local, targets: Vec::new(), outbox: VecDeque::new() }
    }

    fn add_target(&mut self, remote: SocketAddr, now: Instant) {
        self.targets.push(Target { remote, answered: false, due: now });
        self.handle_timeout(now);
    }

    fn is_connected(&self) -> bool {
        self.targets.len() == 2 && self.targets.iter().all(|target| target.answered)
    }

    fn push(&mut self, remote: SocketAddr, kind: u8) {
        let five_tuple = FiveTuple::udp(self.local, remote);
        self.outbox.push_back(Transmit { five_tuple, payload: Payload::from(&[kind; 100][..]) });
    }
}

const REQUEST: u8 = 0;
const ANSWER: u8 = 1;

impl Node for Agent {
    fn handle_datagram(&mut self, datagram: Datagram<'_>, _now: Instant) {
        let remote = datagram.five_tuple.remote;
        if datagram.payload.first() == Some(&REQUEST) {
            self.push(remote, ANSWER);
        }
        for target in self.targets.iter_mut().filter(|target| target.remote == remote) {
            target.answered = true;
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        let mut due = Vec::new();
        for target in self.targets.iter_mut().filter(|target| target.due <= now) {
            target.due = now + Duration::from_millis(if target.answered { 5_000 } else { 50 });
            due.push(target.remote);
        }
        for remote in due {
            self.push(remote, REQUEST);
        }
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.outbox.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.targets.iter().map(|target| target.due).min()
    }
}

/// One run: whether both connected, and how many packets the hosts sent.
fn run(seed: u64, recording: Recording) -> (bool, u64) {
    let mut world = World::new(seed);
    world.record(recording);
    let server = world.host("server").start_with(|ips| Agent::new(SocketAddr::new(ips[0], 3478)));
    let sites = ["left", "right"].map(|name| {
        let lossy = Conditions::latency(Duration::from_millis(20)).with_loss(0.1);
        world.gateway(name).nat(NatConfig::port_restricted()).link(lossy).build()
    });
    let agents = sites.map(|site| {
        world.host("agent").on(site).start_with(|ips| Agent::new(SocketAddr::new(ips[0], 5000)))
    });
    let external =
        sites.map(|site| SocketAddr::new(world.external_addresses(site.gateway)[0], 5000));
    let stun = world.endpoint(server, 3478);
    for (agent, peer) in [(agents[0], external[1]), (agents[1], external[0])] {
        world.with(agent, |agent, now| {
            agent.add_target(stun, now);
            agent.add_target(peer, now);
        });
    }
    let are_connected =
        |world: &World| agents.iter().all(|&agent| world.node(agent).is_connected());
    let connected = world.run_until_done(Duration::from_secs(30), are_connected);
    world.run_for(Duration::from_secs(60));
    let hosts: [HostId<Agent>; 3] = [server, agents[0], agents[1]];
    (connected, hosts.iter().map(|&host| world.counters(host).sent).sum())
}

fn main() {
    for (name, recording) in [
        ("no trace", Recording::Off),
        ("tail of 32", Recording::Tail(32)),
        ("all", Recording::Everything),
    ] {
        let started = std::time::Instant::now();
        let (mut connected, mut packets) = (0_u32, 0);
        for seed in 0..RUNS {
            let (is_connected, sent) = run(seed, recording);
            connected += u32::from(is_connected);
            packets += sent;
        }
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "{name}: {:.0} runs/s, {:.0} packets/s; {connected} of {RUNS} runs connected",
            RUNS as f64 / seconds,
            packets as f64 / seconds,
        );
    }
}

const RUNS: u64 = 5_000;
