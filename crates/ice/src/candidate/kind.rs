use core::fmt;

/// How a candidate's address was learned (RFC 8445 §5.1.1, §7.2.5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CandidateKind {
    /// An address of one of the machine's own interfaces.
    Host,
    /// A NAT's binding, as a STUN or TURN server saw it.
    ServerReflexive,
    /// A NAT's binding, as the peer saw it in a connectivity check.
    PeerReflexive,
    /// An address on a TURN server that relays.
    Relayed,
}

impl CandidateKind {
    /// The recommended type preference: 126, 110, 100, 0 (RFC 8445 §5.1.2.2).
    #[must_use]
    pub const fn type_preference(self) -> u8 {
        match self {
            Self::Host => 126,
            Self::PeerReflexive => 110,
            Self::ServerReflexive => 100,
            Self::Relayed => 0,
        }
    }

    /// The word behind `typ` (RFC 8839 §5.1).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relayed => "relay",
        }
    }

    pub(super) fn from_token(token: &str) -> Option<Self> {
        [Self::Host, Self::ServerReflexive, Self::PeerReflexive, Self::Relayed]
            .into_iter()
            .find(|kind| kind.as_str() == token)
    }
}

impl fmt::Display for CandidateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
