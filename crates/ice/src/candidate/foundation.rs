use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use pinhole_sansio::Transport;

use super::CandidateKind;
use crate::credentials::is_ice_char;

/// A name that two candidates share when checks on them are likely to end alike (RFC 8445 §5.1.1.3); 1 to 32
/// ice-chars.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Foundation(String);

impl Foundation {
    /// `None` when `text` is empty, longer than 32 characters, or holds white space or a control character.
    ///
    /// Characters that are visible but no ice-chars are taken: real peers send them, and nothing but
    /// equality is ever asked of a foundation.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=32).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic());
        fits.then(|| Self(String::from(text)))
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A foundation that none of `others` has, for a peer-reflexive remote candidate (RFC 8445 §7.3.1.3).
    pub(crate) fn unlike<'a>(others: impl Iterator<Item = &'a Self> + Clone) -> Self {
        let mut number = 1_u32;
        loop {
            let candidate = Self(format!("prflx{number}"));
            if others.clone().all(|other| *other != candidate) {
                return candidate;
            }
            number += 1;
        }
    }
}

impl fmt::Display for Foundation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Foundation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Foundation({})", self.0)
    }
}

/// Hands out foundations and their numbers: equal for equal type, base address, server address and transport, and only then
/// (RFC 8445 §5.1.1.3).
#[derive(Debug, Default)]
pub(crate) struct Foundations(Vec<(CandidateKind, IpAddr, Option<IpAddr>, Transport)>);

impl Foundations {
    pub(crate) fn of(
        &mut self,
        kind: CandidateKind,
        base: IpAddr,
        server: Option<IpAddr>,
        transport: Transport,
    ) -> (u16, Foundation) {
        let key = (kind, base, server, transport);
        let position = self.0.iter().position(|known| *known == key).unwrap_or_else(|| {
            self.0.push(key);
            self.0.len() - 1
        });
        let foundation = Foundation(format!("{}", position + 1));
        debug_assert!(foundation.0.chars().all(is_ice_char));
        (u16::try_from(position).unwrap_or(u16::MAX), foundation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    #[test]
    fn foundations_are_equal_exactly_when_type_base_server_and_transport_are() {
        // CHECKLIST I16.
        let mut foundations = Foundations::default();
        let [base, other, server] = [1, 2, 3].map(|n| IpAddr::V4(Ipv4Addr::new(192, 0, 2, n)));
        let kind = CandidateKind::ServerReflexive;
        let first = foundations.of(kind, base, Some(server), Transport::Udp);
        assert_eq!(first, foundations.of(kind, base, Some(server), Transport::Udp));
        for different in [
            foundations.of(CandidateKind::Host, base, None, Transport::Udp),
            foundations.of(kind, other, Some(server), Transport::Udp),
            foundations.of(kind, base, Some(other), Transport::Udp),
            foundations.of(kind, base, Some(server), Transport::Tcp),
        ] {
            assert_ne!(first, different);
        }
    }

    #[test]
    fn a_learned_candidate_gets_a_foundation_of_its_own() {
        let taken = ["prflx1", "1"].map(|text| Foundation::new(text).expect("it fits"));
        assert_eq!(Foundation::unlike(taken.iter()).as_str(), "prflx2");
    }
}
