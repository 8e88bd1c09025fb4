//! The data path: from a socket through the machine to another socket.

use std::ops::Range;

use pinhole_sansio::{Datagram, FiveTuple, Instant};
use pinhole_turn::server::{Received, RelayId, ToClient, ToPeer};
use quinn_udp::EcnCodepoint;

use super::Worker;
use crate::socket::option::Fragmentation;
use crate::socket::{Flow, LARGE, Origin, Packet, SMALL, Train, next_icmp};

/// How many calls a socket gets before it is another one's turn.
const CALLS: usize = 4;
/// How many ICMP messages of a socket are read in one turn.
const ERRORS: usize = 16;

impl Worker {
    /// Reads what clients have sent; whether that was all.
    pub(super) fn read_listener(&mut self, number: usize, now: Instant) -> bool {
        for _ in 0..CALLS {
            let Some(listener) = self.udp.listeners.get_mut(number) else { return true };
            let (room, received) = if listener.is_busy {
                (LARGE, self.inbox.receive::<LARGE>(&listener.udp))
            } else {
                (SMALL, self.inbox.receive::<SMALL>(&listener.udp))
            };
            // An error is that of an earlier datagram, and ICMP has told it already.
            let Ok(count) = received else { return true };
            let local = listener.udp.local;
            listener.is_busy = count == room || room == LARGE && count > SMALL;
            self.read_mail(now);
            for number in 0..count {
                let Some(train) = self.inbox.train(number) else { break };
                let mut five_tuple = FiveTuple::udp(local, train.source);
                if let Some(ip) = train.destination.filter(|_| local.ip().is_unspecified()) {
                    five_tuple.local.set_ip(ip);
                }
                self.relay_to_peers(&train, five_tuple, now);
            }
            self.flush(now);
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
            let Some(relay) = self.udp.relay(key) else { return true };
            let id = relay.id;
            let received = if room == SMALL {
                self.inbox.receive::<SMALL>(&relay.udp)
            } else {
                self.inbox.receive::<LARGE>(&relay.udp)
            };
            // An error is that of an earlier datagram, and ICMP has told it already.
            let Ok(count) = received else { return true };
            for number in 0..count {
                let Some(train) = self.inbox.train(number) else { break };
                self.relay_to_client(id, &train, now);
            }
            self.flush(now);
            if count < room {
                return true;
            }
            room = LARGE;
        }
        false
    }

    fn relay_to_peers(&mut self, train: &Train, five_tuple: FiveTuple, now: Instant) {
        let abroad = self.abroad.home(&five_tuple);
        for range in train.datagrams() {
            let payload = self.inbox.bytes(range.clone());
            let length = payload.len();
            if let Some(home) = abroad.or_else(|| self.other_home(payload)) {
                self.forward(home, five_tuple, payload);
                continue;
            }
            match self.server.handle_client_datagram(Datagram { five_tuple, payload }, now) {
                Received::ToPeer(mut route) => {
                    route.payload.start += range.start;
                    route.payload.end += range.start;
                    self.push_to_peer(route, train.ecn);
                }
                Received::Handled => {
                    self.counters.control(length);
                    // What waits is for sockets that may be closed now.
                    self.flush(now);
                    self.obey(now);
                }
                Received::Dropped(reason) => self.counters.dropped(reason),
            }
        }
    }

    /// Sends a payload that lies in the inbox.
    pub(super) fn push_to_peer(&mut self, route: ToPeer, ecn: Option<EcnCodepoint>) {
        let Some(key) = self.udp.key(route.relay) else { return };
        self.counters.to_peer(route.payload.len());
        let fragmentation =
            if route.dont_fragment { Fragmentation::Forbidden } else { Fragmentation::Allowed };
        let flow = Flow { origin: Origin::Relay(key), destination: route.peer, ecn, fragmentation };
        let packet = Packet { flow, header: &[], payload: route.payload, padding: 0 };
        self.outbox.push(packet, &mut self.inbox, &self.udp);
    }

    fn relay_to_client(&mut self, id: RelayId, train: &Train, now: Instant) {
        for payload in train.datagrams() {
            let length = payload.len();
            match self.server.handle_peer_datagram(id, train.source, length, now) {
                Ok(route) => {
                    self.counters.to_client(length);
                    self.push_to_client(&route, payload, train.ecn);
                }
                Err(reason) => self.counters.dropped(reason),
            }
        }
    }

    fn push_to_client(
        &mut self,
        route: &ToClient,
        payload: Range<usize>,
        ecn: Option<EcnCodepoint>,
    ) {
        if route.five_tuple.transport.is_reliable() {
            return self.queue_to_client(route, payload);
        }
        let Some(origin) = self.udp.origin(&route.five_tuple.local) else { return };
        let (destination, padding) = (route.five_tuple.remote, route.padding);
        let flow = Flow { origin, destination, ecn, fragmentation: Fragmentation::Allowed };
        let packet = Packet { flow, header: &route.header, payload, padding };
        self.outbox.push(packet, &mut self.inbox, &self.udp);
    }

    /// Sends what waits, before the inbox is used again.
    pub(super) fn flush(&mut self, now: Instant) {
        self.outbox.flush(&self.inbox, &self.udp);
        match self.outbox.take_failed() {
            0 => {}
            failed => self.counters.not_sent(failed),
        }
        if !self.streams.dirty.is_empty() {
            self.flush_dirty(now);
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
