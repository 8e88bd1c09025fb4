//! What an attacker makes of a message that it has seen.

use pinhole_ice::{Agent, PairId, PairState, State};
use pinhole_stun::Message;

/// The message with another integrity value, and whole otherwise; `None` where there is none to change.
pub(super) fn forge(payload: &[u8]) -> Option<Vec<u8>> {
    let message = Message::parse(payload).ok()?;
    if !message.has_integrity() && !message.has_integrity_sha256() {
        return None;
    }
    let fingerprint = if message.has_fingerprint() { FINGERPRINT } else { 0 };
    let mut forged = payload.get(..payload.len().checked_sub(fingerprint)?)?.to_vec();
    let length = u16::try_from(forged.len() - HEADER).ok()?;
    forged[2..4].copy_from_slice(&length.to_be_bytes());
    *forged.last_mut()? ^= 1;
    Some(forged)
}

/// All that a forged message must leave as it is (I5).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Picture {
    state: State,
    selected: Option<PairId>,
    pairs: Vec<(PairId, PairState, bool)>,
    remotes: usize,
}

impl Picture {
    pub(super) fn of(agent: &Agent) -> Self {
        Self {
            state: agent.state(),
            selected: agent.selected_pair(),
            pairs: agent.pairs().map(|pair| (pair.id, pair.state, pair.nominated)).collect(),
            remotes: agent.remote_candidates().count(),
        }
    }
}

const HEADER: usize = 20;
const FINGERPRINT: usize = 8;
