//! Datagrams that were received in one call.

use std::io::{self, IoSliceMut};
use std::iter::once;
use std::net::SocketAddr;

use quinn_udp::RecvMeta;

/// Room for some datagrams, and for many small ones of one sender that the system has joined (UDP GRO).
#[derive(Debug)]
pub(crate) struct Batch {
    /// Memory that was never written to costs nothing, and datagrams are small.
    bytes: Box<[u8]>,
    told: [RecvMeta; CALLS],
    filled: usize,
}

impl Batch {
    pub(crate) fn new() -> Self {
        let bytes = vec![0; CALLS * MAX_DATAGRAM].into();
        Self { bytes, told: [RecvMeta::default(); CALLS], filled: 0 }
    }

    /// Has `receive` fill the buffers, and tell how many it has filled.
    pub(crate) fn fill(
        &mut self,
        receive: impl FnOnce(&mut [IoSliceMut<'_>], &mut [RecvMeta]) -> io::Result<usize>,
    ) -> io::Result<()> {
        self.filled = 0;
        let mut buffers = self.bytes.chunks_exact_mut(MAX_DATAGRAM);
        let mut slices: [IoSliceMut<'_>; CALLS] =
            std::array::from_fn(|_| IoSliceMut::new(buffers.next().unwrap_or_default()));
        self.filled = receive(&mut slices, &mut self.told)?;
        Ok(())
    }

    /// The datagrams and their senders, in the order in which they came.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let buffers = self.bytes.chunks_exact(MAX_DATAGRAM).zip(&self.told).take(self.filled);
        buffers.flat_map(|(buffer, told)| {
            let joined = buffer.get(..told.len).unwrap_or_default();
            // An empty datagram is one, too.
            let (first, rest) = joined.split_at(told.stride.min(joined.len()));
            once(first).chain(rest.chunks(told.stride.max(1))).map(|datagram| (told.addr, datagram))
        })
    }
}

/// Buffers that one call may fill.
const CALLS: usize = 8;
/// The largest UDP payload there is, and what the system joins at most.
const MAX_DATAGRAM: usize = 65_535;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_datagrams_are_cut_apart_and_empty_ones_are_kept() {
        let mut batch = Batch::new();
        let senders: [SocketAddr; 2] =
            ["192.0.2.1:1", "[2001:db8::1]:2"].map(|a| a.parse().unwrap());
        batch
            .fill(|buffers, told| {
                buffers[0][..7].copy_from_slice(b"aabbccd");
                buffers[2][..3].copy_from_slice(b"xyz");
                for (told, (sender, len, stride)) in told.iter_mut().zip([
                    (senders[0], 7, 2),
                    (senders[1], 0, 0),
                    (senders[1], 3, 3),
                ]) {
                    (told.addr, told.len, told.stride) = (sender, len, stride);
                }
                Ok(3)
            })
            .unwrap();
        let [a, b] = senders;
        let expected: [(SocketAddr, &[u8]); 6] =
            [(a, b"aa"), (a, b"bb"), (a, b"cc"), (a, b"d"), (b, b""), (b, b"xyz")];
        assert_eq!(batch.datagrams().collect::<Vec<_>>(), expected);
        assert!(batch.fill(|_, _| Err(io::ErrorKind::WouldBlock.into())).is_err());
        assert_eq!(batch.datagrams().count(), 0, "what came before is not given twice");
    }
}
