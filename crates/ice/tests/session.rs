//! Several streams and components (RFC 8445 §4, §6.1).
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::wildcard_enum_match_arm, reason = "a log looks for the few events it counts")]

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pinhole_ice::{
    AgentError, Candidate, Component, Config, Event, PairState, Place, Received, Role, Session,
    State, Stream,
};
use pinhole_netsim::{Conditions, HostId, Node, World};
use pinhole_sansio::{Datagram, Instant, Transmit};
use pinhole_stun::{Class, Message};

const LIMIT: Duration = Duration::from_secs(10);
const ROUND_TRIP: Duration = Duration::from_millis(100);

/// A session on a host, and what it did.
struct SessionNode {
    session: Session,
    events: Vec<(Instant, Place, Event)>,
    signals: VecDeque<(Stream, Option<Candidate>)>,
    requests: Vec<Instant>,
    data: Vec<(Place, Vec<u8>)>,
    outbox: VecDeque<Transmit>,
    now: Instant,
}

impl SessionNode {
    /// Two streams: RTP with RTCP beside it, and data.
    fn new(config: Config, seed: u8, addresses: &[IpAddr]) -> Self {
        let now = Instant::ZERO;
        let mut session = Session::new(config, [seed; 32]);
        let (audio, data) = (session.add_stream(), session.add_stream());
        let all = [(audio, Component::FIRST), (audio, Component::RTCP), (data, Component::FIRST)];
        for ((stream, component), port) in all.into_iter().zip(5_000..) {
            let place = session.add_component(stream, component, now).unwrap();
            for ip in addresses {
                session.add_base(place, SocketAddr::new(*ip, port), now).unwrap();
            }
        }
        session.end_of_bases(now);
        let (signals, outbox) = (VecDeque::new(), VecDeque::new());
        let (events, requests, data) = (Vec::new(), Vec::new(), Vec::new());
        Self { session, events, signals, requests, data, outbox, now }
    }

    fn collect(&mut self, now: Instant) {
        self.now = now;
        while let Some((place, event)) = self.session.poll_event() {
            match &event {
                Event::CandidateGathered(candidate) => {
                    assert_eq!(candidate.component, place.component);
                    self.signals.push_back((place.stream, Some(candidate.clone())));
                }
                Event::GatheringCompleted => {
                    self.signals.push_back((place.stream, None));
                }
                _ => {}
            }
            self.events.push((now, place, event));
        }
    }

    fn send(&mut self, place: Place, payload: &[u8], now: Instant) -> bool {
        let Some(route) = self.session.route(place, payload.len(), now) else { return false };
        self.outbox.push_back(Transmit { five_tuple: route.five_tuple, payload: payload.into() });
        true
    }

    /// When a pair of this component went to this state first.
    fn reached(&self, wanted: Place, state: PairState) -> Option<Instant> {
        let is_it = |event: &Event| matches!(event, Event::PairStateChanged { state: now, .. } if *now == state);
        let found = self.events.iter().find(|(_, place, event)| *place == wanted && is_it(event));
        found.map(|(at, ..)| *at)
    }
}

impl Node for SessionNode {
    fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Instant) {
        if let Some((place, Received::Data { payload, .. })) =
            self.session.handle_datagram(datagram, now)
        {
            self.data.push((place, payload.to_vec()));
        }
        self.collect(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.session.handle_timeout(now);
        self.collect(now);
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        if let Some(transmit) = self.outbox.pop_front() {
            return Some(transmit);
        }
        let transmit = self.session.poll_transmit()?;
        let message = Message::parse(&transmit.payload).ok();
        if message.is_some_and(|message| message.class() == Class::Request) {
            self.requests.push(self.now);
        }
        Some(transmit)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.session.poll_timeout()
    }
}

struct Call {
    world: World,
    sides: [HostId<SessionNode>; 2],
}

impl Call {
    fn new(configs: [Config; 2], interfaces: usize) -> Self {
        let mut world = World::new(1);
        let core = world.core();
        let mut seed = 0;
        let sides = configs.map(|config| {
            seed += 1;
            let access = Conditions::latency(ROUND_TRIP / 4);
            let host = (0..interfaces)
                .fold(world.host("side"), |host, _| host.on(core).link(access.clone()));
            let id = host.start_with(|addresses| SessionNode::new(config, seed, addresses));
            world.with(id, SessionNode::collect);
            id
        });
        Self { world, sides }
    }

