//! The data path: from a socket through the machine to another socket.

use std::net::SocketAddr;
use std::ops::Range;

use pinhole_sansio::{Datagram, FiveTuple, Instant};
use pinhole_stun::{PacketKind, classify};
use pinhole_turn::server::{AllocationId, Received, RelayId, ToClient, ToPeer};

use super::Worker;
use crate::metrics::Counters;
use crate::socket::{LARGE, Marks, Origin, Outbox, Packet, Sockets, Way, next_icmp};

/// How many calls a socket gets before it is another one's turn.
const CALLS: usize = 4;
/// Datagrams of one call from a socket that is not busy: one more than it is expected to have, since a call
/// tells by what it returns that the socket is drained.
const SMALL: usize = 2;
/// How many ICMP messages of a socket are read in one turn.
const ERRORS: usize = 16;

/// How a datagram is sent on.
#[derive(Clone, Copy)]
struct Sending {
    marks: Marks,
    /// Whether nothing stands in front of it that is needed.
    has_headroom: bool,
    /// Whether there may be more soon that could leave with it.
    is_followed: bool,
}

impl Sending {
    /// Whether a datagram that travels like this needs nothing that takes longer than to send it at once.
    #[inline(always)]
    fn may_leave_alone(self, marks: Marks, outbox: &Outbox, origin: Origin) -> bool {
        !self.is_followed
            && self.has_headroom
            && marks == Marks::default()
            && !outbox.has_from(origin)
    }
}

impl Worker {
    /// Reads what clients have sent; whether that was all.
    #[inline(never)]
    pub(super) fn read_listener(&mut self, number: usize, now: Instant) -> bool {
        for _ in 0..CALLS {
            let Some(room) = self.udp.listeners.get(number).map(|this| this.room) else {
                return true;
            };
            self.make_way(room);
            let Some(listener) = self.udp.listeners.get_mut(number) else { return true };
            let local = listener.udp.local;
            let count = self.inbox.receive(&listener.udp, room);
            // Twice as many as there were: to prepare for many takes time, and to call once more, too.
            listener.room = (2 * count).clamp(SMALL, LARGE);
            self.read_mail(now);
            for number in 0..count {
                self.path.local = local;
                self.relay_to_peers(number, now);
            }
            if count < room {
                return true;
            }
        }
        false
    }

    /// Reads what peers have sent to a relayed address; whether that was all.
    #[inline(never)]
    pub(super) fn read_relay(&mut self, key: usize, is_followed: bool, now: Instant) -> bool {
        let mut room = SMALL;
        for _ in 0..CALLS {
            self.make_way(room);
            let Some(relay) = self.udp.relay(key) else { return true };
            let id = relay.id;
            let count = self.inbox.receive(&relay.udp, room);
            for number in 0..count {
                self.relay_to_clients(id, number, is_followed || number + 1 < count, now);
            }
            if !self.streams.dirty.is_empty() {
                self.flush_dirty(now);
            }
            if count < room {
                return true;
            }
            room = (4 * room).min(LARGE);
        }
        false
    }

    /// Makes room for so many datagrams, behind those that wait to be sent on.
    #[inline]
    fn make_way(&mut self, room: usize) {
        if !self.outbox.is_empty() && !self.inbox.has_room(room) {
            self.flush();
        }
        if self.outbox.is_empty() {
            self.inbox.clear();
        }
    }

    /// Relays a train that a client has sent to this address of a listener. The client is looked up once for all of it.
    #[inline(always)]
    fn relay_to_peers(&mut self, number: usize, now: Instant) {
        let Some(mut train) = self.inbox.train(number, &mut self.path) else { return };
        let marks = Marks { tos: train.tos, ttl: train.ttl };
        let is_followed = self.inbox.is_followed(number);
        let here =
            if self.abroad.is_empty() { self.server.allocation_of(&self.path) } else { None };
        loop {
            let (datagram, is_more) = train.split_first();
            let sending =
                Sending { marks, has_headroom: true, is_followed: is_more || is_followed };
            match here {
                Some(id) if is_channel_data(self.inbox.bytes(datagram.clone())) => {
                    self.relay_to_peer(id, datagram, sending, now);
                }
                _ => self.handle_datagram(datagram, sending, now),
            }
            if !is_more {
                return;
            }
        }
    }

    /// Relays ChannelData of a client whose allocation is known.
    #[inline(always)]
    fn relay_to_peer(
        &mut self,
        id: AllocationId,
        message: Range<usize>,
        sending: Sending,
        now: Instant,
    ) {
        let start = message.start;
        let bytes = self.inbox.bytes(message);
        let route = match self.server.handle_channel_data(id, &self.path, bytes, now) {
            Ok(route) => route,
            Err(reason) => return self.counters.dropped(reason),
        };
        self.send_to_peer(&route, start, sending);
    }

    /// Handles anything that a client may send.
    #[inline(never)]
    fn handle_datagram(&mut self, range: Range<usize>, sending: Sending, now: Instant) {
        let start = range.start;
        let payload = self.inbox.bytes(range);
        let length = payload.len();
        let datagram = Datagram { five_tuple: self.path, payload };
        let abroad = self.abroad.home(&self.path);
        if let Some(home) = abroad.or_else(|| self.other_home(payload)) {
            return self.forward(home, datagram);
        }
        match self.server.handle_client_datagram(datagram, now) {
            Received::ToPeer(route) => self.send_to_peer(&route, start, sending),
            Received::Handled => {
                self.counters.control(length);
                self.obey(now);
            }
            Received::Dropped(reason) => self.counters.dropped(reason),
        }
    }

