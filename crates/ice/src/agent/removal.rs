//! Candidates that lead nowhere any more, ours and the peer's.

use alloc::vec::Vec;
use core::net::SocketAddr;

use pinhole_sansio::Instant;

use super::Agent;
use crate::candidate::{Candidate, TransportAddress};
use crate::event::Event;
use crate::explain::CandidateFate;
use crate::pair::{PairFailure, PairId};
use crate::relay::Happening;

impl Agent {
    /// Takes a socket away, or a listener, with all candidates that were gathered from it, which is told with
    /// [`Event::CandidateRemoved`]. What uses it fails; a restart finds another way.
    pub fn remove_base(&mut self, address: SocketAddr, now: Instant) {
        self.gatherer.remove_base(address);
        let happened = self.relays.remove_base(address, now);
        for happening in &happened {
            if let Happening::Released(relayed) = happening {
                relayed.iter().flatten().for_each(|relayed| self.tell_removed((*relayed).into()));
            }
        }
        self.relays_changed(happened, now);
        self.forget_base(address.into());
        self.remove_tcp(address);
        self.after_input(now);
    }

    /// Forgets a base and what was gathered from it, if it was there.
    pub(super) fn forget_base(&mut self, base: TransportAddress) {
        self.tell_removed(base);
        if self.local.candidates.remove_base(base) {
            self.end_all_pairs_from(base, PairFailure::BaseRemoved);
        }
    }

    /// Tells of the candidates from a base that they are gone, as far as they were told before.
    pub(super) fn tell_removed(&mut self, base: TransportAddress) {
        let from_base = self.local.candidates.iter().filter(|candidate| candidate.base == base);
        let told: Vec<Candidate> = from_base.filter_map(|gone| self.as_told(gone)).collect();
        told.into_iter().for_each(|gone| self.events.push(Event::CandidateRemoved(gone)));
    }

    /// Takes the peer's word that a candidate of its own is gone. What has not worked so far is not tried any more; a
    /// pair that works goes on for as long as the peer consents.
    pub fn remove_remote_candidate(&mut self, candidate: &Candidate, now: Instant) {
        let Some(address) = candidate.transport_address() else { return };
        let is_known = self.generation.remote.candidates.find(address).is_some();
        if self.is_over() || !is_known || self.is_of_other_generation(candidate) {
            return;
        }
        let of_it = self.generation.checklist.iter().filter(|pair| pair.remote == address);
        let (working, vain): (Vec<_>, Vec<_>) = of_it.partition(|pair| pair.valid.is_some());
        let is_used = !working.is_empty();
        let vain: Vec<PairId> = vain.into_iter().map(|pair| pair.id).collect();
        for id in &vain {
            self.fail_pair(*id, PairFailure::CandidateRemoved);
        }
        self.generation.checklist.forget(&vain);
        if !is_used {
            self.generation.remote.candidates.remove(address);
            self.generation.remote.ignore(candidate, CandidateFate::Removed);
        }
        self.after_input(now);
    }
}
