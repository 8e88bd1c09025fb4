//! TCP candidates (RFC 6544).
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::wildcard_enum_match_arm, reason = "a log looks for the few events it counts")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use pinhole_ice::{
    Agent, Candidate, CandidateTransport, Command, Config, Event, PairFailure, PairState, Received,
    Role, State, TcpType,
};
use pinhole_sansio::{Datagram, FiveTuple, Instant, Transmit, Transport};

const LATENCY: Duration = Duration::from_millis(20);

/// What becomes of a connection that one side opens.
#[derive(Clone, Copy, PartialEq)]
enum Listener {
    Accepts,
    Refuses,
    IsSilent,
}

struct Side {
    agent: Agent,
    candidates: Vec<Candidate>,
    events: Vec<Event>,
    closed: Vec<FiveTuple>,
    sent: Vec<FiveTuple>,
    data: Vec<Vec<u8>>,
}

/// Two agents, a network that may swallow UDP, and connections.
struct Net {
    sides: [Side; 2],
    now: Instant,
    on_the_way: VecDeque<(Instant, usize, FiveTuple, Vec<u8>)>,
    passes_udp: bool,
    listener: Listener,
    next_port: u16,
    connected: usize,
}

impl Net {
    /// A has a UDP socket and opens connections; B has a UDP socket and a listener.
    fn new(passes_udp: bool, listener: Listener) -> Self {
        let now = Instant::ZERO;
        let mut seed = 0;
        let sides = [Role::Controlling, Role::Controlled].map(|role| {
            seed += 1;
            let config = Config { tcp: role == Role::Controlling, ..Config::new(role) };
            let agent = Agent::new(config, [seed; 32], now);
            let (candidates, events, closed, sent) = (vec![], vec![], vec![], vec![]);
            Side { agent, candidates, events, closed, sent, data: vec![] }
        });
        let on_the_way = VecDeque::new();
        let mut net =
            Self { sides, now, on_the_way, passes_udp, listener, next_port: 40_000, connected: 0 };
        net.sides[0].agent.add_base(address("192.0.2.1:5000"), now).unwrap();
        net.sides[1].agent.add_base(address("192.0.2.2:443"), now).unwrap();
        // The same address and port as the UDP socket, as servers have it.
        net.sides[1].agent.add_tcp_listener(address("192.0.2.2:443"), now).unwrap();
        net.signal();
        net
    }

    fn signal(&mut self) {
        let now = self.now;
        for side in &mut self.sides {
            side.agent.end_of_bases(now);
            side.collect();
        }
        let credentials = [0, 1].map(|side| self.sides[side].agent.local_credentials().clone());
        let candidates = [0, 1].map(|side: usize| self.sides[side].candidates.clone());
        for (side, (credentials, candidates)) in credentials.into_iter().zip(candidates).enumerate()
        {
            let other = &mut self.sides[1 - side].agent;
            other.set_remote_credentials(credentials, now).unwrap();
            for candidate in candidates {
                other.add_remote_candidate(candidate.to_string().parse().unwrap(), now);
            }
            other.end_of_remote_candidates(now);
        }
    }

    fn run_until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + limit;
        while self.now < end {
            self.settle();
            if done(self) {
                return true;
            }
            let timeouts = self.sides.iter().filter_map(|side| side.agent.poll_timeout());
            let arrivals = self.on_the_way.iter().map(|(at, ..)| *at);
            let Some(next) = timeouts.chain(arrivals).min() else { break };
            self.now = next.max(self.now).min(end);
            for side in &mut self.sides {
                side.agent.handle_timeout(self.now);
            }
            self.settle();
            while self.on_the_way.front().is_some_and(|(at, ..)| *at <= self.now) {
                let (_, to, five_tuple, payload) = self.on_the_way.pop_front().unwrap();
                self.sides[to].receive(Datagram { five_tuple, payload: &payload }, self.now);
            }
        }
        self.settle();
        done(self)
    }

    /// Does what the agents ask for.
    fn settle(&mut self) {
        for from in [0, 1] {
            while let Some(Transmit { five_tuple, payload }) =
                self.sides[from].agent.poll_transmit()
            {
                self.sides[from].sent.push(five_tuple);
                if self.passes_udp || five_tuple.transport == Transport::Tcp {
                    let at = self.now + LATENCY;
                    self.on_the_way.push_back((
                        at,
                        1 - from,
                        five_tuple.reversed(),
                        payload.to_vec(),
                    ));
                }
            }
            while let Some(command) = self.sides[from].agent.poll_command() {
                match command {
                    Command::ConnectToPeer { pair, local, remote } => {
                        self.connected += 1;
                        self.next_port += 1;
                        let local = SocketAddr::new(local, self.next_port);
                        let five_tuple = FiveTuple { transport: Transport::Tcp, local, remote };
                        let answer = match self.listener {
                            Listener::Accepts => Some(Some(five_tuple)),
                            Listener::Refuses => Some(None),
                            Listener::IsSilent => None,
                        };
                        if let Some(answer) = answer {
                            self.sides[from].agent.peer_connected(pair, answer, self.now);
                        }
                    }
                    Command::DisconnectPeer(five_tuple) => self.sides[from].closed.push(five_tuple),
                    other => panic!("{other:?}"),
                }
            }
            self.sides[from].collect();
        }
    }

    fn are_completed(&self) -> bool {
        self.sides.iter().all(|side| side.agent.state() == State::Completed)
    }

    fn send(&mut self, from: usize, payload: &[u8]) -> FiveTuple {
        let route = self.sides[from].agent.route(payload.len(), self.now).unwrap();
        let at = self.now + LATENCY;
        self.on_the_way.push_back((at, 1 - from, route.five_tuple.reversed(), payload.to_vec()));
        route.five_tuple
    }
}

