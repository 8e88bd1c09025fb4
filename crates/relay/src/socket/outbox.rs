use std::ops::Range;

use pinhole_turn::Header;
use pinhole_turn::server::RelayId;

use super::option::Fragmentation;
use super::send::{Dispatch, Flow};
use super::system::{LARGE, Letters};
use super::{Inbox, Udp};

/// What stands between datagrams that have come and the call that sends them on.
///
/// What leaves by the same socket waits for one call. A datagram alone is sent from where it was received,
/// with its header written in front of it. The ones that follow it to the same place are laid out one
/// behind the other, as a train that the kernel cuts up again (GSO).
pub(crate) struct Outbox {
    /// The socket that all of them leave by.
    origin: Origin,
    trains: Vec<Train>,
    letters: Letters,
    memory: Box<[u8]>,
    /// How much of the memory is taken.
    used: usize,
    /// How many datagrams could not be sent since the last question.
    failed: u64,
}

/// A datagram to send, whose payload lies in the inbox.
pub(crate) struct Packet<'a> {
    pub(crate) origin: Origin,
    pub(crate) flow: Flow,
    /// What stands in front.
    pub(crate) header: &'a [u8],
    pub(crate) payload: Range<usize>,
    /// How many zeros follow.
    pub(crate) padding: u8,
}

/// The socket to send from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A listener, by its number.
    Listener(usize),
    /// A relayed address.
    Relay(RelayId),
}

/// Where the sockets are.
pub(crate) trait Sockets {
    fn udp(&self, origin: Origin) -> Option<&Udp>;
}

struct Train {
    flow: Flow,
    /// Where it lies: in the inbox, or in the memory of the outbox.
    range: Range<usize>,
    is_in_inbox: bool,
    /// The length of each datagram; the last one may be shorter.
    segment: usize,
    count: usize,
    is_closed: bool,
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self {
            origin: Origin::Listener(0),
            trains: Vec::with_capacity(LARGE),
            letters: Letters::new(),
            memory: vec![0; ROOM].into_boxed_slice(),
            used: 0,
            failed: 0,
        }
    }

    /// Takes a datagram to send. It leaves before its place in the inbox is used again, and before its
    /// socket is closed: see [`Outbox::flush`].
    #[inline(always)]
    pub(crate) fn push(&mut self, packet: Packet<'_>, inbox: &mut Inbox, sockets: &impl Sockets) {
        let length = packet.header.len() + packet.payload.len() + usize::from(packet.padding);
        if self.origin != packet.origin {
            self.flush(inbox, sockets);
            self.origin = packet.origin;
        } else if self.trains.last().is_some_and(|last| last.admits(&packet.flow, length))
            && self.join(&packet, length, inbox)
        {
            return;
        }
        let start = packet.payload.start.saturating_sub(packet.header.len());
        let is_covered = self.trains.last().is_some_and(|last| last.reaches(start));
        if is_covered || self.trains.len() == LARGE || self.used + length > ROOM {
            self.flush(inbox, sockets);
        }
        let is_in_inbox = packet.padding == 0;
        let range = if is_in_inbox {
            inbox.prepend(packet.header, packet.payload)
        } else {
            let (start, payload) = (self.used, inbox.bytes(packet.payload));
            append(&mut self.memory, &mut self.used, [packet.header, payload], packet.padding);
            start..self.used
        };
        let (flow, segment) = (packet.flow, length);
        self.trains.push(Train { flow, range, is_in_inbox, segment, count: 1, is_closed: false });
    }

    /// Puts a datagram behind the last one, if there is room for the longest train.
    #[inline(always)]
    fn join(&mut self, packet: &Packet<'_>, length: usize, inbox: &Inbox) -> bool {
        let Self { trains, memory, used, .. } = self;
        let Some(train) = trains.last_mut() else { return false };
        let start = if train.is_in_inbox { *used } else { train.range.start };
        if start + LONGEST > ROOM {
            return false;
        }
        if train.is_in_inbox {
            append(memory, used, [&[], inbox.bytes(train.range.clone())], 0);
        }
        let payload = inbox.bytes(packet.payload.clone());
        append(memory, used, [packet.header, payload], packet.padding);
        (train.range, train.is_in_inbox) = (start..*used, false);
        train.count += 1;
        train.is_closed = length < train.segment;
        true
    }

    /// Whether nothing waits.
    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.trains.is_empty()
    }

    /// Sends what waits.
    #[inline]
    pub(crate) fn flush(&mut self, inbox: &Inbox, sockets: &impl Sockets) {
        if self.trains.is_empty() {
            return;
        }
        if let Some(udp) = sockets.udp(self.origin) {
            let is_sent = match self.trains.as_slice() {
                [train] => {
                    train.flow.send_plain(udp, train.contents(inbox, &self.memory), train.segment)
                }
                _ => false,
            };
            if !is_sent {
                self.failed += self.send_all(udp, inbox);
            }
        }
        self.trains.clear();
        self.used = 0;
    }

    /// How many datagrams could not be sent since this was asked last.
    #[inline]
    pub(crate) const fn take_failed(&mut self) -> u64 {
        std::mem::replace(&mut self.failed, 0)
    }

    /// Sends a datagram that lies elsewhere, before those that wait; whether the kernel took it.
    pub(crate) fn send_one(&mut self, udp: &Udp, flow: &Flow, contents: &[u8]) -> bool {
        let length = contents.len();
        flow.send_plain(udp, contents, length)
            || Dispatch { udp, letters: &mut self.letters, flow }.send(contents, length) == 0
    }

    /// Sends all trains; how many datagrams could not be sent.
    fn send_all(&mut self, udp: &Udp, inbox: &Inbox) -> u64 {
        let Self { trains, letters, memory, .. } = self;
        let contents = |train: &Train| train.contents(inbox, memory);
        let mut rest = trains.as_slice();
        let mut failed = 0;
        while let [first, others @ ..] = rest {
            let mut sent = 0;
            if !others.is_empty() {
                let can_join = |train: &&Train| train.flow.fragmentation == Fragmentation::Allowed;
                let together = rest.iter().take_while(can_join);
                let parts = together.map(|train| train.flow.letter(contents(train), train.segment));
                sent = letters.send(&udp.io, parts).unwrap_or(0);
            }
            // What is alone, special, or has failed, is its own affair.
            rest = if sent > 0 {
                rest.get(sent..).unwrap_or_default()
            } else {
                let mut dispatch = Dispatch { udp, letters, flow: &first.flow };
                failed += dispatch.send(contents(first), first.segment);
                others
            };
        }
        failed
    }
}

