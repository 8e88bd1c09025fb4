//! Connections to TURN servers that stall.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::net::SocketAddr;
use std::time::Duration;

use pinhole_ice::{
    Agent, Candidate, CandidatePolicy, Command, Config, Event, GatheringError, Role,
    ServerConnection, TurnServer,
};
use pinhole_sansio::{FiveTuple, Instant, Transport};
use pinhole_stun::Credentials;
use pinhole_turn::policy::{Action, Policy, Rule};
use pinhole_turn::server::{self, Server, StaticUsers};

/// An agent and a TURN server that it reaches over TCP, on connections that may swallow everything.
struct Scene {
    now: Instant,
    agent: Agent,
    server: Server<StaticUsers>,
    /// Those that the agent wants, and when it asked for them.
    connections: Vec<(ServerConnection, Duration)>,
    given_up: Vec<ServerConnection>,
    /// What is sent on these is lost.
    dead: Vec<FiveTuple>,
    candidates: Vec<Candidate>,
    failures: Vec<GatheringError>,
}

fn turn_server() -> TurnServer {
    let alice = Credentials::new("alice", "secret").unwrap();
    TurnServer::new(([198, 51, 100, 1], 443).into(), Transport::Tcp, alice)
}

impl Scene {
    fn new() -> Self {
        let now = Instant::ZERO;
        let mut config = server::Config::new("test");
        config.relay_v4 = Some(turn_server().address.ip().into());
        let range = "192.0.2.0/24".parse().unwrap();
        config.policy = Policy::default().with_rule(Rule { action: Action::Allow, range });
        let users = StaticUsers::new("test").with(&turn_server().credentials);
        let mut scene = Self {
            now,
            agent: agent(now),
            server: Server::new(config, users, [3; 32], Duration::from_secs(1), now),
            connections: Vec::new(),
            given_up: Vec::new(),
            dead: Vec::new(),
            candidates: Vec::new(),
            failures: Vec::new(),
        };
        scene.settle();
        scene
    }

    /// Everything that happens at this time.
    fn settle(&mut self) {
        while let Some(transmit) = self.agent.poll_transmit() {
            if self.dead.contains(&transmit.five_tuple) {
                continue;
            }
            let _ = self.server.handle_client_datagram(transmit.as_datagram(), self.now);
            while let Some(server::Command::OpenRelay { relay, .. }) = self.server.poll_command() {
                self.server.relay_opened(relay, Ok(()), self.now);
            }
            while let Some(answer) = self.server.poll_transmit() {
                let _ = self.agent.handle_datagram(answer.as_datagram(), self.now);
            }
        }
        while let Some(command) = self.agent.poll_command() {
            if let Command::Connect { connection, .. } = command {
                self.connections.push((connection, self.now - Instant::ZERO));
            } else if let Command::Disconnect(connection) = command {
                self.given_up.push(connection);
            }
        }
        while let Some(event) = self.agent.poll_event() {
            if let Event::CandidateGathered(candidate) = event {
                self.candidates.push(candidate);
            } else if let Event::GatheringFailed { error, .. } = event {
                self.failures.push(error);
            }
        }
    }

    fn run_until(&mut self, until: Duration) {
        let until = Instant::ZERO + until;
        while let Some(next) = self.agent.poll_timeout().filter(|next| *next <= until) {
            self.now = next.max(self.now);
            self.agent.handle_timeout(self.now);
            self.settle();
        }
        self.now = until;
    }

    /// The connection that was asked for with this number is there.
    fn open(&mut self, number: u16) -> FiveTuple {
        let local = SocketAddr::from(([192, 0, 2, 1], 40_000 + number));
        let path = FiveTuple { transport: Transport::Tcp, local, remote: turn_server().address };
        let (connection, _) = self.connections[usize::from(number)];
        self.agent.server_connected(connection, Some(path), self.now);
        self.settle();
        path
    }

    fn asked_at(&self) -> Vec<u64> {
        self.connections.iter().map(|(_, at)| at.as_secs()).collect()
    }
}

/// It has one address, and relays only.
fn agent(now: Instant) -> Agent {
    let mut config = Config::new(Role::Controlling);
    config.candidates = CandidatePolicy::Relay;
    let mut agent = Agent::new(config, [1; 32], now);
    agent.add_turn_server(turn_server(), now);
    agent.add_base(([192, 0, 2, 1], 5_000).into(), now).unwrap();
    agent.end_of_bases(now);
    agent
}

#[test]
fn a_server_that_no_connection_reaches_is_told_once() {
    let mut scene = Scene::new();
    scene.run_until(Duration::from_secs(60));
    assert_eq!(scene.asked_at(), [0, 2, 4, 6]);
    assert_eq!(scene.given_up.len(), 4);
    assert_eq!(scene.failures, [GatheringError::NotConnected]);
}

#[test]
fn a_server_that_is_reached_is_asked_once() {
    let mut scene = Scene::new();
    scene.open(0);
    scene.run_until(Duration::from_secs(60));
    assert_eq!(scene.asked_at(), [0]);
    assert_eq!((scene.candidates.len(), scene.failures.len()), (1, 0));
}

#[test]
fn a_connection_that_stalls_gets_another_beside_it() {
    let mut scene = Scene::new();
    let stalled = scene.open(0);
    scene.run_until(Duration::from_secs(1));
    assert_eq!(scene.candidates.len(), 1);
    // The permission for this peer is asked for in vain.
    scene.dead.push(stalled);
    let remote = "1 1 udp 2130706431 192.0.2.9 7000 typ host".parse().unwrap();
    scene.agent.add_remote_candidate(remote, scene.now);
    scene.run_until(Duration::from_secs(4));
    assert_eq!(scene.asked_at(), [0, 3]);
    assert!(scene.given_up.is_empty(), "what is on its way may come yet");
    scene.open(1);
    scene.run_until(Duration::from_secs(5));
    let [first, second] = &scene.candidates[..] else { panic!("{:?}", scene.candidates) };
    assert!(second.priority < first.priority, "unique (RFC 8445 §5.1.2.1)");
    scene.run_until(Duration::from_secs(20));
    assert_eq!((scene.asked_at().len(), scene.failures.len()), (2, 0));
}
