//! Keeping a pair alive, and stopping when the peer falls silent (RFC 7675).
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use pinhole_ice::{Agent, Config, Liveness, Power, State};
use pinhole_netsim::Direction;
use pinhole_sansio::Instant;
use support::{ACCESS, Session, controlled, controlling};

#[test]
fn an_idle_pair_costs_one_check_each_five_to_six_seconds() {
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
    assert!(packets <= 480, "{packets} packets in ten minutes, of both sides");
}

#[test]
fn an_idle_agent_wakes_up_only_for_its_checks() {
    let mut session = connected();
    let end = session.world.now() + Duration::from_secs(60);
    let mut wakes = 0;
    while let Some(next) = session.world.node(session.a).agent.poll_timeout() {
        if next > end {
            break;
        }
        let ahead = next - session.world.now();
        session.world.run_for(ahead.max(Duration::from_nanos(1)));
        wakes += 1;
    }
    let checks = session.nodes()[0].sent.checks;
    assert!(wakes <= checks + 12, "{wakes} times for {checks} checks and as many answers");
}

#[test]
fn authenticated_traffic_stands_in_for_half_of_the_checks() {
    let assisted = |config: Config| Config { liveness: Liveness::PayloadAssisted, ..config };
    let mut session = Session::public(assisted(controlling()), assisted(controlled()));
    session.exchange_credentials();
    assert!(session.run_until_selected(Duration::from_secs(5)));
    let before = session.world.node(session.a).sent.checks;
    for _ in 0..600 {
        session.world.run_for(Duration::from_secs(1));
        session.world.with(session.a, |node, now| {
            let pair = node.agent.selected_pair().unwrap();
            node.agent.peer_is_alive(pair, now);
        });
    }
    let checks = session.world.node(session.a).sent.checks - before;
    assert!((35..=45).contains(&checks), "one each 15 s: {checks} in ten minutes");
    assert_eq!(session.world.node(session.a).agent.state(), State::Completed);
}

#[test]
fn traffic_that_comes_keeps_a_pair_out_of_doubt() {
    let assisted = Config { liveness: Liveness::PayloadAssisted, ..controlling() };
    let mut session = Session::public(assisted, controlled());
    session.exchange_credentials();
    assert!(session.run_until_selected(Duration::from_secs(5)));
    let link = session.world.links(session.a)[0];
    session.world.set_outage(link, Direction::Up, true);
    for _ in 0..26 {
        session.world.run_for(Duration::from_secs(1));
        session.world.with(session.a, |node, now| {
            let pair = node.agent.selected_pair().unwrap();
            node.agent.peer_is_alive(pair, now);
            node.collect(now);
        });
        assert_eq!(session.world.node(session.a).state_at(State::Disconnected), None);
    }
    // It is no consent: RFC 7675 asks for an answer all the same.
    session.world.run_for(Duration::from_secs(10));
    assert_eq!(session.world.node(session.a).agent.state(), State::Failed);
}

#[test]
fn keepalives_alone_ask_nothing_and_go_out_where_no_data_does() {
    let quiet = |config: Config| Config { liveness: Liveness::KeepaliveOnly, ..config };
    let mut session = Session::public(quiet(controlling()), quiet(controlled()));
    session.exchange_credentials();
    assert!(session.run_until_selected(Duration::from_secs(5)));
    let before = session.world.node(session.a).sent;
    session.world.run_for(Duration::from_secs(300));
    let after = session.world.node(session.a).sent;
    assert_eq!(after.checks, before.checks);
    assert!((19..=20).contains(&(after.indications - before.indications)));
    for _ in 0..60 {
        session.world.with(session.a, |node, now| assert!(node.send(b"data", now)));
        session.world.run_for(Duration::from_secs(5));
    }
    let busy = session.world.node(session.a).sent;
    assert!(busy.indications - after.indications <= 1, "data keeps the path open");
    assert_eq!(session.world.node(session.a).agent.state(), State::Completed);
}

#[test]
fn saving_power_asks_every_twelve_seconds_or_later() {
    let mut session = connected();
    session.world.with(session.a, |node, _| node.agent.set_power(Power::Saving));
    session.world.run_for(Duration::from_secs(10));
    let before = session.world.node(session.a).sent.checks;
    session.world.run_for(Duration::from_secs(600));
    let checks = session.world.node(session.a).sent.checks - before;
    assert!((41..=50).contains(&checks), "{checks} checks in ten minutes");
    assert_eq!(session.world.node(session.a).agent.state(), State::Completed);
}

#[test]
fn a_pair_counts_what_goes_over_it() {
    let mut session = connected();
    for _ in 0..3 {
        session.world.with(session.a, |node, now| assert!(node.send(b"1234567", now)));
    }
    session.world.run_for(Duration::from_secs(30));
    let [a, b] = session.nodes().map(|node| {
        let agent = &node.agent;
        agent.pair(agent.selected_pair().unwrap()).unwrap().stats
    });
    assert_eq!(
        (a.packets_sent, a.bytes_sent, b.packets_received, b.bytes_received),
        (3, 21, 3, 21)
    );
    assert!(a.last_packet_sent < b.last_packet_received);
    assert_eq!(a.requests_sent, 2, "a check and the nomination");
    assert_eq!(a.consent_requests_sent + a.requests_sent, b.requests_received);
    assert_eq!(b.responses_sent, a.responses_received);
    assert_eq!(a.current_round_trip_time, Some(ACCESS * 4));
    assert_eq!(a.total_round_trip_time, ACCESS * 4 * u32::try_from(a.responses_received).unwrap());
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

#[test]
fn questions_that_nobody_answers_cause_no_burst_after_a_sleep() {
    // I20: four servers, asked from one base; retransmissions take turns like everything else.
    let servers = [1, 2, 3, 4].map(|last| SocketAddr::from(([203, 0, 113, last], 3_478)));
    let config = Config { stun_servers: servers.to_vec(), ..controlling() };
    let mut agent = Agent::new(config, [7; 32], Instant::ZERO);
    agent.add_base(([192, 0, 2, 1], 5_000).into(), Instant::ZERO).unwrap();
    agent.end_of_bases(Instant::ZERO);
    let sends_at = |agent: &mut Agent, now| {
        agent.handle_timeout(now);
        std::iter::from_fn(|| agent.poll_transmit()).count()
    };
    let asked: usize = (0..4).map(|n| sends_at(&mut agent, Instant::from_millis(n * 50))).sum();
    assert_eq!(asked, servers.len());

    let mut again = Vec::new();
    let mut now = Instant::from_millis(5_000);
    while again.len() < servers.len() {
        let sent = sends_at(&mut agent, now);
        assert!(sent <= 1, "{sent} packets at once");
        again.extend((sent == 1).then_some(now));
        let next = agent.poll_timeout().unwrap();
        assert!(next > now, "no deadline stays due");
        now = next;
    }
    assert_eq!(again, [5_000, 5_050, 5_100, 5_150].map(Instant::from_millis));
}

fn connected() -> Session {
    let mut session = Session::public(controlling(), controlled());
    session.exchange_credentials();
    assert!(session.run_until_selected(Duration::from_secs(5)));
    session
}
