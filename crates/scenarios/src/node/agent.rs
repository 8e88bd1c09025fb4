//! An agent as a node of the simulated network.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pinhole_ice::{Agent, Candidate, Command, Config, Event, Received, ServerConnection, State};
use pinhole_netsim::{Node, StreamCommand, StreamEvent};
use pinhole_sansio::{Datagram, FiveTuple, Instant, Transmit, Transport};

use super::forgery::{Picture, forge};
use super::recovery::{Recovery, Signal};
use super::streams::Streams;
use crate::monitor::Monitor;
use crate::mutation::Mutation;
use crate::session::Side;
use crate::transcript::Transcript;

/// An agent, its application, and a monitor on the wire between them and the world.
#[derive(Debug)]
pub struct AgentNode {
    /// The agent.
    pub agent: Agent,
    /// What it did on the wire.
    pub monitor: Monitor,
    /// When application data could first be sent.
    pub writable: Option<Instant>,
    /// When a pair was selected.
    pub selected: Option<Instant>,
    /// Application datagrams that came.
    pub received: usize,
    /// The candidates that it has gathered.
    pub gathered: Vec<Candidate>,
    /// What happened, but for the states of pairs.
    pub events: Vec<Event>,
    /// STUN and data datagrams that were sent.
    pub sent: usize,
    /// What is to be told to the other side.
    pub(crate) signals: VecDeque<Signal>,
    pub(super) side: Side,
    pub(super) bases: Vec<SocketAddr>,
    pub(super) recovery: Recovery,
    /// How often the offerer has restarted.
    pub(super) round: u32,
    /// Whether somebody on the way forges messages.
    is_attacked: bool,
    /// Whether a path in doubt makes the application restart.
    pub(super) recovers: bool,
    outbox: VecDeque<Transmit>,
    streams: Streams,
    connections: BTreeMap<FiveTuple, ServerConnection>,
    next_port: u16,
    stream_commands: VecDeque<StreamCommand>,
    transcript: Transcript,
    /// The time of the latest input.
    now: Instant,
}

/// How an agent begins.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) agent: Config,
    pub(crate) seed: [u8; 32],
    pub(crate) mutation: Option<Mutation>,
    pub(crate) side: Side,
    pub(crate) recovers: bool,
    pub(crate) is_attacked: bool,
}

impl AgentNode {
    pub(crate) fn new(start: Start, addresses: &[IpAddr], now: Instant) -> Self {
        let Start { agent: config, seed, mutation, side, recovers, is_attacked } = start;
        let monitor = Monitor::new(&config, recovers, mutation);
        let mut agent = Agent::new(config, seed, now);
        let bases: Vec<_> = addresses.iter().map(|ip| SocketAddr::new(*ip, PORT)).collect();
        for base in &bases {
            agent.add_base(*base, now).expect("each address is new");
        }
        agent.end_of_bases(now);
        let mut node = Self {
            agent,
            monitor,
            writable: None,
            selected: None,
            received: 0,
            gathered: Vec::new(),
            events: Vec::new(),
            sent: 0,
            signals: VecDeque::new(),
            side,
            bases,
            recovery: Recovery::default(),
            // Another one after a restart of the program.
            round: u32::from_be_bytes([0, seed[1], seed[2], seed[3]]),
            recovers,
            is_attacked,
            outbox: VecDeque::new(),
            streams: Streams::default(),
            connections: BTreeMap::new(),
            next_port: FIRST_TCP_PORT,
            stream_commands: VecDeque::new(),
            transcript: Transcript::default(),
            now,
        };
        node.collect(now);
        node
    }

    /// Sends a datagram of the application's. `false` where there is no route.
    pub(crate) fn send(&mut self, payload: &[u8], now: Instant) -> bool {
        self.now = now;
        let Some(route) = self.agent.route(payload.len(), now) else { return false };
        let header = route.header.as_deref().unwrap_or_default();
        let padding = &[0; 3][..route.padding.into()];
        let payload = [header, payload, padding].concat();
        self.outbox
            .push_back(Transmit { five_tuple: route.five_tuple, payload: payload[..].into() });
        true
    }

    /// Ends the session.
    pub(crate) fn close(&mut self, now: Instant) {
        self.agent.close(now);
        // What tells the servers still goes out.
        while let Some(transmit) = self.agent.poll_transmit() {
            self.outbox.push_back(transmit);
        }
        self.monitor.closed(self.outbox.len());
    }

    /// What tells what it has sent from what another one has.
    pub(crate) fn digest(&self) -> u64 {
        self.transcript.digest()
    }

