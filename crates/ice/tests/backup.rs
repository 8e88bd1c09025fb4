//! Pairs in reserve, and the change to one of them where both sides can renominate.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::time::Duration;

use pinhole_ice::{Config, Event, Power, SelectionReason, State};
use pinhole_netsim::{Conditions, Direction, LinkId, World};
use pinhole_sansio::Instant;
use support::{AgentNode, Session, controlled, controlling};

const LIMIT: Duration = Duration::from_secs(5);

/// A has two interfaces, with these latencies, and B one.
fn two_paths(latencies: [u64; 2], seed: u64, configs: [Config; 2]) -> (Session, Vec<LinkId>) {
    let mut world = World::new(seed);
    let core = world.core();
    let [config_a, config_b] = configs;
    let near = Conditions::latency(Duration::from_millis(10));
    let host = latencies.into_iter().fold(world.host("a"), |host, latency| {
        host.on(core).link(Conditions::latency(Duration::from_millis(latency)))
    });
    let a = host.start_with(|addresses| AgentNode::new(config_a, 1, addresses));
    let host = world.host("b").on(core).link(near);
    let b = host.start_with(|addresses| AgentNode::new(config_b, 2, addresses));
    let links = world.links(a);
    for id in [a, b] {
        world.with(id, AgentNode::collect);
    }
    (Session { world, a, b, trickles: [true, true] }, links)
}

/// Both have selected A's first interface, and A's second one has had time to be found.
fn connected(latencies: [u64; 2]) -> (Session, Vec<LinkId>) {
    let (mut session, links) = two_paths(latencies, 1, [controlling(), controlled()]);
    session.exchange_abilities();
    session.exchange_credentials();
    assert!(session.run_until_selected(LIMIT));
    session.world.run_for(Duration::from_secs(3));
    (session, links)
}

fn selections(node: &AgentNode) -> Vec<(Instant, SelectionReason)> {
    let selected = |(at, event): &(Instant, Event)| {
        let Event::PairSelected { reason, .. } = event else { return None };
        Some((*at, *reason))
    };
    node.events.iter().filter_map(selected).collect()
}

fn cut(session: &mut Session, link: LinkId, is_cut: bool) {
    for direction in [Direction::Up, Direction::Down] {
        session.world.set_outage(link, direction, is_cut);
    }
}

/// Whether data gets from each side to the other now.
fn carries(session: &mut Session) -> bool {
    let mut both = [(session.a, session.b), (session.b, session.a)].map(|(from, to)| {
        let before = session.world.node(to).data.len();
        session.world.with(from, |node, now| node.send(b"data", now));
        session.world.run_for(Duration::from_millis(500));
        session.world.node(to).data.len() > before
    });
    both.sort_unstable();
    both[0]
}

#[test]
fn a_path_that_falls_silent_is_left_after_two_missed_checks() {
    let (mut session, links) = connected([10, 30]);
    let before = session.nodes().map(|node| node.selected().unwrap());
    let cut_at = session.world.now();
    cut(&mut session, links[0], true);
    session.world.run_for(Duration::from_secs(14));
    for (node, before) in session.nodes().into_iter().zip(before) {
        let all = selections(node);
        // Two intervals of at most 6 s, and the patience for the second answer.
        assert!(all[1].0 - cut_at <= Duration::from_millis(13_000), "{all:?}");
        assert_ne!(node.selected().unwrap(), before);
        assert_eq!(node.agent.state(), State::Completed);
        assert_eq!(node.state_at(State::Failed), None);
    }
    let [a, b] = session.nodes();
    assert_eq!(selections(a)[1].1, SelectionReason::Failover);
    assert_eq!(selections(b)[1].1, SelectionReason::Nominated);
    assert!(carries(&mut session));
}

#[test]
fn a_path_that_comes_back_is_not_gone_back_to_at_once() {
    let (mut session, links) = connected([10, 12]);
    cut(&mut session, links[0], true);
    session.world.run_for(Duration::from_secs(14));
    cut(&mut session, links[0], false);
    let back_at = session.world.now();
    session.world.run_for(Duration::from_secs(150));
    let all = selections(session.nodes()[0]);
    assert!(all.len() <= 3, "{all:?}");
    assert!(all.iter().skip(2).all(|(at, _)| *at - back_at > Duration::from_secs(40)), "{all:?}");
    assert!(carries(&mut session));
}

