//! Holds what the agent believes against what the wire has said.

use std::collections::BTreeMap;
use std::time::Duration;

use pinhole_ice::{
    Agent, Candidate, CandidateKind, Component, Credentials, LocalPreference, PairInfo, PairState,
    Priority, State,
};
use pinhole_sansio::Instant;

use super::Monitor;
use super::tunnel::Hop;
use crate::mutation::Mutation;

impl Monitor {
    /// Looks at the agent after each input.
    pub(crate) fn inspect(&mut self, agent: &Agent, now: Instant) {
        self.bounded(agent, now);
        for pair in agent.pairs() {
            self.valid_as_answered(&pair, now);
        }
        for candidate in agent.remote_candidates() {
            self.known_from_somewhere(candidate, now);
        }
        for candidate in agent.local_candidates() {
            self.rightly_preferred(candidate, now);
        }
        self.rightly_selected(agent, now);
        self.rightly_alarmed(agent, now);
    }

    /// I14: both parts of the credentials are new, and what could be sent before can be sent after.
    pub(crate) fn restarted(&mut self, before: &Before, agent: &Agent, now: Instant) {
        let after = agent.local_credentials();
        let kept = self.mutation == Some(Mutation::KeptCredentials);
        if kept
            || after.ufrag == before.credentials.ufrag
            || after.password.as_str() == before.credentials.password.as_str()
        {
            self.violated("I14", now, "a restart without other credentials");
        }
        if before.is_writable && !agent.is_writable(now) {
            self.violated("I14", now, "a restart has broken the path before there is another");
        }
        self.ledger.signalled.clear();
        self.peer_ended = false;
    }

    /// Signaling has told of a candidate.
    pub(crate) fn signalled(&mut self, candidate: &Candidate) {
        if self.mutation != Some(Mutation::UnseenSignals) && !self.peer_ended {
            self.ledger.signalled.extend(candidate.udp_address());
        }
    }

    /// Signaling has told that there are no more (I13).
    pub(crate) const fn end_signalled(&mut self) {
        self.peer_ended = true;
    }

    /// I2.
    fn bounded(&mut self, agent: &Agent, now: Instant) {
        let many = if self.mutation == Some(Mutation::ManyPairs) { 1_000 } else { 0 };
        let (pairs, remotes) = (agent.pairs().count() + many, agent.remote_candidates().count());
        if pairs > 100 || remotes > 100 {
            self.violated("I2", now, &format!("{pairs} pairs, {remotes} remote candidates"));
        }
    }

    /// I11: only an answer from where the check went makes a pair valid, and what it says of us is a candidate with
    /// the priority that the check carried.
    fn valid_as_answered(&mut self, pair: &PairInfo<'_>, now: Instant) {
        if pair.state != PairState::Succeeded {
            return;
        }
        let Some(remote) = pair.remote.udp_address() else { return };
        let unseen = self.mutation == Some(Mutation::UnseenAnswers);
        if unseen || !self.ledger.answered.contains(&remote) {
            self.violated("I11", now, &format!("a valid pair with {remote}, which never answered"));
        }
        let is_learned = pair.local.kind == CandidateKind::PeerReflexive;
        if is_learned && !self.ledger.offered.contains(&pair.local.priority.0) {
            self.violated("I11", now, &format!("{} was never offered", pair.local));
        }
    }

    /// I12, I13: a remote candidate was signalled in time, or sent an authentic check with its priority.
    fn known_from_somewhere(&mut self, candidate: &Candidate, now: Instant) {
        let Some(address) = candidate.udp_address() else { return };
        if candidate.kind == CandidateKind::PeerReflexive {
            let claimed = self.ledger.claimed.get(&address);
            let unseen = self.mutation == Some(Mutation::UnseenChecks);
            if unseen || !claimed.is_some_and(|claimed| claimed.contains(&candidate.priority.0)) {
                self.violated("I12", now, &format!("{candidate} comes from no check"));
            }
        } else if !self.ledger.signalled.contains(&address) {
            self.violated("I13", now, &format!("{candidate} was not signalled"));
        }
    }

    /// I16: the recommended formula, and one foundation for each type and transport address of a server.
    fn rightly_preferred(&mut self, candidate: &Candidate, now: Instant) {
        let highest = LocalPreference::ranked(0, 0);
        let best = Priority::recommended(candidate.kind, highest, Component::FIRST).0;
        let wrong = u32::from(self.mutation == Some(Mutation::WrongPriorities)) << 24;
        let priority = candidate.priority.0 ^ wrong;
        if priority >> 24 != best >> 24 || priority & 0xff != best & 0xff {
            self.violated("I16", now, &format!("{candidate} has the priority {priority}"));
        }
        let foundation = candidate.foundation.as_str().to_owned();
        let before = self.foundations.entry(foundation).or_insert(candidate.kind);
        if *before != candidate.kind {
            self.violated("I16", now, &format!("{candidate} shares a foundation"));
        }
    }

    /// No false alarm: a path is in doubt when the peer has not answered on it for a while, and not before.
    fn rightly_alarmed(&mut self, agent: &Agent, now: Instant) {
        let state = agent.state();
        let before = self.state.replace(state);
        let is_false = self.mutation == Some(Mutation::FalseAlarms) && state == State::Completed;
        if before == Some(state) || (state != State::Disconnected && !is_false) {
            return;
        }
        let Some(selected) = agent.selected_pair().and_then(|id| agent.pair(id)) else { return };
        let remote = selected.remote.udp_address();
        let is_tunneled = selected.local.kind == CandidateKind::Relayed;
        let is_on = |hop: &Hop| Some(hop.remote) == remote && hop.via.is_some() == is_tunneled;
        let heard = self.heard.iter().filter(|(hop, _)| is_on(hop));
        // Of several allocations on the way, it is not told which one it is.
        if let Some(at) = heard.map(|(_, at)| *at).min().filter(|at| now - *at < DOUBT) {
            self.violated("doubt", now, &format!("disconnected, with an answer of {at}"));
        }
    }

    /// I8: the selected pair was nominated, works, and no nominated one is better.
    fn rightly_selected(&mut self, agent: &Agent, now: Instant) {
        if agent.state() != State::Completed {
            return;
        }
        let Some(selected) = agent.selected_pair().and_then(|id| agent.pair(id)) else { return };
        let unseen = self.mutation == Some(Mutation::UnseenNominations);
        let remote = selected.remote.udp_address();
        let was_asked = remote.is_some_and(|remote| self.ledger.nominated.contains(&remote));
        if unseen || !was_asked || !selected.nominated || selected.state != PairState::Succeeded {
            self.violated("I8", now, &format!("pair {} is selected for no reason", selected.id));
        }
        let mut nominated = agent.pairs().filter(|pair| pair.nominated);
        if nominated
            .any(|pair| pair.state == PairState::Succeeded && pair.priority > selected.priority)
        {
            self.violated("I8", now, &format!("pair {} is not the best one", selected.id));
        }
    }
}

/// Three checks for consent, each at least four seconds after the one before, without an answer.
const DOUBT: Duration = Duration::from_secs(8);

/// What a restart must change, and what it must keep.
#[derive(Debug)]
pub(crate) struct Before {
    credentials: Credentials,
    is_writable: bool,
}

impl Before {
    pub(crate) fn restart(agent: &Agent, now: Instant) -> Self {
        Self { credentials: agent.local_credentials().clone(), is_writable: agent.is_writable(now) }
    }
}

/// The kind of candidate that each foundation stands for.
pub(super) type Foundations = BTreeMap<String, CandidateKind>;
