use std::net::SocketAddr;
use std::ops::Range;

use pinhole_turn::server::RelayId;

use super::address::Name;
use super::option::Fragmentation;
use super::send::{Cut, Dispatch, Flow, Way};
use super::system::{Contents, LARGE, Letters, PARTS, send_plain};
use super::{Inbox, Udp};

/// What stands between datagrams that have come and the call that sends them on.
///
/// What leaves by the same socket waits for one call, where it was received: nothing is copied. A datagram
/// has its header written in front of it, if nothing else is there. Those that go to the same place one
/// after the other are a train that the kernel cuts up again (GSO).
pub(crate) struct Outbox {
    /// The socket that all of them leave by.
    origin: Origin,
    /// What waits, and room for more.
    trains: [Train; LARGE],
    count: usize,
    /// Where in the inbox all of it lies, train after train.
    parts: Vec<Range<usize>>,
    letters: Letters,
    /// Where the datagram goes that is sent at once: a place for its name.
    destination: Name,
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

impl Packet<'_> {
    /// How many bytes it has.
    #[inline(always)]
    fn length(&self) -> usize {
        self.header.len() + self.payload.len() + usize::from(self.padding)
    }
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
            destination: Name::default(),
            failed: 0,
        }
    }

    /// Takes a datagram to send. It leaves before its place in the inbox is used again, and before its
    /// socket is closed: see [`Outbox::flush`].
    #[inline(always)]
    pub(crate) fn push(&mut self, packet: Packet<'_>, inbox: &mut Inbox, sockets: &impl Sockets) {
        if !self.join(&packet, inbox) {
            self.keep(packet, inbox, sockets);
        }
    }

    /// The same, apart from what is on the way of ChannelData.
    #[inline(never)]
    pub(crate) fn push_indication(
        &mut self,
        packet: Packet<'_>,
        inbox: &mut Inbox,
        sockets: &impl Sockets,
    ) {
        self.push(packet, inbox, sockets);
    }

    /// Has a datagram leave with the last one, if it goes the same way; otherwise nothing is done.
    #[inline(always)]
    fn join(&mut self, packet: &Packet<'_>, inbox: &mut Inbox) -> bool {
        let waiting = self.trains.get_mut(..self.count);
        let Some(last) = waiting.and_then(|waiting| waiting.last_mut()) else { return false };
        let has_room = self.parts.len() + PARTS_OF_ONE <= PARTS && last.has_room(packet.length());
        if !has_room || self.origin != packet.origin || !last.flow.is_of(&packet.way) {
            return false;
        }
        last.cut.count += 1;
        last.length += packet.length();
        last.parts.end = lay_out(&mut self.parts, packet, inbox);
        true
    }

    /// Begins a train with a datagram.
    #[inline(never)]
    fn keep(&mut self, packet: Packet<'_>, inbox: &mut Inbox, sockets: &impl Sockets) {
        let is_full = self.count == LARGE || self.parts.len() + PARTS_OF_ONE > PARTS;
        if self.origin != packet.origin || is_full {
            self.flush(inbox, sockets);
            self.origin = packet.origin;
        }
        let Some(next) = self.trains.get_mut(self.count) else { return };
        let (start, length) = (self.parts.len(), packet.length());
        next.flow.set(&packet.way);
        next.parts = start..lay_out(&mut self.parts, &packet, inbox);
        next.cut = Cut { segment: length, count: 1 };
        next.length = length;
        self.count += 1;
    }

    /// Sends a datagram at once that has nothing to wait for and takes no more than its bytes and its destination, as
    /// many do; whether the kernel took it.
    #[inline(always)]
    pub(crate) fn send_alone(
        &mut self,
        udp: &Udp,
        destination: &SocketAddr,
        datagram: &[u8],
    ) -> bool {
        self.destination.set(destination);
        send_plain(&udp.io, &self.destination, datagram).is_ok()
    }

    /// Whether something waits to leave by this socket, which what comes after it must not overtake.
    #[inline]
    pub(crate) fn has_from(&self, origin: Origin) -> bool {
        self.count > 0 && self.origin == origin
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
    #[inline(always)]
    fn has_room(&self, length: usize) -> bool {
        let Cut { segment, count } = self.cut;
        (1..=segment).contains(&length)
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
        parts.push(inbox.set_aside(packet.header));
        parts.push(payload);
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
    use pinhole_sansio::FiveTuple;
    use pinhole_turn::Header;
    use std::net::{Ipv4Addr, Ipv6Addr};

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
        let mut path = FiveTuple::udp(udp.local, udp.local);
        let mut found = vec![];
        for number in 0..count {
            let mut train = inbox.train(number, &mut path).unwrap();
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
    fn what_waits_is_known_by_its_socket() {
        let (one, peer) = (One(open()), open());
        let (mut outbox, mut inbox) = (Outbox::new(), Inbox::new());
        let (here, there) = (Origin::Listener(0), Origin::Listener(1));
        assert!(!outbox.has_from(here));
        push(&mut outbox, &mut inbox, &one, &[(peer.local, 0)]);
        assert!(outbox.has_from(here) && !outbox.has_from(there));
        let alone = inbox.prepend(&[0xa5; 4], Header::MAX + 500..Header::MAX + 510);
        assert!(outbox.send_alone(&one.0, &peer.local, inbox.bytes(alone)));
        assert!(outbox.has_from(here), "what is sent alone leaves it where it is");
        outbox.flush(&mut inbox, &one);
        assert!(!outbox.has_from(here));
        assert_eq!(received(&peer).len(), 2);
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
