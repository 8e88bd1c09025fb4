/// Whose description is awaited (RFC 9429 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SignalingState {
    /// No exchange is going on.
    #[default]
    Stable,
    /// Our offer awaits its answer.
    HaveLocalOffer,
    /// Their offer awaits our answer.
    HaveRemoteOffer,
    /// We gave a provisional answer.
    HaveLocalPranswer,
    /// They gave a provisional answer.
    HaveRemotePranswer,
}

/// Whose description it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Ours.
    Local,
    /// The other side's.
    Remote,
}

/// What a description is meant as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DescriptionKind {
    /// An offer.
    Offer,
    /// An answer that another one may follow.
    Pranswer,
    /// The answer.
    Answer,
    /// No description: the offer of this side is taken back.
    Rollback,
}

impl SignalingState {
    /// The state after a description was applied, `None` where it cannot be applied in this state.
    #[must_use]
    pub fn after(self, side: Side, kind: DescriptionKind) -> Option<Self> {
        use DescriptionKind::{Answer, Offer, Pranswer, Rollback};
        use Side::{Local, Remote};
        use SignalingState::{
            HaveLocalOffer, HaveLocalPranswer, HaveRemoteOffer, HaveRemotePranswer, Stable,
        };
        Some(match (self, side, kind) {
            (Stable | HaveLocalOffer, Local, Offer) => HaveLocalOffer,
            (Stable | HaveRemoteOffer, Remote, Offer) => HaveRemoteOffer,
            (HaveLocalOffer | HaveRemotePranswer, Remote, Pranswer) => HaveRemotePranswer,
            (HaveRemoteOffer | HaveLocalPranswer, Local, Pranswer) => HaveLocalPranswer,
            (HaveLocalOffer | HaveRemotePranswer, Remote, Answer)
            | (HaveRemoteOffer | HaveLocalPranswer, Local, Answer)
            | (HaveLocalOffer, Local, Rollback)
            | (HaveRemoteOffer, Remote, Rollback) => Stable,
            _ => return None,
        })
    }
}

/// Whether an offer that comes now is passed over, so that offers that meet do not undo each other. One
/// side is polite: it takes its own offer back (a rollback) and answers. The other one passes the offer
/// over. `offering` is whether an own offer is being made that is not applied yet.
#[must_use]
pub fn passes_over_offer(state: SignalingState, offering: bool, polite: bool) -> bool {
    let meets = offering || state == SignalingState::HaveLocalOffer;
    meets && !polite
}

#[cfg(test)]
mod tests {
    use super::*;
    use DescriptionKind::{Answer, Offer, Pranswer, Rollback};
    use Side::{Local, Remote};

    fn walk(steps: &[(Side, DescriptionKind)]) -> Option<SignalingState> {
        steps
            .iter()
            .try_fold(SignalingState::Stable, |state, (side, kind)| state.after(*side, *kind))
    }

    #[test]
    fn an_exchange_ends_where_it_began() {
        for good in [
            &[(Local, Offer), (Remote, Answer)][..],
            &[(Remote, Offer), (Local, Answer)],
            &[
                (Local, Offer),
                (Local, Offer),
                (Remote, Pranswer),
                (Remote, Pranswer),
                (Remote, Answer),
            ],
            &[(Remote, Offer), (Local, Pranswer), (Local, Answer)],
            &[(Local, Offer), (Local, Rollback), (Remote, Offer), (Remote, Rollback)],
        ] {
            assert_eq!(walk(good), Some(SignalingState::Stable), "{good:?}");
        }
    }

    #[test]
    fn a_description_out_of_turn_is_refused() {
        for bad in [
            &[(Remote, Answer)][..],
            &[(Local, Rollback)],
            &[(Local, Offer), (Remote, Offer)],
            &[(Local, Offer), (Local, Answer)],
            &[(Remote, Offer), (Remote, Answer)],
            &[(Remote, Offer), (Local, Pranswer), (Remote, Offer)],
            &[(Local, Offer), (Remote, Pranswer), (Local, Rollback)],
        ] {
            assert_eq!(walk(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn of_two_offers_that_meet_one_survives() {
        let meet = SignalingState::HaveLocalOffer;
        assert!(passes_over_offer(meet, false, false) && !passes_over_offer(meet, false, true));
        assert!(passes_over_offer(SignalingState::Stable, true, false));
        assert!(!passes_over_offer(SignalingState::Stable, false, false));
    }
}
