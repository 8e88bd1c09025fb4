//! Two agents that a fuzzer leads through their lives.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use pinhole_ice::{
    Abilities, Agent, Candidate, CandidateKind, Command, Config, Event, Foundation,
    LocalPreference, PairId, Power, Role, ServerConnection, State,
};
use pinhole_sansio::{Datagram, FiveTuple, Instant, Payload, Transmit, Transport};

use crate::forge;
use crate::servers::Servers;

/// Two agents, their servers, and what is on its way. Each method is one step, `value` says which of its kind, and
/// the result is how many of the bytes that follow it has used up.
pub struct Meeting {
    now: Instant,
    agents: [Agent; 2],
    servers: Servers,
    /// Nothing arrives where there is no socket.
    sockets: [BTreeSet<SocketAddr>; 2],
    /// What each agent has sent and nobody has received yet.
    sent: [VecDeque<Transmit>; 2],
    /// What each has told the other to come.
    candidates: [VecDeque<Candidate>; 2],
    connections: [Vec<ServerConnection>; 2],
    /// Pairs that want a connection to the peer, and where it listens.
    dialled: [Vec<(PairId, SocketAddr)>; 2],
}

impl Meeting {
    /// The bits of `settings` say which servers are asked, whether both want to be controlling, whether the second is
    /// lite, whether there is TCP, whether backups are kept, and whether the first one nominates aggressively.
    #[must_use]
    pub fn new(settings: u8) -> Self {
        let (now, both) = (Instant::ZERO, settings & 8 != 0);
        let roles = [Role::Controlling, if both { Role::Controlling } else { Role::Controlled }];
        let agents = [0, 1].map(|side: usize| {
            let mut config = Config::new(roles[side]);
            Servers::configure(&mut config, settings);
            config.patience = Duration::from_secs(5);
            config.lite = side == 1 && settings & 16 != 0;
            config.tcp = settings & 32 != 0;
            config.nomination.aggressive = settings & 128 != 0;
            if settings & 64 == 0 {
                config.backups = None;
            }
            let seed = [settings ^ u8::try_from(side).expect("0 or 1"); 32];
            let mut agent = Agent::new(config, seed, now);
            agent.add_base(base(side, 0), now).expect("a fresh address");
            agent
        });
        let sockets = [0, 1].map(|side| BTreeSet::from([base(side, 0)]));
        let (sent, candidates, connections, dialled) = Default::default();
        let servers = Servers::new();
        Self { now, agents, servers, sockets, sent, candidates, connections, dialled }
    }

    /// The network delivers the oldest datagram of one side, loses it, or translates its source.
    pub fn deliver(&mut self, side: u8, value: u8) -> usize {
        let Some(transmit) = self.sent[usize::from(side)].pop_front() else { return 0 };
        match value {
            255 => {}
            250..255 => self.carry(side.into(), transmit.clone(), value & 1),
            _ => self.carry(side.into(), transmit, value & 1),
        }
        0
    }

    /// The same with a bit of it flipped.
    pub fn deliver_spoilt(&mut self, value: u8) -> usize {
        let side = usize::from(value & 1);
        let Some(Transmit { five_tuple, payload }) = self.sent[side].pop_front() else { return 0 };
        let mut bytes = payload.to_vec();
        if let Some(byte) = bytes.get_mut(usize::from(value >> 1)) {
            *byte ^= 1 << (value & 7);
        }
        self.carry(side, Transmit { five_tuple, payload: Payload::from(&bytes[..]) }, 0);
        0
    }

    /// Time goes on: to the next deadline, or by up to eight minutes.
    pub fn wait(&mut self, value: u8) -> usize {
        let next = self.agents.iter().filter_map(Agent::poll_timeout).min();
        self.now = match value {
            0..128 => next.unwrap_or(self.now).max(self.now),
            _ => self.now + Duration::from_millis(1 << (value & 15)) * 16,
        };
        for agent in &mut self.agents {
            // A burst of what was overdue is drained in between, as a driver would.
            for _ in 0..MOST_AT_ONCE {
                agent.handle_timeout(self.now);
                if agent.poll_timeout().is_none_or(|at| at > self.now) {
                    break;
                }
            }
            assert!(agent.poll_timeout().is_none_or(|at| at > self.now), "a timer is due for ever");
        }
        0
    }

    /// An authentic check from anywhere.
    pub fn forge_check(&mut self, value: u8) -> usize {
        let [to, from] = self.sides(value);
        let [ours, theirs] = [to, from].map(|side| self.agents[side].local_credentials().clone());
        let check = forge::check(&theirs, &ours, value >> 1);
        let five_tuple = FiveTuple::udp(base(to, 0), base(from, value >> 4));
        self.give(to, five_tuple, &check);
        0
    }

