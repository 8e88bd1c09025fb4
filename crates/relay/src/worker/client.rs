//! Clients over TCP and TLS (RFC 8489 §6.2.2, RFC 8656 §12.5).

use std::io::ErrorKind;
use std::ops::Range;
use std::sync::Arc;

use pinhole_sansio::{Datagram, FiveTuple, Instant, Transport};
use pinhole_turn::server::{Received, home};
use pinhole_turn::stream_buffer;
use rustls::ServerConnection;

use super::Worker;
use super::neighbour::{Guest, Message};
use super::streams::{Client, READS, Role};
use super::token::Source;
use crate::stream::Opening;

/// The longest message: ChannelData with its header and padding.
const LONGEST: usize = 65_540;
/// What waits for a client beyond this much data is dropped, as the network would drop it.
const BACKLOG: usize = 256 * 1_024;
/// Not even answers are kept beyond this: the client is cut off.
const LIMIT: usize = 2 * BACKLOG;

impl Worker {
    /// A connection may be ready: to be read, to be written, or to be given up; whether that was all.
    pub(super) fn serve_stream(&mut self, key: usize, now: Instant) -> bool {
        let Some(stream) = self.streams.all.get(key) else { return true };
        match stream.role {
            Role::New { five_tuple, tls_only } => {
                self.begin(key, five_tuple, tls_only, now);
                // Its first bytes have had their event.
                self.streams.client_mut(key).is_none() || self.serve_client(key, now)
            }
            Role::Client(_) => self.serve_client(key, now),
            Role::Connecting(connection) => {
                self.connecting(key, connection, now);
                true
            }
            Role::Waiting(_) => true,
            Role::Spliced(splice) => self.serve_splice(key, splice, now),
        }
    }

    /// Tells TLS from TCP by the first byte. Nothing is prepared for TLS before the first record is whole.
    fn begin(&mut self, key: usize, mut five_tuple: FiveTuple, tls_only: bool, now: Instant) {
        let Some(stream) = self.streams.all.get_mut(key) else { return };
        let is_tls = match stream.wire.peek() {
            Ok(Opening::Tls) => true,
            Ok(Opening::Plain) => false,
            Ok(Opening::PartOfTls) => return,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Ok(Opening::End) | Err(_) => return self.close_stream(key, now),
        };
        if is_tls {
            if !self.streams.may_shake_hands(key) {
                return;
            }
            let Some(stream) = self.streams.all.get_mut(key) else { return };
            let tls = self.tls.as_ref().and_then(|tls| ServerConnection::new(Arc::clone(tls)).ok());
            let Some(tls) = tls else { return self.close_stream(key, now) };
            stream.wire.start_tls(Box::new(tls));
            five_tuple.transport = Transport::Tls;
        } else if tls_only {
            return self.close_stream(key, now);
        }
        let client = Client { five_tuple, input: stream_buffer(LONGEST), is_known: false };
        self.streams.begin(key, client);
    }

    /// Goes on with connections that have waited for others.
    pub(super) fn resume_handshakes(&mut self, now: Instant) {
        while let Some(key) = self.streams.ready.pop() {
            if !self.serve_stream(key, now) {
                self.unfinished.push(Source::Stream(key));
            }
        }
    }

