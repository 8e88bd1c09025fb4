//! Two agents find each other: times in round trips, and packets counted.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::time::Duration;

use pinhole_ice::{CandidateKind, Config, Event, PairState, State};
use pinhole_netsim::{Conditions, Direction, NatConfig, World};
use pinhole_sansio::Instant;
use support::{AgentNode, ROUND_TRIP, Sent, Session, add_stun_server, controlled, controlling};

const LIMIT: Duration = Duration::from_secs(5);

#[test]
fn one_pair_carries_data_after_one_round_trip_and_is_selected_after_two() {
    let mut session = Session::public(controlling(), controlled());
    session.exchange_credentials();
    assert!(session.run_until_selected(LIMIT));
    let [a, b] = session.nodes();
    let (one, two) = (Instant::ZERO + ROUND_TRIP, Instant::ZERO + ROUND_TRIP * 2);
    assert_eq!(a.writable_at(), Some(one));
    assert_eq!(b.writable_at(), Some(one));
    assert_eq!(a.selected_at(), Some(two), "the controlling side, by the answer to its nomination");
    assert_eq!(
        b.selected_at(),
        Some(one + ROUND_TRIP / 2),
        "the controlled side, by the nomination itself"
    );
    assert_eq!([a.agent.state(), b.agent.state()], [State::Completed; 2]);
    assert_eq!(a.sent, Sent { checks: 1, nominations: 1, successes: 1, ..Sent::default() });
    assert_eq!(b.sent, Sent { checks: 1, successes: 2, ..Sent::default() });
}

#[test]
fn the_selected_pairs_mirror_each_other() {
    // I7.
    let mut session = Session::public(controlling(), controlled());
    session.exchange_credentials();
    assert!(session.run_until_selected(LIMIT));
    let [a, b] = session.nodes().map(|node| node.selected().unwrap());
    assert_eq!(a, (b.1, b.0));
}

#[test]
fn data_flows_both_ways_as_soon_as_there_is_a_route() {
    let mut session = Session::public(controlling(), controlled());
    session.exchange_credentials();
    let is_writable =
        |session: &Session| session.nodes().iter().all(|node| node.writable_at().is_some());
    assert!(session.run_until(LIMIT, is_writable));
    for (from, to) in [(session.a, session.b), (session.b, session.a)] {
        assert!(session.world.with(from, |node, now| node.send(b"early data", now)));
        session.world.run_for(ROUND_TRIP);
        assert_eq!(session.world.node(to).data[0].1, b"early data");
    }
}

#[test]
fn agents_behind_nats_meet_through_their_server_reflexive_candidates() {
    let cones: [fn() -> NatConfig; 3] =
        [NatConfig::full_cone, NatConfig::address_restricted, NatConfig::port_restricted];
    for (nat_a, nat_b) in cones.iter().flat_map(|a| cones.iter().map(move |b| (a(), b()))) {
        let mut session = behind_nats(nat_a.clone(), nat_b.clone());
        session.exchange_credentials();
        assert!(session.run_until_selected(LIMIT), "{nat_a:?} {nat_b:?}");
        let [a, b] = session.nodes();
        for node in [a, b] {
            let pair = node.agent.pair(node.agent.selected_pair().unwrap()).unwrap();
            assert_eq!(pair.local.kind, CandidateKind::ServerReflexive);
            assert_eq!(pair.remote.kind, CandidateKind::ServerReflexive);
            // Host to host cannot work, so at most three checks on each of two pairs.
            assert!(node.sent.checks + node.sent.nominations <= 6, "{:?}", node.sent);
        }
        let ours =
            a.agent.local_candidates().filter(|c| c.kind == CandidateKind::ServerReflexive).count();
        assert_eq!(ours, 1, "one binding, seen by one server");
    }
}

#[test]
fn a_symmetric_nat_is_met_by_peer_reflexive_candidates() {
    let mut session = behind_nats(NatConfig::symmetric(), NatConfig::address_restricted());
    session.exchange_credentials();
    assert!(session.run_until_selected(LIMIT));
    let [a, b] = session.nodes();
    let pair = |node: &support::AgentNode| {
        let pair = node.agent.pair(node.agent.selected_pair().unwrap()).unwrap();
        (pair.local.kind, pair.remote.kind)
    };
    assert_eq!(
        pair(a).0,
        CandidateKind::PeerReflexive,
        "the binding towards the peer is a new one"
    );
    assert_eq!(pair(b).1, CandidateKind::PeerReflexive, "and the peer learns it from the check");
    assert_eq!(a.selected().unwrap().0, b.selected().unwrap().1);
}