impl Train {
    /// Whether a header from here on would be written over what waits, as it may in front of all but the
    /// first datagram of a train that was received.
    #[inline]
    fn reaches(&self, start: usize) -> bool {
        self.is_in_inbox && self.range.contains(&start)
    }

    /// Its bytes.
    #[inline]
    fn contents<'a>(&self, inbox: &'a Inbox, memory: &'a [u8]) -> &'a [u8] {
        let range = self.range.clone();
        if self.is_in_inbox { inbox.bytes(range) } else { memory.get(range).unwrap_or_default() }
    }

    /// Whether a datagram of this length can leave with those that wait.
    #[inline]
    fn admits(&self, flow: &Flow, length: usize) -> bool {
        !self.is_closed
            && self.flow == *flow
            && self.segment <= LONGEST_SEGMENT
            && (1..=self.segment).contains(&length)
            && self.count < SEGMENTS
            && self.segment * self.count + length <= LONGEST
    }
}

/// The most datagrams that Linux takes as one (`UDP_MAX_SEGMENTS` before 6.9).
const SEGMENTS: usize = 64;
/// What an Ethernet frame carries over IPv6. The kernel refuses trains of datagrams that it would have to
/// fragment.
const LONGEST_SEGMENT: usize = 1_452;
/// The most bytes: what an IPv4 datagram carries.
const LONGEST: usize = 65_507;
/// Room for some trains, or for the longest datagram with header and padding.
const ROOM: usize = 4 * 65_536 + Header::MAX + 4;

