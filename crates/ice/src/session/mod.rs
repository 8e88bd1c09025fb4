//! Several data streams, each with one component or two, under one roof.

mod drive;
mod freezing;
mod signaling;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;

use pinhole_sansio::Instant;
use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

use crate::abilities::Abilities;
use crate::agent::{Agent, AgentError, Common, State};
use crate::candidate::Component;
use crate::config::{Config, TurnServer};
use crate::credentials::Credentials;
use crate::role::{Role, TieBreaker};

/// An ICE session of several data streams and components (RFC 8445 §4): RTP and RTCP without multiplexing, media
/// sections without BUNDLE. With one component of one stream an [`Agent`] is all that it takes.
///
/// Each component has an agent of its own, with its own sockets and its own checklist. They act as one: a single
/// pace for all (§14.2), one role and one tie-breaker (§6.1.1), pairs of one foundation that wait for each other
/// across checklists (§6.1.2.6), and at most [`Config::max_pairs`] in all (§6.1.2.5).
///
/// ```
/// use pinhole_ice::{Component, Config, Role, Session};
/// use pinhole_sansio::Instant;
///
/// let now = Instant::ZERO;
/// let mut session = Session::new(Config::new(Role::Controlling), [1; 32]);
/// let audio = session.add_stream();
/// let rtp = session.add_component(audio, Component::FIRST, now)?;
/// let rtcp = session.add_component(audio, Component::RTCP, now)?;
/// session.add_base(rtp, "192.0.2.1:5000".parse()?, now)?;
/// session.add_base(rtcp, "192.0.2.1:5001".parse()?, now)?;
/// session.end_of_bases(now);
/// while let Some((place, event)) = session.poll_event() {
///     println!("stream {:?}, component {}: {event:?}", place.stream, place.component.get());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Session {
    config: Config,
    rng: ChaCha12Rng,
    claim: (Role, TieBreaker),
    peer: Option<Abilities>,
    common: Common,
    streams: Vec<StreamState>,
    /// In the order of their streams and components.
    members: Vec<Member>,
    bases: BTreeMap<SocketAddr, Place>,
    listeners: BTreeMap<SocketAddr, Place>,
    /// Whose turn is first when the pacer opens next (§6.1.4.2).
    turn: usize,
}

/// A data stream of a session: the position of its media section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stream(u16);

/// A component of a data stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Of which stream.
    pub stream: Stream,
    /// 1 for RTP, 2 for RTCP.
    pub component: Component,
}

#[derive(Debug)]
struct StreamState {
    credentials: Credentials,
    /// It was told that all of its components have gathered.
    gathered: bool,
}

#[derive(Debug)]
struct Member {
    place: Place,
    agent: Agent,
    /// The state of its checklist that the others know.
    seen: u64,
    gathered: bool,
}