#[test]
fn a_lost_first_flight_costs_a_fifth_of_a_second() {
    let mut session = Session::public(controlling(), controlled());
    let link = session.world.links(session.a)[0];
    for direction in [Direction::Up, Direction::Down] {
        session.world.set_outage(link, direction, true);
    }
    session.exchange_credentials();
    session.world.run_for(ROUND_TRIP);
    for direction in [Direction::Up, Direction::Down] {
        session.world.set_outage(link, direction, false);
    }
    assert!(session.run_until_selected(LIMIT));
    let [a, b] = session.nodes();
    // Five round trips of 50 ms, and less of longer ones; a retransmission would have to wait for 500 ms.
    let writable = Instant::from_millis(200) + ROUND_TRIP;
    assert_eq!([a.writable_at(), b.writable_at()], [Some(writable); 2]);
    assert!(a.sent.checks + b.sent.checks <= 8, "{:?} {:?}", a.sent, b.sent);
}

#[test]
fn one_side_that_trickles_late_is_found_by_its_own_checks() {
    let mut session = Session::public(controlling(), controlled());
    session.trickles = [true, false];
    session.exchange_credentials();
    assert!(session.run_until_selected(LIMIT));
    let pair = |session: &Session| {
        let [a, _] = session.nodes();
        let pair = a.agent.pair(a.agent.selected_pair().unwrap()).unwrap();
        (pair.id, pair.remote.kind, pair.remote.foundation.clone())
    };
    let [a, b] = session.nodes().map(|node| node.sent);
    assert_eq!((a.checks, a.nominations), (1, 1), "the triggered check, and the nomination");
    assert_eq!(b.checks, 1);
    let (id, kind, foundation) = pair(&session);
    assert_eq!(kind, CandidateKind::PeerReflexive, "nobody signalled it");

    // The signalled candidate arrives at last: the pair stays and learns its true type and foundation.
    session.trickles = [true, true];
    session.signal();
    let (same, kind, signalled) = pair(&session);
    assert_eq!((same, kind), (id, CandidateKind::Host));
    assert_ne!(foundation, signalled);
    assert_eq!(session.nodes()[0].agent.state(), State::Completed);
}

#[test]
fn candidates_that_come_before_the_credentials_are_kept() {
    let mut session = Session::public(controlling(), controlled());
    session.signal();
    session.world.run_for(Duration::from_secs(1));
    assert_eq!(session.nodes().map(|node| node.sent.checks), [0, 0], "nobody to authenticate with");
    session.exchange_credentials();
    assert!(session.run_until_selected(LIMIT));
}

#[test]
fn checks_that_come_before_the_credentials_are_answered_and_replayed() {
    // RFC 8445 §7.3; CHECKLIST 53.
    let mut session = Session::public(controlling(), controlled());
    let [a, b] = session.nodes().map(|node| node.agent.local_credentials().clone());
    session.world.with(session.a, |node, now| node.agent.set_remote_credentials(b, now)).unwrap();
    session.signal();
    session.world.run_for(ROUND_TRIP * 3);
    let answered = session.nodes()[1].sent;
    assert!(answered.successes >= 1);
    assert_eq!(answered.checks, 0, "B cannot check before it knows whom");
    assert!(session.nodes()[0].writable_at().is_some());

    session.world.with(session.b, |node, now| node.agent.set_remote_credentials(a, now)).unwrap();
    assert!(session.run_until_selected(LIMIT));
}

#[test]
fn with_no_path_both_sides_fail_and_fall_silent() {
    // I6, I19; RFC 8863 §4: not before 39.5 s.
    let mut session = Session::public(controlling(), controlled());
    let link = session.world.links(session.a)[0];
    session.world.set_outage(link, Direction::Up, true);
    session.world.set_outage(link, Direction::Down, true);
    session.exchange_credentials();
    session.world.run_for(Duration::from_secs(60));
    for node in session.nodes() {
        let failed = node.state_at(State::Failed).expect("there is nothing left to try");
        assert!(
            failed >= Instant::from_millis(39_500) && failed <= Instant::from_millis(41_000),
            "{failed}"
        );
        assert_eq!(node.sent.checks, 65, "once after 200 ms, and then every 500 ms");
        let pair = node.agent.pairs().next().unwrap();
        assert_eq!(pair.failure.unwrap().to_string(), "no answer");
        assert_eq!(
            node.states_of(pair.id),
            [PairState::Waiting, PairState::InProgress, PairState::Failed]
        );
        assert_eq!(node.agent.poll_timeout(), None);
    }
}