    fn exchange_credentials(&mut self) {
        let [a, b] = self.sides;
        for (from, to) in [(a, b), (b, a)] {
            for stream in self.streams(from) {
                let session = &self.world.node(from).session;
                let credentials = session.local_credentials(stream).unwrap().clone();
                self.world.with(to, |node, now| {
                    node.session.set_remote_credentials(stream, &credentials, now).unwrap();
                    node.collect(now);
                });
            }
        }
    }

    fn signal(&mut self) {
        let [a, b] = self.sides;
        for (from, to) in [(a, b), (b, a)] {
            let signals = self.world.with(from, |node, _| core::mem::take(&mut node.signals));
            self.world.with(to, |node, now| {
                for (stream, candidate) in signals {
                    match candidate {
                        Some(candidate) => {
                            node.session.add_remote_candidate(stream, candidate, now)
                        }
                        None => node.session.end_of_remote_candidates(stream, now),
                    }
                }
                node.collect(now);
            });
        }
    }

    fn connect(&mut self) -> bool {
        self.exchange_credentials();
        self.signal();
        self.run_until(|call| call.states() == [State::Completed; 2])
    }

    fn run_until(&mut self, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.world.now() + LIMIT;
        while self.world.now() < end && !done(self) {
            self.world.run_for(Duration::from_millis(1));
            self.signal();
        }
        done(self)
    }

    fn states(&self) -> [State; 2] {
        self.sides.map(|side| self.world.node(side).session.state())
    }

