//! Agents and a STUN server as nodes of a simulated network, and signaling between two of them.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of this")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a log looks for the few events it counts")]

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pinhole_ice::{Agent, Candidate, Config, Event, PairId, PairState, Received, Role, State};
use pinhole_netsim::{Conditions, HostId, NetworkId, Node, World};
use pinhole_sansio::{Datagram, FiveTuple, Instant, Transmit};
use pinhole_stun::attribute::UseCandidate;
use pinhole_stun::{Class, Message, TransactionId, binding};

/// The latency of each host's access, so that a round trip between two hosts takes [`ROUND_TRIP`].
pub const ACCESS: Duration = Duration::from_millis(25);
/// R: there and back, two accesses each way.
pub const ROUND_TRIP: Duration = Duration::from_millis(100);
/// The port of every base.
pub const PORT: u16 = 5_000;

/// An agent on a host, and a log of all that it did.
pub struct AgentNode {
    pub agent: Agent,
    pub events: Vec<(Instant, Event)>,
    /// Candidates to signal, and `None` for the end of them.
    pub gathered: VecDeque<Option<Candidate>>,
    pub data: Vec<(Instant, Vec<u8>)>,
    pub dropped: Vec<pinhole_ice::DropReason>,
    pub sent: Sent,
    /// The transaction id of the first check.
    pub first_check: Option<TransactionId>,
    outbox: VecDeque<Transmit>,
}

/// How many datagrams of each kind an agent sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    pub checks: usize,
    pub nominations: usize,
    pub successes: usize,
    pub errors: usize,
    pub data: usize,
    pub indications: usize,
}

impl Sent {
    /// All STUN messages.
    pub fn packets(&self) -> usize {
        self.checks + self.nominations + self.successes + self.errors
    }
}

impl AgentNode {
    pub fn new(config: Config, seed: u8, addresses: &[IpAddr]) -> Self {
        let mut agent = Agent::new(config, [seed; 32], Instant::ZERO);
        for ip in addresses {
            agent.add_base(SocketAddr::new(*ip, PORT), Instant::ZERO).expect("a fresh address");
        }
        agent.end_of_bases(Instant::ZERO);
        Self {
            agent,
            events: Vec::new(),
            gathered: VecDeque::new(),
            data: Vec::new(),
            dropped: Vec::new(),
            sent: Sent::default(),
            first_check: None,
            outbox: VecDeque::new(),
        }
    }

    /// Sends a datagram over the agent's route. `false` when there is none.
    pub fn send(&mut self, payload: &[u8], now: Instant) -> bool {
        let Some(route) = self.agent.route(payload.len(), now) else { return false };
        self.sent.data += 1;
        self.outbox.push_back(Transmit { five_tuple: route.five_tuple, payload: payload.into() });
        true
    }

    /// Sends any bytes anywhere, as an attacker would.
    pub fn send_raw(&mut self, five_tuple: FiveTuple, payload: &[u8]) {
        self.outbox.push_back(Transmit { five_tuple, payload: payload.into() });
    }

    pub fn when(&self, wanted: impl Fn(&Event) -> bool) -> Option<Instant> {
        self.events.iter().find(|(_, event)| wanted(event)).map(|(at, _)| *at)
    }

    pub fn selected_at(&self) -> Option<Instant> {
        self.when(|event| matches!(event, Event::PairSelected { .. }))
    }

    pub fn writable_at(&self) -> Option<Instant> {
        self.when(|event| matches!(event, Event::RouteChanged { .. }))
    }

    pub fn state_at(&self, state: State) -> Option<Instant> {
        self.when(|event| *event == Event::StateChanged(state))
    }

    /// The addresses of the selected pair: ours as the peer sees it, and the peer's.
    pub fn selected(&self) -> Option<(SocketAddr, SocketAddr)> {
        let pair = self.agent.pair(self.agent.selected_pair()?)?;
        Some((pair.local.udp_address()?, pair.remote.udp_address()?))
    }

    pub fn role_switches(&self) -> usize {
        self.events.iter().filter(|(_, event)| matches!(event, Event::RoleSwitched(_))).count()
    }

    pub fn states_of(&self, pair: PairId) -> Vec<PairState> {
        let state = |(_, event): &(_, Event)| match event {
            Event::PairStateChanged { pair: changed, state } if *changed == pair => Some(*state),
            _ => None,
        };
        self.events.iter().filter_map(state).collect()
    }

    /// Takes what a restart has told, and forgets that a pair was selected before it.
    pub fn forget_selection(&mut self, now: Instant) {
        self.gathered.clear();
        self.collect(now);
        self.events.retain(|(_, event)| !matches!(event, Event::PairSelected { .. }));
    }

    pub fn collect(&mut self, now: Instant) {
        while let Some(event) = self.agent.poll_event() {
            match &event {
                Event::CandidateGathered(candidate) => {
                    self.gathered.push_back(Some(candidate.clone()))
                }
                Event::GatheringCompleted => self.gathered.push_back(None),
                _ => {}
            }
            self.events.push((now, event));
        }
    }

