mod build;

use std::collections::VecDeque;
use std::time::Duration;

use pinhole_ice::{CandidatePolicy, Config, Role, State};
use pinhole_netsim::{Conditions, GatewayId, HostId, LinkId, Seed, Site, Violation, World};
use pinhole_sansio::Instant;
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

use build::{add_agent, add_stun_servers, add_turn_server};

use crate::mutation::Mutation;
use crate::node::{AgentNode, Signal, Start, TurnServer, TurnStart};
use crate::oracle::Path;
use crate::place::Place;

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The offerer.
    A,
    /// The answerer.
    B,
}

/// The right password for the TURN server.
pub(crate) const PASSWORD: &str = "password";

/// Whether there is a TURN server, and what the agents make of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Relaying {
    /// There is none.
    #[default]
    None,
    /// Both agents may use it.
    Available,
    /// Both agents use nothing else (RFC 8828's mode 4, I15).
    Only,
}

/// What a session is like.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Where A and B sit.
    pub places: [Place; 2],
    /// Their roles; equal ones are a conflict.
    pub roles: [Role; 2],
    /// Whether there is a TURN server, and what the agents make of it.
    pub relaying: Relaying,
    /// The agents' password for the TURN server, which knows the right one.
    pub password: &'static str,
    /// The access of each agent's host.
    pub access: [Conditions; 2],
    /// How long signaling takes, from A to B and from B to A.
    pub signaling: [Duration; 2],
    /// Whether the applications restart ICE when the path is in doubt.
    pub recovers: bool,
    /// Whether somebody on the way sends a forgery ahead of each message.
    pub is_attacked: bool,
    /// Whether candidates overtake one another in signaling, and come twice.
    pub shuffles: bool,
    /// What the monitors are told wrongly.
    pub mutation: Option<Mutation>,
}

impl SessionConfig {
    /// A at one place and B at the other, with a perfect network of 100 ms there and back, and instant signaling.
    #[must_use]
    pub fn quiet(places: [Place; 2]) -> Self {
        Self {
            places,
            roles: [Role::Controlling, Role::Controlled],
            access: [
                Conditions::latency(Duration::from_millis(25)),
                Conditions::latency(Duration::from_millis(25)),
            ],
            relaying: Relaying::None,
            password: PASSWORD,
            signaling: [Duration::ZERO; 2],
            recovers: false,
            is_attacked: false,
            shuffles: false,
            mutation: None,
        }
    }
}

/// Where a host is attached, and where that meets the Internet, unless it is there itself.
#[derive(Clone, Copy)]
struct Spot {
    link: LinkId,
    site: Option<Site>,
}

/// What it takes to start an agent.
#[derive(Clone)]
struct Program {
    agent: Config,
    seed: [u8; 32],
}

/// Two agents in a world, a STUN server, a TURN server if need be, and signaling.
pub struct Session {
    /// The world.
    pub world: World,
    config: SessionConfig,
    agents: [HostId<AgentNode>; 2],
    spots: [Spot; 2],
    programs: [Program; 2],
    relay: Option<HostId<TurnServer>>,
    signaling: [Duration; 2],
    /// What is on its way, for each receiver in the order in which it was sent.
    pending: [VecDeque<(Instant, Signal)>; 2],
}

impl Session {
    /// Builds the world of one seed. Checks start with [`exchange_credentials`](Self::exchange_credentials).
    #[must_use]
    pub fn new(config: &SessionConfig, seed: u64) -> Self {
        let mut world = World::new(Seed::from(seed));
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let stun_servers = add_stun_servers(&mut world).to_vec();
        let (relay, turn_servers) = match config.relaying {
            Relaying::None => (None, Vec::new()),
            Relaying::Available | Relaying::Only => {
                let start = TurnStart {
                    seed: rng.random(),
                    is_attacked: config.is_attacked,
                    mutation: config.mutation,
                };
                add_turn_server(&mut world, start, config.password)
            }
        };
        let candidates = match config.relaying {
            Relaying::None | Relaying::Available => CandidatePolicy::All,
            Relaying::Only => CandidatePolicy::Relay,
        };
        let programs = config.roles.map(|role| Program {
            seed: rng.random(),
            agent: Config {
                stun_servers: stun_servers.clone(),
                turn_servers: turn_servers.clone(),
                candidates,
                ..Config::new(role)
            },
        });
        let [(a, spot_a), (b, spot_b)] =
            [Side::A, Side::B].map(|side| add_agent(&mut world, config, side, &programs));
        Self {
            world,
            config: config.clone(),
            agents: [a, b],
            spots: [spot_a, spot_b],
            programs,
            relay,
            signaling: config.signaling,
            pending: Default::default(),
        }
    }