    /// An authentic answer to the newest request.
    pub fn forge_answer(&mut self, value: u8) -> usize {
        let [to, from] = self.sides(value);
        let Some(Transmit { five_tuple, payload }) = self.sent[to].back().cloned() else {
            return 0;
        };
        let credentials = self.agents[from].local_credentials();
        let answer = forge::answer(&payload, five_tuple, credentials, value >> 1);
        if let Some(answer) = answer {
            self.give(to, five_tuple, &answer);
        }
        0
    }

    /// Signaling of the one side's credentials and candidates to the other.
    pub fn exchange(&mut self, value: u8) -> usize {
        let [to, from] = self.sides(value);
        let credentials = self.agents[from].local_credentials().clone();
        let abilities = self.agents[from].local_abilities();
        let agent = &mut self.agents[to];
        if value & 16 != 0 {
            agent.set_remote_abilities(Abilities { ice2: value & 32 != 0, ..abilities });
        }
        if value & 2 != 0 {
            let _ = agent.set_remote_credentials(credentials, self.now);
        }
        while value & 4 != 0
            && let Some(candidate) = self.candidates[from].pop_front()
        {
            agent.add_remote_candidate(candidate, self.now);
        }
        if value & 8 != 0 {
            agent.end_of_remote_candidates(self.now);
        }
        0
    }

    /// What an application may tell its agent at any time.
    pub fn command(&mut self, value: u8) -> usize {
        let (side, now) = (usize::from(value & 1), self.now);
        let (agent, other) = (&mut self.agents[side], value >> 4);
        match value >> 1 & 7 {
            0 => agent.end_of_bases(now),
            1 => {
                if agent.add_base(base(side, other), now).is_ok() {
                    self.sockets[side].insert(base(side, other));
                }
            }
            2 => {
                agent.remove_base(base(side, other), now);
                self.sockets[side].remove(&base(side, other));
            }
            3 => drop(agent.restart(now)),
            4 => agent.add_stun_server(base(other.into(), 9), now),
            5 => drop(agent.route(usize::from(value), now)),
            6 => drop(agent.add_tcp_listener(base(side, other), now)),
            _ => match other {
                15 => agent.close(now),
                14 => agent.set_power(Power::Saving),
                13 => agent.server_not_found("name".into(), "reason".into()),
                12 => drop(agent.add_tcp_simultaneous_open(base(side, 7), now)),
                11 => {
                    let told = agent.remote_candidates().next().cloned();
                    told.into_iter().for_each(|told| agent.remove_remote_candidate(&told, now));
                }
                _ => {
                    let pair = agent.pairs().next().map(|pair| pair.id);
                    pair.into_iter().for_each(|pair| agent.peer_is_alive(pair, now));
                }
            },
        }
        0
    }

    /// A candidate that the peer never had.
    pub fn add_candidate(&mut self, value: u8) -> usize {
        let side = usize::from(value & 1);
        let foundation = Foundation::new(&(value >> 5).to_string()).expect("a digit");
        let kind = [CandidateKind::Host, CandidateKind::Relayed][usize::from(value >> 1 & 1)];
        let preference = LocalPreference::ranked(value, 0);
        let address = base(1 - side, value >> 2);
        let candidate = Candidate::udp(kind, address, foundation, preference);
        self.agents[side].add_remote_candidate(candidate, self.now);
        0
    }

    /// A candidate in the words of whoever chose the bytes, up to a line feed.
    pub fn add_candidate_line(&mut self, bytes: &[u8]) -> usize {
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        if let Some(candidate) = str::from_utf8(line).ok().and_then(|text| text.parse().ok()) {
            self.agents[0].add_remote_candidate(candidate, self.now);
        }
        line.len() + 1
    }

    /// Bytes from anywhere.
    pub fn receive(&mut self, value: u8, bytes: &[u8]) -> usize {
        let bytes = &bytes[..bytes.len().min(usize::from(value >> 1))];
        let [to, from] = self.sides(value);
        self.give(to, FiveTuple::udp(base(to, 0), base(from, value & 3)), bytes);
        bytes.len()
    }

    /// The newest datagram is carried before all others, which is what reordering comes to.
    pub fn server_answers(&mut self, value: u8) -> usize {
        let side = usize::from(value & 1);
        if let Some(transmit) = self.sent[side].pop_back() {
            self.carry(side, transmit, value >> 1);
        }
        0
    }

