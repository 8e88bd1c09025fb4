use core::fmt;

use super::{CandidateKind, CandidateTransport, TcpType};

/// How much an agent prefers a candidate; higher is better (RFC 8445 §5.1.2).
///
/// Our own lie in `1..2^31` as the RFC asks. A peer's may be any 32-bit number: real ones send them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(pub u32);

impl Priority {
    /// The recommended formula (RFC 8445 §5.1.2.1).
    #[must_use]
    pub fn recommended(
        kind: CandidateKind,
        preference: LocalPreference,
        component: Component,
    ) -> Self {
        Self(
            (u32::from(kind.type_preference()) << 24)
                + (u32::from(preference.0) << 8)
                + (256 - u32::from(component.get())),
        )
    }

    /// The same for a candidate of any transport: any direct path over UDP is better than one over TCP, which is better
    /// than a relay (RFC 6544 §4.2).
    pub(crate) fn of_transport(
        transport: CandidateTransport,
        kind: CandidateKind,
        preference: LocalPreference,
        component: Component,
    ) -> Self {
        let CandidateTransport::Tcp(tcp_type) = transport else {
            return Self::recommended(kind, preference, component);
        };
        let type_preference = match kind {
            CandidateKind::Host => 90,
            CandidateKind::PeerReflexive => 80,
            CandidateKind::ServerReflexive => 70,
            CandidateKind::Relayed => 0,
        };
        let local =
            u32::from(tcp_type.direction_preference(kind)) << 13 | u32::from(preference.0 >> 3);
        Self((type_preference << 24) + (local << 8) + (256 - u32::from(component.get())))
    }
}

impl TcpType {
    /// RFC 6544 §4.2.
    const fn direction_preference(self, kind: CandidateKind) -> u8 {
        let is_reflexive = matches!(kind, CandidateKind::ServerReflexive);
        match (self, is_reflexive) {
            (Self::Active, false) | (Self::SimultaneousOpen, true) => 6,
            (Self::Passive, false) | (Self::Active, true) => 4,
            (Self::SimultaneousOpen, false) | (Self::Passive, true) => 2,
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The preference among candidates of one type (RFC 8445 §5.1.2.1), unique for each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalPreference(u16);

impl LocalPreference {
    /// 65535 for the first base and server, less for each later base and, within a base, each later
    /// server that an address was learned from.
    #[must_use]
    pub fn ranked(base: u8, server: u8) -> Self {
        Self(u16::MAX - (u16::from(base) << 8) - u16::from(server))
    }
}

/// The part of a data stream that a candidate is for: 1 for RTP or anything that is not RTP, 2 for RTCP
/// (RFC 8445 §13, RFC 8839 §5.1); 1 to 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Component(u16);

impl Component {
    /// The first component, the only one of a stream that is not RTP or that multiplexes RTCP.
    pub const FIRST: Self = Self(1);

    /// RTCP, where it is not multiplexed with RTP.
    pub const RTCP: Self = Self(2);

    /// `None` when `id` is outside `1..=256`.
    #[must_use]
    pub const fn new(id: u16) -> Option<Self> {
        if 1 <= id && id <= 256 { Some(Self(id)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_gives_the_values_seen_in_the_field() {
        let first = LocalPreference::ranked(0, 0);
        let priority = |kind| Priority::recommended(kind, first, Component::FIRST);
        assert_eq!(priority(CandidateKind::Host), Priority(2_130_706_431));
        assert_eq!(priority(CandidateKind::ServerReflexive), Priority(1_694_498_815));
        assert_eq!(priority(CandidateKind::PeerReflexive), Priority(1_862_270_975));
        assert_eq!(priority(CandidateKind::Relayed), Priority(16_777_215));
    }

    #[test]
    fn priorities_of_one_type_are_unique_and_in_range() {
        // RFC 8445 §5.1.2: unique, and between 1 and 2^31 - 1.
        let mut seen = alloc::collections::BTreeSet::new();
        for (base, server) in (0..=255).flat_map(|b| (0..=255).map(move |s| (b, s))) {
            let preference = LocalPreference::ranked(base, server);
            let last = Component::new(256).expect("256 is the last component");
            let priority = Priority::recommended(CandidateKind::Relayed, preference, last);
            assert!(seen.insert(priority));
            assert!(priority < Priority(1 << 31));
        }
    }
}