#[test]
fn a_peer_that_never_sends_candidates_is_waited_for_and_then_given_up() {
    // RFC 8863 §3.1: the peer-reflexive candidate might still come.
    let mut session = Session::public(controlling(), controlled());
    session.trickles = [false, false];
    session.exchange_credentials();
    session.world.run_for(Duration::from_millis(39_499));
    assert_eq!(session.nodes().map(|node| node.agent.state()), [State::Checking; 2]);
    session.world.run_for(Duration::from_millis(2));
    assert_eq!(session.nodes().map(|node| node.agent.state()), [State::Failed; 2]);
}

#[test]
fn pairs_of_one_foundation_are_tried_one_after_the_other() {
    // RFC 8445 §6.1.4.2: the second pair waits for the end of the first one's check, and nothing spins meanwhile.
    let mut session = Session::public(controlling(), controlled());
    session.trickles = [false, false];
    session.exchange_credentials();
    session.world.with(session.a, |node, now| {
        for last in [1, 2] {
            let candidate = format!("7 1 udp {} 198.51.100.{last} 5000 typ host", 100 - last);
            node.agent.add_remote_candidate(candidate.parse().unwrap(), now);
        }
    });
    session.world.run_for(Duration::from_millis(39_400));
    assert_eq!(session.nodes()[0].sent.checks, 65);
    session.world.run_for(Duration::from_secs(45));
    assert_eq!(session.nodes()[0].sent.checks, 130);
    assert_eq!(session.nodes()[0].agent.state(), State::Failed);
}

#[test]
fn the_same_seeds_give_the_same_packets_at_the_same_times() {
    // I22.
    let run = || {
        let mut session = behind_nats(NatConfig::symmetric(), NatConfig::full_cone());
        session.exchange_credentials();
        assert!(session.run_until_selected(LIMIT));
        (session.world.trace().to_string(), session.nodes().map(|node| node.events.clone()))
    };
    assert_eq!(run(), run());
}

#[test]
fn gathering_tells_what_it_found_and_when_it_is_over() {
    let session = {
        let mut session = behind_nats(NatConfig::full_cone(), NatConfig::full_cone());
        session.world.run_for(Duration::from_secs(1));
        session
    };
    let [a, _] = session.nodes();
    let kinds: Vec<_> = a.gathered.iter().map(|c| c.as_ref().map(|c| c.kind)).collect();
    assert_eq!(kinds, [Some(CandidateKind::Host), Some(CandidateKind::ServerReflexive), None]);
    assert!(a.when(|event| matches!(event, Event::MappedAddressLearned { .. })).is_some());
}

#[test]
fn a_silent_stun_server_is_reported_and_holds_nothing_up() {
    let mut world = World::new(1);
    let silent = "203.0.113.250:3478".parse().unwrap();
    let core = world.core();
    let with_server = |config: Config| Config { stun_servers: vec![silent], ..config };
    let _ = add_stun_server(&mut world);
    let mut session = Session::between(
        world,
        (core, with_server(controlling())),
        (core, with_server(controlled())),
    );
    session.exchange_credentials();
    assert!(session.run_until_selected(Duration::from_millis(400)));
    let mut alone = Session::public(with_server(controlling()), with_server(controlled()));
    alone.world.run_for(Duration::from_secs(13));
    let failed = alone.nodes()[0].when(|event| matches!(event, Event::GatheringFailed { .. }));
    let completed = alone.nodes()[0].when(|event| *event == Event::GatheringCompleted);
    assert_eq!(failed, Some(Instant::from_millis(12_000)));
    assert_eq!(completed, failed);
}

#[test]
fn a_check_whose_answer_was_lost_is_repeated_when_the_peer_asks() {
    // RFC 8445 §7.3.1.4: nothing swallows checks between two hosts, so the answer is waited for first, but not long.
    let mut session = Session::public(controlling(), controlled());
    session.exchange_credentials();
    let link = session.world.links(session.a)[0];
    session.world.run_for(ROUND_TRIP / 4);
    session.world.set_outage(link, Direction::Up, true);
    session.world.run_for(ROUND_TRIP / 2);
    session.world.set_outage(link, Direction::Up, false);
    assert!(session.run_until_selected(LIMIT));
    let [_, b] = session.nodes();
    let (asked, waited) = (ROUND_TRIP / 2, ROUND_TRIP / 2 + ROUND_TRIP / 8);
    let writable = b.writable_at().unwrap() - Instant::ZERO;
    assert!(writable > asked + waited + ROUND_TRIP, "{writable:?}");
    assert!(
        writable < Duration::from_millis(300),
        "no retransmission was waited for: {writable:?}"
    );
}