#[test]
fn a_socket_that_goes_is_replaced_within_a_round_trip() {
    let (mut session, _) = connected([10, 30]);
    let base = session.world.node(session.a).agent.local_candidates().next().unwrap().clone();
    let gone_at = session.world.now();
    session.world.with(session.a, |node, now| {
        node.agent.remove_base(base.udp_address().unwrap(), now);
        node.collect(now);
    });
    session.world.run_for(Duration::from_secs(1));
    let [a, b] = session.nodes();
    let switched = selections(a)[1];
    assert!(switched.0 - gone_at <= Duration::from_millis(300), "{switched:?}");
    assert_eq!([a, b].map(|node| node.agent.state()), [State::Completed; 2]);
    assert!(carries(&mut session));
}

#[test]
fn a_path_that_is_much_faster_is_taken_and_kept() {
    let (mut session, links) = connected([10, 12]);
    for direction in [Direction::Up, Direction::Down] {
        let slow = Conditions::latency(Duration::from_millis(200));
        session.world.set_conditions(links[0], direction, slow);
    }
    session.world.run_for(Duration::from_secs(900));
    let all = selections(session.nodes()[0]);
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!(all[1].1, SelectionReason::Faster);
    assert!(carries(&mut session));
}

#[test]
fn a_path_of_higher_priority_is_not_taken_when_it_is_much_slower() {
    let (mut session, _) = connected([300, 20]);
    session.world.run_for(Duration::from_secs(300));
    let all = selections(session.nodes()[0]);
    assert_eq!(all.len(), 1, "{all:?}");
}

#[test]
fn pairs_in_reserve_cost_a_check_each_25_seconds() {
    let (mut session, _) = connected([10, 12]);
    let before = session.nodes().map(|node| node.sent.packets());
    session.world.run_for(Duration::from_secs(300));
    let after = session.nodes().map(|node| node.sent.packets());
    let sent = after[0] - before[0] + after[1] - before[1];
    // Consent on the selected pair, 48 a minute at most; one check and its answer each 25 s for the other.
    assert!(sent <= 5 * 48 + 2 * (300 / 25 + 1), "{sent}");
    assert_eq!(selections(session.nodes()[0]).len(), 1);
}

#[test]
fn saving_power_keeps_nothing_in_reserve() {
    let (mut session, _) = connected([10, 12]);
    session.world.with(session.a, |node, _| node.agent.set_power(Power::Saving));
    session.world.run_for(Duration::from_secs(10));
    let before = session.nodes()[0].sent.checks;
    session.world.run_for(Duration::from_secs(600));
    // Consent on the selected pair alone, every 12 s or later.
    let checks = session.nodes()[0].sent.checks - before;
    assert!(checks <= 600 / 12, "{checks}");
}

#[test]
fn nothing_of_it_happens_to_a_peer_that_cannot_do_it() {
    let (mut session, links) = two_paths([10, 30], 1, [controlling(), controlled()]);
    session.exchange_credentials();
    assert!(session.run_until_selected(LIMIT));
    session.world.run_for(Duration::from_secs(3));
    let before = session.nodes().map(|node| node.sent.checks);
    cut(&mut session, links[0], true);
    session.world.run_for(Duration::from_secs(40));
    let [a, b] = session.nodes();
    assert_eq!([a, b].map(|node| selections(node).len()), [1; 2]);
    assert_eq!([a, b].map(|node| node.agent.state()), [State::Failed; 2]);
    assert!(a.sent.checks - before[0] <= 6, "consent alone");
}

#[test]
fn loss_alone_moves_nothing_to_and_fro() {
    let (mut session, links) = connected([10, 12]);
    for link in links {
        for direction in [Direction::Up, Direction::Down] {
            let lossy = Conditions::latency(Duration::from_millis(10)).with_loss(0.1);
            session.world.set_conditions(link, direction, lossy);
        }
    }
    session.world.run_for(Duration::from_secs(600));
    let all = selections(session.nodes()[0]);
    assert!(all.len() <= 8, "{all:?}");
    assert_eq!(session.nodes()[0].state_at(State::Failed), None);
    assert!((0..20).any(|_| carries(&mut session)));
}
