//! Why two peers did not connect.

use pinhole_ice::Agent;

/// The gist, for a program's log.
pub(crate) fn in_one_line(agent: &Agent) -> String {
    let tried = agent.pairs().filter(|pair| pair.stats.requests_sent > 0).count();
    let failures: Vec<_> = agent.pairs().filter_map(|pair| pair.failure).collect();
    match (agent.remote_candidates().count(), failures.first()) {
        (0, _) => {
            "the peer signalled no usable candidate, and none of its checks arrived".to_owned()
        }
        (_, None) => "no candidate pair could be formed".to_owned(),
        (_, Some(first)) if failures.iter().all(|failure| failure == first) => {
            format!("{tried} candidate pairs tried: {first}")
        }
        (_, Some(_)) => format!("{tried} candidate pairs tried, none works"),
    }
}

/// The whole story: the pairs, what may stand in the way, and what to try.
pub(crate) fn in_full(agent: &Agent) -> String {
    format!("{}\n{}", in_one_line(agent), agent.explain())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinhole_ice::{Config, Credentials, Role, State};
    use pinhole_sansio::Instant;

    /// An agent that has tried the peer's candidates, to no avail.
    fn failed(candidates: &[&str]) -> Agent {
        let mut now = Instant::ZERO;
        let mut agent = Agent::new(Config::new(Role::Controlling), [1; 32], now);
        agent.add_base("192.0.2.1:5000".parse().unwrap(), now).unwrap();
        agent.end_of_bases(now);
        agent
            .set_remote_credentials(Credentials::new("peer", &"p".repeat(22)).unwrap(), now)
            .unwrap();
        for candidate in candidates {
            agent.add_remote_candidate(candidate.parse().unwrap(), now);
        }
        agent.end_of_remote_candidates(now);
        while let Some(at) = agent.poll_timeout() {
            now = at;
            agent.handle_timeout(now);
        }
        assert_eq!(agent.state(), State::Failed);
        agent
    }

    #[test]
    fn a_failure_names_each_pair_what_it_said_and_what_to_try() {
        let agent = failed(&[
            "1 1 udp 9 198.51.100.7 5000 typ host",
            "2 1 udp 8 203.0.113.7 5000 typ srflx",
        ]);
        assert_eq!(in_one_line(&agent), "2 candidate pairs tried: no answer");
        let report = in_full(&agent);
        for part in [
            "host 192.0.2.1:5000 -> host 198.51.100.7:5000: no answer",
            "host 192.0.2.1:5000 -> srflx 203.0.113.7:5000: no answer",
            "likely causes:",
            "symmetric NATs",
            "try turns:",
        ] {
            assert!(report.contains(part), "no {part:?} in\n{report}");
        }
    }

    #[test]
    fn a_peer_without_candidates_is_told_apart() {
        let agent = failed(&[]);
        assert!(in_one_line(&agent).contains("signalled no usable candidate"));
        assert!(in_full(&agent).contains("does the other side run"));
        let agent = failed(&["1 1 udp 9 2001:db8::7 5000 typ host"]);
        assert_eq!(in_one_line(&agent), "no candidate pair could be formed");
    }
}
