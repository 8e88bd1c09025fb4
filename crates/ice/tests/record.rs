//! Recordings replay to the same bytes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::net::SocketAddr;
use std::time::Duration;

use pinhole_ice::{
    Agent, CandidatePolicy, Config, Event, Output, Power, Received, Recorder, ReplayError, Role,
    TurnServer, replay,
};
use pinhole_sansio::{Datagram, FiveTuple, Instant, Transmit, Transport};
use pinhole_stun::Credentials;
use pinhole_turn::policy::{Action, Policy, Rule};
use pinhole_turn::server::{self, Command, RelayId, Server, StaticUsers};

/// Alice, who is recorded, Bob, and a TURN server that stands for the network.
struct Scene {
    now: Instant,
    alice: Recorder,
    bob: Agent,
    server: Server<StaticUsers>,
    relays: Vec<(SocketAddr, RelayId)>,
    /// All that Alice has said.
    said: Vec<Output>,
    recording: String,
    received: Vec<Vec<u8>>,
}

fn config() -> Config {
    let mut config = Config::new(Role::Controlling);
    config.candidates = CandidatePolicy::Relay;
    config
}

fn turn_server() -> TurnServer {
    let alice = Credentials::new("alice", "secret").unwrap();
    TurnServer::new(([198, 51, 100, 1], 3_478).into(), Transport::Udp, alice)
}

impl Scene {
    fn new() -> Self {
        let now = Instant::from_millis(7);
        let mut config = server::Config::new("test");
        config.relay_v4 = Some(turn_server().address.ip().into());
        let range = "192.0.2.0/24".parse().unwrap();
        config.policy = Policy::default().with_rule(Rule { action: Action::Allow, range });
        let users = StaticUsers::new("test").with(&turn_server().credentials);
        Self {
            now,
            alice: Recorder::new(self::config(), [1; 32], now),
            bob: Agent::new(Config::new(Role::Controlled), [2; 32], now),
            server: Server::new(config, users, [3; 32], Duration::from_secs(1), now),
            relays: Vec::new(),
            said: Vec::new(),
            recording: String::new(),
            received: Vec::new(),
        }
    }

    /// Everything that happens at this time.
    fn settle(&mut self) {
        loop {
            self.recording.push_str(&self.alice.take_recording());
            if let Some(transmit) = self.alice.poll_transmit() {
                self.said.push(Output::Transmit(transmit.clone()));
                self.server_receives(transmit.as_datagram());
            } else if let Some(event) = self.alice.poll_event() {
                self.said.push(Output::Event(event.clone()));
                if let Event::CandidateGathered(candidate) = event {
                    self.bob.add_remote_candidate(candidate, self.now);
                }
            } else if let Some(transmit) = self.bob.poll_transmit() {
                self.relay_receives(&transmit);
            } else {
                break;
            }
        }
        while let Some(event) = self.bob.poll_event() {
            if let Event::CandidateGathered(candidate) = event {
                self.alice.add_remote_candidate(candidate, self.now);
                self.settle();
            }
        }
    }

    fn run(&mut self, until: impl Fn(&Self) -> bool) {
        self.settle();
        while !until(self) {
            let next = [self.alice.poll_timeout(), self.bob.poll_timeout()];
            self.now = next.into_iter().flatten().min().unwrap().max(self.now);
            self.alice.handle_timeout(self.now);
            self.bob.handle_timeout(self.now);
            self.server.handle_timeout(self.now);
            self.settle();
        }
    }

    fn server_receives(&mut self, datagram: Datagram<'_>) {
        if let server::Received::ToPeer(route) =
            self.server.handle_client_datagram(datagram, self.now)
        {
            let (relayed, _) = self.relays.iter().find(|(_, id)| *id == route.relay).unwrap();
            let five_tuple = FiveTuple::udp(route.peer, *relayed);
            let payload = &datagram.payload[route.payload];
            let datagram = Datagram { five_tuple, payload };
            if let Received::Data { payload, .. } = self.bob.handle_datagram(datagram, self.now) {
                self.received.push(payload.to_vec());
            }
        }
        while let Some(command) = self.server.poll_command() {
            if let Command::OpenRelay { relay, address, .. } = command {
                self.relays.push((address, relay));
                self.server.relay_opened(relay, Ok(()), self.now);
            }
        }
        while let Some(answer) = self.server.poll_transmit() {
            let _ = self.alice.handle_datagram(answer.as_datagram(), self.now);
        }
    }

    fn relay_receives(&mut self, transmit: &Transmit) {
        let FiveTuple { local, remote, .. } = transmit.five_tuple;
        let Some((_, relay)) = self.relays.iter().find(|(at, _)| *at == remote) else { return };
        let length = transmit.payload.len();
        let route = self.server.handle_peer_datagram(*relay, local, length, self.now);
        let Ok(route) = route else { return };
        let padding = &[0; 3][..route.padding.into()];
        let payload = [&route.header, &transmit.payload[..], padding].concat();
        let five_tuple = route.five_tuple.reversed();
        let _ = self.alice.handle_datagram(Datagram { five_tuple, payload: &payload }, self.now);
    }

    fn exchange_credentials(&mut self) {
        let ours = self.alice.agent().local_credentials().clone();
        let theirs = self.bob.local_credentials().clone();
        self.bob.set_remote_credentials(ours, self.now).unwrap();
        self.alice.set_remote_credentials(theirs, self.now).unwrap();
    }

