use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use pinhole_turn::Header;
use quinn_udp::{EcnCodepoint, Transmit};

use super::option::Fragmentation;
use super::{Inbox, Udp};

/// What stands between a datagram that has come and the call that sends it on.
///
/// A datagram alone is sent from where it was received, with its header written in front of it. The
/// ones that follow it to the same place are laid out one behind the other, and leave in one call that
/// the kernel cuts up again (GSO).
pub(crate) struct Outbox {
    batch: Option<Batch>,
    memory: Box<[u8]>,
    /// How many datagrams could not be sent since the last question.
    failed: u64,
}

/// A datagram to send, whose payload lies in the inbox.
pub(crate) struct Packet<'a> {
    pub(crate) flow: Flow,
    /// What stands in front.
    pub(crate) header: &'a [u8],
    pub(crate) payload: Range<usize>,
    /// How many zeros follow.
    pub(crate) padding: u8,
}

/// What datagrams have in common that leave in one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) origin: Origin,
    pub(crate) destination: SocketAddr,
    /// "Preferred Behavior: Copy" for the ECN field (RFC 8656 §13.1).
    pub(crate) ecn: Option<EcnCodepoint>,
    pub(crate) fragmentation: Fragmentation,
}

/// The socket to send from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A listener, by its number, and the source address where it is bound to all of them.
    Listener(usize, Option<IpAddr>),
    /// A relayed address, by its key.
    Relay(usize),
}

/// Where the sockets are.
pub(crate) trait Sockets {
    fn udp(&self, origin: Origin) -> Option<&Udp>;
}

struct Batch {
    flow: Flow,
    place: Place,
    /// The length of each datagram; the last one may be shorter.
    segment: usize,
    count: usize,
    is_closed: bool,
}

enum Place {
    Inbox(Range<usize>),
    Outbox(usize),
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self { batch: None, memory: vec![0; ROOM].into_boxed_slice(), failed: 0 }
    }

    /// Takes a datagram to send. It leaves before the inbox is used again: see [`Outbox::flush`].
    #[inline]
    pub(crate) fn push(&mut self, packet: Packet<'_>, inbox: &mut Inbox, sockets: &impl Sockets) {
        let header = packet.header;
        let length = header.len() + packet.payload.len() + usize::from(packet.padding);
        let joins = self.batch.as_ref().is_some_and(|batch| batch.admits(&packet.flow, length));
        if joins {
            return self.join(&packet, length, inbox);
        }
        self.flush(inbox, sockets);
        let place = if packet.padding == 0 {
            Place::Inbox(inbox.prepend(header, packet.payload))
        } else {
            let end =
                write(&mut self.memory, 0, header, inbox.bytes(packet.payload), packet.padding);
            Place::Outbox(end)
        };
        let flow = packet.flow;
        self.batch = Some(Batch { flow, place, segment: length, count: 1, is_closed: false });
    }

    fn join(&mut self, packet: &Packet<'_>, length: usize, inbox: &Inbox) {
        let Some(batch) = &mut self.batch else { return };
        let start = match &batch.place {
            Place::Inbox(range) => write(&mut self.memory, 0, &[], inbox.bytes(range.clone()), 0),
            Place::Outbox(end) => *end,
        };
        let payload = inbox.bytes(packet.payload.clone());
        let end = write(&mut self.memory, start, packet.header, payload, packet.padding);
        batch.place = Place::Outbox(end);
        batch.count += 1;
        batch.is_closed = length < batch.segment;
    }

    /// Sends what waits.
    #[inline]
    pub(crate) fn flush(&mut self, inbox: &Inbox, sockets: &impl Sockets) {
        let Some(batch) = &self.batch else { return };
        let contents = match &batch.place {
            Place::Inbox(range) => inbox.bytes(range.clone()),
            Place::Outbox(end) => self.memory.get(..*end).unwrap_or_default(),
        };
        if let Some(udp) = sockets.udp(batch.flow.origin) {
            self.failed += send(udp, &batch.flow, contents, batch.segment, batch.count);
        }
        self.batch = None;
    }

    /// How many datagrams could not be sent since this was asked last.
    pub(crate) const fn take_failed(&mut self) -> u64 {
        std::mem::replace(&mut self.failed, 0)
    }
}

