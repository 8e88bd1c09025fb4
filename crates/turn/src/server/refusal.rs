use pinhole_stun::attribute::AttributeError;

/// The code of an error response. The constants have the names of IANA's registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) u16);

impl Refusal {
    /// Another server may have room (RFC 8489 §10).
    pub(super) const TRY_ALTERNATE: Self = Self(300);
    /// Malformed, or against the rules.
    pub(super) const BAD_REQUEST: Self = Self(400);
    /// The policy refuses the peer, or the client (RFC 8656 §10.2, §21.4).
    pub(super) const FORBIDDEN: Self = Self(403);
    /// No ticket is given or taken here (RFC 8016 §3.4).
    pub(super) const MOBILITY_FORBIDDEN: Self = Self(405);
    /// There is no allocation on the five-tuple, or there is one already.
    pub(super) const ALLOCATION_MISMATCH: Self = Self(437);
    /// The server relays from no address of the family.
    pub(super) const FAMILY_NOT_SUPPORTED: Self = Self(440);
    /// It is somebody else's (RFC 8656 §5).
    pub(super) const WRONG_CREDENTIALS: Self = Self(441);
    /// The server relays nothing over the protocol.
    pub(super) const UNSUPPORTED_TRANSPORT: Self = Self(442);
    /// The allocation has no relayed address of the family.
    pub(super) const PEER_FAMILY_MISMATCH: Self = Self(443);
    /// There is a connection to the peer (RFC 6062 §5.2).
    pub(super) const CONNECTION_EXISTS: Self = Self(446);
    /// The peer does not answer, or does not want to (RFC 6062 §5.2).
    pub(super) const CONNECTION_FAILED: Self = Self(447);
    /// The user, his network, or everybody together has enough.
    pub(super) const QUOTA_REACHED: Self = Self(486);
    /// No port, no socket, no room.
    pub(super) const INSUFFICIENT_CAPACITY: Self = Self(508);
}

impl From<AttributeError> for Refusal {
    fn from(_: AttributeError) -> Self {
        Self::BAD_REQUEST
    }
}
