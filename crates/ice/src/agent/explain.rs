//! What the agent can say about itself.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::{Agent, State};
use crate::candidate::{Candidate, CandidateKind};
use crate::explain::{CandidateExplanation, CandidateFate, Cause, Explanation, PairExplanation};
use crate::pair::{Pair, PairFailure, PairState};

impl Agent {
    /// Why each candidate and each pair is where it is, and what may stand in the way of a session that is not well.
    #[must_use]
    pub fn explain(&self) -> Explanation {
        let selected = self.selected_pair();
        let pairs = self.pairs().map(|pair| PairExplanation {
            id: pair.id,
            local: (pair.local.kind, pair.local.address.clone()),
            remote: (pair.remote.kind, pair.remote.address.clone()),
            state: pair.state,
            checks_sent: pair.stats.requests_sent,
            is_selected: selected == Some(pair.id),
            failure: pair.failure,
        });
        let pairs: Vec<PairExplanation> = pairs.collect();
        let causes = match self.state {
            State::Connected | State::Completed | State::Closed => Vec::new(),
            State::New | State::Checking | State::Disconnected | State::Failed => {
                self.causes(&pairs)
            }
        };
        Explanation { state: self.state, candidates: self.fates(), pairs, causes }
    }

    /// What became of all candidates.
    fn fates(&self) -> Vec<CandidateExplanation> {
        let own = self.local.candidates.iter().map(|own| {
            let stands_for_itself = own.address == own.base;
            let is_end = |pair: &Pair| pair.local == own.base;
            let fate = match stands_for_itself {
                true => self.fate_in_pairs(is_end),
                false => CandidateFate::ThroughBase(own.base.address),
            };
            explained(true, &own.candidate, fate)
        });
        let remote = self.generation.remote.candidates.iter().map(|remote| {
            let fate = self.fate_in_pairs(|pair| pair.remote == remote.address);
            explained(false, &remote.candidate, fate)
        });
        own.chain(remote).chain(self.generation.remote.ignored.iter().cloned()).collect()
    }

    fn fate_in_pairs(&self, is_end: impl Fn(&Pair) -> bool) -> CandidateFate {
        match self.generation.checklist.iter().filter(|pair| is_end(pair)).count() {
            0 if self.generation.conclusion.selected.is_some() => CandidateFate::Dismissed,
            0 => CandidateFate::Unpaired,
            count => CandidateFate::Paired(count),
        }
    }

    fn causes(&self, pairs: &[PairExplanation]) -> Vec<Cause> {
        let mut causes = Vec::new();
        let failed = |wanted| pairs.iter().any(|pair| pair.failure == Some(wanted));
        if self.generation.remote.session.is_none() {
            causes.push(Cause::NoCredentials);
        }
        if self.generation.conclusion.nomination_failed {
            causes.push(Cause::NominationFailed);
        } else if self.state == State::Disconnected || failed(PairFailure::ConsentLost) {
            causes.push(Cause::ConsentLost);
        }
        causes.extend(self.missing_candidates(pairs));
        let refusals = pairs.iter().filter_map(|pair| match pair.failure {
            Some(PairFailure::ErrorResponse(code)) => Some(Cause::PeerRefuses(code)),
            _ => None,
        });
        causes.extend(refusals.take(1));
        causes.extend(self.troubles.causes());
        causes.extend(self.silence(pairs));
        causes
    }

    /// Why there are no pairs.
    fn missing_candidates(&self, pairs: &[PairExplanation]) -> Option<Cause> {
        let (locals, remotes) = (self.local_candidates().count(), self.remote_candidates().count());
        match (locals, remotes, pairs.len()) {
            _ if self.generation.remote.session.is_none() => None,
            (_, 0, _) => Some(Cause::NoRemoteCandidates),
            (0, _, _) => Some(Cause::NoLocalCandidates),
            (_, _, 0) => Some(Cause::NoCommonFamily),
            _ => None,
        }
    }

    /// Why nobody may have answered.
    fn silence(&self, pairs: &[PairExplanation]) -> Option<Cause> {
        let is_silent = |pair: &PairExplanation| {
            pair.failure == Some(PairFailure::Timeout) || pair.state == PairState::InProgress
        };
        let nobody_answers = pairs.iter().any(is_silent)
            && !pairs.iter().any(|pair| pair.state == PairState::Succeeded);
        let is_relayed = |pair: &PairExplanation| {
            [pair.local.0, pair.remote.0].contains(&CandidateKind::Relayed)
        };
        if !nobody_answers {
            None
        } else if pairs.iter().any(is_relayed) {
            Some(Cause::Silence)
        } else if self.is_mapped_differently() {
            Some(Cause::SymmetricWithoutRelay)
        } else {
            Some(Cause::SilenceWithoutRelay)
        }
    }

    /// Whether two servers have seen one socket at two addresses.
    fn is_mapped_differently(&self) -> bool {
        let mut bases = BTreeSet::new();
        let mut reflexive = self
            .local
            .candidates
            .iter()
            .filter(|own| own.candidate.kind == CandidateKind::ServerReflexive);
        reflexive.any(|own| !bases.insert(own.base))
    }
}

fn explained(is_own: bool, candidate: &Candidate, fate: CandidateFate) -> CandidateExplanation {
    let (kind, address) = (candidate.kind, candidate.address.clone());
    CandidateExplanation { is_own, kind, address, fate }
}