    /// A connection to the TURN server, or to the peer, comes about, does not, or breaks.
    pub fn connection(&mut self, value: u8) -> usize {
        let (side, now) = (usize::from(value & 1), self.now);
        let local = base(side, value >> 4);
        if value & 8 != 0 {
            self.connect_to_peer(side, local, value >> 1 & 3);
        } else if let Some(connection) = self.connections[side].last().copied() {
            let five_tuple = Servers::connection(local);
            match value >> 1 & 3 {
                0 | 1 => self.agents[side].server_connected(connection, Some(five_tuple), now),
                2 => self.agents[side].server_connected(connection, None, now),
                _ => self.agents[side].server_disconnected(connection, now),
            }
        }
        0
    }

    fn connect_to_peer(&mut self, side: usize, local: SocketAddr, way: u8) {
        let now = self.now;
        let Some((pair, remote)) = self.dialled[side].last().copied() else { return };
        let five_tuple = FiveTuple { transport: Transport::Tcp, ..FiveTuple::udp(local, remote) };
        match way {
            0 | 1 => self.agents[side].peer_connected(pair, Some(five_tuple), now),
            2 => self.agents[side].peer_connected(pair, None, now),
            _ => {
                self.agents[side].peer_disconnected(five_tuple, now);
                self.agents[1 - side].peer_disconnected(five_tuple.reversed(), now);
            }
        }
    }

    /// Takes what the agents have to say, and holds them to their bounds.
    pub fn settle(&mut self) {
        for side in 0..2 {
            let (agent, sent) = (&mut self.agents[side], &mut self.sent[side]);
            let before = sent.len();
            sent.extend(std::iter::from_fn(|| agent.poll_transmit()));
            assert!(sent.len() - before <= MOST_AT_ONCE, "{} datagrams", sent.len() - before);
            sent.drain(..sent.len().saturating_sub(MOST_ON_THE_WAY));
            while let Some(command) = agent.poll_command() {
                match command {
                    Command::Connect { connection, .. } => self.connections[side].push(connection),
                    Command::Disconnect(gone) => self.connections[side].retain(|one| *one != gone),
                    Command::ConnectToPeer { pair, remote, .. } => {
                        self.dialled[side].push((pair, remote));
                    }
                    _ => {}
                }
            }
            let events: Vec<Event> = std::iter::from_fn(|| agent.poll_event()).collect();
            assert!(events.len() <= MOST_EVENTS, "{} events", events.len());
            let candidates = events.into_iter().filter_map(|event| match event {
                Event::CandidateGathered(candidate) => Some(candidate),
                _ => None,
            });
            self.candidates[side].extend(candidates);
            assert!(agent.pairs().count() <= 100 && agent.remote_candidates().count() <= 100);
            assert!(agent.local_candidates().count() <= 256 + 128);
            // The pair of a socket that was taken away is no longer to be looked at.
            let selected = agent.selected_pair().and_then(|pair| agent.pair(pair));
            assert!(selected.is_some() || agent.state() != State::Completed);
        }
    }

    /// Which side a step is done to, and the other one.
    fn sides(&self, value: u8) -> [usize; 2] {
        let side = usize::from(value & 1);
        [side, 1 - side]
    }

    fn carry(&mut self, from: usize, transmit: Transmit, translation: u8) {
        if Servers::is_one(transmit.five_tuple.remote) {
            for answer in self.servers.answer(&transmit, translation, self.now) {
                self.give(from, answer.five_tuple.reversed(), &answer.payload);
            }
            return;
        }
        let mut five_tuple = transmit.five_tuple.reversed();
        if translation == 1 && !five_tuple.transport.is_reliable() {
            five_tuple.remote.set_port(five_tuple.remote.port() + 1_000);
        }
        self.give(1 - from, five_tuple, &transmit.payload);
    }

    fn give(&mut self, to: usize, five_tuple: FiveTuple, payload: &[u8]) {
        if self.sockets[to].contains(&five_tuple.local) || five_tuple.transport.is_reliable() {
            let _ = self.agents[to].handle_datagram(Datagram { five_tuple, payload }, self.now);
        }
    }
}

/// The sockets of the two sides, by number.
fn base(side: usize, number: u8) -> SocketAddr {
    let last = u8::try_from(side & 15).expect("four bits") + 1;
    ([192, 0, 2, last], 5_000 + u16::from(number)).into()
}

/// Answers, checks, retransmissions of all pairs, and what was overdue of each.
const MOST_AT_ONCE: usize = 512;
const MOST_ON_THE_WAY: usize = 256;
/// Each pair may change its state a few times.
const MOST_EVENTS: usize = 2_048;