#[test]
fn the_one_live_interface_of_six_on_both_sides_is_found_within_six_round_trips() {
    let mut world = World::new(1);
    let [a, b] = ["a", "b"].map(|name| {
        let core = world.core();
        let host = (0..6).fold(world.host(name), |host, _| {
            host.on(core).link(Conditions::latency(support::ACCESS))
        });
        let config = if name == "a" { controlling() } else { controlled() };
        let seed = name.as_bytes()[0];
        host.start_with(|addresses| AgentNode::new(config, seed, addresses))
    });
    let links = [a, b].map(|host| world.links(host));
    for link in links.iter().flat_map(|links| &links[..5]).copied() {
        world.set_outage(link, Direction::Up, true);
        world.set_outage(link, Direction::Down, true);
    }
    let mut session = Session { world, a, b, trickles: [true, true] };
    for host in [a, b] {
        session.world.with(host, AgentNode::collect);
    }
    session.exchange_credentials();
    assert!(session.run_until_selected(LIMIT));
    // A check each Ta, the first one at once: the sixth pair is the first that shares no address with another.
    let latest = Instant::ZERO + Duration::from_millis(50) * 5 + ROUND_TRIP;
    assert!(latest <= Instant::ZERO + ROUND_TRIP * 6);
    for node in session.nodes() {
        let writable = node.writable_at().unwrap();
        assert!(writable <= latest, "{writable}");
        assert!(node.sent.checks <= 15, "{:?}", node.sent);
    }
}

#[test]
fn a_pair_is_nominated_once_the_peer_has_checked_it_or_soon_after() {
    // A nomination that meets the peer's own check on its way confuses some peers.
    let mut session = behind_nats(NatConfig::full_cone(), NatConfig::full_cone());
    session.exchange_credentials();
    assert!(session.run_until_selected(LIMIT));
    let [a, _] = session.nodes();
    let stats = a.agent.pair(a.agent.selected_pair().unwrap()).unwrap().stats;
    assert!(stats.requests_received > 0);

    // A lite peer that has not said so never checks.
    let mut session = Session::public(controlling(), Config { lite: true, ..controlled() });
    session.exchange_credentials();
    assert!(session.run_until_selected(Duration::from_secs(1)));
}

#[test]
fn a_nat_that_changes_our_address_makes_us_nominate_again() {
    let mut world = World::new(1);
    let server = add_stun_server(&mut world);
    let with_server = |config: Config| Config { stun_servers: vec![server], ..config };
    let home = world.nat("home", NatConfig::full_cone());
    let (gateway, core) = (home.gateway, world.core());
    let mut session = Session::between(
        world,
        (home, with_server(controlling())),
        (core, with_server(controlled())),
    );
    session.exchange_credentials();
    assert!(session.run_until_selected(LIMIT));
    session.world.run_for(Duration::from_secs(10));
    session.world.set_external_addresses(gateway, &["203.0.113.77".parse().unwrap()]);
    session.world.run_for(Duration::from_secs(60));
    let [a, b] = session.nodes();
    assert_eq!([a, b].map(|node| node.agent.state()), [State::Completed; 2]);
    let (_, remote) = b.selected().unwrap();
    assert_eq!(remote.ip().to_string(), "203.0.113.77", "the peer follows");
}

/// Two agents with a STUN server, each behind a NAT of its own.
fn behind_nats(nat_a: NatConfig, nat_b: NatConfig) -> Session {
    let mut world = World::new(1);
    let server = add_stun_server(&mut world);
    let with_server = |config: Config| Config { stun_servers: vec![server], ..config };
    let homes = [world.nat("home-a", nat_a), world.nat("home-b", nat_b)];
    Session::between(
        world,
        (homes[0], with_server(controlling())),
        (homes[1], with_server(controlled())),
    )
}

#[test]
fn a_nomination_is_repeated_each_half_second_whatever_else_is_tried() {
    // RFC 8445 §14.3: the interval of thirty pairs would be 1.5 s.
    let mut session = Session::public(controlling(), controlled());
    for last in 100..130 {
        let silent = format!("{last} 1 udp 1 203.0.113.{last} 9 typ host");
        session.world.with(session.a, |node, now| {
            node.agent.add_remote_candidate(silent.parse().unwrap(), now);
        });
    }
    session.exchange_credentials();
    let (a, link) = (session.a, session.world.links(session.a)[0]);
    let nominates = |world: &World| world.node(a).sent.nominations == 1;
    assert!(session.world.run_until_done(Duration::from_secs(5), nominates));
    session.world.set_outage(link, Direction::Down, true);
    session.world.run_for(Duration::from_secs(3));
    let nominations = session.nodes()[0].sent.nominations;
    assert!((6..=7).contains(&nominations), "{nominations} in three seconds");
}
