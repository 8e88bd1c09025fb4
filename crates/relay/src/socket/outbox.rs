use std::ops::Range;

use pinhole_turn::server::RelayId;

use super::option::Fragmentation;
use super::send::{Cut, Dispatch, Flow, Way};
use super::system::{Contents, LARGE, Letters, PARTS};
use super::{Inbox, Udp};

/// What stands between datagrams that have come and the call that sends them on.
///
/// What leaves by the same socket waits for one call, where it was received: nothing is copied. A datagram
/// has its header written in front of it, if nothing else is there. Those that go to the same place one
/// after the other are a train that the kernel cuts up again (GSO).
pub(crate) struct Outbox {
    /// The socket that all of them leave by.
    origin: Origin,
    /// What waits; and a place for what comes next, which is written there before it is known whether it
    /// joins the last one.
    trains: [Train; LARGE + 1],
    count: usize,
    /// Where in the inbox all of it lies, train after train.
    parts: Vec<Range<usize>>,
    letters: Letters,
    /// How many datagrams could not be sent since the last question.
    failed: u64,
}

/// A datagram to send, whose payload lies in the inbox.
pub(crate) struct Packet<'a> {
    pub(crate) origin: Origin,
    pub(crate) way: Way<'a>,
    /// What stands in front.
    pub(crate) header: &'a [u8],
    pub(crate) payload: Range<usize>,
    /// How many zeros follow.
    pub(crate) padding: u8,
    /// Whether nothing stands in front of the payload that is needed.
    pub(crate) has_headroom: bool,
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

#[derive(Clone, Default)]
struct Train {
    flow: Flow,
    /// Its first part, and the first one that is not its own.
    parts: Range<usize>,
    cut: Cut,
    /// How many bytes it has.
    length: usize,
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self {
            origin: Origin::Listener(0),
            trains: std::array::from_fn(|_| Train::default()),
            count: 0,
            parts: Vec::with_capacity(PARTS),
            letters: Letters::new(),
            failed: 0,
        }
    }

    /// Takes a datagram to send. It leaves before its place in the inbox is used again, and before its
    /// socket is closed: see [`Outbox::flush`].
    #[inline(always)]
    pub(crate) fn push(&mut self, packet: Packet<'_>, inbox: &mut Inbox, sockets: &impl Sockets) {
        let length = packet.header.len() + packet.payload.len() + usize::from(packet.padding);
        let is_full = self.count == LARGE || self.parts.len() + PARTS_OF_ONE > PARTS;
        if self.origin != packet.origin || is_full {
            self.flush(inbox, sockets);
            self.origin = packet.origin;
        }
        let (waiting, free) = self.trains.split_at_mut(self.count);
        let Some(next) = free.first_mut() else { return };
        next.flow.set(&packet.way);
        match waiting.last_mut().filter(|last| last.admits(&next.flow, length)) {
            Some(train) => {
                train.cut.count += 1;
                train.length += length;
                train.parts.end = lay_out(&mut self.parts, &packet, inbox);
            }
            None => {
                let start = self.parts.len();
                next.parts = start..lay_out(&mut self.parts, &packet, inbox);
                next.cut = Cut { segment: length, count: 1 };
                next.length = length;
                self.count += 1;
            }
        }
    }

    /// Whether nothing waits.
    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Sends what waits.
    #[inline]
    pub(crate) fn flush(&mut self, inbox: &mut Inbox, sockets: &impl Sockets) {
        if self.count == 0 {
            return;
        }
        if let Some(udp) = sockets.udp(self.origin) {
            let is_sent = match (self.count, &self.trains) {
                (1, [train, ..]) => {
                    let contents = Contents { memory: inbox.memory(), parts: &self.parts };
                    train.flow.send_plain(udp, contents, train.cut.segment)
                }
                _ => false,
            };
            if !is_sent {
                self.failed += self.send_all(udp, inbox);
            }
        }
        self.count = 0;
        self.parts.clear();
        inbox.clear_margin();
    }

    /// How many datagrams could not be sent since this was asked last.
    #[inline]
    pub(crate) const fn take_failed(&mut self) -> u64 {
        std::mem::replace(&mut self.failed, 0)
    }

    /// Sends a datagram that lies elsewhere, before those that wait; whether the kernel took it.
    pub(crate) fn send_one(&mut self, udp: &Udp, way: &Way<'_>, datagram: &[u8]) -> bool {
        let mut flow = Flow::default();
        flow.set(way);
        let (segment, place) = (datagram.len(), 0..datagram.len());
        let contents = Contents { memory: datagram, parts: std::slice::from_ref(&place) };
        let letters = &mut self.letters;
        flow.send_plain(udp, contents, segment)
            || Dispatch { udp, letters, flow: &flow }.send(contents, Cut { segment, count: 1 }) == 0
    }

    /// Sends all trains; how many datagrams could not be sent.
    fn send_all(&mut self, udp: &Udp, inbox: &Inbox) -> u64 {
        let Self { trains, count, parts, letters, .. } = self;
        let contents = |train: &Train| {
            let parts = parts.get(train.parts.clone()).unwrap_or_default();
            Contents { memory: inbox.memory(), parts }
        };
        let mut rest = trains.get(..*count).unwrap_or_default();
        let mut failed = 0;
        while let [first, others @ ..] = rest {
            let mut sent = 0;
            if !others.is_empty() {
                let can_join = |train: &&Train| train.flow.fragmentation == Fragmentation::Allowed;
                let together = rest.iter().take_while(can_join);
                let parts = together.map(|train| train.flow.letter(contents(train), train.cut));
                sent = letters.send(&udp.io, parts).unwrap_or(0);
            }
            // What is alone, special, or has failed, is its own affair.
            rest = if sent > 0 {
                rest.get(sent..).unwrap_or_default()
            } else {
                let mut dispatch = Dispatch { udp, letters, flow: &first.flow };
                failed += dispatch.send(contents(first), first.cut);
                others
            };
        }
        failed
    }
}