impl Side {
    fn collect(&mut self) {
        while let Some(event) = self.agent.poll_event() {
            if let Event::CandidateGathered(candidate) = &event {
                self.candidates.push(candidate.clone());
            }
            self.events.push(event);
        }
    }

    fn receive(&mut self, datagram: Datagram<'_>, now: Instant) {
        if let Received::Data { payload, .. } = self.agent.handle_datagram(datagram, now) {
            self.data.push(payload.to_vec());
        }
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn candidates_say_who_opens_the_connection() {
    // RFC 6544 §4.5.
    let net = Net::new(true, Listener::Accepts);
    let lines = net.sides.each_ref().map(|side| side.candidates.last().unwrap().to_string());
    assert!(lines[0].contains(" tcp ") && lines[0].contains("192.0.2.1 9 typ host tcptype active"));
    assert!(lines[1].contains("192.0.2.2 443 typ host tcptype passive"), "{}", lines[1]);
    for side in &net.sides {
        let [udp, tcp] = &side.candidates[..] else { panic!("two each") };
        assert!(udp.priority > tcp.priority && udp.foundation != tcp.foundation);
    }
}

#[test]
fn where_udp_is_blocked_they_meet_over_tcp() {
    let mut net = Net::new(false, Listener::Accepts);
    assert!(net.run_until(Duration::from_secs(10), Net::are_completed));
    assert_eq!(net.connected, 1);
    for (side, text) in [(0, b"to the listener"), (1, b"from a listener")] {
        let five_tuple = net.send(side, text);
        assert_eq!(five_tuple.transport, Transport::Tcp);
        net.run_until(LATENCY * 2, |net| net.sides[1 - side].data.len() == 1);
        assert_eq!(net.sides[1 - side].data[0], text);
    }
    let agent = &net.sides[1].agent;
    let remote = agent.pair(agent.selected_pair().unwrap()).unwrap().remote;
    assert_eq!(
        remote.transport,
        CandidateTransport::Tcp(TcpType::Active),
        "learned from its check"
    );
}

#[test]
fn tcp_retransmits_by_itself() {
    // RFC 6544 §7.1.
    let mut net = Net::new(false, Listener::Accepts);
    assert!(net.run_until(Duration::from_secs(10), Net::are_completed));
    let over_tcp = |side: &Side| {
        side.sent.iter().filter(|five_tuple| five_tuple.transport == Transport::Tcp).count()
    };
    let [a, b] = net.sides.each_ref().map(over_tcp);
    assert!(a <= 3 && b <= 3, "a check, an answer, the nomination or its answer: {a} {b}");
}

#[test]
fn udp_is_preferred_and_the_connection_closed() {
    let mut net = Net::new(true, Listener::Accepts);
    assert!(net.run_until(Duration::from_secs(10), Net::are_completed));
    assert_eq!(net.send(0, b"data").transport, Transport::Udp);
    net.run_until(Duration::from_secs(1), |_| false);
    assert_eq!(net.sides[0].closed.len(), net.connected);
}

#[test]
fn a_refused_connection_fails_its_pair_at_once_and_a_silent_one_after_a_while() {
    for (listener, within) in [(Listener::Refuses, 1), (Listener::IsSilent, 11)] {
        let mut net = Net::new(false, listener);
        let has_failed = |net: &Net| {
            let mut pairs = net.sides[0].agent.pairs();
            pairs.any(|pair| {
                (pair.state, pair.failure) == (PairState::Failed, Some(PairFailure::NotConnected))
            })
        };
        assert!(net.run_until(Duration::from_secs(within), has_failed));
        let is_over = |net: &Net| net.sides.iter().all(|side| side.agent.state() == State::Failed);
        assert!(net.run_until(Duration::from_secs(60), is_over));
    }
}

#[test]
fn a_connection_that_ends_ends_the_session_and_a_restart_opens_another() {
    let mut net = Net::new(false, Listener::Accepts);
    assert!(net.run_until(Duration::from_secs(10), Net::are_completed));
    let five_tuple = net.send(0, b"data");
    let now = net.now;
    net.sides[0].agent.peer_disconnected(five_tuple, now);
    net.sides[1].agent.peer_disconnected(five_tuple.reversed(), now);
    assert_eq!(net.sides.each_ref().map(|side| side.agent.state()), [State::Failed; 2]);
    for side in &mut net.sides {
        side.collect();
        side.candidates.clear();
        side.agent.restart(now).unwrap();
    }
    net.signal();
    assert!(net.run_until(Duration::from_secs(10), Net::are_completed));
    assert_ne!(net.send(0, b"data"), five_tuple);
}

#[test]
fn closing_closes_connections_too() {
    let mut net = Net::new(false, Listener::Accepts);
    assert!(net.run_until(Duration::from_secs(10), Net::are_completed));
    let now = net.now;
    for side in &mut net.sides {
        side.agent.close(now);
    }
    net.settle();
    assert_eq!(net.sides.each_ref().map(|side| side.closed.len()), [1; 2]);
}