    fn is_selected(&self) -> bool {
        self.alice.agent().selected_pair().is_some() && self.bob.selected_pair().is_some()
    }

    /// A whole life, with a relay, data, a restart, consent, noise.
    fn live(&mut self) {
        let now = self.now;
        self.alice.add_base(([192, 0, 2, 1], 5_000).into(), now).unwrap();
        self.alice.add_turn_server(turn_server(), now);
        self.alice.server_not_found("turn:nowhere".to_owned(), "no such name".to_owned(), now);
        self.alice.end_of_bases(now);
        self.alice.set_remote_abilities(self.bob.local_abilities(), now);
        self.bob.add_base(([192, 0, 2, 2], 5_000).into(), now).unwrap();
        self.bob.end_of_bases(now);
        self.exchange_credentials();
        self.run(Self::is_selected);
        self.send();
        self.alice.set_power(Power::Saving, self.now);
        let end = self.now + Duration::from_secs(60);
        self.run(|scene| scene.now >= end);
        self.alice.restart(self.now).unwrap();
        self.bob.restart(self.now).unwrap();
        self.settle();
        self.exchange_credentials();
        self.run(Self::is_selected);
        self.send();
        let five_tuple = FiveTuple::udp(([192, 0, 2, 1], 5_000).into(), ([8, 8, 8, 8], 8).into());
        let _ = self.alice.handle_datagram(Datagram { five_tuple, payload: &[] }, self.now);
        self.alice.close(self.now);
        self.settle();
    }

    fn send(&mut self) {
        let route = self.alice.route(5, self.now).unwrap();
        let header = route.header.as_deref().unwrap();
        let payload = [header, b"hello", &[0; 3][..route.padding.into()]].concat();
        let five_tuple = route.five_tuple.reversed();
        self.server_receives(Datagram { five_tuple, payload: &payload });
        self.settle();
    }
}

#[test]
fn a_session_over_a_relay_replays_byte_for_byte() {
    let mut scene = Scene::new();
    scene.live();
    assert_eq!(scene.received, [b"hello", b"hello"]);
    let replayed = replay(config(), &[turn_server()], &scene.recording).unwrap();
    let again: Vec<Output> = replayed.steps.into_iter().flat_map(|step| step.outputs).collect();
    let sorted = |said: &[Output]| -> [Vec<Output>; 2] {
        let (sent, told) = said.iter().cloned().partition(|o| matches!(o, Output::Transmit(_)));
        [sent, told]
    };
    assert!(scene.said.len() > 50, "{} outputs", scene.said.len());
    assert_eq!(sorted(&again), sorted(&scene.said));
    assert_eq!(replayed.agent.state(), scene.alice.agent().state());
    assert!(!scene.recording.contains("secret"), "no password for a TURN server");
}

#[test]
fn what_is_wrong_with_a_recording_is_told_with_its_line() {
    let mut scene = Scene::new();
    scene.live();
    let good = scene.recording;
    let again = |recording: &str| replay(config(), &[turn_server()], recording).map(drop);
    assert_eq!(again(&good), Ok(()));
    let broken = |line: usize, from: &str, to: &str| {
        let mut lines: Vec<String> = good.lines().map(str::to_owned).collect();
        assert!(lines[line - 1].contains(from), "{}", lines[line - 1]);
        lines[line - 1] = lines[line - 1].replacen(from, to, 1);
        again(&lines.join("\n")).unwrap_err()
    };
    assert_eq!(again("").unwrap_err(), ReplayError::NoRecording);
    assert_eq!(broken(1, "recording 1", "recording 2"), ReplayError::NoRecording);
    assert_eq!(broken(2, "192.0.2.1", "192.0.2.256"), malformed(2, "the address"));
    // The host address is not told, but the server is asked from it.
    assert_eq!(broken(2, "192.0.2.1", "192.0.2.9"), ReplayError::Diverged(3));
    assert_eq!(broken(3, "7000000", "7000000x"), malformed(3, "the time"));
    assert_eq!(broken(3, "turn 198", "turn 199"), ReplayError::UnknownServer(3));
    assert_eq!(broken(4, "not-found 7", "not-found "), malformed(4, "the bytes"));
    assert_eq!(
        broken(5, "bases-end", "bases-end now"),
        malformed(5, "what stands behind the input")
    );
    assert_eq!(broken(5, "bases-end", "bases"), malformed(5, "the input's name"));
    assert_eq!(broken(5, " = ", " "), malformed(5, "the digest"));
    let error = broken(2, "192.0.2.1", "x").to_string();
    assert_eq!(error, "line 2: the address is malformed");
    let other = Config::new(Role::Controlled);
    assert_eq!(replay(other, &[], &good).unwrap_err(), ReplayError::OtherConfig);
    assert_eq!(replay(config(), &[], &good).unwrap_err(), ReplayError::UnknownServer(3));
    // Cut anywhere, it is a shorter recording or an error, and never a panic.
    for end in (0..good.len()).step_by(97) {
        let _ = again(&good[..end]);
    }
}

fn malformed(line: usize, what: &'static str) -> ReplayError {
    ReplayError::Malformed { line, what }
}
