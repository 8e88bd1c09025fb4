//! Many agents on few sockets: an SFU's one UDP port, a server's one listener.

mod routes;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

use foldhash::fast::SeedableRandomState;
use hashbrown::HashMap;
use pinhole_sansio::{Datagram, FiveTuple, Instant, Transmit};

use crate::agent::{Agent, Received, Route};
use crate::event::{Command, Event};
use crate::pair::PairState;
use routes::{Claims, Routes, hasher};

/// Agents that share sockets, each called by its [`AgentKey`].
///
/// What arrives finds its agent in constant time: a request by the user fragment that it names first
/// (RFC 8445 §7.2.2), a response by its transaction, everything else by the five-tuple of a validated pair or of a
/// TURN server. What belongs to nobody leaves no trace, and is not answered. Each agent is given the same base, or the
/// same listener; frames from its connections are handed in like datagrams, with the connection's five-tuple, which
/// is its agent's from its first authentic check on.
///
/// ```
/// use pinhole_ice::{Agent, Config, Endpoint, Event, Received, Role};
/// use pinhole_sansio::{Datagram, FiveTuple, Instant};
///
/// let now = Instant::ZERO;
/// let socket = "192.0.2.1:443".parse()?; // one socket, bound once, for all of them
/// let mut endpoint = Endpoint::new([1; 32]);
/// let mut agent = Agent::new(Config::new(Role::Controlled), [2; 32], now);
/// agent.add_base(socket, now)?;
/// agent.end_of_bases(now);
/// let key = endpoint.insert(agent, now)?; // signal its credentials, and take the peer's by `with`
///
/// // The loop of one agent, with a key in front of all that is said.
/// let five_tuple = FiveTuple::udp(socket, "198.51.100.1:5000".parse()?);
/// match endpoint.handle_datagram(Datagram { five_tuple, payload: b"\x80 of nobody" }, now) {
///     Some((key, Received::Data { payload, .. })) => println!("{key}: {} bytes", payload.len()),
///     Some((_, Received::Consumed | Received::Dropped(_))) | None => {}
/// }
/// while let Some((_, transmit)) = endpoint.poll_transmit() {
///     println!("send {} bytes to {}", transmit.payload.len(), transmit.five_tuple.remote);
/// }
/// while let Some((who, event)) = endpoint.poll_event() {
///     assert_eq!(who, key);
///     if let Event::CandidateGathered(candidate) = event {
///         println!("signal {candidate}");
///     }
/// }
/// if endpoint.poll_timeout().is_some_and(|at| at <= now) {
///     endpoint.handle_timeout(now);
/// }
/// endpoint.close(key, now);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Endpoint {
    members: HashMap<AgentKey, Box<Member>, SeedableRandomState>,
    routes: Routes,
    timers: BTreeSet<(Instant, AgentKey)>,
    transmits: VecDeque<(AgentKey, Transmit)>,
    commands: VecDeque<(AgentKey, Command)>,
    events: VecDeque<(AgentKey, Event)>,
    next_key: u64,
}

/// Names an agent of an endpoint; never used again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentKey(u64);

/// Another agent of the endpoint has the same user fragment, and checks for the two could not be told apart. The
/// agent comes back: [restart](Agent::restart) it for another, or make one with a seed of its own.
#[derive(Debug, thiserror::Error)]
#[error("another agent has the user fragment {}", .0.local_credentials().ufrag)]
pub struct UfragTaken(pub Box<Agent>);

#[derive(Debug)]
struct Member {
    agent: Agent,
    claims: Claims,
    /// Its entry in the endpoint's timers.
    deadline: Option<Instant>,
}

