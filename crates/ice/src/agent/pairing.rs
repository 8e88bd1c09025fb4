//! Forming and ordering pairs (RFC 8445 §6.1.2).

use core::net::{IpAddr, SocketAddr};

use pinhole_sansio::Instant;

use super::Agent;
use super::generation::Generation;
use crate::candidate::{CandidateKind, LocalCandidate, RemoteCandidate, TransportAddress};
use crate::checklist::NewPair;
use crate::pair::{PairId, PairPriority};

impl Agent {
    /// Pairs a new base with all remote candidates.
    pub(super) fn pair_base(&mut self, base: TransportAddress) {
        if self.config.lite || base.waits_for_connections() {
            return; // a lite agent checks nothing (§6.2)
        }
        let Self { local, generation, config, role, .. } = self;
        let Generation { remote, checklist, .. } = generation;
        let Some(host) = local.candidates.find(base, base) else { return };
        for candidate in remote.candidates.iter().filter(|c| base.may_be_paired_with(c.address)) {
            checklist.insert(new_pair(*role, host, candidate), config.max_pairs);
        }
        checklist.unfreeze(&mut self.events);
    }

    /// Pairs a new remote candidate with all bases. Local reflexive candidates would be replaced by their
    /// bases and then be redundant (§6.1.2.4), so they are not paired in the first place. Relayed ones are once
    /// their server lets the peer's address through, before which a check would be lost. Once a pair is selected for
    /// good, no more are formed (§8.1.2).
    pub(super) fn pair_remote(&mut self, address: TransportAddress, now: Instant) {
        let is_settled = self.generation.conclusion.selected.is_some() && !self.may_renominate();
        if is_settled || self.config.lite {
            return;
        }
        let Self { local, generation, config, role, relays, .. } = self;
        let Generation { remote, checklist, .. } = generation;
        let Some(candidate) = remote.candidates.find(address) else { return };
        let bases = local.candidates.iter().filter(|c| c.address == c.base);
        let bases = bases.filter(|c| !c.base.waits_for_connections());
        for base in bases.filter(|base| base.base.may_be_paired_with(address)) {
            let is_relayed = base.candidate.kind == CandidateKind::Relayed;
            if !is_relayed || relays.permit(base.base.address, address.ip(), now) {
                checklist.insert(new_pair(*role, base, candidate), config.max_pairs);
            }
        }
        checklist.unfreeze(&mut self.events);
    }

    /// Pairs a relayed address with the candidates at an address that it may send to now.
    pub(super) fn pair_permitted(&mut self, relayed: SocketAddr, peer: IpAddr) {
        if self.generation.conclusion.selected.is_some() && !self.may_renominate() {
            return;
        }
        let Self { local, generation, config, role, .. } = self;
        let Generation { remote, checklist, .. } = generation;
        let Some(base) = local.candidates.find(relayed, relayed) else { return };
        let at_peer = |c: &&RemoteCandidate| c.address.is_udp() && c.address.ip() == peer;
        for candidate in remote.candidates.iter().filter(at_peer) {
            checklist.insert(new_pair(*role, base, candidate), config.max_pairs);
        }
        checklist.unfreeze(&mut self.events);
    }

    /// The pair that a check from `remote` to `base` is about, inserted if need be (§7.3.1.4). `None` when
    /// one of the two is unknown or the checklist has no room.
    pub(super) fn find_or_insert_pair(
        &mut self,
        base: TransportAddress,
        remote: TransportAddress,
    ) -> Option<PairId> {
        if let Some(pair) = self.generation.checklist.find(base, remote) {
            return Some(pair.id);
        }
        let host = self.local.candidates.find(base, base)?;
        let candidate = self.generation.remote.candidates.find(remote)?;
        self.generation
            .checklist
            .insert(new_pair(self.role, host, candidate), self.config.max_pairs)
    }

    /// Recomputes the priorities of all pairs, valid ones included.
    pub(super) fn reprioritize(&mut self) {
        let Self { local, generation, role, .. } = self;
        let Generation { remote, checklist, .. } = generation;
        checklist.reprioritize(|pair| {
            let host = local.candidates.find(pair.local, pair.local);
            let Some((host, candidate)) = host.zip(remote.candidates.find(pair.remote)) else {
                return;
            };
            let new = new_pair(*role, host, candidate);
            (pair.priority, pair.foundation) = (new.priority, new.foundation);
            if let Some(valid) = &mut pair.valid
                && let Some(mapped) = local.candidates.find(valid.mapped, pair.local)
            {
                valid.priority = new_pair(*role, mapped, candidate).priority;
            }
        });
    }
}

fn new_pair(role: crate::Role, local: &LocalCandidate, remote: &RemoteCandidate) -> NewPair {
    NewPair {
        local: local.base,
        remote: remote.address,
        foundation: (local.foundation, remote.foundation),
        priority: PairPriority::new(role, local.candidate.priority, remote.candidate.priority),
    }
}