    fn count(&mut self, transmit: &Transmit) {
        let Ok(message) = Message::parse(&transmit.payload) else { return };
        if message.class() == Class::Request {
            self.first_check.get_or_insert(message.transaction_id());
        }
        match message.class() {
            Class::Request if message.get::<UseCandidate>() == Ok(Some(UseCandidate)) => {
                self.sent.nominations += 1;
            }
            Class::Request => self.sent.checks += 1,
            Class::SuccessResponse => self.sent.successes += 1,
            Class::ErrorResponse => self.sent.errors += 1,
            Class::Indication => self.sent.indications += 1,
        }
    }
}

impl Node for AgentNode {
    fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Instant) {
        match self.agent.handle_datagram(datagram, now) {
            Received::Consumed => {}
            Received::Data { payload, .. } => self.data.push((now, payload.to_vec())),
            Received::Dropped(reason) => self.dropped.push(reason),
        }
        self.collect(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.agent.handle_timeout(now);
        self.collect(now);
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        if let Some(transmit) = self.outbox.pop_front() {
            return Some(transmit);
        }
        let transmit = self.agent.poll_transmit()?;
        self.count(&transmit);
        Some(transmit)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.agent.poll_timeout()
    }
}

/// Answers Binding requests.
#[derive(Default)]
pub struct StunServer(VecDeque<Transmit>);

impl StunServer {
    pub const PORT: u16 = 3_478;
}

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

/// Two agents in a world.
pub struct Session {
    pub world: World,
    pub a: HostId<AgentNode>,
    pub b: HostId<AgentNode>,
    /// Whether each side's candidates reach the other one.
    pub trickles: [bool; 2],
}

impl Session {
    /// Both on the core.
    pub fn public(a: Config, b: Config) -> Self {
        let world = World::new(1);
        let core = world.core();
        Self::between(world, (core, a), (core, b))
    }

    pub fn between(
        mut world: World,
        a: (impl Into<NetworkId>, Config),
        b: (impl Into<NetworkId>, Config),
    ) -> Self {
        let a = add_agent(&mut world, "a", a.0.into(), a.1, 1);
        let b = add_agent(&mut world, "b", b.0.into(), b.1, 2);
        Self { world, a, b, trickles: [true, true] }
    }

    /// Each side learns what the other can do.
    pub fn exchange_abilities(&mut self) {
        let [a, b] = [self.a, self.b].map(|id| self.world.node(id).agent.local_abilities());
        for (id, abilities) in [(self.a, b), (self.b, a)] {
            self.world.with(id, |node, _| node.agent.set_remote_abilities(abilities));
        }
    }

    /// Each side learns the other's credentials now.
    pub fn exchange_credentials(&mut self) {
        let [a, b] =
            [self.a, self.b].map(|id| self.world.node(id).agent.local_credentials().clone());
        for (id, credentials) in [(self.a, b), (self.b, a)] {
            self.world.with(id, |node, now| {
                node.agent.set_remote_credentials(credentials, now).expect("set once");
                node.collect(now);
            });
        }
        self.signal();
    }

    /// Delivers all candidates that were gathered meanwhile, at once.
    pub fn signal(&mut self) {
        for (from, to, open) in
            [(self.a, self.b, self.trickles[0]), (self.b, self.a, self.trickles[1])]
        {
            if !open {
                continue;
            }
            let gathered: Vec<_> =
                self.world.with(from, |node, _| node.gathered.drain(..).collect());
            self.world.with(to, |node, now| {
                for candidate in gathered {
                    match candidate {
                        Some(candidate) => node.agent.add_remote_candidate(candidate, now),
                        None => node.agent.end_of_remote_candidates(now),
                    }
                }
                node.collect(now);
            });
        }
    }

    /// Runs with signaling that takes a millisecond at most, until `done` or the limit.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.world.now() + limit;
        while self.world.now() < end {
            if done(self) {
                return true;
            }
            self.world.run_for(Duration::from_millis(1));
            self.signal();
        }
        done(self)
    }

    pub fn run_until_selected(&mut self, limit: Duration) -> bool {
        self.run_until(limit, |session| {
            [session.a, session.b].iter().all(|id| session.world.node(*id).selected_at().is_some())
        })
    }

    pub fn nodes(&self) -> [&AgentNode; 2] {
        [self.world.node(self.a), self.world.node(self.b)]
    }
}

pub fn add_agent(
    world: &mut World,
    name: &str,
    network: NetworkId,
    config: Config,
    seed: u8,
) -> HostId<AgentNode> {
    let host = world.host(name).on(network).link(Conditions::latency(ACCESS));
    let id = host.start_with(|addresses| AgentNode::new(config, seed, addresses));
    world.with(id, |node, now| node.collect(now));
    id
}

/// A STUN server on the core, and its address.
pub fn add_stun_server(world: &mut World) -> SocketAddr {
    let server =
        world.host("stun").link(Conditions::latency(Duration::ZERO)).start(StunServer::default());
    SocketAddr::new(world.addresses(server)[0], StunServer::PORT)
}

pub fn controlling() -> Config {
    Config::new(Role::Controlling)
}

pub fn controlled() -> Config {
    Config::new(Role::Controlled)
}

pub fn millis(duration: u64) -> Instant {
    Instant::from_millis(duration)
}
