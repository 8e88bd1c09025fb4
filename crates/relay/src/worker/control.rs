//! Control: what the machine has to send, wants done, and tells.

use std::io;
use std::net::SocketAddr;

use pinhole_sansio::{FiveTuple, Instant, Transmit};
use pinhole_stun::attribute::Family;
use pinhole_turn::server::{Command, Event, OpenError, Protocol, RelayId};
use tracing::debug;

use super::Worker;
use super::client::is_welcome;
use crate::report;
use crate::socket::{Marks, Origin, Sockets, Udp, Way, is_about_port, is_exhausted, relay_tcp};

impl Worker {
    /// Does what the machine asks for after an input.
    pub(super) fn obey(&mut self, now: Instant) {
        self.is_deadline_moved = true;
        // What waits is for sockets that may be closed now.
        self.flush();
        loop {
            // What an answer tells a client, metrics tell already.
            while let Some(event) = self.server.poll_event() {
                self.note(&event, now);
            }
            // Messages come before the commands that follow them: ConnectionBind's answer goes first.
            while let Some(transmit) = self.server.poll_transmit() {
                self.answer(&transmit);
            }
            let Some(command) = self.server.poll_command() else { break };
            self.execute(command, now);
        }
        self.count();
    }

    /// Tells metrics how much there is of what comes and goes.
    pub(super) fn count(&self) {
        let (relays, streams) = (self.udp.len(), self.streams.all.len());
        self.counters.now(self.server.allocations(), relays, streams);
    }

    fn execute(&mut self, command: Command, now: Instant) {
        match command {
            Command::OpenRelay { relay, address, protocol } => {
                let result = self.open_relay(relay, address, protocol, now);
                self.server.relay_opened(relay, result, now);
            }
            Command::CloseRelay { relay } => {
                self.udp.close(relay);
                self.streams.close_peer_acceptor(relay);
            }
            Command::Connect { relay, connection, peer } => {
                self.connect(relay, connection, peer, now);
            }
            Command::Splice { connection, client } => self.splice(connection, client, now),
            Command::CloseConnection { connection } => self.close_connection(connection),
        }
    }

    fn open_relay(
        &mut self,
        relay: RelayId,
        address: SocketAddr,
        protocol: Protocol,
        now: Instant,
    ) -> Result<(), OpenError> {
        let opened = match protocol {
            Protocol::Udp => {
                Udp::reserve(address).and_then(|udp| self.udp.open(relay, udp, &self.poll))
            }
            Protocol::Tcp => relay_tcp(address)
                .and_then(|listener| self.streams.listen_for_peers(relay, listener, &self.poll)),
        };
        opened.map_err(|error| self.not_opened(address, &error, now))
    }

    /// A port that others hold is nothing special, and another one may be free. What else stands against a relayed
    /// address stands against all of them: a system without descriptors, or an address that this machine has no more.
    fn not_opened(&mut self, address: SocketAddr, error: &io::Error, now: Instant) -> OpenError {
        if is_about_port(error) {
            debug!(%address, %error, "a relayed address could not be opened");
            return OpenError::InUse;
        }
        self.counters.exhausted();
        if is_exhausted(error) {
            self.reporter.exhausted(error, now);
        } else {
            self.reporter.not_opened(address.ip(), error, now);
        }
        OpenError::Exhausted
    }

    /// Sends a message of the machine's.
    fn answer(&mut self, transmit: &Transmit) {
        let five_tuple = transmit.five_tuple;
        let is_sent = if five_tuple.transport.is_reliable() {
            self.queue_answer(five_tuple, &transmit.payload)
        } else {
            if is_welcome(&transmit.payload) {
                self.adopt(five_tuple);
            }
            self.send_answer(transmit)
        };
        self.counters.answered(transmit.payload.len(), is_sent);
    }

    fn send_answer(&mut self, transmit: &Transmit) -> bool {
        let five_tuple = transmit.five_tuple;
        let Some((origin, source)) = self.udp.origin(&five_tuple.local) else { return false };
        let way = Way::to_client(&five_tuple.remote, source, Marks::default());
        let udp = self.udp.udp(origin);
        udp.is_some_and(|udp| self.outbox.send_one(udp, &way, &transmit.payload))
    }

    fn note(&mut self, event: &Event, now: Instant) {
        match event {
            Event::PeerRefused { client, user, decision } => {
                self.reporter.peer_refused(client.remote, user, decision, now);
            }
            Event::PeerPermitted { client, peer, .. } => {
                report::event(event);
                self.make_ready(client, Family::of(*peer));
            }
            Event::Ended { client, .. } => {
                report::event(event);
                self.release(*client);
                self.abandon(*client, now);
            }
            Event::Allocated { .. } | _ => report::event(event),
        }
        self.counters.event(event);
        self.count();
    }

    /// A relayed address may carry data from now on. Its options have waited for that: they take more time than
    /// the socket itself, and many an allocation that a client gathers is never used.
    fn make_ready(&self, client: &FiveTuple, family: Family) {
        let relay = self.server.relay(client, family).map(Origin::Relay);
        let Some(udp) = relay.and_then(|relay| self.udp.udp(relay)) else { return };
        if let Err(error) = udp.make_ready(self.relay_buffers) {
            debug!(relayed = %udp.local, %error, "the options of a socket could not be set");
        }
    }
}
