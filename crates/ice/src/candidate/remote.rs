use alloc::vec::Vec;

use super::{Candidate, CandidateKind, Foundation, LocalPreference, Priority, TransportAddress};

/// A candidate of the peer's that can be checked.
#[derive(Debug)]
pub(crate) struct RemoteCandidate {
    pub(crate) candidate: Candidate,
    pub(crate) address: TransportAddress,
    /// Equal for equal foundations.
    pub(crate) foundation: u16,
}

/// All that this side has learned about the peer.
#[derive(Debug, Default)]
pub(crate) struct RemoteCandidates {
    candidates: Vec<RemoteCandidate>,
    foundations: Vec<Foundation>,
}

/// What became of a signalled candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddRemote {
    /// It is new, and wants pairs.
    Added,
    /// A check had already come from there; its type, priority and foundation are the signalled ones now.
    Confirmed,
    /// Nothing new.
    Duplicate,
    /// The table is full.
    Full,
}

impl RemoteCandidates {
    /// Takes a signalled candidate. Equal addresses fold into one (RFC 8838 §10): what was learned from a
    /// check gets the values that were signalled (RFC 8445 §7.3.1.3), and the higher priority wins.
    pub(crate) fn add(
        &mut self,
        address: impl Into<TransportAddress>,
        candidate: Candidate,
        limit: usize,
    ) -> AddRemote {
        let address = address.into();
        let known = self.candidates.iter().position(|known| known.address == address);
        match known.and_then(|index| self.candidates.get(index)) {
            Some(RemoteCandidate { candidate: known, .. })
                if known.kind != CandidateKind::PeerReflexive
                    && known.priority >= candidate.priority =>
            {
                return AddRemote::Duplicate;
            }
            None if self.candidates.len() >= limit => return AddRemote::Full,
            Some(_) | None => {}
        }
        let foundation = self.foundation_number(&candidate.foundation);
        let confirmed = RemoteCandidate { candidate, address, foundation };
        match known.and_then(|index| self.candidates.get_mut(index)) {
            Some(known) => {
                *known = confirmed;
                AddRemote::Confirmed
            }
            None => {
                self.candidates.push(confirmed);
                AddRemote::Added
            }
        }
    }

    /// Makes sure that there is a candidate for the source of an authentic check (RFC 8445 §7.3.1.3).
    /// `false` when it is unknown and the table is full.
    pub(crate) fn learn(
        &mut self,
        source: TransportAddress,
        priority: Priority,
        limit: usize,
    ) -> bool {
        if self.find(source).is_some() {
            return true;
        }
        if self.candidates.len() >= limit {
            return false;
        }
        let foundation = Foundation::unlike(self.foundations.iter());
        let number = self.foundation_number(&foundation);
        let kind = CandidateKind::PeerReflexive;
        let candidate = Candidate::new(kind, source, foundation, LocalPreference::ranked(0, 0));
        let candidate = Candidate { priority, ..candidate };
        self.candidates.push(RemoteCandidate { candidate, address: source, foundation: number });
        true
    }

    pub(crate) fn remove(&mut self, address: TransportAddress) {
        self.candidates.retain(|known| known.address != address);
    }

    pub(crate) fn foundations_mut(&mut self) -> &mut Vec<Foundation> {
        &mut self.foundations
    }

    pub(crate) fn find(&self, address: impl Into<TransportAddress>) -> Option<&RemoteCandidate> {
        let address = address.into();
        self.candidates.iter().find(|known| known.address == address)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &RemoteCandidate> {
        self.candidates.iter()
    }

    fn foundation_number(&mut self, foundation: &Foundation) -> u16 {
        let known = self.foundations.iter().position(|known| known == foundation);
        if known.is_none() && self.foundations.len() >= MAX_FOUNDATIONS {
            return u16::MAX;
        }
        let position = known.unwrap_or_else(|| {
            self.foundations.push(foundation.clone());
            self.foundations.len() - 1
        });
        u16::try_from(position).unwrap_or(u16::MAX)
    }
}

/// A peer may signal a candidate again and again, each time with another foundation. What exceeds this shares one.
const MAX_FOUNDATIONS: usize = 1_000;