/// Writes header, payload and padding behind what is used of the memory.
#[inline]
fn append(memory: &mut [u8], used: &mut usize, parts: [&[u8]; 2], padding: u8) {
    for part in parts {
        if let Some(room) = memory.get_mut(*used..*used + part.len()) {
            room.copy_from_slice(part);
            *used += part.len();
        }
    }
    if let Some(room) = memory.get_mut(*used..*used + usize::from(padding)) {
        room.fill(0);
        *used += room.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::Buffers;
    use std::net::{Ipv4Addr, SocketAddr};

    struct One(Udp);

    impl Sockets for One {
        fn udp(&self, _: Origin) -> Option<&Udp> {
            Some(&self.0)
        }
    }

    fn open() -> Udp {
        Udp::listen((Ipv4Addr::LOCALHOST, 0).into(), Buffers(1 << 20)).unwrap()
    }

    /// Pushes ten bytes for each of these places, from a place of their own in the inbox.
    fn push(outbox: &mut Outbox, inbox: &mut Inbox, one: &One, places: &[(SocketAddr, u8)]) {
        for (number, (to, tos)) in (0..).zip(places) {
            let start = 100 * number + Header::MAX;
            inbox.prepend(&[number as u8; 10], start + 10..start + 10);
            let flow = Flow::to_client(to, None, *tos);
            let payload = start..start + 10;
            let origin = Origin::Listener(0);
            let packet = Packet { origin, flow, header: &[0xa5; 4], payload, padding: 0 };
            outbox.push(packet, inbox, one);
        }
    }

    /// What has come to a socket: the first byte of each payload.
    fn received(udp: &Udp) -> Vec<u8> {
        let mut inbox = Inbox::new();
        let count = inbox.receive(udp, LARGE);
        let mut found = vec![];
        for number in 0..count {
            let mut train = inbox.train(number).unwrap();
            loop {
                let (datagram, is_more) = train.split_first();
                let bytes = inbox.bytes(datagram);
                assert_eq!((bytes.len(), &bytes[..4]), (14, &[0xa5; 4][..]));
                found.push(bytes[4]);
                if !is_more {
                    break;
                }
            }
        }
        found
    }

    #[test]
    fn what_waits_leaves_in_order_by_few_calls() {
        let (one, first, second) = (One(open()), open(), open());
        let (mut outbox, mut inbox) = (Outbox::new(), Inbox::new());
        let (a, b) = (first.local, second.local);
        let places = [(a, 0), (a, 0), (b, 0), (a, 0x2e), (b, 0), (b, 0), (b, 0x2e)];
        push(&mut outbox, &mut inbox, &one, &places);
        assert_eq!(outbox.trains.len(), 5, "who follows to the same place joins");
        outbox.flush(&inbox, &one);
        assert_eq!((outbox.take_failed(), outbox.is_empty()), (0, true));
        assert_eq!(received(&first), [0, 1, 3]);
        assert_eq!(received(&second), [2, 4, 5, 6]);
    }

    #[test]
    fn what_the_kernel_does_not_take_harms_nothing_else() {
        let (one, peer) = (One(open()), open());
        let (mut outbox, mut inbox) = (Outbox::new(), Inbox::new());
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let to = peer.local;
        let places = [(nowhere, 0), (to, 0), (nowhere, 0), (nowhere, 0), (to, 0), (nowhere, 0)];
        push(&mut outbox, &mut inbox, &one, &places);
        outbox.flush(&inbox, &one);
        assert_eq!(outbox.take_failed(), 4);
        assert_eq!(received(&peer), [1, 4]);
    }

    #[test]
    fn more_than_one_call_takes_is_sent_by_several() {
        let (one, first, second) = (One(open()), open(), open());
        let (mut outbox, mut inbox) = (Outbox::new(), Inbox::new());
        let places: Vec<_> = (0..40).flat_map(|_| [(first.local, 0), (second.local, 0)]).collect();
        push(&mut outbox, &mut inbox, &one, &places);
        outbox.flush(&inbox, &one);
        let numbers: Vec<u8> = received(&first).into_iter().chain(received(&first)).collect();
        assert_eq!(numbers, (0..80).step_by(2).collect::<Vec<u8>>());
    }
}
