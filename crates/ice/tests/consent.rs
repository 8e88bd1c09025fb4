//! Keeping a pair alive, and stopping when the peer falls silent (RFC 7675).
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::time::Duration;

use pinhole_ice::State;
use pinhole_netsim::Direction;
use support::{ACCESS, Session, controlled, controlling};

#[test]
fn an_idle_pair_costs_one_check_each_four_to_six_seconds() {
    // I17; at most 48 packets a minute for both directions of both sides.
    let mut session = connected();
    let before = session.nodes().map(|node| node.sent);
    session.world.run_for(Duration::from_secs(600));
    for (node, before) in session.nodes().into_iter().zip(before) {
        let checks = node.sent.checks - before.checks;
        assert!((100..=150).contains(&checks), "{checks} checks in ten minutes");
        assert_eq!(node.agent.state(), State::Completed);
    }
    let packets: usize = session
        .nodes()
        .into_iter()
        .zip(before)
        .map(|(node, before)| {
            node.sent.checks + node.sent.successes - before.checks - before.successes
        })
        .sum();
    assert!(packets <= 480 * 2, "{packets} packets in ten minutes, of both sides");
}

#[test]
fn no_data_is_sent_thirty_seconds_after_the_last_answer() {
    // CHECKLIST 48, I3.
    let mut session = connected();
    let link = session.world.links(session.b)[0];
    let cut = session.world.now();
    session.world.set_outage(link, Direction::Up, true);
    let mut last_sent = cut;
    while session.world.node(session.a).agent.state() != State::Failed {
        session.world.run_for(Duration::from_millis(1));
        if session.world.with(session.a, |node, now| node.send(b"payload", now)) {
            last_sent = session.world.now();
        }
        assert!(session.world.now() - cut < Duration::from_secs(31), "it goes on for ever");
    }
    // The last answer may have been under way when the link was cut.
    assert!(last_sent - cut <= Duration::from_secs(30) + ACCESS * 4, "{:?}", last_sent - cut);
    assert!(
        last_sent - cut >= Duration::from_secs(24),
        "consent is not given up early: {:?}",
        last_sent - cut
    );
    assert!(!session.world.with(session.a, |node, now| node.send(b"payload", now)));
    assert_eq!(session.world.node(session.a).agent.poll_timeout(), None);
}

#[test]
fn a_silent_peer_is_reported_before_it_is_given_up_and_may_come_back() {
    let mut session = connected();
    let link = session.world.links(session.b)[0];
    session.world.set_outage(link, Direction::Up, true);
    session.world.run_for(Duration::from_secs(20));
    assert_eq!(session.world.node(session.a).agent.state(), State::Disconnected);
    session.world.set_outage(link, Direction::Up, false);
    session.world.run_for(Duration::from_secs(7));
    assert_eq!(session.world.node(session.a).agent.state(), State::Completed);
}

#[test]
fn a_single_lost_consent_check_is_no_alarm() {
    let mut session = connected();
    let link = session.world.links(session.b)[0];
    session.world.set_outage(link, Direction::Up, true);
    session.world.run_for(Duration::from_millis(6_100));
    session.world.set_outage(link, Direction::Up, false);
    session.world.run_for(Duration::from_secs(60));
    for node in session.nodes() {
        assert_eq!(node.state_at(State::Disconnected), None);
    }
}

#[test]
fn a_jump_of_the_clock_causes_no_burst() {
    // I20: an agent that was asleep for an hour sends no more than one packet at a time.
    let mut session = connected();
    let (a, now) = (session.a, session.world.now());
    let burst = session.world.with(a, |node, _| {
        let later = now + Duration::from_secs(3_600);
        node.agent.handle_timeout(later);
        std::iter::from_fn(|| node.agent.poll_transmit()).count()
    });
    assert!(burst <= 1, "{burst} packets at once");
    assert_eq!(session.world.node(a).agent.state(), State::Failed, "consent ran out meanwhile");
}

fn connected() -> Session {
    let mut session = Session::public(controlling(), controlled());
    session.exchange_credentials();
    assert!(session.run_until_selected(Duration::from_secs(5)));
    session
}
