//! The data path: from a socket through the machine to another socket.

use std::net::SocketAddr;
use std::ops::Range;

use pinhole_sansio::{Datagram, Instant};
use pinhole_turn::server::{Received, RelayId, ToClient, ToPeer};

use super::Worker;
use crate::socket::{LARGE, Marks, Origin, Packet, Way, next_icmp};

/// How many calls a socket gets before it is another one's turn.
const CALLS: usize = 4;
/// Datagrams of one call from a socket that is not busy: one more than it is expected to have, since a call
/// tells by what it returns that the socket is drained.
const SMALL: usize = 2;
/// How many ICMP messages of a socket are read in one turn.
const ERRORS: usize = 16;

impl Worker {
    /// Reads what clients have sent; whether that was all.
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
    pub(super) fn read_relay(&mut self, key: usize, now: Instant) -> bool {
        let mut room = SMALL;
        for _ in 0..CALLS {
            self.make_way(room);
            let Some(relay) = self.udp.relay(key) else { return true };
            let id = relay.id;
            let count = self.inbox.receive(&relay.udp, room);
            for number in 0..count {
                self.relay_to_client(id, number, now);
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

    /// Relays a train that a client has sent to this address of a listener.
    #[inline]
    fn relay_to_peers(&mut self, number: usize, now: Instant) {
        let train = self.inbox.train(number, &mut self.path.remote);
        let Some(mut train) = train else { return };
        if let Some(ip) = train.destination {
            self.path.local.set_ip(ip);
        }
        let abroad = self.abroad.home(&self.path);
        let marks = Marks { tos: train.tos, ttl: train.ttl };
        loop {
            let (datagram, is_more) = train.split_first();
            self.relay_one_to_peer(datagram, abroad, marks, now);
            if !is_more {
                return;
            }
        }
    }

    /// Relays a client's datagram, whose path is known.
    #[inline(never)]
    fn relay_one_to_peer(
        &mut self,
        range: Range<usize>,
        abroad: Option<u8>,
        marks: Marks,
        now: Instant,
    ) {
        let start = range.start;
        let payload = self.inbox.bytes(range);
        let length = payload.len();
        let datagram = Datagram { five_tuple: self.path, payload };
        if let Some(home) = abroad.or_else(|| self.other_home(payload)) {
            return self.forward(home, datagram);
        }
        // By reference: routes are long, and to move one takes a dozen instructions.
        match &self.server.handle_client_datagram(datagram, now) {
            Received::ToPeer(route) => self.push_to_peer(route, start, marks),
            Received::Handled => {
                self.counters.control(length);
                self.obey(now);
            }
            Received::Dropped(reason) => self.counters.dropped(*reason),
        }
    }

    /// Sends a payload out of the client's datagram that begins here in the inbox.
    #[inline]
    fn push_to_peer(&mut self, route: &ToPeer, start: usize, marks: Marks) {
        let Some(marks) = self.translated(marks, &route.peer) else { return };
        let payload = start + route.payload.start..start + route.payload.end;
        self.counters.to_peer(payload.len());
        let (origin, way) = (Origin::Relay(route.relay), Way::to_peer(route, marks));
        let (header, padding, has_headroom) = (&[], 0, true);
        let packet = Packet { origin, way, header, payload, padding, has_headroom };
        self.outbox.push(packet, &mut self.inbox, &self.udp);
    }

    /// Relays a train that a peer has sent to this relayed address.
    #[inline]
    fn relay_to_client(&mut self, id: RelayId, number: usize, now: Instant) {
        let train = self.inbox.train(number, &mut self.path.remote);
        let Some(mut train) = train else { return };
        let marks = Marks { tos: train.tos, ttl: train.ttl };
        let mut is_first = true;
        loop {
            let (payload, is_more) = train.split_first();
            self.relay_one_to_client(id, payload, marks, is_first, now);
            if !is_more {
                return;
            }
            is_first = false;
        }
    }

    /// Relays a datagram of a peer, whose address is known.
    #[inline(never)]
    fn relay_one_to_client(
        &mut self,
        id: RelayId,
        payload: Range<usize>,
        marks: Marks,
        has_headroom: bool,
        now: Instant,
    ) {
        let length = payload.len();
        match &self.server.handle_peer_datagram(id, self.path.remote, length, now) {
            Ok(route) => {
                self.counters.to_client(length);
                self.push_to_client(route, payload, marks, has_headroom);
            }
            Err(reason) => self.counters.dropped(*reason),
        }
    }

    #[inline]
    fn push_to_client(
        &mut self,
        route: &ToClient,
        payload: Range<usize>,
        marks: Marks,
        has_headroom: bool,
    ) {
        if route.five_tuple.transport.is_reliable() {
            return self.queue_to_client(route, payload);
        }
        let Some(marks) = self.translated(marks, &route.five_tuple.remote) else { return };
        let Some((origin, source)) = self.udp.origin(&route.five_tuple.local) else { return };
        let way = Way::to_client(&route.five_tuple.remote, source, marks);
        let (header, padding) = (&*route.header, route.padding);
        let packet = Packet { origin, way, header, payload, padding, has_headroom };
        self.outbox.push(packet, &mut self.inbox, &self.udp);
    }

    /// What of its IP header the datagram that is being handled takes along on its way there.
    #[inline(always)]
    fn translated(&self, marks: Marks, destination: &SocketAddr) -> Option<Marks> {
        if marks.ttl == 0 { Some(marks) } else { self.next_hop(marks, destination) }
    }

    /// Between IPv4 and IPv6 the TTL is decremented, as by a router, and at zero the datagram is dropped (RFC 8656
    /// §13, RFC 7915 §4). Within one version, RFC 8656 §14 leaves it to the system.
    #[cold]
    fn next_hop(&self, marks: Marks, destination: &SocketAddr) -> Option<Marks> {
        if self.path.remote.is_ipv4() == destination.is_ipv4() {
            return Some(Marks { ttl: 0, ..marks });
        }
        if marks.ttl == 1 {
            self.counters.expired();
            return None;
        }
        Some(Marks { ttl: marks.ttl - 1, ..marks })
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
