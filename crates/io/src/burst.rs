//! Datagrams that are sent in one call.

use std::net::SocketAddr;

use quinn_udp::Transmit;

/// Datagrams of one length for one destination; the last one may be shorter (UDP GSO).
#[derive(Debug, Default)]
pub(crate) struct Burst {
    bytes: Vec<u8>,
    /// The length of each but the last.
    stride: usize,
    count: usize,
    /// How many there are to be.
    expected: usize,
}

impl Burst {
    /// For at most so many.
    pub(crate) fn of(expected: usize) -> Self {
        Self { expected, ..Self::default() }
    }

    /// Appends a datagram that lies in parts; whether it fits in behind the others.
    pub(crate) fn push(&mut self, parts: [&[u8]; 3], limit: usize) -> bool {
        let length = parts.iter().map(|part| part.len()).sum();
        let is_one_of_them = (1..=self.stride).contains(&length) && self.takes_more(limit);
        if self.count > 0 && !is_one_of_them {
            return false;
        }
        if self.count == 0 {
            self.stride = length;
            self.bytes
                .reserve_exact(length.saturating_mul(self.expected).min(MAX_BYTES).max(length));
        }
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.count += 1;
        true
    }

    /// Whether one more that is no longer than the first could follow.
    pub(crate) fn takes_more(&self, limit: usize) -> bool {
        self.count < limit
            && self.bytes.len() == self.stride * self.count
            && self.stride <= MAX_JOINED
            && self.bytes.len() + self.stride <= MAX_BYTES
    }

    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        let (first, rest) = self.bytes.split_at(self.stride);
        std::iter::once(first).chain(rest.chunks(self.stride.max(1))).take(self.count)
    }

    pub(crate) fn transmit(&self, destination: SocketAddr) -> Transmit<'_> {
        let segment_size = (self.count > 1).then_some(self.stride);
        Transmit { destination, ecn: None, contents: &self.bytes, segment_size, src_ip: None }
    }
}

/// What an Ethernet link carries in one piece; the system joins no datagrams that need to be fragmented.
const MAX_JOINED: usize = 1_472;
/// Less than IP can tell of, headers included.
const MAX_BYTES: usize = 64_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(lengths: &[usize], limit: usize) -> (Vec<usize>, usize) {
        let mut burst = Burst::default();
        let zeros = [0; 70_000];
        let is_pushed = |length: &&usize| {
            burst.push([&[], zeros.get(..**length).unwrap_or_default(), &[]], limit)
        };
        let pushed = lengths.iter().take_while(is_pushed).count();
        assert_eq!(burst.len(), pushed);
        (burst.datagrams().map(<[u8]>::len).collect(), pushed)
    }

    #[test]
    fn datagrams_of_one_length_go_together_and_a_shorter_one_is_the_last() {
        for (given, limit, taken) in [
            (&[100, 100, 100][..], 64, 3),
            (&[100, 100, 40, 40], 64, 3),
            (&[40, 100], 64, 1),
            (&[100, 100, 100], 2, 2),
            (&[100, 100], 1, 1),
            (&[100, 0, 100], 64, 1),
            (&[0, 0], 64, 1),
            (&[1_473, 1_473], 64, 1),
            (&[65_507, 1], 64, 1),
            (&[1_472; 50], 64, 43),
        ] {
            let (sent, pushed) = lengths(given, limit);
            assert_eq!(pushed, taken, "{given:?}");
            assert_eq!(sent, given[..taken], "{given:?}");
        }
    }
}
