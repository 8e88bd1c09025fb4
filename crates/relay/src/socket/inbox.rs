use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use pinhole_turn::Header;
use quinn_udp::{BATCH_SIZE, EcnCodepoint, RecvMeta, UdpSockRef};

use super::Udp;

/// The buffer that all sockets of a worker receive into: nothing is kept for each of them.
///
/// In front of what a call has received, there is room for a [`Header`].
pub(crate) struct Inbox {
    memory: Box<[u8]>,
    metas: [RecvMeta; LARGE],
}

/// Datagrams of the same length, but for the last, that came one after the other from one source.
#[derive(Clone, Copy)]
pub(crate) struct Train {
    pub(crate) source: SocketAddr,
    /// The address that they were sent to.
    pub(crate) destination: Option<IpAddr>,
    pub(crate) ecn: Option<EcnCodepoint>,
    start: usize,
    length: usize,
    stride: usize,
}

impl Train {
    /// Where its datagrams lie.
    #[inline]
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        cut(self.start, self.length, self.stride)
    }
}

/// Datagrams of one call from a socket that is not busy: more than it is expected to have, since a call
/// tells by what it returns that the socket is drained.
pub(crate) const SMALL: usize = 4;
/// Datagrams of one call from a busy socket.
pub(crate) const LARGE: usize = BATCH_SIZE;

/// The longest datagram, and the longest train of them that the kernel hands over as one.
const ROOM: usize = 65_536;
const STRIDE: usize = Header::MAX + ROOM;

impl Inbox {
    pub(crate) fn new() -> Self {
        Self {
            memory: vec![0; STRIDE * LARGE].into_boxed_slice(),
            metas: [RecvMeta::default(); LARGE],
        }
    }

    /// Receives up to `N` datagrams, or trains of them; how many.
    #[inline]
    pub(crate) fn receive<const N: usize>(&mut self, udp: &Udp) -> io::Result<usize> {
        let mut rooms = self.memory.chunks_exact_mut(STRIDE);
        let mut buffers: [IoSliceMut<'_>; N] = std::array::from_fn(|_| {
            let room = rooms.next().unwrap_or_default();
            IoSliceMut::new(room.get_mut(Header::MAX..).unwrap_or_default())
        });
        udp.state().recv(UdpSockRef::from(&udp.io), &mut buffers, &mut self.metas)
    }

    /// The train with this number, if so many were received.
    #[inline]
    pub(crate) fn train(&self, number: usize) -> Option<Train> {
        let meta = self.metas.get(number)?;
        Some(Train {
            source: meta.addr,
            destination: meta.dst_ip,
            ecn: meta.ecn,
            start: number * STRIDE + Header::MAX,
            length: meta.len,
            stride: meta.stride,
        })
    }

    #[inline]
    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.memory.get(range).unwrap_or_default()
    }

    /// Puts a header in front of what lies in a range, over whatever is there; where both are then.
    #[inline]
    pub(crate) fn prepend(&mut self, header: &[u8], payload: Range<usize>) -> Range<usize> {
        let start = payload.start.saturating_sub(header.len());
        if let Some(front) = self.memory.get_mut(start..payload.start) {
            front.copy_from_slice(header);
        }
        start..payload.end
    }
}

/// Cuts a train of `length` bytes into datagrams of `stride` bytes, of which the last may be shorter.
#[inline]
fn cut(start: usize, length: usize, stride: usize) -> impl Iterator<Item = Range<usize>> {
    let step = stride.max(1);
    // Most trains are one datagram, which may be empty.
    let count = if length <= step { 1 } else { length.div_ceil(step) };
    let offsets = (0..count).map(move |number| number * step);
    offsets.map(move |offset| start + offset..start + (offset + step).min(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagrams(length: usize, stride: usize) -> Vec<Range<usize>> {
        cut(0, length, stride).collect()
    }

    #[test]
    fn a_train_is_cut_where_its_datagrams_end() {
        assert_eq!(datagrams(10, 4), [0..4, 4..8, 8..10]);
        assert_eq!(datagrams(8, 4), [0..4, 4..8]);
        assert_eq!(datagrams(3, 3), std::slice::from_ref(&(0..3)));
    }

    #[test]
    fn an_empty_datagram_is_a_datagram() {
        assert_eq!(datagrams(0, 0), std::slice::from_ref(&(0..0)));
    }

    #[test]
    fn a_header_stands_right_in_front() {
        let mut inbox = Inbox::new();
        let payload = cut(Header::MAX, 4, 4).last().unwrap();
        let whole = inbox.prepend(&[0xa5; 4], payload);
        assert_eq!(inbox.bytes(whole), [0xa5, 0xa5, 0xa5, 0xa5, 0, 0, 0, 0]);
    }
}