impl Session {
    /// A session without streams. `seed` is all its randomness: never use one twice.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let claim = (config.role, TieBreaker(rng.next_u64()));
        Self {
            config,
            rng,
            claim,
            peer: None,
            common: Common::default(),
            streams: Vec::new(),
            members: Vec::new(),
            bases: BTreeMap::new(),
            listeners: BTreeMap::new(),
            turn: 0,
        }
    }

    /// Adds a data stream, behind those that there are.
    ///
    /// # Panics
    /// With more than 65,535 streams.
    pub fn add_stream(&mut self) -> Stream {
        let stream = u16::try_from(self.streams.len()).expect("fewer media sections than that");
        let credentials = Credentials::random(&mut self.rng);
        self.streams.push(StreamState { credentials, gathered: false });
        Stream(stream)
    }

    /// Adds a component to a stream.
    ///
    /// # Errors
    /// [`AgentError::UnusableComponent`] when it is there already.
    pub fn add_component(
        &mut self,
        stream: Stream,
        component: Component,
        now: Instant,
    ) -> Result<Place, AgentError> {
        let place = Place { stream, component };
        let credentials = self.local_credentials(stream).cloned();
        let position = self.members.partition_point(|member| member.place < place);
        let is_new = self.members.get(position).is_none_or(|member| member.place != place);
        let credentials =
            credentials.filter(|_| is_new).ok_or(AgentError::UnusableComponent(component))?;
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let config = Config { role: self.claim.0, ..self.config.clone() };
        let mut agent = Agent::new(config, seed, now);
        agent.join(component, credentials, self.claim.1);
        if let Some(peer) = self.peer {
            agent.set_remote_abilities(peer);
        }
        self.members.insert(position, Member { place, agent, seen: 0, gathered: false });
        self.share_pairs();
        Ok(place)
    }

    /// Takes a component away: RTCP, when the peer's answer multiplexes it (RFC 8445 §5.1.1.1, RFC 5761). Its sockets
    /// are the application's to close.
    pub fn remove_component(&mut self, place: Place, now: Instant) {
        self.with(place, now, |agent| agent.close(now));
        self.members.retain(|member| member.place != place);
        self.bases.retain(|_, owner| *owner != place);
        self.listeners.retain(|_, owner| *owner != place);
        self.share_pairs();
    }

    /// Gives a component a UDP socket of its own; as [`Agent::add_base`].
    ///
    /// # Errors
    /// As there, and when the component is unknown.
    pub fn add_base(
        &mut self,
        place: Place,
        address: SocketAddr,
        now: Instant,
    ) -> Result<(), AgentError> {
        if self.bases.contains_key(&address) {
            return Err(AgentError::UnusableBase(address));
        }
        let added = self.with(place, now, |agent| agent.add_base(address, now));
        added.ok_or(AgentError::UnusableComponent(place.component))??;
        self.bases.insert(address, place);
        Ok(())
    }

    /// Gives a component a TCP socket that listens; as [`Agent::add_tcp_listener`].
    ///
    /// # Errors
    /// As there, and when the component is unknown.
    pub fn add_tcp_listener(
        &mut self,
        place: Place,
        address: SocketAddr,
        now: Instant,
    ) -> Result<(), AgentError> {
        let added = self.with(place, now, |agent| agent.add_tcp_listener(address, now));
        added.ok_or(AgentError::UnusableComponent(place.component))??;
        self.listeners.insert(address, place);
        Ok(())
    }

    /// Gives a component an address to open and accept TCP connections at; as [`Agent::add_tcp_simultaneous_open`].
    ///
    /// # Errors
    /// As there, and when the component is unknown.
    pub fn add_tcp_simultaneous_open(
        &mut self,
        place: Place,
        address: SocketAddr,
        now: Instant,
    ) -> Result<(), AgentError> {
        let added = self.with(place, now, |agent| agent.add_tcp_simultaneous_open(address, now));
        added.ok_or(AgentError::UnusableComponent(place.component))??;
        self.listeners.insert(address, place);
        Ok(())
    }

    /// Takes a socket away; as [`Agent::remove_base`].
    pub fn remove_base(&mut self, address: SocketAddr, now: Instant) {
        let places = [self.bases.remove(&address), self.listeners.remove(&address)];
        for place in places.into_iter().flatten() {
            self.with(place, now, |agent| agent.remove_base(address, now));
        }
    }

    /// There are no more bases, for any component.
    pub fn end_of_bases(&mut self, now: Instant) {
        self.with_all(now, |agent| agent.end_of_bases(now));
    }

    /// Has a STUN server asked for every component.
    pub fn add_stun_server(&mut self, server: SocketAddr, now: Instant) {
        self.with_all(now, |agent| agent.add_stun_server(server, now));
    }

    /// Has a TURN server asked for every component.
    pub fn add_turn_server(&mut self, server: &TurnServer, now: Instant) {
        self.with_all(now, |agent| agent.add_turn_server(server.clone(), now));
    }

    /// The agent of a component, to look at.
    #[must_use]
    pub fn agent(&self, place: Place) -> Option<&Agent> {
        self.members.iter().find(|member| member.place == place).map(|member| &member.agent)
    }

    /// Ends all components.
    pub fn close(&mut self, now: Instant) {
        self.with_all(now, |agent| agent.close(now));
    }

    /// The session as a whole (§6.1.3): failed as soon as one component is, completed once all are.
    #[must_use]
    pub fn state(&self) -> State {
        let states = || self.members.iter().map(|member| member.agent.state());
        let worst = [State::Failed, State::Closed, State::Disconnected];
        let found = worst.into_iter().find(|wanted| states().any(|state| state == *wanted));
        found.unwrap_or_else(|| {
            let all = |wanted: &[State]| states().all(|state| wanted.contains(&state));
            match () {
                () if self.members.is_empty() || all(&[State::New]) => State::New,
                () if all(&[State::Completed]) => State::Completed,
                () if all(&[State::Completed, State::Connected]) => State::Connected,
                () => State::Checking,
            }
        })
    }

    fn places(&self) -> Vec<Place> {
        self.members.iter().map(|member| member.place).collect()
    }

    fn places_of(&self, stream: Stream) -> Vec<Place> {
        self.places().into_iter().filter(|place| place.stream == stream).collect()
    }

    fn member_mut(&mut self, place: Place) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.place == place)
    }

    fn share_pairs(&mut self) {
        let checklists = self.members.len();
        for member in &mut self.members {
            member.agent.share(self.config.max_pairs, checklists);
        }
    }

    fn with_all(&mut self, now: Instant, mut act: impl FnMut(&mut Agent)) {
        for place in self.places() {
            self.with(place, now, &mut act);
        }
    }

    /// Does something with one agent, and tells the others what follows for them.
    fn with<T>(
        &mut self,
        place: Place,
        now: Instant,
        act: impl FnOnce(&mut Agent) -> T,
    ) -> Option<T> {
        let Self { members, common, .. } = self;
        let agent = &mut members.iter_mut().find(|member| member.place == place)?.agent;
        agent.swap_common(common);
        let result = act(agent);
        agent.swap_common(common);
        let (claim, next) = (agent.claim(), agent.next_turn());
        self.agree(claim, next);
        self.thaw(now);
        Some(result)
    }

    /// One role and one pace for all.
    fn agree(&mut self, claim: (Role, TieBreaker), next: Instant) {
        let is_new = self.claim != claim;
        self.claim = claim;
        for member in &mut self.members {
            member.agent.wait_until(next);
            if is_new {
                member.agent.adopt(claim);
            }
        }
    }
}
