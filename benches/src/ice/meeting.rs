//! Two agents in a simulated world, and signaling between them that takes no time.

use std::net::SocketAddr;
use std::time::Duration;

use pinhole_netsim::{Conditions, Direction, Family, HostId, World};
use pinhole_sansio::Instant;
use pinhole_scenarios::{Place, StunServer};

use super::{AgentNode, Kind, Setup};

/// Two agents, the first of them controlling.
pub struct Meeting {
    world: World,
    agents: [HostId<AgentNode>; 2],
}

/// Hosts on the Internet itself with several interfaces each.
#[derive(Clone, Copy, Debug)]
pub struct Topology {
    /// How many interfaces each host has.
    pub interfaces: usize,
    /// How many of them, the preferred ones, lead nowhere.
    pub dead: usize,
    /// There and back.
    pub round_trip: Duration,
}

impl Meeting {
    /// Agents at two places that know a STUN server, 100 ms there and back where nothing is in between.
    pub fn at(places: [Place; 2], kinds: [Kind; 2], seed: u64) -> Self {
        let mut world = World::new(seed);
        let stun_servers = add_stun_server(&mut world);
        let agents = [0, 1].map(|side| {
            let place = places[side];
            let (network, _) = place.build(&mut world, NAMES[side]);
            let host = world.host(NAMES[side]).on(network).family(place.family());
            host.link(Conditions::latency(ACCESS)).start_with(|addresses| {
                let sockets = addresses.iter().map(|ip| SocketAddr::new(*ip, PORT)).collect();
                start(kinds[side], side, sockets, stun_servers.clone())
            })
        });
        Self::begin(world, agents)
    }

    /// Two agents of one kind on hosts with several interfaces.
    pub fn between(topology: Topology, kind: Kind) -> Self {
        let mut world = World::new(1);
        let core = world.core();
        let agents = [0, 1].map(|side| {
            let access = Conditions::latency(topology.round_trip / 4);
            let host = (0..topology.interfaces)
                .fold(world.host(NAMES[side]), |host, _| host.on(core).link(access.clone()));
            host.start_with(|addresses| {
                let sockets = addresses.iter().map(|ip| SocketAddr::new(*ip, PORT)).collect();
                start(kind, side, sockets, Vec::new())
            })
        });
        for agent in agents {
            for link in world.links(agent).into_iter().take(topology.dead) {
                world.set_outage(link, Direction::Up, true);
                world.set_outage(link, Direction::Down, true);
            }
        }
        Self::begin(world, agents)
    }

    fn begin(world: World, agents: [HostId<AgentNode>; 2]) -> Self {
        let mut meeting = Self { world, agents };
        let [a, b] = meeting.nodes().map(|node| node.agent.credentials());
        for (agent, remote) in agents.into_iter().zip([b, a]) {
            meeting.world.with(agent, |node, now| {
                node.agent.set_remote_credentials(&remote, now);
                node.look(now);
            });
        }
        meeting
    }

    /// Lets things happen until both have selected a pair; whether they have within `limit`.
    pub fn run_until_selected(&mut self, limit: Duration) -> bool {
        let end = self.world.now() + limit;
        loop {
            self.carry_signals();
            if self.nodes().iter().all(|node| node.selected.is_some()) {
                return true;
            }
            let is_due = self.world.next_event_at().is_some_and(|at| at <= end);
            if !is_due || !self.world.step().expect("the machines keep the simulator's contract") {
                return false;
            }
        }
    }

    /// Lets `duration` pass.
    pub fn run_for(&mut self, duration: Duration) {
        self.world.run_for(duration);
    }

    /// Sends a datagram each way; whether both arrive.
    pub fn carries_data(&mut self) -> bool {
        let before = self.nodes().map(|node| node.received);
        for agent in self.agents {
            self.world.with(agent, |node, now| node.send(b"\xffapplication data", now));
        }
        self.world.run_for(Duration::from_secs(1));
        self.nodes().map(|node| node.received) == before.map(|received| received + 1)
    }

    /// The first and the second agent.
    pub fn nodes(&self) -> [&AgentNode; 2] {
        self.agents.map(|agent| self.world.node(agent))
    }

    /// What both have sent.
    pub fn packets(&self) -> usize {
        self.nodes().iter().map(|node| node.sent).sum()
    }

    fn carry_signals(&mut self) {
        let [a, b] = self.agents;
        for (from, to) in [(a, b), (b, a)] {
            while let Some(signal) = self.world.with(from, |node, _| node.agent.poll_signal()) {
                self.world.with(to, |node, now| {
                    node.agent.handle_signal(&signal, now);
                    node.look(now);
                });
            }
        }
    }
}

fn start(
    kind: Kind,
    side: usize,
    addresses: Vec<SocketAddr>,
    stun_servers: Vec<SocketAddr>,
) -> AgentNode {
    let seed = u8::try_from(side + 1).expect("two sides");
    let setup = Setup { is_controlling: side == 0, seed, addresses, stun_servers };
    AgentNode::new(kind, &setup, Instant::ZERO)
}

/// One on the core, with an address of each family.
fn add_stun_server(world: &mut World) -> Vec<SocketAddr> {
    let host = world.host("stun").family(Family::Dual);
    let access = Conditions::latency(Duration::from_millis(5));
    let server = host.link(access).start(StunServer::default());
    let addresses = world.addresses(server);
    addresses.into_iter().map(|ip| SocketAddr::new(ip, STUN_PORT)).collect()
}

const NAMES: [&str; 2] = ["a", "b"];
/// The port of every agent's sockets.
const PORT: u16 = 5_000;
const STUN_PORT: u16 = 3_478;
/// Each host's access, passed twice each way.
const ACCESS: Duration = Duration::from_millis(25);
