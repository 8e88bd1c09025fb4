//! Agents and servers as nodes of the simulated network.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use pinhole_ice::{Agent, Candidate, Config, Event, Received};
use pinhole_netsim::Node;
use pinhole_sansio::{Datagram, Instant, Transmit};
use pinhole_stun::binding;

use crate::monitor::{Monitor, Mutation};

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
    /// STUN and data datagrams that were sent.
    pub sent: usize,
    /// What is to be told to the other side.
    pub(crate) signals: VecDeque<Signal>,
    servers: Vec<SocketAddr>,
    outbox: VecDeque<Transmit>,
    /// The time of the latest input.
    now: Instant,
}

/// What signaling carries besides the credentials.
#[derive(Clone, Debug)]
pub(crate) enum Signal {
    Candidate(Candidate),
    End,
}

impl AgentNode {
    pub(crate) fn new(
        config: Config,
        seed: [u8; 32],
        mutation: Option<Mutation>,
        addresses: &[IpAddr],
    ) -> Self {
        let servers = config.stun_servers.clone();
        let mut agent = Agent::new(config, seed, Instant::ZERO);
        for ip in addresses {
            agent.add_base(SocketAddr::new(*ip, PORT), Instant::ZERO).expect("each address is new");
        }
        agent.end_of_bases(Instant::ZERO);
        let mut node = Self {
            agent,
            monitor: Monitor::deceived(mutation),
            writable: None,
            selected: None,
            received: 0,
            sent: 0,
            signals: VecDeque::new(),
            servers,
            outbox: VecDeque::new(),
            now: Instant::ZERO,
        };
        node.collect(Instant::ZERO);
        node
    }

    /// Sends a datagram of the application's. `false` where there is no route.
    pub(crate) fn send(&mut self, payload: &[u8], now: Instant) -> bool {
        self.now = now;
        let Some(route) = self.agent.route(now) else { return false };
        self.outbox.push_back(Transmit { five_tuple: route.five_tuple, payload: payload.into() });
        true
    }

    /// Ends the session.
    pub(crate) fn close(&mut self) {
        self.agent.close();
        self.monitor.closed();
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
            match event {
                Event::CandidateGathered(candidate) => {
                    self.signals.push_back(Signal::Candidate(candidate))
                }
                Event::GatheringCompleted => self.signals.push_back(Signal::End),
                Event::RouteChanged { .. } => _ = self.writable.get_or_insert(now),
                Event::PairSelected { .. } => _ = self.selected.get_or_insert(now),
                _ => {}
            }
        }
    }
}

impl Node for AgentNode {
    fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Instant) {
        self.monitor.received(datagram, now);
        if let Received::Data { .. } = self.agent.handle_datagram(datagram, now) {
            self.monitor.delivered(datagram.five_tuple.remote, now);
            self.received += 1;
        }
        self.collect(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.agent.handle_timeout(now);
        self.collect(now);
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.outbox.pop_front().or_else(|| self.agent.poll_transmit())?;
        self.monitor.transmitted(&transmit, &self.servers, self.now);
        self.sent += 1;
        Some(transmit)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.agent.poll_timeout()
    }
}

/// Answers Binding requests.
#[derive(Debug, Default)]
pub struct StunServer(VecDeque<Transmit>);

impl Node for StunServer {
    fn handle_datagram(&mut self, datagram: Datagram<'_>, _now: Instant) {
        let mut buffer = [0; 128];
        let five_tuple = datagram.five_tuple;
        if let Some(answer) = binding::respond(datagram.payload, five_tuple.remote, &mut buffer) {
            self.0.push_back(Transmit { five_tuple, payload: (*answer).into() });
        }
    }

    fn handle_timeout(&mut self, _now: Instant) {}

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.0.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

/// The port of every agent's sockets.
pub(crate) const PORT: u16 = 5_000;
/// The port of the STUN server.
pub(crate) const STUN_PORT: u16 = 3_478;