    fn places(&self, side: HostId<SessionNode>) -> Vec<Place> {
        let mut places: Vec<Place> =
            self.world.node(side).events.iter().map(|(_, place, _)| *place).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    fn streams(&self, side: HostId<SessionNode>) -> Vec<Stream> {
        let mut streams: Vec<Stream> =
            self.places(side).into_iter().map(|place| place.stream).collect();
        streams.dedup();
        streams
    }
}

fn configs() -> [Config; 2] {
    [Role::Controlling, Role::Controlled].map(Config::new)
}

#[test]
fn each_component_of_each_stream_gets_a_pair_of_its_own() {
    let mut call = Call::new(configs(), 1);
    assert!(call.connect());
    let [a, b] = call.sides;
    let places = call.places(a);
    assert_eq!(places.len(), 3);
    for (number, place) in places.into_iter().enumerate() {
        let text = format!("for {number}");
        assert!(call.world.with(a, |node, now| node.send(place, text.as_bytes(), now)));
        call.world.run_for(ROUND_TRIP);
        assert_eq!(call.world.node(b).data.last().unwrap(), &(place, text.into_bytes()));
    }
}

#[test]
fn all_checklists_together_keep_one_pace() {
    // RFC 8445 §6.1.4.2, §14.2: whenever Ta fires, one check of one checklist.
    let mut call = Call::new(configs(), 3);
    assert!(call.connect());
    for side in call.sides {
        let sent = &call.world.node(side).requests;
        assert!(sent.len() >= 6, "{}", sent.len());
        for pair in sent.windows(2) {
            assert!(pair[1] - pair[0] >= Duration::from_millis(50), "{pair:?}");
        }
    }
}

#[test]
fn pairs_of_one_foundation_wait_for_the_first_in_all_checklists() {
    // RFC 8445 §6.1.2.6, §7.2.5.3.3.
    let mut call = Call::new(configs(), 1);
    assert!(call.connect());
    let node = call.world.node(call.sides[0]);
    let places = call.places(call.sides[0]);
    let succeeded = node.reached(places[0], PairState::Succeeded).unwrap();
    for place in &places[1..] {
        let started = node.reached(*place, PairState::InProgress).unwrap();
        let is_triggered = node.reached(*place, PairState::Waiting).unwrap() < succeeded;
        assert!(started >= succeeded || is_triggered, "{place:?}: {started} before {succeeded}");
    }
    let foundations: Vec<_> = places
        .iter()
        .map(|place| {
            let agent = node.session.agent(*place).unwrap();
            agent.local_candidates().next().unwrap().foundation.clone()
        })
        .collect();
    assert!(foundations.windows(2).all(|pair| pair[0] == pair[1]), "{foundations:?}");
}

#[test]
fn a_role_conflict_is_settled_once_for_all_components() {
    for role in [Role::Controlling, Role::Controlled] {
        let mut call = Call::new([Config::new(role), Config::new(role)], 1);
        assert!(call.connect());
        let roles = call.sides.map(|side| {
            let roles: Vec<Role> = call
                .places(side)
                .into_iter()
                .map(|place| call.world.node(side).session.agent(place).unwrap().role())
                .collect();
            assert!(roles.windows(2).all(|pair| pair[0] == pair[1]), "{roles:?}");
            let switches = call.world.node(side).events.iter();
            let switches =
                switches.filter(|(.., event)| matches!(event, Event::RoleSwitched(_))).count();
            assert!([0, 3].contains(&switches), "each component once: {switches}");
            roles[0]
        });
        assert_ne!(roles[0], roles[1]);
    }
}

#[test]
fn a_hundred_pairs_at_most_in_all() {
    // RFC 8445 §6.1.2.5.
    let mut call = Call::new(configs(), 8);
    call.exchange_credentials();
    call.signal();
    let [a, _] = call.sides;
    let pairs: usize = call
        .places(a)
        .into_iter()
        .map(|place| call.world.node(a).session.agent(place).unwrap().pairs().count())
        .sum();
    assert!((90..=100).contains(&pairs), "{pairs}");
}

#[test]
fn rtcp_goes_when_the_peer_multiplexes_it() {
    let mut call = Call::new(configs(), 1);
    for side in call.sides {
        let rtcp = call.places(side)[1];
        assert_eq!(rtcp.component, Component::RTCP);
        call.world.with(side, |node, now| node.session.remove_component(rtcp, now));
    }
    assert!(call.connect());
    let [a, _] = call.sides;
    assert!(call.world.node(a).session.agent(call.places(a)[1]).is_none());
}

#[test]
fn a_component_that_fails_fails_the_session() {
    let mut call = Call::new(configs(), 1);
    let rtcp = call.places(call.sides[0])[1];
    call.world.with(call.sides[0], |node, now| node.session.remove_component(rtcp, now));
    assert!(!call.connect());
    call.world.run_for(Duration::from_secs(60));
    assert_eq!(call.states(), [State::Completed, State::Failed]);
}

#[test]
fn all_streams_restart_with_credentials_of_their_own() {
    let mut call = Call::new(configs(), 1);
    assert!(call.connect());
    let old: Vec<_> = call
        .streams(call.sides[0])
        .into_iter()
        .map(|stream| {
            call.world.node(call.sides[0]).session.local_credentials(stream).unwrap().clone()
        })
        .collect();
    assert_ne!(old[0], old[1]);
    for side in call.sides {
        call.world.with(side, |node, now| {
            node.session.restart(now).unwrap();
            node.collect(now);
        });
    }
    assert!(call.connect());
    let stream = call.streams(call.sides[0])[0];
    let new = call.world.node(call.sides[0]).session.local_credentials(stream).unwrap();
    assert_ne!(*new, old[0]);
}

#[test]
fn a_component_is_added_once_and_a_base_is_of_one_component() {
    let now = Instant::ZERO;
    let mut session = Session::new(Config::new(Role::Controlling), [1; 32]);
    let stream = session.add_stream();
    let rtp = session.add_component(stream, Component::FIRST, now).unwrap();
    let again = session.add_component(stream, Component::FIRST, now);
    assert_eq!(again, Err(AgentError::UnusableComponent(Component::FIRST)));
    let rtcp = session.add_component(stream, Component::RTCP, now).unwrap();
    let base = "192.0.2.1:5000".parse().unwrap();
    session.add_base(rtp, base, now).unwrap();
    assert_eq!(session.add_base(rtcp, base, now), Err(AgentError::UnusableBase(base)));
}
