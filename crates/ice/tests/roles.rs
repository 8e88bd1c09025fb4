//! Both sides in one role, and what becomes of stale conflicts (RFC 8445 §7.2.5.1, §7.3.1.1).
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::time::Duration;

use pinhole_ice::{Candidate, Event, Role, State};
use pinhole_netsim::{Conditions, Direction, Happening};
use pinhole_stun::Message;
use pinhole_stun::attribute::IceControlling;
use support::{Session, controlled, controlling};

/// Without a conflict, both sides together send four checks and a nomination, each answered.
const WITHOUT_CONFLICT: usize = 10;

#[test]
fn two_controlling_agents_settle_with_one_switch() {
    // I9; CHECKLIST 45.
    settles(Session::public(controlling(), controlling()));
}

#[test]
fn two_controlled_agents_settle_with_one_switch() {
    settles(Session::public(controlled(), controlled()));
}

#[test]
fn a_conflict_is_settled_when_one_side_starts_late() {
    for config in [controlling, controlled] {
        let mut session = Session::public(config(), config());
        let [a, b] = session.nodes().map(|node| node.agent.local_credentials().clone());
        session
            .world
            .with(session.a, |node, now| node.agent.set_remote_credentials(b, now))
            .unwrap();
        session.signal();
        session.world.run_for(Duration::from_millis(700));
        session
            .world
            .with(session.b, |node, now| node.agent.set_remote_credentials(a, now))
            .unwrap();
        check_settled(session);
    }
}

#[test]
fn without_a_conflict_nobody_switches() {
    let mut session = Session::public(controlling(), controlled());
    session.exchange_credentials();
    assert!(session.run_until_selected(Duration::from_secs(5)));
    assert_eq!(session.nodes().map(support::AgentNode::role_switches), [0, 0]);
}

#[test]
fn a_check_is_not_repeated_in_a_role_that_was_given_up() {
    // It would be answered with a 487 if it arrived at last (§7.3.1.1), and a round trip lost.
    for config in [controlling, controlled] {
        let mut session = Session::public(config(), config());
        session.world.record(pinhole_netsim::Recording::Everything);
        let silent = "9 1 udp 2130706431 203.0.113.200 9 typ host";
        for host in [session.a, session.b] {
            // Slow enough for several transmissions before anything is selected.
            let link = session.world.links(host)[0];
            for direction in [Direction::Up, Direction::Down] {
                let slow = Conditions::latency(Duration::from_millis(300));
                session.world.set_conditions(link, direction, slow);
            }
            let silent: Candidate = silent.parse().unwrap();
            session.world.with(host, |node, now| node.agent.add_remote_candidate(silent, now));
        }
        session.exchange_credentials();
        assert!(session.run_until_selected(Duration::from_secs(10)));
        let switched_at =
            |node: &support::AgentNode| node.when(|event| matches!(event, Event::RoleSwitched(_)));
        let nodes = session.nodes();
        let (index, at) = nodes
            .iter()
            .enumerate()
            .find_map(|(index, node)| Some((index, switched_at(node)?)))
            .unwrap();
        let (name, role) = (["a", "b"][index], nodes[index].agent.role());
        let sent = session.world.trace().iter().filter(|record| {
            record.device == Some(name) && *record.happening == Happening::Sent && record.at > at
        });
        let to_silent = sent
            .filter_map(|record| record.packet)
            .filter(|packet| packet.destination == "203.0.113.200:9".parse().unwrap());
        let claims: Vec<bool> = to_silent
            .map(|packet| {
                let message = Message::parse(packet.payload).unwrap();
                message.get::<IceControlling>().unwrap().is_some()
            })
            .collect();
        assert!(claims.len() >= 2, "{claims:?}");
        assert!(claims.iter().all(|claim| *claim == (role == Role::Controlling)), "{claims:?}");
    }
}

fn settles(mut session: Session) {
    session.exchange_credentials();
    check_settled(session);
}

fn check_settled(mut session: Session) {
    assert!(session.run_until_selected(Duration::from_secs(5)));
    let packets: usize = session.nodes().map(|node| node.sent.packets()).iter().sum();
    assert!(
        packets <= WITHOUT_CONFLICT + 6,
        "{packets} packets: a conflict costs a refused check or three"
    );
    session.world.run_for(Duration::from_secs(3));
    let nodes = session.nodes();
    let switches = nodes.map(support::AgentNode::role_switches);
    assert_eq!(switches.iter().sum::<usize>(), 1, "{switches:?}");
    let mut roles = nodes.map(|node| node.agent.role());
    roles.sort_by_key(|role| *role == Role::Controlled);
    assert_eq!(roles, [Role::Controlling, Role::Controlled]);
    assert_eq!(nodes.map(|node| node.agent.state()), [State::Completed; 2]);
    assert_eq!(nodes[0].selected().unwrap().0, nodes[1].selected().unwrap().1);
}
