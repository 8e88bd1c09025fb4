//! Nomination as RFC 5245 had it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use pinhole_ice::{Abilities, Agent, Config, PairState, Received};
use pinhole_netsim::{Conditions, World};
use pinhole_sansio::{Datagram, FiveTuple, Instant, Transmit};
use support::{AgentNode, Session, controlled, controlling};

const LIMIT: Duration = Duration::from_secs(5);
/// What the hosts of `support` are apart, there and back.
const ROUND_TRIP: Duration = Duration::from_millis(100);

fn aggressive() -> Config {
    let mut config = controlling();
    config.nomination.aggressive = true;
    config
}

/// The controlling side takes the other one for an agent of this RFC.
fn take_peer_for(session: &mut Session, ice2: bool) {
    let abilities = Abilities { ice2, ..Abilities::default() };
    session.world.with(session.a, |node, _| node.agent.set_remote_abilities(abilities));
}

fn selected_at(ice2: bool) -> [Option<Instant>; 2] {
    let mut session = Session::public(aggressive(), controlled());
    take_peer_for(&mut session, ice2);
    session.exchange_credentials();
    assert!(session.run_until_selected(LIMIT));
    session.nodes().map(AgentNode::selected_at)
}

#[test]
fn an_aggressive_nomination_saves_a_round_trip_and_only_old_peers_get_one() {
    let at = |round_trips: f64| Some(Instant::ZERO + ROUND_TRIP.mul_f64(round_trips));
    assert_eq!(selected_at(false), [at(1.0), at(1.0)]);
    assert_eq!(selected_at(true), [at(2.0), at(1.5)], "RFC 8445 has it no more");
}

/// The better one of A's two addresses is the slower one.
fn with_a_slow_favourite() -> Session {
    let mut world = World::new(1);
    let core = world.core();
    let [slow, fast, access] =
        [90, 10, 25].map(|ms| Conditions::latency(Duration::from_millis(ms)));
    let a = world
        .host("a")
        .link(slow)
        .on(core)
        .link(fast)
        .start_with(|addresses| AgentNode::new(aggressive(), 1, addresses));
    let b = world
        .host("b")
        .link(access)
        .start_with(|addresses| AgentNode::new(controlled(), 2, addresses));
    for id in [a, b] {
        world.with(id, |node, now| node.collect(now));
    }
    let mut session = Session { world, a, b, trickles: [true, true] };
    take_peer_for(&mut session, false);
    session
}

#[test]
fn both_sides_change_over_to_a_better_pair_that_follows() {
    let mut session = with_a_slow_favourite();
    session.exchange_credentials();
    assert!(session.run_until_selected(LIMIT));
    let [slow, fast] = session.world.addresses(session.a)[..] else { panic!() };
    assert_eq!(session.nodes()[0].selected().unwrap().0.ip(), fast);
    session.run_until(LIMIT, |_| false);
    let [a, b] = session.nodes().map(|node| node.selected().unwrap());
    assert_eq!(a.0.ip(), slow);
    assert_eq!(a, (b.1, b.0));
    let states = session.nodes()[0].agent.pairs().map(|pair| pair.state);
    assert!(states.into_iter().all(|state| state == PairState::Succeeded), "nothing is left over");
}

#[test]
fn a_favourite_that_is_dead_is_given_up_in_the_end() {
    let mut session = with_a_slow_favourite();
    let link = session.world.links(session.a)[0];
    session.world.set_outage(link, pinhole_netsim::Direction::Up, true);
    session.exchange_credentials();
    assert!(session.run_until_selected(LIMIT));
    session.run_until(Duration::from_secs(60), |_| false);
    let [a, b] = session.nodes().map(|node| node.selected().unwrap());
    assert_eq!(a.0.ip(), session.world.addresses(session.a)[1]);
    assert_eq!(a, (b.1, b.0));
    assert!(session.nodes().iter().all(|node| node.agent.is_writable(session.world.now())));
}

/// Gives everything that one agent has to say to the other one, but for what goes to or from `held_back`.
fn carry(from: &mut Agent, to: &mut Agent, held_back: &mut Vec<Transmit>, now: Instant) {
    let held: SocketAddr = ([192, 0, 2, 1], 5_000).into();
    while let Some(transmit) = from.poll_transmit() {
        let FiveTuple { local, remote, .. } = transmit.five_tuple;
        if [local, remote].contains(&held) {
            held_back.push(transmit);
        } else {
            let _ = to.handle_datagram(transmit.as_datagram(), now);
        }
    }
}

#[test]
fn a_pair_that_was_nominated_too_is_not_forgotten() {
    // RFC 5245 §8.1.1.2: the peer sends on the pair that has answered first, whichever is selected here.
    let mut now = Instant::ZERO;
    let mut ours = Agent::new(controlled(), [1; 32], now);
    let mut theirs = Agent::new(aggressive(), [2; 32], now);
    theirs.set_remote_abilities(Abilities { ice2: false, ..Abilities::default() });
    ours.add_base(([192, 0, 2, 9], 5_000).into(), now).unwrap();
    for last in [1, 2] {
        theirs.add_base(([192, 0, 2, last], 5_000).into(), now).unwrap();
    }
    ours.set_remote_credentials(theirs.local_credentials().clone(), now).unwrap();
    theirs.set_remote_credentials(ours.local_credentials().clone(), now).unwrap();
    let candidate = ours.local_candidates().next().unwrap().clone();
    theirs.add_remote_candidate(candidate, now);
    let (mut questions, mut answers) = (Vec::new(), Vec::new());
    while ours.selected_pair().is_none() || answers.is_empty() {
        carry(&mut theirs, &mut ours, &mut questions, now);
        // The other path is slow: what is asked on it arrives, and what is answered does not yet.
        for question in questions.drain(..) {
            let _ = ours.handle_datagram(question.as_datagram(), now);
        }
        carry(&mut ours, &mut theirs, &mut answers, now);
        now = [&ours, &theirs].iter().filter_map(|agent| agent.poll_timeout()).min().unwrap();
        ours.handle_timeout(now);
        theirs.handle_timeout(now);
    }
    let first = ours.selected_pair().unwrap();
    for late in answers.drain(..) {
        let _ = theirs.handle_datagram(late.as_datagram(), now);
    }
    carry(&mut theirs, &mut ours, &mut questions, now);
    for late in questions.drain(..) {
        let _ = ours.handle_datagram(late.as_datagram(), now);
    }
    assert_eq!(ours.pairs().filter(|pair| pair.state == PairState::Succeeded).count(), 2);
    assert_ne!(ours.selected_pair().unwrap(), first, "the better one of those that were nominated");
    let sent = Datagram {
        five_tuple: FiveTuple::udp(([192, 0, 2, 9], 5_000).into(), ([192, 0, 2, 1], 5_000).into()),
        payload: &[0x80; 20],
    };
    assert!(matches!(ours.handle_datagram(sent, now), Received::Data { .. }));
}
