//! All that an ICE restart begins anew (RFC 8445 §9).

use alloc::collections::VecDeque;
use alloc::string::String;

use pinhole_sansio::Instant;
use pinhole_stun::IntegrityKey;

use super::remote::Ignored;
use super::requests::EarlyCheck;
use crate::candidate::RemoteCandidates;
use crate::check::InFlight;
use crate::checklist::Checklist;
use crate::credentials::Credentials;
use crate::event::SelectionReason;
use crate::pair::PairId;

/// One pair of credentials, the peer's, and what came of them.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) credentials: Credentials,
    /// Verifies requests and signs their answers.
    pub(super) key: IntegrityKey,
    pub(super) remote: RemoteSide,
    pub(super) checklist: Checklist,
    pub(super) in_flight: InFlight,
    pub(super) conclusion: Conclusion,
    /// It was told that this restart has found nothing.
    pub(super) failure_told: bool,
    /// A restart has followed: what works is kept, and nothing new is tried.
    pub(super) is_retired: bool,
}

/// What the peer told.
#[derive(Debug, Default)]
pub(super) struct RemoteSide {
    pub(super) session: Option<RemoteSession>,
    pub(super) candidates: RemoteCandidates,
    pub(super) ignored: Ignored,
    /// The peer has no more candidates (RFC 8838 §14).
    pub(super) ended: bool,
    /// Authentic checks that came before the credentials did.
    pub(super) early: VecDeque<EarlyCheck>,
}

#[derive(Debug)]
pub(super) struct RemoteSession {
    pub(super) credentials: Credentials,
    /// Signs requests and verifies their answers.
    pub(super) key: IntegrityKey,
    /// `remote:local`.
    pub(super) username: String,
    /// When connectivity may be given up (RFC 8863 §4).
    pub(super) patience_ends: Instant,
}

/// How far the choice of a pair has come.
#[derive(Debug, Default)]
pub(super) struct Conclusion {
    /// When a pair first became valid.
    pub(super) first_valid: Option<Instant>,
    /// When the controlling side is to nominate.
    pub(super) nominate_at: Option<Instant>,
    /// The pair that is being nominated.
    pub(super) nominating: Option<PairId>,
    /// The nomination came to nothing.
    pub(super) nomination_failed: bool,
    /// The nominated pair in use.
    pub(super) selected: Option<PairId>,
    /// Since when it is that.
    pub(super) selected_at: Option<Instant>,
    /// Why the pair is being nominated.
    pub(super) reason: SelectionReason,
    /// How many nominations this side has sent that could be taken back.
    pub(super) nominations: u32,
    /// The highest number of those that came.
    pub(super) highest_nomination: Option<u32>,
    /// When to look for another pair to fall back on.
    pub(super) search_at: Option<Instant>,
    /// Since when the selected pair has missed an answer.
    pub(super) in_doubt_since: Option<Instant>,
    /// The pair that application data takes.
    pub(super) route: Option<PairId>,
}

impl Generation {
    /// Nothing but credentials; pairs are numbered from `next_pair` on.
    pub(super) fn new(credentials: Credentials, next_pair: u32) -> Self {
        Self {
            key: IntegrityKey::short_term(credentials.password.as_str()),
            credentials,
            remote: RemoteSide::default(),
            checklist: Checklist::starting_at(next_pair),
            in_flight: InFlight::default(),
            conclusion: Conclusion::default(),
            failure_told: false,
            is_retired: false,
        }
    }

    /// Takes these credentials in place of fresh ones.
    pub(super) fn set_credentials(&mut self, credentials: Credentials) {
        self.key = IntegrityKey::short_term(credentials.password.as_str());
        self.credentials = credentials;
    }

    /// What goes on to serve while the next generation looks for a path: the pair that data takes. `None` when no
    /// data can go.
    pub(super) fn retire(mut self, now: Instant) -> Option<Self> {
        let route = self.conclusion.route?;
        let valid = self.checklist.get(route)?.valid.as_ref()?;
        if !valid.consent.is_fresh(now) {
            return None;
        }
        for gone in self.checklist.conclude(&[]) {
            self.in_flight.forget(gone.id);
        }
        self.in_flight.keep_consent();
        let (selected, route) = (Some(route), Some(route));
        self.conclusion = Conclusion { selected, route, ..Conclusion::default() };
        self.is_retired = true;
        Some(self)
    }

    /// The pair that data takes, if the peer consents to receive.
    pub(super) fn fresh_route(&self, now: Instant) -> Option<PairId> {
        let pair = self.checklist.get(self.conclusion.route?)?;
        pair.valid.as_ref()?.consent.is_fresh(now).then_some(pair.id)
    }
}
