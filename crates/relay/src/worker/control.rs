//! Control: what the machine has to send, wants done, and tells.

use pinhole_sansio::{Instant, Transmit};
use pinhole_turn::server::{Command, Event, OpenError, Protocol, RelayId};
use std::net::SocketAddr;

use super::Worker;
use tracing::debug;

use crate::report;
use crate::socket::{Sockets, Udp, is_exhausted};

impl Worker {
    /// Does what the machine asks for after an input.
    pub(super) fn obey(&mut self, now: Instant) {
        while let Some(command) = self.server.poll_command() {
            self.execute(command, now);
        }
        while let Some(transmit) = self.server.poll_transmit() {
            self.answer(&transmit);
        }
        while let Some(event) = self.server.poll_event() {
            self.note(&event);
        }
    }

    fn execute(&mut self, command: Command, now: Instant) {
        match command {
            Command::OpenRelay { relay, address, protocol: Protocol::Udp } => {
                let result = self.open_relay(relay, address);
                self.server.relay_opened(relay, result, now);
            }
            Command::OpenRelay { relay, protocol: Protocol::Tcp, .. } => {
                self.server.relay_opened(relay, Err(OpenError::Exhausted), now);
            }
            Command::CloseRelay { relay } => self.udp.close(relay),
            Command::Connect { connection, .. } => self.server.connected(connection, false, now),
            Command::Splice { .. } | Command::CloseConnection { .. } => {}
        }
    }

    fn open_relay(&mut self, relay: RelayId, address: SocketAddr) -> Result<(), OpenError> {
        let opened = Udp::relay(address, self.relay_buffers)
            .and_then(|udp| self.udp.open(relay, udp, self.poll.registry()));
        opened.map_err(|error| {
            let is_exhausted = is_exhausted(&error);
            debug!(%address, %error, "a relayed address could not be opened");
            if is_exhausted {
                self.counters.exhausted();
            }
            if is_exhausted { OpenError::Exhausted } else { OpenError::InUse }
        })
    }

    /// Sends a message of the machine's.
    fn answer(&mut self, transmit: &Transmit) {
        let Some(origin) = self.udp.origin(transmit.five_tuple.local) else { return };
        let Some(udp) = self.udp.udp(origin) else { return };
        let sent = super::data::send_whole(
            udp,
            &crate::socket::Flow {
                origin,
                destination: transmit.five_tuple.remote,
                ecn: None,
                fragmentation: crate::socket::option::Fragmentation::Allowed,
            },
            &transmit.payload,
        );
        match sent {
            Ok(()) => self.counters.answered(transmit.payload.len()),
            Err(_) => self.counters.not_sent(1),
        }
    }

    fn note(&mut self, event: &Event) {
        self.counters.event(event);
        self.counters.now(self.server.allocations(), self.udp.len(), 0);
        report::event(event);
    }
}
