//! Why two peers did not connect: which pairs were tried, what each said, what to try next.

use pinhole_ice::{Agent, CandidateKind, PairFailure, PairInfo, PairState};

/// The gist, for a program's log.
pub(crate) fn in_one_line(agent: &Agent) -> String {
    let tried = agent.pairs().filter(|pair| pair.checks_sent > 0).count();
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

/// The whole story, a line an item.
pub(crate) fn in_full(agent: &Agent) -> Vec<String> {
    let mut lines = vec![in_one_line(agent)];
    lines.extend(agent.pairs().map(|pair| format!("  {}", describe(&pair))));
    lines.push("what to try next:".to_owned());
    lines.extend(advice(agent).into_iter().map(|advice| format!("  - {advice}")));
    lines
}

fn describe(pair: &PairInfo<'_>) -> String {
    let (local, remote) = (pair.local, pair.remote);
    let verdict = match (pair.state, pair.failure) {
        (PairState::Failed, Some(failure)) => failure.to_string(),
        (state, _) => state.to_string(),
    };
    format!("{} {} -> {} {}: {verdict}", local.kind, local.address, remote.kind, remote.address)
}

fn advice(agent: &Agent) -> Vec<&'static str> {
    let mut advice = Vec::new();
    let has = |kind| agent.local_candidates().any(|candidate| candidate.kind == kind);
    if agent.remote_candidates().next().is_none() {
        advice.push("check that the other side runs, and that its candidates reach this one");
    }
    if !has(CandidateKind::ServerReflexive) && !has(CandidateKind::PeerReflexive) {
        advice.push("give a STUN server with --stun, so that this side learns its public address");
    }
    if agent.pairs().any(|pair| pair.failure == Some(PairFailure::Timeout)) {
        advice.push("let UDP pass the firewalls on both sides");
        advice.push("if both sides are behind symmetric NATs, only a relay (TURN) can help");
    }
    advice
}