impl Batch {
    /// Whether a datagram of this length can leave with those that wait.
    #[inline]
    fn admits(&self, flow: &Flow, length: usize) -> bool {
        let total = self.segment * self.count;
        !self.is_closed
            && self.flow == *flow
            && self.segment <= LONGEST_SEGMENT
            && (1..=self.segment).contains(&length)
            && self.count < SEGMENTS
            && total + length <= LONGEST
    }
}

impl Udp {
    /// Sends one datagram; whether the kernel took it.
    pub(crate) fn send_one(&self, flow: &Flow, contents: &[u8]) -> bool {
        send(self, flow, contents, contents.len(), 1) == 0
    }
}

/// The most datagrams that Linux takes in one call (`UDP_MAX_SEGMENTS` before 6.9).
const SEGMENTS: usize = 64;
/// What an Ethernet frame carries over IPv6. The kernel refuses trains of datagrams that it would have to
/// fragment, and whoever sends such datagrams must not put an end to all trains of the socket.
const LONGEST_SEGMENT: usize = 1_452;
/// The most bytes: what an IPv4 datagram carries.
const LONGEST: usize = 65_507;
/// Room for a whole train, or for the longest datagram with header and padding.
const ROOM: usize = 65_536 + Header::MAX + 4;

/// Writes header, payload and padding; where they end.
fn write(memory: &mut [u8], start: usize, header: &[u8], payload: &[u8], padding: u8) -> usize {
    const ZEROS: [u8; 3] = [0; 3];
    let zeros = ZEROS.get(..usize::from(padding)).unwrap_or(&ZEROS);
    let mut end = start;
    for part in [header, payload, zeros] {
        if let Some(room) = memory.get_mut(end..end + part.len()) {
            room.copy_from_slice(part);
            end += part.len();
        }
    }
    end
}

/// Sends datagrams; how many could not be sent.
#[inline]
fn send(udp: &Udp, flow: &Flow, contents: &[u8], segment: usize, count: usize) -> u64 {
    if flow.fragmentation == Fragmentation::Forbidden {
        return send_unfragmented(udp, flow, contents, segment);
    }
    if count > 1 && udp.state().max_gso_segments() < count {
        return send_each(udp, flow, contents, segment);
    }
    let segment_size = (count > 1).then_some(segment);
    match udp.send(&transmit(flow, contents, segment_size)) {
        Ok(()) => 0,
        Err(error) if count > 1 && error.kind() != io::ErrorKind::WouldBlock => {
            send_each(udp, flow, contents, segment)
        }
        Err(_) => count as u64,
    }
}

/// One call for each datagram: where the kernel cannot cut them up, or not these ones.
fn send_each(udp: &Udp, flow: &Flow, contents: &[u8], segment: usize) -> u64 {
    let each = contents.chunks(segment.max(1));
    each.filter(|datagram| udp.send(&transmit(flow, datagram, None)).is_err()).count() as u64
}

/// DF is a property of the socket, and few datagrams ask for it: it is set for the time of the call.
fn send_unfragmented(udp: &Udp, flow: &Flow, contents: &[u8], segment: usize) -> u64 {
    if udp.set_fragmentation(Fragmentation::Forbidden).is_err() {
        return 1;
    }
    let failed = match contents {
        [] => u64::from(udp.send(&transmit(flow, contents, None)).is_err()),
        _ => send_each(udp, flow, contents, segment),
    };
    // What cannot be reset costs the peer a fragment, and nobody a datagram.
    udp.set_fragmentation(Fragmentation::Allowed).map_or(failed + 1, |()| failed)
}

const fn transmit<'a>(
    flow: &Flow,
    contents: &'a [u8],
    segment_size: Option<usize>,
) -> Transmit<'a> {
    let src_ip = match flow.origin {
        Origin::Listener(_, source) => source,
        Origin::Relay(_) => None,
    };
    Transmit { destination: flow.destination, ecn: flow.ecn, contents, segment_size, src_ip }
}
