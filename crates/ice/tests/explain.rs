//! What an agent says about a session that does not come about.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::time::Duration;

use pinhole_ice::{Agent, Cause, Credentials, PairFailure, State};
use pinhole_netsim::Direction;
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
