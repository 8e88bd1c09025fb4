use std::ops::Range;

use pinhole_sansio::FiveTuple;
use pinhole_turn::Header;

use super::Udp;
use super::control::Told;
use super::system::{LARGE, PARTS, Rooms};

/// The buffer that all sockets of a worker receive into: nothing is kept for each of them.
///
/// It has [`LARGE`] rooms, each for a datagram or a train, and in front of it for a [`Header`]. What a call
/// has received may wait to be sent on while others receive into the rooms behind it. In the margin behind the
/// rooms stand the headers of datagrams that have another one in front of them.
pub(crate) struct Inbox {
    rooms: Rooms,
    /// The rooms in front of this one hold what was received before the last call.
    first: usize,
    /// The rooms from this one on are free.
    free: usize,
    /// Where the margin is free.
    margin: usize,
}

/// Datagrams of the same length, but for the last, that came one after the other from one source.
#[derive(Clone, Copy)]
pub(crate) struct Train {
    /// Type of Service, or Traffic Class: DSCP and ECN.
    pub(crate) tos: u8,
    /// Time to Live, or Hop Limit; zero if it was not asked for.
    pub(crate) ttl: u8,
    start: usize,
    end: usize,
    /// The length of each but the last.
    stride: usize,
}

impl Train {
    /// The datagrams, one after the other, of which there is one at least, and whether there are more.
    #[inline]
    pub(crate) fn split_first(&mut self) -> (Range<usize>, bool) {
        let end = self.end.min(self.start + self.stride);
        let first = self.start..end;
        self.start = end;
        (first, end < self.end)
    }
}

/// The longest datagram, and the longest train of them that the kernel hands over as one.
const ROOM: usize = 65_536;
const STRIDE: usize = Header::MAX + ROOM;
/// Where the margin begins: with the zeros of padding.
const MARGIN: usize = LARGE * STRIDE;
const ZEROS: usize = 3;
/// What the margin holds besides: a header for each part of what waits.
const HEADERS: usize = Header::MAX * PARTS;

impl Inbox {
    pub(crate) fn new() -> Self {
        let rooms = Rooms::new(STRIDE, Header::MAX, ZEROS + HEADERS);
        Self { rooms, first: 0, free: 0, margin: MARGIN + ZEROS }
    }

    /// Whether a call can receive so many datagrams.
    #[inline]
    pub(crate) const fn has_room(&self, count: usize) -> bool {
        self.free + count <= LARGE
    }

    /// Nothing that was received is needed any more.
    #[inline]
    pub(crate) const fn clear(&mut self) {
        (self.first, self.free) = (0, 0);
    }

    /// Nothing that was set aside is needed any more.
    #[inline]
    pub(crate) const fn clear_margin(&mut self) {
        self.margin = MARGIN + ZEROS;
    }

    /// Receives up to so many datagrams, or trains of them; how many.
    #[inline]
    pub(crate) fn receive(&mut self, udp: &Udp, count: usize) -> usize {
        let received = self.rooms.receive(&udp.io, self.free..self.free + count);
        self.first = self.free;
        self.free += received;
        received
    }

    /// The train with this number of those that the last call has received, each to be asked for once. Its source
    /// is written into its path, and so is the address that it was sent to, if the socket does not tell that. `None`
    /// for a family of addresses that is neither IPv4 nor IPv6.
    #[inline(always)]
    pub(crate) fn train(&mut self, number: usize, path: &mut FiveTuple) -> Option<Train> {
        let room = self.first + number;
        let (length, name, told) = self.rooms.take(room)?;
        if !name.read_into(&mut path.remote) {
            return None;
        }
        let Told { tos, ttl, segment } = Told::read(told, &mut path.local);
        let start = room * STRIDE + Header::MAX;
        let stride = if segment == 0 { length.max(1) } else { segment.into() };
        Some(Train { tos, ttl, start, end: start + length, stride })
    }

    /// Whether the train behind the one with this number comes from the same source.
    #[inline]
    pub(crate) fn is_followed(&self, number: usize) -> bool {
        let room = self.first + number;
        room + 1 < self.free && self.rooms.have_one_source(room, room + 1)
    }

    #[inline]
    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.rooms.memory().get(range).unwrap_or_default()
    }

    /// All that can be sent on.
    #[inline]
    pub(crate) fn memory(&self) -> &[u8] {
        self.rooms.memory()
    }

    /// Puts a header in front of the first datagram of a train; where both are then.
    #[inline]
    pub(crate) fn prepend(&mut self, header: &[u8], payload: Range<usize>) -> Range<usize> {
        let start = payload.start.saturating_sub(header.len());
        if !header.is_empty() {
            self.write(header, start);
        }
        start..payload.end
    }

    /// Puts a header into the margin, for a datagram with another one in front of it; where it is then.
    #[inline]
    pub(crate) fn set_aside(&mut self, header: &[u8]) -> Range<usize> {
        let start = self.margin;
        self.margin += header.len();
        self.write(header, start);
        start..self.margin
    }

    /// Where so many zeros are, at most three.
    #[inline]
    pub(crate) fn zeros(count: u8) -> Range<usize> {
        MARGIN..MARGIN + usize::from(count).min(ZEROS)
    }

    #[inline]
    fn write(&mut self, header: &[u8], start: usize) {
        let Some(place) = self.rooms.memory_mut().get_mut(start..) else { return };
        // Nearly all are of this length, which is worth no call.
        if let ([a, b, c, d], Some(place)) = (header, place.first_chunk_mut()) {
            *place = [*a, *b, *c, *d];
        } else if let Some(place) = place.get_mut(..header.len()) {
            place.copy_from_slice(header);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagrams(length: usize, stride: usize) -> Vec<Range<usize>> {
        let mut train = Train { tos: 0, ttl: 0, start: 0, end: length, stride };
        let mut datagrams = vec![];
        loop {
            let (datagram, is_more) = train.split_first();
            datagrams.push(datagram);
            if !is_more {
                return datagrams;
            }
        }
    }

    #[test]
    fn a_train_is_cut_where_its_datagrams_end() {
        assert_eq!(datagrams(10, 4), [0..4, 4..8, 8..10]);
        assert_eq!(datagrams(8, 4), [0..4, 4..8]);
        assert_eq!(datagrams(3, 3), std::slice::from_ref(&(0..3)));
    }

    #[test]
    fn an_empty_datagram_is_a_datagram() {
        assert_eq!(datagrams(0, 1), std::slice::from_ref(&(0..0)));
    }

    #[test]
    fn a_header_stands_right_in_front() {
        let mut inbox = Inbox::new();
        let whole = inbox.prepend(&[0xa5; 4], Header::MAX..Header::MAX + 4);
        assert_eq!(inbox.bytes(whole), [0xa5, 0xa5, 0xa5, 0xa5, 0, 0, 0, 0]);
    }
}
