//! Candidates that are taken back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use pinhole_ice::{
    Agent, Candidate, CandidateFate, CandidatePolicy, Config, Credentials, Event, PairState, State,
};
use pinhole_sansio::Instant;
use support::{Session, controlled, controlling};

const LIMIT: Duration = Duration::from_secs(5);

fn events(agent: &mut Agent) -> (Vec<Candidate>, Vec<Candidate>) {
    let (mut gathered, mut removed) = (Vec::new(), Vec::new());
    while let Some(event) = agent.poll_event() {
        if let Event::CandidateGathered(candidate) = event {
            gathered.push(candidate);
        } else if let Event::CandidateRemoved(candidate) = event {
            removed.push(candidate);
        }
    }
    (gathered, removed)
}

fn base(last: u8) -> SocketAddr {
    ([192, 0, 2, last], 5_000).into()
}

fn with_bases(config: Config) -> Agent {
    let now = Instant::ZERO;
    let mut agent = Agent::new(config, [1; 32], now);
    for last in [1, 2] {
        agent.add_base(base(last), now).unwrap();
    }
    agent
}

#[test]
fn what_was_told_is_taken_back_and_nothing_else() {
    let mut agent = with_bases(controlling());
    let (told, _) = events(&mut agent);
    agent.remove_base(base(1), Instant::ZERO);
    assert_eq!(events(&mut agent).1, told[..1]);
    agent.remove_base(base(1), Instant::ZERO);
    assert_eq!(events(&mut agent).1, [], "once is enough");

    let mut shy = with_bases(Config { candidates: CandidatePolicy::NoHost, ..controlling() });
    shy.remove_base(base(1), Instant::ZERO);
    assert_eq!(events(&mut shy), (vec![], vec![]), "what was not told before");
}

#[test]
fn a_candidate_that_the_peer_takes_back_is_not_checked_any_more() {
    let mut now = Instant::ZERO;
    let mut agent = with_bases(controlling());
    agent.end_of_bases(now);
    agent.set_remote_credentials(Credentials::new("peer", &"p".repeat(22)).unwrap(), now).unwrap();
    let [gone, kept]: [Candidate; 2] = ["198.51.100.7", "198.51.100.8"]
        .map(|ip| format!("1 1 udp 9 {ip} 5000 typ host").parse().unwrap());
    agent.add_remote_candidate(gone.clone(), now);
    agent.add_remote_candidate(kept, now);
    let mut checked = Vec::new();
    for _ in 0..400 {
        if now > Instant::from_millis(1_000) {
            agent.remove_remote_candidate(&gone, now);
        }
        while let Some(transmit) = agent.poll_transmit() {
            checked.push((now, transmit.five_tuple.remote));
        }
        let Some(at) = agent.poll_timeout() else { break };
        now = at;
        agent.handle_timeout(now);
    }
    let lasts = |last: u8| {
        let of = checked.iter().filter(|(_, to)| *to == ([198, 51, 100, last], 5_000).into());
        of.map(|(at, _)| *at).max().unwrap()
    };
    assert!(lasts(7) <= Instant::from_millis(1_550), "{}", lasts(7));
    assert!(lasts(8) > Instant::from_millis(20_000));
    assert_eq!(agent.remote_candidates().count(), 1);
    let fates = agent.explain().candidates;
    assert!(fates.iter().any(|candidate| candidate.fate == CandidateFate::Removed));
}

#[test]
fn a_pair_that_works_goes_on() {
    let mut session = Session::public(controlling(), controlled());
    session.exchange_credentials();
    assert!(session.run_until_selected(LIMIT));
    let theirs = session.nodes()[1].agent.local_candidates().next().unwrap().clone();
    session.world.with(session.a, |node, now| node.agent.remove_remote_candidate(&theirs, now));
    session.run_until(Duration::from_secs(60), |_| false);
    assert_eq!(session.nodes().map(|node| node.agent.state()), [State::Completed; 2]);
    assert_eq!(session.nodes()[0].agent.pairs().next().unwrap().state, PairState::Succeeded);
}

#[test]
fn one_of_another_generation_changes_nothing() {
    let mut session = Session::public(controlling(), controlled());
    session.exchange_credentials();
    let mut theirs = session.nodes()[1].agent.local_candidates().next().unwrap().clone();
    theirs.extensions.push(("ufrag".to_owned(), "another".to_owned()));
    session.world.with(session.a, |node, now| node.agent.remove_remote_candidate(&theirs, now));
    assert_eq!(session.nodes()[0].agent.remote_candidates().count(), 1);
    assert!(session.run_until_selected(LIMIT));
}
