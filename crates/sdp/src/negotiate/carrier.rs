use super::{DescriptionKind, SignalingState};

/// The message of a signaling protocol that carries a description, and so what the description is.
///
/// SIP does not name offers and answers: a body is the one or the other by its place (RFC 3261 §13.2.1, RFC
/// 6337 §2). WHIP and WHEP have one exchange: the offer in the request, the answer in the response (RFC 9725
/// §4.2). Candidates that follow travel in a [`Fragment`](crate::Fragment).
///
/// ```
/// use pinhole_sdp::negotiate::{Carrier, DescriptionKind, Side, SignalingState};
///
/// let mut state = SignalingState::Stable;
/// for (message, side, meant) in [
///     (Carrier::SipInvite, Side::Local, DescriptionKind::Offer),
///     (Carrier::SipProvisional, Side::Remote, DescriptionKind::Pranswer),
///     (Carrier::SipSuccess, Side::Remote, DescriptionKind::Answer),
/// ] {
///     let kind = message.kind(state).expect("it may carry a description now");
///     assert_eq!(kind, meant);
///     state = state.after(side, kind).expect("it is its turn");
/// }
/// assert_eq!(state, SignalingState::Stable);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// An INVITE, the first one or a later one.
    SipInvite,
    /// A provisional response to it that may get lost: its body is a preview of the answer (RFC 6337 §3.1.1).
    SipProvisional,
    /// A provisional response that is acknowledged (RFC 3262): its body is the answer, or the offer if the
    /// INVITE has none.
    SipReliableProvisional,
    /// The 200 to the INVITE: the answer, or the offer if the INVITE has none. Where the exchange was done
    /// by a reliable response before, its body repeats that one: do not ask what it is.
    SipSuccess,
    /// The ACK: the answer to an offer in the 200.
    SipAck,
    /// A PRACK: the answer to an offer in a reliable response, or a new offer.
    SipPrack,
    /// An UPDATE: a new offer (RFC 3311 §5.1).
    SipUpdate,
    /// The 200 to a PRACK or an UPDATE: the answer to its offer.
    SipRequestSuccess,
    /// The POST to a WHIP or WHEP endpoint.
    HttpPost,
    /// The 201 to it.
    HttpCreated,
}

impl Carrier {
    /// The media type of a description in such a message (RFC 8866 §8.1).
    pub const MEDIA_TYPE: &'static str = "application/sdp";

    /// What the description in this message is, in the state that the receiver or sender was in before it.
    /// `None` where the message cannot carry one now.
    #[must_use]
    pub fn kind(self, state: SignalingState) -> Option<DescriptionKind> {
        use DescriptionKind::{Answer, Offer, Pranswer};
        let is_offered = state != SignalingState::Stable;
        Some(match (self, is_offered) {
            (Self::SipProvisional, true) => Pranswer,
            (
                Self::SipReliableProvisional
                | Self::SipSuccess
                | Self::SipAck
                | Self::SipPrack
                | Self::SipRequestSuccess
                | Self::HttpCreated,
                true,
            ) => Answer,
            (
                Self::SipInvite
                | Self::SipReliableProvisional
                | Self::SipSuccess
                | Self::SipPrack
                | Self::SipUpdate
                | Self::HttpPost,
                false,
            ) => Offer,
            (Self::SipInvite | Self::SipUpdate | Self::HttpPost, true)
            | (
                Self::SipProvisional | Self::SipAck | Self::SipRequestSuccess | Self::HttpCreated,
                false,
            ) => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::negotiate::Side;

    /// The kinds of the descriptions in these messages, the odd ones of this side.
    fn kinds(messages: &[Carrier]) -> Option<alloc::vec::Vec<DescriptionKind>> {
        let mut state = SignalingState::Stable;
        let sides = [Side::Local, Side::Remote].into_iter().cycle();
        let kinds = messages.iter().zip(sides).map(|(message, side)| {
            let kind = message.kind(state)?;
            state = state.after(side, kind)?;
            Some(kind)
        });
        kinds.collect()
    }

    #[test]
    fn each_pattern_of_sip_and_whip_is_an_offer_and_its_answer() {
        use Carrier::*;
        for pattern in [
            [SipInvite, SipSuccess],
            [SipInvite, SipReliableProvisional],
            [SipSuccess, SipAck],
            [SipReliableProvisional, SipPrack],
            [SipPrack, SipRequestSuccess],
            [SipUpdate, SipRequestSuccess],
            [HttpPost, HttpCreated],
        ] {
            let expected = [DescriptionKind::Offer, DescriptionKind::Answer];
            assert_eq!(kinds(&pattern).as_deref(), Some(&expected[..]), "{pattern:?}");
        }
    }

    #[test]
    fn a_body_out_of_place_is_nothing() {
        use Carrier::*;
        for pattern in [&[SipAck][..], &[SipProvisional], &[SipInvite, SipUpdate], &[HttpCreated]] {
            assert_eq!(kinds(pattern), None, "{pattern:?}");
        }
    }
}
