//! A datagram, or a train of them, on its way out by one socket.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::ops::Range;

use pinhole_turn::server::ToPeer;

use super::Udp;
use super::address::Name;
use super::control::Said;
use super::open::is_belated;
use super::option::Fragmentation;
use super::system::{Contents, Letter, Letters, send_plain};

/// What datagrams have in common that leave as one train.
#[derive(Clone, Copy)]
pub(crate) struct Flow {
    destination: Name,
    /// The source address, IPv4 mapped into IPv6, where the socket is bound to all of them; unspecified
    /// elsewhere.
    source: Ipv6Addr,
    marks: Marks,
    pub(super) fragmentation: Fragmentation,
}

impl Flow {
    /// Becomes that of what goes to this address with this source address.
    #[inline]
    pub(crate) fn set(&mut self, way: &Way<'_>) {
        self.destination.set(way.destination);
        (self.source, self.fragmentation) = (way.source, way.fragmentation);
        self.marks = way.marks;
    }

    /// Whether it is that of what travels like this.
    #[inline(always)]
    pub(super) fn is_of(&self, way: &Way<'_>) -> bool {
        self.destination.is(way.destination)
            && self.marks == way.marks
            && self.source == way.source
            && self.fragmentation == way.fragmentation
    }

    /// Sends what is one datagram in one place of which nothing is to be said, as nearly all are; false if it
    /// is not sent.
    #[inline]
    pub(super) fn send_plain(&self, udp: &Udp, contents: Contents<'_>, segment: usize) -> bool {
        let is_plain = self.marks == Marks::default()
            && self.source.is_unspecified()
            && self.fragmentation == Fragmentation::Allowed;
        let whole = contents.whole().filter(|whole| is_plain && whole.len() <= segment);
        whole.is_some_and(|whole| send_plain(&udp.io, &self.destination, whole).is_ok())
    }

    /// A datagram, or a train that the kernel is to cut into segments.
    #[inline]
    pub(super) fn letter<'a>(&'a self, contents: Contents<'a>, train: Cut) -> Letter<'a> {
        let segment = (train.count > 1).then(|| u16::try_from(train.segment).ok()).flatten();
        let Marks { tos, ttl } = self.marks;
        let said = Said { tos, ttl, segment, source: self.source };
        Letter { name: &self.destination, said, contents }
    }
}

impl Default for Flow {
    fn default() -> Self {
        let (destination, source) = (Name::default(), Ipv6Addr::UNSPECIFIED);
        let (marks, fragmentation) = (Marks::default(), Fragmentation::Allowed);
        Self { destination, source, marks, fragmentation }
    }
}

/// How a datagram is to travel.
#[derive(Clone, Copy)]
pub(crate) struct Way<'a> {
    destination: &'a SocketAddr,
    source: Ipv6Addr,
    marks: Marks,
    fragmentation: Fragmentation,
}

/// What of its IP header a datagram takes along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Type of Service, or Traffic Class. "Set the outgoing value to the incoming value" is what RFC 8656 §14
    /// prefers for both of its parts, DSCP and ECN.
    pub(crate) tos: u8,
    /// Time to Live, or Hop Limit; zero for the system's own.
    pub(crate) ttl: u8,
}

impl<'a> Way<'a> {
    /// What a client has sent to a peer.
    #[inline]
    pub(crate) const fn to_peer(route: &'a ToPeer, marks: Marks) -> Self {
        let fragmentation =
            if route.dont_fragment { Fragmentation::Forbidden } else { Fragmentation::Allowed };
        Self { destination: &route.peer, source: Ipv6Addr::UNSPECIFIED, marks, fragmentation }
    }

    /// What goes to a client, with the source address that it knows.
    #[inline]
    pub(crate) const fn to_client(client: &'a SocketAddr, source: Ipv6Addr, marks: Marks) -> Self {
        let fragmentation = Fragmentation::Allowed;
        Self { destination: client, source, marks, fragmentation }
    }
}

/// The call that sends, and where to.
pub(super) struct Dispatch<'a> {
    pub(super) udp: &'a Udp,
    pub(super) letters: &'a mut Letters,
    pub(super) flow: &'a Flow,
}

/// How a train is cut into datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cut {
    /// The length of each datagram; the last one may be shorter.
    pub(super) segment: usize,
    pub(super) count: usize,
}

impl Dispatch<'_> {
    /// Sends the datagrams of a train; how many could not be sent.
    pub(super) fn send(&mut self, contents: Contents<'_>, cut: Cut) -> u64 {
        if self.flow.fragmentation == Fragmentation::Forbidden {
            return self.send_unfragmented(contents, cut);
        }
        match self.attempt(contents, cut) {
            Ok(()) => 0,
            Err(error) if cut.count > 1 && error.kind() != io::ErrorKind::WouldBlock => {
                self.send_each(contents, cut)
            }
            Err(_) => cut.count as u64,
        }
    }

    /// One call for a datagram or a train.
    ///
    /// An error that an earlier datagram has met and that the kernel reports now is no reason to drop this
    /// one.
    fn attempt(&mut self, contents: Contents<'_>, cut: Cut) -> io::Result<()> {
        match self.call(contents, cut) {
            Err(error) if is_belated(&error) => self.call(contents, cut),
            result => result,
        }
    }

    fn call(&mut self, contents: Contents<'_>, cut: Cut) -> io::Result<()> {
        let letter = self.flow.letter(contents, cut);
        self.letters.send(&self.udp.io, [letter].into_iter()).map(drop)
    }

    /// One call for each datagram: where the kernel cannot cut them up, or not these ones.
    fn send_each(&mut self, contents: Contents<'_>, cut: Cut) -> u64 {
        let Contents { memory, mut parts } = contents;
        let one = Cut { count: 1, ..cut };
        let mut failed = 0;
        for _ in 0..cut.count {
            let (parts_of_one, rest) = split_first(parts, cut.segment);
            let datagram = Contents { memory, parts: parts_of_one };
            failed += u64::from(self.attempt(datagram, one).is_err());
            parts = rest;
        }
        failed
    }

    /// DF is a property of the socket, and few datagrams ask for it: it is set for the time of the call.
    fn send_unfragmented(&mut self, contents: Contents<'_>, cut: Cut) -> u64 {
        if self.udp.set_fragmentation(Fragmentation::Forbidden).is_err() {
            return cut.count as u64;
        }
        let failed = self.send_each(contents, cut);
        // What cannot be reset costs the peer a fragment, and nobody a datagram.
        self.udp.set_fragmentation(Fragmentation::Allowed).map_or(failed + 1, |()| failed)
    }
}

/// The parts of the first datagram, and those of the others: a part belongs to one datagram only.
fn split_first(parts: &[Range<usize>], segment: usize) -> (&[Range<usize>], &[Range<usize>]) {
    let mut length = 0;
    let end = parts.iter().position(|part| {
        length += part.len();
        length >= segment
    });
    parts.split_at(end.map_or(parts.len(), |end| end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_train_is_taken_apart_where_its_datagrams_end() {
        let parts = [0..4, 10..16, 20..24, 30..36, 40..44, 50..51];
        let (first, rest) = split_first(&parts, 10);
        assert_eq!(first, [0..4, 10..16]);
        let (second, rest) = split_first(rest, 10);
        assert_eq!(second, [20..24, 30..36]);
        let (last, rest) = split_first(rest, 10);
        assert_eq!((last, rest), (&[40..44, 50..51][..], &[][..]));
    }
}