    pub(crate) fn host(&self, side: Side) -> HostId<AgentNode> {
        self.agents[side as usize]
    }

    /// The NAT or the firewall between one side and the Internet.
    pub(crate) fn gateway(&self, side: Side) -> Option<GatewayId> {
        self.spots[side as usize].site.map(|site| site.gateway)
    }

    /// What joins one side to the Internet: the access of its gateway there, or its own.
    pub(crate) fn uplink(&self, side: Side) -> LinkId {
        let spot = self.spots[side as usize];
        spot.site.map_or(spot.link, |site| site.link)
    }

    /// One side's access, as it was at the start.
    pub(crate) fn link(&self, side: Side) -> LinkId {
        self.spots[side as usize].link
    }

    /// One side's program ends without a word, and another one takes its place.
    pub(crate) fn restart_program(&mut self, side: Side) {
        let (host, now) = (self.host(side), self.world.now());
        let program = &mut self.programs[side as usize];
        program.seed = program.seed.map(|byte| byte ^ 0x5a);
        let addresses = self.world.addresses(host);
        let mut node = AgentNode::new(program.start(side, &self.config), &addresses, now);
        node.wish_restart(now);
        self.world.restart(host, node);
        // Nobody tells the new program what the old one was told.
        self.pending[side as usize].clear();
    }

    /// How many allocations there are.
    #[must_use]
    pub fn allocations(&self) -> usize {
        self.relay.map_or(0, |relay| self.world.node(relay).allocations())
    }

    /// The node of one side.
    #[must_use]
    pub fn node(&self, side: Side) -> &AgentNode {
        self.world.node(self.agents[side as usize])
    }

    /// What tells what was sent in one session from what was sent in another: by A, by B, by the TURN server.
    pub(crate) fn digests(&self) -> [u64; 3] {
        let [a, b] = [Side::A, Side::B].map(|side| self.node(side).digest());
        [a, b, self.relay.map_or(0, |relay| self.world.node(relay).digest())]
    }

    /// Tells one side the other's credentials, now.
    pub fn tell_credentials(&mut self, to: Side) {
        let from = [Side::B, Side::A][to as usize];
        let credentials = self.node(from).agent.local_credentials().clone();
        self.with(to, |node, now| {
            node.agent.set_remote_credentials(credentials, now).expect("told once")
        });
    }

    /// Tells both sides the other's credentials, now.
    pub fn exchange_credentials(&mut self) {
        self.tell_credentials(Side::A);
        self.tell_credentials(Side::B);
    }

    /// Sends application data from one side. `false` where there is no route.
    pub fn send(&mut self, from: Side) -> bool {
        self.with(from, |node, now| node.send(b"application data", now))
    }

    /// The TURN server, if there is one, loses all that it knows.
    pub fn restart_relay(&mut self) {
        if let Some(relay) = self.relay {
            self.world.with(relay, |server, _| server.forget());
        }
    }

    /// Ends both sides' sessions.
    pub fn close(&mut self) {
        for side in [Side::A, Side::B] {
            self.with(side, |node, now| node.close(now));
        }
    }

