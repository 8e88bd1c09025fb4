use std::collections::BTreeMap;
use std::sync::Arc;

use pinhole_sansio::Instant;

use super::segment::{Flags, Segment};

/// The receiving side of a connection: puts bytes in order.
pub(super) struct Receiver {
    /// The next sequence number, which is what is acknowledged.
    next: u64,
    /// What arrived early, by sequence number.
    early: BTreeMap<u64, Arc<[u8]>>,
    /// The sequence number of the peer's FIN.
    fin: Option<u64>,
    /// The stamp of the latest segment in order (RFC 7323 §4.3).
    recent: Instant,
}

impl Receiver {
    /// A receiver for a peer whose SYN had this sequence number, and was sent at this time.
    pub(super) const fn new(syn: u64, stamp: Instant) -> Self {
        Self { next: syn + 1, early: BTreeMap::new(), fin: None, recent: stamp }
    }

    /// What an acknowledgment echoes.
    pub(super) const fn recent(&self) -> Instant {
        self.recent
    }

    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// Where the first bytes begin and end that have arrived early.
    pub(super) fn early(&self) -> Option<(u64, u64)> {
        let (sequence, payload) = self.early.first_key_value()?;
        Some((*sequence, sequence + payload.len() as u64))
    }

    /// Whether everything has arrived, up to and with the FIN.
    pub(super) fn is_finished(&self) -> bool {
        self.fin.is_some_and(|fin| self.next > fin)
    }

    /// Takes a segment and gives the bytes that are in order now.
    pub(super) fn accept(&mut self, segment: &Segment) -> Vec<u8> {
        if segment.sequence <= self.next {
            self.recent = self.recent.max(segment.stamp);
        }
        if segment.flags.has(Flags::FIN) {
            self.fin = Some(segment.sequence + segment.payload.len() as u64);
        }
        if !segment.payload.is_empty() && self.early.len() < MAX_EARLY {
            self.early.entry(segment.sequence).or_insert_with(|| segment.payload.clone());
        }
        let mut bytes = Vec::new();
        while let Some((&sequence, _)) = self.early.first_key_value()
            && sequence <= self.next
            && let Some((_, payload)) = self.early.pop_first()
        {
            let known = usize::try_from(self.next - sequence).unwrap_or(usize::MAX);
            let new = payload.get(known..).unwrap_or_default();
            bytes.extend_from_slice(new);
            self.next += new.len() as u64;
        }
        if self.fin == Some(self.next) {
            self.next += 1;
        }
        bytes
    }
}

/// How many early segments are kept; a sender's window holds fewer.
const MAX_EARLY: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(sequence: u64, bytes: &[u8], flags: Flags) -> Segment {
        let (stamp, echo, early) = (Instant::from_millis(sequence), None, None);
        Segment { flags, sequence, acknowledgment: 0, stamp, echo, early, payload: bytes.into() }
    }

    #[test]
    fn bytes_come_out_in_order_and_once() {
        let mut receiver = Receiver::new(99, Instant::ZERO);
        assert_eq!(receiver.accept(&segment(103, b"def", Flags::ACK | Flags::FIN)), b"");
        assert_eq!(receiver.early(), Some((103, 106)));
        assert_eq!(receiver.accept(&segment(100, b"ab", Flags::ACK)), b"ab");
        assert_eq!(receiver.accept(&segment(100, b"ab", Flags::ACK)), b"");
        assert_eq!(receiver.next(), 102);
        assert!(!receiver.is_finished());
        assert_eq!(receiver.accept(&segment(101, b"bcd", Flags::ACK)), b"cdef");
        assert_eq!(receiver.next(), 107, "six bytes and the FIN");
        assert!(receiver.is_finished());
        assert_eq!(receiver.recent(), Instant::from_millis(101), "not that of what came early");
    }
}
