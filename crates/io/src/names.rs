//! Names in place of addresses, ours and the peer's: what a connection does with multicast DNS.

use pinhole_ice::{Candidate, CandidateAddress, Mdns, MdnsEvent};
use pinhole_sansio::Instant;

/// Which names a connection uses (draft-ietf-mmusic-mdns-ice-candidates).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Names {
    /// The peer's are resolved.
    Resolve,
    /// The peer's are resolved, and ours are told in place of the addresses of host candidates.
    ResolveAndConceal,
}

/// The names of one session.
#[derive(Debug)]
pub(crate) struct Registry {
    pub(crate) mdns: Mdns,
    conceals: bool,
    /// "The ICE agent MUST NOT form candidate pairs between its own relay candidates and remote mDNS candidates"
    /// (§3.3.2): nothing is resolved where there may be relay candidates.
    resolves: bool,
    /// Candidates of the peer's, with the names that are being asked for.
    waiting: Vec<(String, Candidate)>,
    /// The peer has no more of them.
    has_all: bool,
}

impl Registry {
    pub(crate) fn new(names: Names, has_turn_servers: bool, seed: [u8; 32]) -> Self {
        Self {
            mdns: Mdns::new(seed),
            conceals: names == Names::ResolveAndConceal,
            resolves: !has_turn_servers,
            waiting: Vec::new(),
            has_all: false,
        }
    }

    /// The candidate as it is told.
    pub(crate) fn conceal(&mut self, candidate: Candidate, now: Instant) -> Candidate {
        if self.conceals { self.mdns.conceal(&candidate, now) } else { candidate }
    }

    /// Whether the candidate has to wait for the address behind its name.
    pub(crate) fn keeps(&mut self, candidate: &Candidate, now: Instant) -> bool {
        let CandidateAddress::Name { host, .. } = &candidate.address else { return false };
        if self.resolves && self.waiting.len() < MAX_WAITING {
            match self.mdns.resolve(host, now) {
                Ok(()) => self.waiting.push((host.to_ascii_lowercase(), candidate.clone())),
                Err(error) => tracing::debug!(host, %error, "not asked for"),
            }
        }
        true
    }

    /// A candidate that is gone waits for its address no more.
    pub(crate) fn drop_waiting(&mut self, gone: &Candidate) {
        self.waiting.retain(|(_, candidate)| candidate != gone);
    }

    /// Whether the end of the peer's candidates has to wait, too.
    pub(crate) fn keeps_end(&mut self) -> bool {
        self.has_all = !self.waiting.is_empty();
        self.has_all
    }

    /// The candidates whose addresses are known now.
    pub(crate) fn found(&mut self) -> Vec<Candidate> {
        let mut found = Vec::new();
        while let Some(event) = self.mdns.poll_event() {
            let (name, ip) = match event {
                MdnsEvent::Resolved { name, address } => (name, Some(address)),
                MdnsEvent::Unresolved { name } => (name, None),
                _ => continue,
            };
            for (_, mut candidate) in self.waiting.extract_if(.., |(waits, _)| *waits == name) {
                if let (Some(ip), CandidateAddress::Name { port, .. }) = (ip, &candidate.address) {
                    candidate.address = CandidateAddress::Ip((ip, *port).into());
                    found.push(candidate);
                }
            }
        }
        found
    }

    /// Whether the peer's last name is settled, and the end can be told. It is so once.
    pub(crate) fn takes_end(&mut self) -> bool {
        let ends = self.has_all && self.waiting.is_empty();
        self.has_all &= !ends;
        ends
    }

    /// A restart: what the peer told before it is of no use any more.
    pub(crate) fn forget_remote(&mut self) {
        self.waiting.clear();
        self.has_all = false;
    }
}

/// As many candidates as an agent keeps.
const MAX_WAITING: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local";

    fn registry(names: Names, has_turn_servers: bool) -> Registry {
        Registry::new(names, has_turn_servers, [1; 32])
    }

    fn candidate(host: &str) -> Candidate {
        format!("candidate:1 1 udp 2130706431 {host} 5000 typ host").parse().expect("a candidate")
    }

    #[test]
    fn candidates_and_their_end_wait_for_the_last_name() {
        let (mut registry, now) = (registry(Names::Resolve, false), Instant::ZERO);
        let address = "192.168.1.9".parse().expect("an address");
        let own = registry.mdns.register(address, now);
        assert!(!registry.keeps(&candidate("192.168.1.8"), now), "it has an address");
        assert!(registry.keeps(&candidate(NAME), now) && registry.keeps(&candidate(&own), now));
        assert!(registry.keeps_end() && !registry.takes_end());
        assert_eq!(registry.found(), [candidate("192.168.1.9")]);
        assert!(!registry.takes_end(), "one name is open");
        while let Some(at) = registry.mdns.poll_timeout() {
            registry.mdns.handle_timeout(at);
        }
        assert_eq!(registry.found(), [], "nobody has answered");
        assert!(registry.takes_end() && !registry.takes_end(), "once");
        assert!(!registry.keeps_end(), "nothing to wait for");
    }

    #[test]
    fn a_restart_forgets_what_was_waited_for() {
        let mut registry = registry(Names::Resolve, false);
        assert!(registry.keeps(&candidate(NAME), Instant::ZERO) && registry.keeps_end());
        registry.forget_remote();
        assert!(!registry.takes_end() && !registry.keeps_end());
    }

    #[test]
    fn nothing_is_asked_where_a_relay_would_learn_of_it_nor_for_other_names() {
        for (mut registry, name) in [
            (registry(Names::Resolve, true), NAME),
            (registry(Names::Resolve, false), "printer.local"),
        ] {
            assert!(registry.keeps(&candidate(name), Instant::ZERO), "ignored");
            assert_eq!(registry.mdns.poll_timeout(), None);
            assert!(!registry.keeps_end());
        }
    }

    #[test]
    fn our_addresses_are_hidden_only_on_request() {
        let shown =
            registry(Names::Resolve, false).conceal(candidate("192.168.1.9"), Instant::ZERO);
        assert_eq!(shown, candidate("192.168.1.9"));
        let mut registry = registry(Names::ResolveAndConceal, false);
        let hidden = registry.conceal(shown, Instant::ZERO).to_string();
        assert!(hidden.contains(".local 5000 typ host") && !hidden.contains("192.168"), "{hidden}");
    }
}
