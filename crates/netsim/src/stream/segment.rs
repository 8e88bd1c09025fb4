use std::fmt;
use std::sync::Arc;

use pinhole_sansio::Instant;

/// A TCP segment. Sequence numbers count on beyond 32 bits, so that none ever wraps around.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) flags: Flags,
    pub(crate) sequence: u64,
    /// The next byte that the sender expects; meaningful with [`Flags::ACK`].
    pub(crate) acknowledgment: u64,
    /// When it was sent (RFC 7323 §3).
    pub(crate) stamp: Instant,
    /// The latest of the peer's stamps in order.
    pub(crate) echo: Option<Instant>,
    /// The first of the peer's bytes that have arrived early: where they begin and end (RFC 2018 §3).
    pub(crate) early: Option<(u64, u64)>,
    pub(crate) payload: Arc<[u8]>,
}

impl Segment {
    pub(crate) fn reset(sequence: u64, acknowledgment: u64) -> Self {
        let flags = Flags::RST | Flags::ACK;
        let (stamp, echo, early) = (Instant::ZERO, None, None);
        Self { flags, sequence, acknowledgment, stamp, echo, early, payload: [].into() }
    }

    /// The answer to a segment that belongs to no connection (RFC 9293 §3.10.7.1).
    pub(crate) fn refusal_of(&self) -> Self {
        let sequence = if self.flags.has(Flags::ACK) { self.acknowledgment } else { 0 };
        Self::reset(sequence, self.end())
    }

    /// How many bytes of options its header has: a timestamp, but in a reset, and what has arrived early.
    pub(crate) const fn options(&self) -> usize {
        match (self.flags.has(Flags::RST), self.early) {
            (true, _) => 0,
            (false, None) => 12,
            (false, Some(_)) => 24,
        }
    }

    /// The sequence number after the segment: SYN and FIN count as one byte each.
    pub(crate) fn end(&self) -> u64 {
        let controls = [Flags::SYN, Flags::FIN].into_iter().filter(|flag| self.flags.has(*flag));
        self.sequence + self.payload.len() as u64 + controls.count() as u64
    }
}

/// The control bits of a TCP segment (RFC 9293 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags(u8);

impl Flags {
    pub(crate) const FIN: Self = Self(0x01);
    pub(crate) const SYN: Self = Self(0x02);
    pub(crate) const RST: Self = Self(0x04);
    pub(crate) const ACK: Self = Self(0x10);

    pub(crate) const fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }

    /// The bits as in the TCP header.
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    /// Whether the segment opens a connection.
    pub(crate) const fn is_opening(self) -> bool {
        self.has(Self::SYN) && !self.has(Self::ACK)
    }
}

impl std::ops::BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Flags {
    /// The names of the flags that are set: `syn ack`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            [(Self::SYN, "syn"), (Self::FIN, "fin"), (Self::RST, "rst"), (Self::ACK, "ack")];
        let mut set = names.into_iter().filter(|(flag, _)| self.has(*flag));
        if let Some((_, first)) = set.next() {
            f.write_str(first)?;
        }
        set.try_for_each(|(_, name)| write!(f, " {name}"))
    }
}
