//! The data path: from a socket through the machine to another socket.

use std::net::SocketAddr;
use std::ops::Range;

use pinhole_sansio::{Datagram, FiveTuple, Instant};
use pinhole_turn::server::{Received, RelayId, ToClient, ToPeer};

use super::Worker;
use crate::socket::{Flow, LARGE, Origin, Packet, next_icmp};

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
                self.relay_to_peers(number, local, now);
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
    fn relay_to_peers(&mut self, number: usize, local: SocketAddr, now: Instant) {
        let Some(mut train) = self.inbox.train(number) else { return };
        let mut five_tuple = FiveTuple::udp(local, train.source);
        if let Some(ip) = train.destination {
            five_tuple.local.set_ip(ip);
        }
        let abroad = self.abroad.home(&five_tuple);
        loop {
            let (range, is_more) = train.split_first();
            let start = range.start;
            let payload = self.inbox.bytes(range);
            let length = payload.len();
            if let Some(home) = abroad.or_else(|| self.other_home(payload)) {
                self.forward(home, five_tuple, payload);
            } else {
                match self.server.handle_client_datagram(Datagram { five_tuple, payload }, now) {
                    Received::ToPeer(route) => self.push_to_peer(&route, start, train.tos),
                    Received::Handled => {
                        self.counters.control(length);
                        self.obey(now);
                    }
                    Received::Dropped(reason) => self.counters.dropped(reason),
                }
            }
            if !is_more {
                return;
            }
        }
    }

    /// Sends a payload out of the client's datagram that begins here in the inbox.
    #[inline]
    fn push_to_peer(&mut self, route: &ToPeer, start: usize, tos: u8) {
        let payload = start + route.payload.start..start + route.payload.end;
        self.counters.to_peer(payload.len());
        let (origin, flow) = (Origin::Relay(route.relay), Flow::to_peer(route, tos));
        let packet = Packet { origin, flow, header: &[], payload, padding: 0 };
        self.outbox.push(packet, &mut self.inbox, &self.udp);
    }

    /// Relays a train that a peer has sent to this relayed address.
    #[inline]
    fn relay_to_client(&mut self, id: RelayId, number: usize, now: Instant) {
        let Some(mut train) = self.inbox.train(number) else { return };
        loop {
            let (payload, is_more) = train.split_first();
            let length = payload.len();
            match self.server.handle_peer_datagram(id, train.source, length, now) {
                Ok(route) => {
                    self.counters.to_client(length);
                    self.push_to_client(&route, payload, train.tos);
                }
                Err(reason) => self.counters.dropped(reason),
            }
            if !is_more {
                return;
            }
        }
    }

    #[inline]
    fn push_to_client(&mut self, route: &ToClient, payload: Range<usize>, tos: u8) {
        if route.five_tuple.transport.is_reliable() {
            return self.queue_to_client(route, payload);
        }
        let Some((origin, source)) = self.udp.origin(&route.five_tuple.local) else { return };
        let flow = Flow::to_client(&route.five_tuple.remote, source, tos);
        let padding = route.padding;
        let packet = Packet { origin, flow, header: &route.header, payload, padding };
        self.outbox.push(packet, &mut self.inbox, &self.udp);
    }

    /// Sends what waits: before its sockets may be closed, and before the worker sleeps.
    #[inline]
    pub(super) fn flush(&mut self) {
        self.outbox.flush(&self.inbox, &self.udp);
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