    /// Sends a payload out of the client's datagram that begins here in the inbox.
    #[inline(always)]
    fn send_to_peer(&mut self, route: &ToPeer, start: usize, sending: Sending) {
        let Self { path, counters, udp, inbox, outbox, .. } = self;
        let Some(marks) = translated(sending.marks, path, &route.peer, counters) else { return };
        let payload = start + route.payload.start..start + route.payload.end;
        counters.to_peer(payload.len());
        let origin = Origin::Relay(route.relay);
        if sending.may_leave_alone(marks, outbox, origin)
            && !route.dont_fragment
            && let Some(udp) = udp.of_relay(route.relay)
            && outbox.send_alone(udp, &route.peer, inbox.bytes(payload.clone()))
        {
            return;
        }
        let has_headroom = sending.has_headroom;
        let way = Way::to_peer(route, marks);
        let packet = Packet { origin, way, header: &[], payload, padding: 0, has_headroom };
        outbox.push(packet, inbox, udp);
    }

    /// Relays a train that a peer has sent to this relayed address.
    #[inline(always)]
    fn relay_to_clients(&mut self, id: RelayId, number: usize, is_followed: bool, now: Instant) {
        let Some(mut train) = self.inbox.train(number, &mut self.path) else { return };
        let marks = Marks { tos: train.tos, ttl: train.ttl };
        let mut has_headroom = true;
        loop {
            let (payload, is_more) = train.split_first();
            let sending = Sending { marks, has_headroom, is_followed: is_more || is_followed };
            self.relay_to_client(id, payload, sending, now);
            if !is_more {
                return;
            }
            has_headroom = false;
        }
    }

    /// Relays a datagram of a peer, whose address is known.
    #[inline(always)]
    fn relay_to_client(
        &mut self,
        id: RelayId,
        payload: Range<usize>,
        sending: Sending,
        now: Instant,
    ) {
        let Self { server, path, counters, udp, inbox, outbox, .. } = self;
        let route = match server.handle_peer_datagram(id, path.remote, payload.len(), now) {
            Ok(route) => route,
            Err(reason) => return counters.dropped(reason),
        };
        let ToClient { five_tuple: client, header, padding } = &route;
        if client.transport.is_reliable() {
            let (client, header, padding) = (**client, *header, *padding);
            return self.queue_to_client(client, &header, payload, padding);
        }
        let Some(marks) = translated(sending.marks, path, &client.remote, counters) else { return };
        counters.to_client(payload.len());
        let Some((origin, source)) = udp.origin(&client.local) else { return };
        let way = Way::to_client(&client.remote, source, marks);
        let has_headroom = sending.has_headroom;
        let Some(header) = header.as_channel() else {
            let packet = Packet { origin, way, header, payload, padding: *padding, has_headroom };
            return outbox.push_indication(packet, inbox, udp);
        };
        if sending.may_leave_alone(marks, outbox, origin)
            && source.is_unspecified()
            && let Some(udp) = udp.udp(origin)
        {
            let whole = inbox.prepend(header, payload.clone());
            if outbox.send_alone(udp, &client.remote, inbox.bytes(whole)) {
                return;
            }
        }
        let packet = Packet { origin, way, header, payload, padding: 0, has_headroom };
        outbox.push(packet, inbox, udp);
    }

    /// Sends what waits: before its sockets may be closed, and before the worker sleeps.
    #[inline]
    pub(super) fn flush(&mut self) {
        self.outbox.flush(&mut self.inbox, &self.udp);
        match self.outbox.take_failed() {
            0 => {}
            failed => self.counters.not_sent(failed),
        }
    }

    /// Tells the machine what ICMP says of datagrams from a relayed address (RFC 8656 §11.5).
    pub(super) fn read_errors(&mut self, key: usize, now: Instant) {
        for _ in 0..ERRORS {
            let Some(relay) = self.udp.relay(key) else { return };
            let Some((peer, icmp)) = next_icmp(&relay.udp) else { break };
            self.server.handle_peer_icmp(relay.id, peer, icmp, now);
        }
        self.obey(now);
    }
}

fn is_channel_data(message: &[u8]) -> bool {
    message.first().is_some_and(|first| classify(*first) == PacketKind::Channel)
}

/// What of its IP header a datagram that has come on a path takes along on its way there.
#[inline(always)]
fn translated(
    marks: Marks,
    path: &FiveTuple,
    destination: &SocketAddr,
    counters: &Counters,
) -> Option<Marks> {
    if marks.ttl == 0 { Some(marks) } else { next_hop(marks, path, destination, counters) }
}

/// Between IPv4 and IPv6 the TTL is decremented, as by a router, and at zero the datagram is dropped (RFC 8656
/// §13, RFC 7915 §4). Within one version, RFC 8656 §14 leaves it to the system.
#[cold]
fn next_hop(
    marks: Marks,
    path: &FiveTuple,
    destination: &SocketAddr,
    counters: &Counters,
) -> Option<Marks> {
    if path.remote.is_ipv4() == destination.is_ipv4() {
        return Some(Marks { ttl: 0, ..marks });
    }
    if marks.ttl == 1 {
        counters.expired();
        return None;
    }
    Some(Marks { ttl: marks.ttl - 1, ..marks })
}