impl Endpoint {
    /// No agent yet. `seed` keeps strangers from choosing addresses that collide in its tables.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        let (hash_seed, _) = seed.split_first_chunk().unwrap_or((&[0; 8], &[]));
        let hash_seed = u64::from_le_bytes(*hash_seed);
        Self {
            members: HashMap::with_hasher(hasher(hash_seed)),
            routes: Routes::new(hash_seed),
            timers: BTreeSet::new(),
            transmits: VecDeque::new(),
            commands: VecDeque::new(),
            events: VecDeque::new(),
            next_key: 0,
        }
    }

    /// Takes an agent over, with what it has to say so far.
    ///
    /// # Errors
    /// [`UfragTaken`].
    pub fn insert(&mut self, agent: Agent, now: Instant) -> Result<AgentKey, UfragTaken> {
        if self.routes.has_ufrag(agent.local_credentials().ufrag.as_str()) {
            return Err(UfragTaken(Box::new(agent)));
        }
        let key = AgentKey(self.next_key);
        self.next_key += 1;
        let member = Member { agent, claims: Claims::default(), deadline: None };
        self.members.insert(key, Box::new(member));
        self.settle(key, now);
        Ok(key)
    }

    /// Closes an agent and forgets it; what it sends as a goodbye, and its last event, are still to be polled.
    /// Whether there was one. An agent that has failed stays until then, for a restart may mend it.
    pub fn close(&mut self, key: AgentKey, now: Instant) -> bool {
        let closed = self.with(key, now, |agent| agent.close(now)).is_some();
        if let Some(member) = self.members.remove(&key) {
            self.routes.forget(key, &member.claims);
            if let Some(at) = member.deadline {
                self.timers.remove(&(at, key));
            }
        }
        closed
    }

    /// Does something with an agent, such as to tell it the peer's candidates. `None` when there is none.
    pub fn with<T>(
        &mut self,
        key: AgentKey,
        now: Instant,
        act: impl FnOnce(&mut Agent) -> T,
    ) -> Option<T> {
        let result = act(&mut self.members.get_mut(&key)?.agent);
        self.settle(key, now);
        Some(result)
    }

    /// Gives what arrived to the agent that it belongs to; `None` when that is nobody.
    pub fn handle_datagram<'a>(
        &mut self,
        datagram: Datagram<'a>,
        now: Instant,
    ) -> Option<(AgentKey, Received<'a>)> {
        let key = self.owner(datagram)?;
        let received = self.members.get_mut(&key)?.agent.handle_datagram(datagram, now);
        let is_plain_data = matches!(received, Received::Data { payload, .. } if payload.len() == datagram.payload.len());
        if !is_plain_data {
            self.settle(key, now);
        }
        Some((key, received))
    }

    /// Tells that a connection to a peer, opened or accepted, has ended; as [`Agent::peer_disconnected`]. Whose it was, if
    /// it was somebody's.
    pub fn peer_disconnected(&mut self, connection: FiveTuple, now: Instant) -> Option<AgentKey> {
        let key = self.routes.disconnected(connection)?;
        self.with(key, now, |agent| agent.peer_disconnected(connection, now));
        Some(key)
    }

    /// Lets every agent do what is due, once.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due = self.timers.iter().take_while(|(at, _)| *at <= now).map(|(_, key)| *key);
        let due: Vec<AgentKey> = due.collect();
        for key in due {
            self.with(key, now, |agent| agent.handle_timeout(now));
        }
    }

    /// Where `length` bytes of application data for this agent's peer go now; see [`Agent::route`].
    #[must_use]
    pub fn route(&mut self, key: AgentKey, length: usize, now: Instant) -> Option<Route> {
        let route = self.members.get_mut(&key)?.agent.route(length, now)?;
        // A TURN server may have to be asked for a channel.
        if route.header.is_some() {
            self.settle(key, now);
        }
        Some(route)
    }

    /// The next datagram to send, and whose it is, until `None`.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<(AgentKey, Transmit)> {
        self.transmits.pop_front()
    }

    /// What the application has to do, until `None`; the answer goes to the agent [`with`](Self::with) its method.
    #[must_use]
    pub fn poll_command(&mut self) -> Option<(AgentKey, Command)> {
        self.commands.pop_front()
    }

    /// What happened to whom, until `None`.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<(AgentKey, Event)> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `None` for never.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// The agent that a datagram belongs to.
    #[must_use]
    pub fn owner(&self, datagram: Datagram<'_>) -> Option<AgentKey> {
        self.routes.find(datagram)
    }

    /// Looks at an agent.
    #[must_use]
    pub fn agent(&self, key: AgentKey) -> Option<&Agent> {
        self.members.get(&key).map(|member| &member.agent)
    }

    /// How many agents there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no agent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Takes what an agent has to say, and learns from it what will be whose.
    fn settle(&mut self, key: AgentKey, now: Instant) {
        let Some(member) = self.members.get_mut(&key) else { return };
        let Member { agent, claims, deadline } = &mut **member;
        while let Some(transmit) = agent.poll_transmit() {
            self.routes.sent(key, claims, &transmit, now);
            self.transmits.push_back((key, transmit));
        }
        self.commands.extend(core::iter::from_fn(|| agent.poll_command()).map(|c| (key, c)));
        while let Some(event) = agent.poll_event() {
            if let Event::PairStateChanged { pair, state: PairState::Succeeded } = event {
                let info = agent.pair(pair);
                let path = info.and_then(|i| Some(FiveTuple::udp(i.base, i.remote.udp_address()?)));
                path.into_iter().for_each(|path| self.routes.claim_path(key, claims, path));
            }
            self.events.push_back((key, event));
        }
        self.routes.claim_ufrag(key, claims, agent.local_credentials().ufrag.as_str());
        let next = agent.poll_timeout();
        if next != *deadline {
            if let Some(at) = deadline.take() {
                self.timers.remove(&(at, key));
            }
            self.timers.extend(next.map(|at| (at, key)));
            *deadline = next;
        }
    }
}

impl core::fmt::Display for AgentKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "agent {}", self.0)
    }
}
