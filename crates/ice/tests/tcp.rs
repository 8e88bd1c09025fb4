//! TCP candidates (RFC 6544).
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::wildcard_enum_match_arm, reason = "a log looks for the few events it counts")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use pinhole_ice::{
    Agent, Candidate, CandidateTransport, Command, Config, Event, PairFailure, PairId, PairState,
    Received, Role, State, TcpType,
};
use pinhole_sansio::{Datagram, FiveTuple, Instant, Transmit, Transport};

const LATENCY: Duration = Duration::from_millis(20);

/// What becomes of a connection that one side opens.
#[derive(Clone, Copy, PartialEq)]
enum Listener {
    Accepts,
    Refuses,
    IsSilent,
    /// B's connection has come first, so that A's has no place any more.
    TakesOne,
    /// A firewall lets a SYN in where one has gone out between the same ports.
    MeetsHalfWay,
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
    /// SYNs that have gone out: from which side, for which pair.
    half_open: Vec<(usize, PairId, FiveTuple)>,
}

impl Net {
    /// Both open and accept connections at one port.
    fn from_one_port(listener: Listener) -> Self {
        let mut net = Self::bare([true, true], listener);
        let now = net.now;
        for (side, own) in ["192.0.2.1:7000", "192.0.2.2:7000"].into_iter().enumerate() {
            net.sides[side].agent.add_tcp_simultaneous_open(address(own), now).unwrap();
        }
        net.signal();
        net
    }

    /// A has a UDP socket and opens connections; B has a UDP socket and a listener.
    fn new(passes_udp: bool, listener: Listener) -> Self {
        let mut net = Self { passes_udp, ..Self::bare([true, false], listener) };
        let now = net.now;
        net.sides[0].agent.add_base(address("192.0.2.1:5000"), now).unwrap();
        net.sides[1].agent.add_base(address("192.0.2.2:443"), now).unwrap();
        // The same address and port as the UDP socket, as servers have it.
        net.sides[1].agent.add_tcp_listener(address("192.0.2.2:443"), now).unwrap();
        net.signal();
        net
    }

    /// No UDP passes.
    fn bare(tcp: [bool; 2], listener: Listener) -> Self {
        let now = Instant::ZERO;
        let sides = [Role::Controlling, Role::Controlled].map(|role| {
            let config = Config { tcp: tcp[role as usize], ..Config::new(role) };
            let agent = Agent::new(config, [1 + role as u8; 32], now);
            let (candidates, events, closed, sent) = (vec![], vec![], vec![], vec![]);
            Side { agent, candidates, events, closed, sent, data: vec![] }
        });
        Self {
            sides,
            now,
            on_the_way: VecDeque::new(),
            passes_udp: false,
            listener,
            next_port: 40_000,
            connected: 0,
            half_open: Vec::new(),
        }
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

    /// Does what the agents ask for, twice: a connection gives both of them something to send.
    fn settle(&mut self) {
        for from in [0, 1, 0, 1] {
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
                        self.connect(from, pair, local, remote);
                    }
                    Command::DisconnectPeer(five_tuple) => self.sides[from].closed.push(five_tuple),
                    other => panic!("{other:?}"),
                }
            }
            self.sides[from].collect();
        }
    }

    fn connect(&mut self, from: usize, pair: PairId, local: SocketAddr, remote: SocketAddr) {
        self.next_port += 1;
        let port = if local.port() == 0 { self.next_port } else { local.port() };
        let local = SocketAddr::new(local.ip(), port);
        let five_tuple = FiveTuple { transport: Transport::Tcp, local, remote };
        let now = self.now;
        match self.listener {
            Listener::Accepts => {
                self.sides[from].agent.peer_connected(pair, Some(five_tuple), now);
            }
            Listener::Refuses => self.sides[from].agent.peer_connected(pair, None, now),
            Listener::IsSilent => {}
            Listener::TakesOne => {
                let taken = (from == 1).then_some(five_tuple);
                self.sides[from].agent.peer_connected(pair, taken, now);
            }
            Listener::MeetsHalfWay => {
                let mut half = self.half_open.iter();
                if let Some(half) = half.position(|half| half.2 == five_tuple.reversed()) {
                    let (other, theirs, reversed) = self.half_open.remove(half);
                    self.sides[other].agent.peer_connected(theirs, Some(reversed), now);
                    self.sides[from].agent.peer_connected(pair, Some(five_tuple), now);
                } else {
                    self.half_open.push((from, pair, five_tuple));
                }
            }
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

#[test]
fn between_two_firewalls_both_open_the_connection_at_once() {
    // RFC 6544 §4.5, §6.2: only candidates of this kind are paired with one another.
    let mut net = Net::from_one_port(Listener::MeetsHalfWay);
    let line = net.sides[0].candidates[0].to_string();
    assert!(line.contains("192.0.2.1 7000 typ host tcptype so"), "{line}");
    assert!(net.run_until(Duration::from_secs(10), Net::are_completed));
    assert_eq!(net.connected, 2, "one half each");
    let five_tuple = net.send(0, b"data");
    assert_eq!((five_tuple.local.port(), five_tuple.remote.port()), (7_000, 7_000));
    net.run_until(LATENCY * 2, |net| net.sides[1].data.len() == 1);
    assert_eq!(net.sides[1].data, [b"data"]);
}

#[test]
fn a_restart_goes_on_with_the_connection_between_the_same_ports() {
    // RFC 6544 §9.2: "MUST NOT attempt to open a new connection".
    let mut net = Net::from_one_port(Listener::MeetsHalfWay);
    assert!(net.run_until(Duration::from_secs(10), Net::are_completed));
    let (five_tuple, now) = (net.send(0, b"data"), net.now);
    for side in &mut net.sides {
        side.agent.restart(now).unwrap();
        side.collect();
    }
    net.signal();
    let is_selected = |side: &Side| {
        let selected =
            side.events.iter().filter(|event| matches!(event, Event::PairSelected { .. }));
        selected.count() == 2
    };
    assert!(net.run_until(Duration::from_secs(10), |net| net.sides.iter().all(is_selected)));
    net.run_until(Duration::from_secs(30), |_| false);
    assert!(net.are_completed());
    assert_eq!((net.connected, net.send(1, b"data")), (2, five_tuple.reversed()));
    assert!(net.sides.iter().all(|side| side.closed.is_empty()));
}

#[test]
fn one_connection_between_the_two_ports_is_enough() {
    // RFC 6544 §7.2: a base of this kind accepts connections too.
    let mut net = Net::from_one_port(Listener::TakesOne);
    assert!(net.run_until(Duration::from_secs(10), Net::are_completed));
    assert_eq!(net.send(0, b"data").transport, Transport::Tcp);
}
