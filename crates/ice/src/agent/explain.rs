//! What the agent can say about itself.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::{Agent, State};
use crate::candidate::CandidateKind;
use crate::explain::{Cause, Explanation, PairExplanation};
use crate::pair::{PairFailure, PairState};

impl Agent {
    /// Why each pair is where it is, and what may stand in the way of a session that is not well.
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
        Explanation { state: self.state, pairs, causes }
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