    fn serve_client(&mut self, key: usize, now: Instant) -> bool {
        if !self.flush_stream(key, now) {
            return true;
        }
        for _ in 0..READS {
            let Some(stream) = self.streams.all.get_mut(key) else { return true };
            let Role::Client(client) = &mut stream.role else { return true };
            let room = LONGEST - client.input.pending().min(LONGEST - 1);
            let scratch = self.scratch.get_mut(..room.min(SCRATCH)).unwrap_or_default();
            match stream.wire.read(scratch) {
                Ok(0) => {
                    self.close_stream(key, now);
                    return true;
                }
                Ok(length) => {
                    let bytes = scratch.get(..length).unwrap_or_default();
                    client.input.push(bytes);
                    self.handle_messages(key, now);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => {
                    self.close_stream(key, now);
                    return true;
                }
            }
        }
        false
    }

    /// Handles what has come whole on a client's connection.
    pub(super) fn handle_messages(&mut self, key: usize, now: Instant) {
        let (number, workers) = (self.number, self.neighbours.len());
        while let Some(client) = self.streams.client_mut(key) {
            let (five_tuple, is_known) = (client.five_tuple, client.is_known);
            let payload = match client.input.next_message() {
                Ok(Some(message)) => message,
                Ok(None) => return,
                Err(_) => {
                    self.counters.refused_connection();
                    return self.close_stream(key, now);
                }
            };
            let abroad = home(payload)
                .filter(|home| !is_known && *home != number && usize::from(*home) < workers);
            if let Some(home) = abroad {
                let message = payload.to_vec();
                return self.hand_over(key, home, &message, now);
            }
            let length = payload.len();
            match self.server.handle_client_datagram(Datagram { five_tuple, payload }, now) {
                Received::ToPeer(route) => {
                    let payload = payload.get(route.payload.clone()).unwrap_or_default();
                    let sent = self.udp.send(&mut self.outbox, &route, payload);
                    self.counters.sent_to_peer(payload.len(), sent);
                }
                Received::Handled => {
                    self.counters.control(length);
                    self.streams.prolong(key, now);
                    self.obey(now);
                }
                Received::Dropped(reason) => self.counters.dropped(reason),
            }
        }
    }

    /// The connection's next message is another worker's: it goes there with all that was read of it.
    fn hand_over(&mut self, key: usize, home: u8, message: &[u8], now: Instant) {
        let Some(stream) = self.streams.remove(key) else { return };
        let is_free = self.poll.deregister(&stream.wire.io).is_ok();
        let Role::Client(client) = stream.role else { return };
        let mut input = stream_buffer(LONGEST);
        input.push(message);
        input.push(&client.input.into_rest());
        let guest = Guest { wire: stream.wire, five_tuple: client.five_tuple, input };
        if !(is_free && self.tell(home, Message::Connection(Box::new(guest)))) {
            self.counters.refused_connection();
        }
        self.server.client_closed(client.five_tuple);
        self.obey(now);
    }

    /// Takes a connection over from another worker.
    pub(super) fn take_over(&mut self, guest: Guest, now: Instant) {
        let Guest { wire, five_tuple, input } = guest;
        let role = Role::Client(Client { five_tuple, input, is_known: false });
        // Anybody can name a worker: it takes no more of a source than it would accept itself.
        let Some(key) = self.admit(wire, role, five_tuple.remote, now) else { return };
        // It is here that the message belongs: it is not handed over again.
        self.handle_messages(key, now);
        if !self.serve_stream(key, now) {
            self.unfinished.push(Source::Stream(key));
        }
    }

    /// Sends a peer's payload, which lies in the inbox, to a client over its connection.
    pub(super) fn queue_to_client(
        &mut self,
        five_tuple: FiveTuple,
        header: &[u8],
        payload: Range<usize>,
        padding: u8,
    ) {
        let Some(key) = self.streams.of_client(five_tuple) else { return };
        let Some(stream) = self.streams.all.get_mut(key) else { return };
        let payload = self.inbox.bytes(payload);
        if stream.wire.waiting() + payload.len() > BACKLOG {
            return self.counters.slow_client();
        }
        self.counters.to_client(payload.len());
        self.streams.dirty.push(key);
        const ZEROS: [u8; 3] = [0; 3];
        let zeros = ZEROS.get(..usize::from(padding)).unwrap_or(&ZEROS);
        stream.wire.queue([header, payload, zeros]);
    }

    /// Sends a message of the machine's to a client over its connection.
    pub(super) fn queue_answer(&mut self, five_tuple: FiveTuple, message: &[u8]) -> bool {
        let Some(key) = self.streams.of_client(five_tuple) else { return false };
        if is_welcome(message) {
            self.streams.recognise(key);
        }
        let Some(stream) = self.streams.all.get_mut(key) else { return false };
        stream.wire.queue([message, &[], &[]]);
        self.streams.dirty.push(key);
        true
    }

    /// Sends what was queued on connections.
    pub(super) fn flush_dirty(&mut self, now: Instant) {
        while let Some(key) = self.streams.dirty.pop() {
            self.flush_stream(key, now);
        }
    }

    /// Sends what waits; false if the connection had to be closed.
    fn flush_stream(&mut self, key: usize, now: Instant) -> bool {
        let Some(stream) = self.streams.all.get_mut(key) else { return false };
        let is_good = stream.wire.flush().is_ok() && stream.wire.waiting() <= LIMIT;
        if !is_good {
            self.close_stream(key, now);
        }
        is_good
    }

    /// Closes a connection that has failed: this one, and not an earlier one with its key, for which an event of the
    /// same turn may have been.
    pub(super) fn stream_failed(&mut self, key: usize, now: Instant) {
        let Some(stream) = self.streams.all.get(key) else { return };
        if !matches!(stream.wire.io.take_error(), Ok(None)) {
            self.close_stream(key, now);
        }
    }

    /// Closes a connection, and what depends on it.
    pub(super) fn close_stream(&mut self, key: usize, now: Instant) {
        let Some(stream) = self.streams.remove(key) else { return };
        match stream.role {
            Role::New { .. } => {}
            Role::Client(client) => {
                self.server.client_closed(client.five_tuple);
                self.obey(now);
            }
            Role::Connecting(connection) => {
                self.server.connected(connection, false, now);
                self.obey(now);
            }
            Role::Waiting(connection) => self.server.connection_closed(connection),
            Role::Spliced(splice) => {
                self.streams.remove(splice.other);
                self.server.connection_closed(splice.connection);
            }
        }
    }

    /// The client on this connection has no allocation any more: it is to ask for another, or to go.
    pub(super) fn abandon(&mut self, five_tuple: FiveTuple, now: Instant) {
        if let Some(key) = self.streams.of_client(five_tuple) {
            self.streams.limit(key, now);
        }
    }

    /// Closes connections that nobody has used, or used well.
    pub(super) fn expire_streams(&mut self, now: Instant) {
        while let Some(key) = self.streams.expired(now) {
            self.counters.refused_connection();
            self.close_stream(key, now);
        }
    }
}

/// Bytes of one read.
pub(super) const SCRATCH: usize = 65_536;

/// Whether this answer shows that the client has authenticated: a success response to Allocate, Refresh
/// or ConnectionBind.
pub(super) fn is_welcome(message: &[u8]) -> bool {
    matches!(message, [0x01, 0x03 | 0x04 | 0x0b, ..])
}
