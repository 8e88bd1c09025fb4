use pinhole_netsim::Loss;

use crate::mutation::Mutation;
use crate::oracle::Path;
use crate::plan::{Plan, Verdict};

impl Plan {
    /// I22, T22: the same inputs at the same times make the same bytes.
    pub(super) fn replay(&self, verdict: Verdict, digests: [u64; 3]) -> Verdict {
        let lie = u64::from(self.config.mutation == Some(Mutation::AnotherSeed));
        let (again, others) = self.run_once(self.seed ^ lie);
        let names = ["I22: A", "I22: B", "T22: the TURN server"];
        let differing = names.iter().zip(digests.iter().zip(&others));
        let mut wrong: Vec<_> = differing
            .filter(|(_, (one, other))| one != other)
            .map(|(name, _)| format!("{name} has sent something else the second time"))
            .collect();
        if wrong.is_empty() && again == verdict {
            return verdict;
        }
        if let Verdict::Wrong(reasons) = verdict {
            wrong.extend(reasons);
        }
        Verdict::Wrong(wrong)
    }

    /// I21: candidates that overtake one another and come twice, and packets that are lost and doubled, change when a
    /// session connects, but not whether it does.
    pub(super) fn run_in_disorder(&self, verdict: Verdict) -> Verdict {
        let mut other = self.clone();
        other.config.shuffles = !self.config.shuffles;
        for access in &mut other.config.access {
            access.duplication = 0.2;
            if matches!(access.loss, Loss::None | Loss::Random { probability: 0.0 }) {
                access.loss = Loss::Random { probability: MILD_LOSS };
            }
        }
        let (again, _) = other.run_once(self.seed);
        let is_lie = self.config.mutation == Some(Mutation::DecisiveOrder);
        match (connects(&verdict), connects(&again)) {
            (Some(one), Some(other)) if one != (other ^ is_lie) => Verdict::Wrong(vec![format!(
                "I21: it ends with {verdict:?} in one order, and with {again:?} in another"
            )]),
            (Some(_), None) if matches!(again, Verdict::Wrong(_)) => again,
            _ => verdict,
        }
    }
}

/// `None` where the time was up, or something else is wrong.
fn connects(verdict: &Verdict) -> Option<bool> {
    match verdict {
        Verdict::Connected { path, .. } => Some(*path != Path::None),
        Verdict::NoPath => Some(false),
        Verdict::Recovered { .. } | Verdict::Late | Verdict::Wrong(_) => None,
    }
}

/// Loss on each access with which every session connects in time.
const MILD_LOSS: f64 = 0.05;
