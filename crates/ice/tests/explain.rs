//! What an agent says about a session that does not come about.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::time::Duration;

use pinhole_ice::{Agent, Cause, Credentials, PairFailure, State};
use pinhole_netsim::{Direction, NatConfig, World};
use pinhole_sansio::Instant;
use support::{Session, controlled, controlling};

/// An agent with one IPv4 address that has tried the peer's candidates until it gave up.
fn failed(candidates: &[&str]) -> Agent {
    let mut now = Instant::ZERO;
    let mut agent = Agent::new(controlling(), [1; 32], now);
    agent.add_base("192.0.2.1:5000".parse().unwrap(), now).unwrap();
    agent.end_of_bases(now);
    agent.set_remote_credentials(Credentials::new("peer", &"p".repeat(22)).unwrap(), now).unwrap();
    for candidate in candidates {
        agent.add_remote_candidate(candidate.parse().unwrap(), now);
    }
    agent.end_of_remote_candidates(now);
    while let Some(at) = agent.poll_timeout() {
        now = at;
        agent.handle_timeout(now);
        while agent.poll_transmit().is_some() {}
    }
    assert_eq!(agent.state(), State::Failed);
    agent
}

#[test]
fn the_likeliest_cause_comes_first() {
    let waiting = Agent::new(controlling(), [1; 32], Instant::ZERO);
    assert_eq!(waiting.explain().causes, [Cause::NoCredentials]);
    assert_eq!(failed(&[]).explain().causes, [Cause::NoRemoteCandidates]);
    let v6 = failed(&["1 1 udp 9 2001:db8::7 5000 typ host"]);
    assert_eq!(v6.explain().causes, [Cause::NoCommonFamily]);
    let silent = failed(&["1 1 udp 9 198.51.100.7 5000 typ host"]);
    assert_eq!(silent.explain().causes, [Cause::SilenceWithoutRelay]);
    let relayed = failed(&["1 1 udp 9 198.51.100.7 5000 typ relay raddr 0.0.0.0 rport 9"]);
    assert_eq!(relayed.explain().causes, [Cause::Silence]);
}

#[test]
fn every_pair_says_where_it_stands() {
    let explanation = failed(&["1 1 udp 9 198.51.100.7 5000 typ host"]).explain();
    assert_eq!(explanation.pairs[0].failure, Some(PairFailure::Timeout));
    let text = explanation.to_string();
    for part in [
        "state: failed",
        "pair 0: host 192.0.2.1:5000 -> host 198.51.100.7:5000: no answer",
        "try turns: on port 443",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn a_session_that_is_well_has_no_causes_and_one_that_is_lost_says_so() {
    let mut session = Session::public(controlling(), controlled());
    session.exchange_credentials();
    assert!(session.run_until_selected(Duration::from_secs(5)));
    let well = session.nodes()[0].agent.explain();
    assert_eq!(well.causes, []);
    assert!(well.to_string().contains("selected"), "{well}");
    let link = session.world.links(session.a)[0];
    session.world.set_outage(link, Direction::Down, true);
    session.world.run_for(Duration::from_secs(60));
    assert_eq!(session.nodes()[0].agent.explain().causes, [Cause::ConsentLost]);
}

#[test]
fn every_candidate_says_what_became_of_it() {
    let told = [
        "1 1 udp 9 198.51.100.7 5000 typ host",
        "1 1 udp 9 2001:db8::7 5000 typ host",
        "1 1 udp 9 5f2a.local 5000 typ host",
        "1 1 tcp 9 198.51.100.7 9 typ host tcptype active",
        "1 2 udp 9 198.51.100.7 5001 typ host",
        "1 1 udp 9 198.51.100.8 5000 typ host ufrag other",
    ];
    let text = failed(&told).explain().to_string();
    for line in [
        "own candidate host 192.0.2.1:5000: in 1 pair",
        "peer's candidate host 198.51.100.7:5000: in 1 pair",
        "peer's candidate host [2001:db8::7]:5000: the other side has none of its family and transport",
        "peer's candidate host 5f2a.local:5000: a name that nobody has resolved",
        "peer's candidate host 198.51.100.7:9: of a transport that is not in use here",
        "peer's candidate host 198.51.100.7:5001: of another component",
        "peer's candidate host 198.51.100.8:5000: of other credentials than those in use",
    ] {
        assert!(text.contains(line), "no {line:?} in\n{text}");
    }
}

#[test]
fn candidates_that_cannot_be_used_are_not_remembered_for_ever() {
    let names: Vec<String> =
        (0..500).map(|number| format!("1 1 udp 9 n{number}.local 5000 typ host")).collect();
    let told: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(failed(&told).explain().candidates.len(), 1 + 64);
}

#[test]
fn what_servers_have_told_is_in_the_statistics() {
    let mut world = World::new(1);
    let server = support::add_stun_server(&mut world);
    let mut config = controlling();
    config.stun_servers.push(server);
    let home = world.nat("home", NatConfig::port_restricted());
    let core = world.core();
    let mut session = Session::between(world, (home, config), (core, controlled()));
    session.world.run_for(Duration::from_secs(1));
    let agent = &session.nodes()[0].agent;
    let infos: Vec<_> = agent.local_candidate_infos().collect();
    assert_eq!(infos[1].server, Some(server));
    assert_eq!(infos[1].base, infos[0].base);
    assert_eq!(infos[1].username_fragment, agent.local_credentials().ufrag.as_str());
}