impl Train {
    /// Whether a datagram of this length can leave with those that wait. None can after a shorter one.
    #[inline]
    fn admits(&self, flow: &Flow, length: usize) -> bool {
        let Cut { segment, count } = self.cut;
        self.flow == *flow
            && (1..=segment).contains(&length)
            && segment <= LONGEST_SEGMENT
            && count < SEGMENTS
            && self.length == segment * count
            && self.length + length <= LONGEST
    }
}

/// The most datagrams that Linux takes as one (`UDP_MAX_SEGMENTS` before 6.9).
const SEGMENTS: usize = 64;
/// What an Ethernet frame carries over IPv6. The kernel refuses trains of datagrams that it would have to
/// fragment.
const LONGEST_SEGMENT: usize = 1_452;
/// The most bytes: what an IPv4 datagram carries.
const LONGEST: usize = 65_507;
/// The most parts of a datagram: a header that was set aside, a payload, padding.
const PARTS_OF_ONE: usize = 3;

/// Puts the parts of a datagram behind the others; how many there are then.
#[inline(always)]
fn lay_out(parts: &mut Vec<Range<usize>>, packet: &Packet<'_>, inbox: &mut Inbox) -> usize {
    let payload = packet.payload.clone();
    if packet.has_headroom || packet.header.is_empty() {
        parts.push(inbox.prepend(packet.header, payload));
    } else {
        parts.extend([inbox.set_aside(packet.header), payload]);
    }
    if packet.padding > 0 {
        parts.push(Inbox::zeros(packet.padding));
    }
    parts.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{Buffers, Marks};
    use pinhole_turn::Header;
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

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
            let way = Way::to_client(to, Ipv6Addr::UNSPECIFIED, Marks { tos: *tos, ttl: 0 });
            let payload = start..start + 10;
            let origin = Origin::Listener(0);
            let header = &[0xa5; 4];
            let (padding, has_headroom) = (0, number % 2 == 0);
            let packet = Packet { origin, way, header, payload, padding, has_headroom };
            outbox.push(packet, inbox, one);
        }
    }

    /// What has come to a socket: the first byte of each payload.
    fn received(udp: &Udp) -> Vec<u8> {
        let mut inbox = Inbox::new();
        let count = inbox.receive(udp, LARGE);
        let mut source = udp.local;
        let mut found = vec![];
        for number in 0..count {
            let mut train = inbox.train(number, &mut source).unwrap();
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
        assert_eq!(outbox.count, 5, "who follows to the same place joins");
        outbox.flush(&mut inbox, &one);
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
        outbox.flush(&mut inbox, &one);
        assert_eq!(outbox.take_failed(), 4);
        assert_eq!(received(&peer), [1, 4]);
    }

    #[test]
    fn more_than_one_call_takes_is_sent_by_several() {
        let (one, first, second) = (One(open()), open(), open());
        let (mut outbox, mut inbox) = (Outbox::new(), Inbox::new());
        let places: Vec<_> = (0..40).flat_map(|_| [(first.local, 0), (second.local, 0)]).collect();
        push(&mut outbox, &mut inbox, &one, &places);
        outbox.flush(&mut inbox, &one);
        let numbers: Vec<u8> = received(&first).into_iter().chain(received(&first)).collect();
        assert_eq!(numbers, (0..80).step_by(2).collect::<Vec<u8>>());
    }
}
