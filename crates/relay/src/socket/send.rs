//! A datagram, or a train of them, on its way out by one socket.

use std::io;
use std::net::{IpAddr, SocketAddr};

use pinhole_turn::server::ToPeer;

use super::Udp;
use super::address::Name;
use super::control::Said;
use super::open::is_belated;
use super::option::Fragmentation;
use super::system::{Letter, Letters, send_plain};

/// What datagrams have in common that leave as one train.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flow {
    destination: Name,
    /// The source address, where the socket is bound to all of them.
    source: Option<IpAddr>,
    /// Type of Service, or Traffic Class. "Set the outgoing value to the incoming value" is what RFC 8656
    /// §14 prefers for both of its parts, DSCP and ECN.
    tos: u8,
    pub(super) fragmentation: Fragmentation,
}

impl Flow {
    /// What a client has sent to a peer.
    #[inline]
    pub(crate) fn to_peer(route: &ToPeer, tos: u8) -> Self {
        let fragmentation =
            if route.dont_fragment { Fragmentation::Forbidden } else { Fragmentation::Allowed };
        Self { destination: Name::from(&route.peer), source: None, tos, fragmentation }
    }

    /// What goes to a client, with the source address that it knows.
    #[inline]
    pub(crate) fn to_client(client: &SocketAddr, source: Option<IpAddr>, tos: u8) -> Self {
        let fragmentation = Fragmentation::Allowed;
        Self { destination: Name::from(client), source, tos, fragmentation }
    }

    /// Sends what is one datagram of which nothing is to be said, as nearly all are; false if it is not sent.
    #[inline]
    pub(super) fn send_plain(&self, udp: &Udp, contents: &[u8], segment: usize) -> bool {
        let is_plain = self.tos == 0
            && self.source.is_none()
            && self.fragmentation == Fragmentation::Allowed
            && contents.len() <= segment;
        is_plain && send_plain(&udp.io, &self.destination, contents).is_ok()
    }

    /// A datagram, or a train that the kernel is to cut into segments.
    #[inline]
    pub(super) fn letter<'a>(&'a self, contents: &'a [u8], segment: usize) -> Letter<'a> {
        let segment = if contents.len() > segment { u16::try_from(segment).ok() } else { None };
        let said = Said { tos: self.tos, segment, source: self.source };
        Letter { name: &self.destination, said, contents }
    }
}

/// The call that sends, and where to.
pub(super) struct Dispatch<'a> {
    pub(super) udp: &'a Udp,
    pub(super) letters: &'a mut Letters,
    pub(super) flow: &'a Flow,
}

impl Dispatch<'_> {
    /// Sends the datagrams of a train; how many could not be sent.
    pub(super) fn send(&mut self, contents: &[u8], segment: usize) -> u64 {
        if self.flow.fragmentation == Fragmentation::Forbidden {
            return self.send_unfragmented(contents, segment);
        }
        match self.attempt(contents, segment) {
            Ok(()) => 0,
            Err(error) if contents.len() > segment && error.kind() != io::ErrorKind::WouldBlock => {
                self.send_each(contents, segment)
            }
            Err(_) => contents.len().div_ceil(segment.max(1)).max(1) as u64,
        }
    }

    /// One call for a datagram or a train.
    ///
    /// An error that an earlier datagram has met and that the kernel reports now is no reason to drop this
    /// one.
    fn attempt(&mut self, contents: &[u8], segment: usize) -> io::Result<()> {
        match self.call(contents, segment) {
            Err(error) if is_belated(&error) => self.call(contents, segment),
            result => result,
        }
    }

    fn call(&mut self, contents: &[u8], segment: usize) -> io::Result<()> {
        let letter = self.flow.letter(contents, segment);
        self.letters.send(&self.udp.io, [letter].into_iter()).map(drop)
    }

    /// One call for each datagram: where the kernel cannot cut them up, or not these ones.
    fn send_each(&mut self, contents: &[u8], segment: usize) -> u64 {
        let each = contents.chunks(segment.max(1));
        each.filter(|datagram| self.attempt(datagram, segment).is_err()).count() as u64
    }

    /// DF is a property of the socket, and few datagrams ask for it: it is set for the time of the call.
    fn send_unfragmented(&mut self, contents: &[u8], segment: usize) -> u64 {
        if self.udp.set_fragmentation(Fragmentation::Forbidden).is_err() {
            return 1;
        }
        let failed = match contents {
            [] => u64::from(self.attempt(contents, segment).is_err()),
            _ => self.send_each(contents, segment),
        };
        // What cannot be reset costs the peer a fragment, and nobody a datagram.
        self.udp.set_fragmentation(Fragmentation::Allowed).map_or(failed + 1, |()| failed)
    }
}