    /// Both addresses of the selected pair: ours as the peer sees it, and the peer's.
    #[must_use]
    pub fn selected_addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        let pair = self.agent.pair(self.agent.selected_pair()?)?;
        Some((pair.local.udp_address()?, pair.remote.udp_address()?))
    }

    pub(crate) fn collect(&mut self, now: Instant) {
        self.now = now;
        while let Some(event) = self.agent.poll_event() {
            self.monitor.happened(&event, now);
            match &event {
                Event::PairStateChanged { .. } => continue,
                Event::CandidateGathered(candidate) => {
                    self.gathered.push(candidate.clone());
                    self.signals.push_back(Signal::Candidate(candidate.clone()));
                }
                Event::GatheringCompleted => self.signals.push_back(Signal::End),
                Event::RouteChanged { .. } => _ = self.writable.get_or_insert(now),
                Event::PairSelected { .. } => _ = self.selected.get_or_insert(now),
                Event::StateChanged(State::Disconnected | State::Failed) | Event::RestartFailed => {
                    self.wish_restart(now);
                }
                _ => {}
            }
            self.events.push(event);
        }
        self.monitor.inspect(&self.agent, now);
    }
}

impl AgentNode {
    /// An attacker has seen the datagram, and is there before it (I5).
    fn handle_forgery(&mut self, datagram: Datagram<'_>, now: Instant) {
        let Some(forged) = forge(datagram.payload) else { return };
        // What is due now happens now; then only the forgery can make a difference.
        self.agent.handle_timeout(now);
        self.collect(now);
        let before = Picture::of(&self.agent);
        let forgery = Datagram { payload: &forged, ..datagram };
        let _ = self.agent.handle_datagram(forgery, now);
        self.monitor.forged(before == Picture::of(&self.agent), now);
    }

    fn connect(&mut self, five_tuple: FiveTuple, connection: ServerConnection) {
        self.connections.insert(five_tuple, connection);
        self.stream_commands.push_back(StreamCommand::Connect(five_tuple));
    }

    fn disconnect(&mut self, connection: ServerConnection) {
        let known = self.connections.iter().find(|(_, known)| **known == connection);
        if let Some((five_tuple, _)) = known.map(|(five_tuple, known)| (*five_tuple, *known)) {
            self.connections.remove(&five_tuple);
            self.streams.forget(five_tuple);
            self.stream_commands.push_back(StreamCommand::Close(five_tuple));
        }
    }

    /// The network has closed a connection, or has not let it come about.
    fn disconnected(&mut self, five_tuple: FiveTuple, now: Instant) {
        let Some(connection) = self.connections.remove(&five_tuple) else { return };
        if self.streams.forget(five_tuple) {
            self.agent.server_disconnected(connection, now);
        } else {
            self.agent.server_connected(connection, None, now);
        }
    }
}

impl Node for AgentNode {
    fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Instant) {
        // Nobody gets between the bytes of a stream.
        if self.is_attacked && !datagram.five_tuple.transport.is_reliable() {
            self.handle_forgery(datagram, now);
        }
        self.monitor.received(datagram, now);
        if let Received::Data { .. } = self.agent.handle_datagram(datagram, now) {
            self.monitor.delivered(datagram, now);
            self.received += 1;
        }
        self.collect(now);
    }

    fn handle_stream(&mut self, event: StreamEvent, now: Instant) {
        match event {
            StreamEvent::Connected(five_tuple) => {
                self.streams.open(five_tuple);
                if let Some(connection) = self.connections.get(&five_tuple) {
                    self.agent.server_connected(*connection, Some(five_tuple), now);
                }
            }
            StreamEvent::Received(five_tuple, bytes) => {
                for payload in self.streams.frames(five_tuple, &bytes) {
                    self.handle_datagram(Datagram { five_tuple, payload: &payload }, now);
                }
            }
            StreamEvent::Finished(five_tuple) | StreamEvent::Closed(five_tuple, _) => {
                self.disconnected(five_tuple, now);
            }
            _ => {}
        }
        self.collect(now);
    }

    fn handle_addresses(&mut self, addresses: &[IpAddr], now: Instant) {
        self.change_bases(addresses, now);
        self.collect(now);
    }

    fn poll_stream(&mut self) -> Option<StreamCommand> {
        while let Some(command) = self.agent.poll_command() {
            match command {
                Command::Connect { connection, local, server, .. } => {
                    let local = SocketAddr::new(local, self.next_port);
                    self.next_port += 1;
                    let transport = Transport::Tcp;
                    self.connect(FiveTuple { transport, local, remote: server }, connection);
                }
                Command::Disconnect(connection) => self.disconnect(connection),
                _ => {}
            }
        }
        self.stream_commands.pop_front()
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.agent.poll_timeout().is_some_and(|due| due + JUMP <= now) {
            self.monitor.woke_late(now);
        }
        self.agent.handle_timeout(now);
        self.collect(now);
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.outbox.pop_front().or_else(|| self.agent.poll_transmit())?;
        self.monitor.transmitted(&transmit, self.now);
        self.transcript.sent(&transmit, self.now);
        self.sent += 1;
        Some(transmit)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.agent.poll_timeout()
    }
}

/// The port of every agent's sockets.
pub(super) const PORT: u16 = 5_000;
/// No clock is late by so much, unless it has jumped.
const JUMP: Duration = Duration::from_secs(1);
/// The first port of the agents' connections.
const FIRST_TCP_PORT: u16 = 6_000;
