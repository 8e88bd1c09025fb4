//! What an agent has in common with the others of its [`Session`](crate::Session).

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use pinhole_sansio::{FiveTuple, Instant};

use super::Agent;
use crate::candidate::{Component, Foundation, Foundations};
use crate::checklist::Elsewhere;
use crate::credentials::Credentials;
use crate::pair::PairState;
use crate::role::{Role, TieBreaker};

/// What makes foundations comparable from one checklist to the next.
#[derive(Debug, Default)]
pub(crate) struct Common {
    local: Foundations,
    remote: Vec<Foundation>,
}

impl Agent {
    /// Becomes one of several: with the credentials of its stream, and the tie-breaker of all.
    pub(crate) fn join(
        &mut self,
        component: Component,
        credentials: Credentials,
        tie_breaker: TieBreaker,
    ) {
        self.local.candidates.set_component(component);
        self.generation.set_credentials(credentials);
        self.tie_breaker = tie_breaker;
    }

    /// Lends what all have in common, or takes it back.
    pub(crate) fn swap_common(&mut self, common: &mut Common) {
        core::mem::swap(self.local.candidates.foundations_mut(), &mut common.local);
        core::mem::swap(self.generation.remote.candidates.foundations_mut(), &mut common.remote);
    }

    /// How many of the session's pairs are this agent's, and how many checklists there are (RFC 8445 §6.1.2.5, §14.3).
    pub(crate) fn share(&mut self, max_pairs: usize, checklists: usize) {
        self.config.max_pairs = max_pairs.checked_div(checklists).unwrap_or_default().max(1);
        self.checklists = checklists;
    }

    /// When the pacer lets the next transaction start.
    pub(crate) const fn next_turn(&self) -> Instant {
        self.pacer.next()
    }

    /// Another agent of the session had its turn (§14.2).
    pub(crate) fn wait_until(&mut self, next: Instant) {
        self.pacer.wait_until(next);
    }

    /// The role and the number that settle conflicts.
    pub(crate) const fn claim(&self) -> (Role, TieBreaker) {
        (self.role, self.tie_breaker)
    }

    /// Takes over what another agent of the session has settled with the peer (§7.3.1.1).
    pub(crate) fn adopt(&mut self, (role, tie_breaker): (Role, TieBreaker)) {
        self.tie_breaker = tie_breaker;
        if role != self.role {
            self.switch_role();
        }
    }

    /// Changes whenever [`progress`](Self::progress) does.
    pub(crate) const fn changes(&self) -> u64 {
        self.generation.checklist.changes()
    }

    /// Adds the foundations of pairs that are on their way, and of those that have succeeded.
    pub(crate) fn progress(&self, all: &mut Elsewhere) {
        for pair in self.generation.checklist.iter() {
            let set: Option<&mut BTreeSet<_>> = match pair.state {
                PairState::Waiting | PairState::InProgress => Some(&mut all.on_their_way),
                PairState::Succeeded => Some(&mut all.succeeded),
                PairState::Frozen | PairState::Failed => None,
            };
            set.map(|set| set.insert(pair.foundation));
        }
    }

    /// Tells what holds pairs of this checklist back, and what lets them go (§6.1.4.2, §7.2.5.3.3).
    pub(crate) fn look_elsewhere(&mut self, elsewhere: Elsewhere, now: Instant) {
        self.generation.checklist.look_elsewhere(elsewhere, &mut self.events);
        self.after_input(now);
    }

    /// Whether it holds this connection to a server.
    pub(crate) fn has_connection(&self, five_tuple: FiveTuple) -> bool {
        let is_peers = self.generation.checklist.of_five_tuple(five_tuple).is_some();
        is_peers || self.relays.has_connection(five_tuple)
    }
}