    /// Lets things happen until `done`, asked after each of them, or until `limit` has passed; whether it was done.
    ///
    /// # Errors
    /// When a machine breaks the simulator's contract: a deadline that stays due, a spin.
    pub fn run_until(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Result<bool, Box<Violation>> {
        let end = self.world.now() + limit;
        loop {
            self.carry_signals();
            if done(self) {
                return Ok(true);
            }
            let signal = self.pending.iter().filter_map(|queue| Some(queue.front()?.0)).min();
            let next = [signal, self.world.next_event_at()].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else {
                self.world.try_run_until(end)?;
                return Ok(done(self));
            };
            if signal == Some(next) {
                self.world.try_run_until(next)?;
                self.deliver_signals();
            } else {
                self.world.step()?;
            }
        }
    }

    /// Whether both sides have selected a pair.
    #[must_use]
    pub fn is_selected(&self) -> bool {
        [Side::A, Side::B].iter().all(|side| self.node(*side).selected.is_some())
    }

    /// The path that both sides have selected. A side that has learned a relayed address from a check does not know that
    /// it is one, but the other side does.
    #[must_use]
    pub fn path(&self) -> Path {
        if !self.is_selected() {
            return Path::None;
        }
        let is_relayed = [Side::A, Side::B].iter().any(|side| {
            let agent = &self.node(*side).agent;
            let pair = agent.selected_pair().and_then(|id| agent.pair(id));
            pair.is_some_and(|pair| pair.is_relayed())
        });
        if is_relayed { Path::Relayed } else { Path::Direct }
    }

    /// Whether both sides have selected a pair and hear from each other.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        [Side::A, Side::B].iter().all(|side| self.node(*side).agent.state() == State::Completed)
    }

    /// Whether both sides have given up.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        [Side::A, Side::B].iter().all(|side| self.node(*side).agent.state() == State::Failed)
    }

    /// What the monitors of both sides saw, and the TURN server's warden.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let of = |side| {
            self.node(side).monitor.violations().iter().map(move |what| format!("{side:?}: {what}"))
        };
        let server = self.relay.map(|relay| self.world.node(relay).warden.violations());
        let of_server = server.into_iter().flatten().map(|what| format!("server: {what}"));
        of(Side::A).chain(of(Side::B)).chain(of_server).collect()
    }

    fn carry_signals(&mut self) {
        let now = self.world.now();
        for from in [0, 1] {
            let to = 1 - from;
            if self.world.node(self.agents[from]).signals.is_empty() {
                continue;
            }
            let signals =
                self.world.with(self.agents[from], |node, _| std::mem::take(&mut node.signals));
            let arrival = now + self.signaling[from];
            for signal in signals {
                self.pass_on(to, signal, arrival);
            }
        }
    }

    /// A signal is on its way. Candidates may come before others that were sent earlier, and again (I21); nothing that
    /// is not a candidate overtakes or is overtaken.
    fn pass_on(&mut self, to: usize, signal: Signal, arrival: Instant) {
        let queue = &mut self.pending[to];
        if self.config.shuffles && matches!(signal, Signal::Candidate(_)) {
            let last = queue.iter().rposition(|(_, other)| !matches!(other, Signal::Candidate(_)));
            let at = queue.get(last.map_or(0, |last| last + 1)).map_or(arrival, |(at, _)| *at);
            queue.insert(last.map_or(0, |last| last + 1), (at, signal.clone()));
        }
        queue.push_back((arrival, signal));
    }

    fn deliver_signals(&mut self) {
        let now = self.world.now();
        for to in [Side::A, Side::B] {
            while self.pending[to as usize].front().is_some_and(|(at, _)| *at <= now) {
                let Some((_, signal)) = self.pending[to as usize].pop_front() else { break };
                self.with(to, |node, now| node.receive_signal(signal, now));
            }
        }
    }

    fn with<T>(&mut self, side: Side, act: impl FnOnce(&mut AgentNode, Instant) -> T) -> T {
        self.world.with(self.agents[side as usize], |node, now| {
            let result = act(node, now);
            node.collect(now);
            result
        })
    }
}

impl Program {
    fn start(&self, side: Side, config: &SessionConfig) -> Start {
        let Self { agent, seed } = self.clone();
        Start {
            agent,
            seed,
            mutation: config.mutation,
            side,
            recovers: config.recovers,
            is_attacked: config.is_attacked,
        }
    }
}
