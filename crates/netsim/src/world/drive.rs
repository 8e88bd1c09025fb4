//! Hosts: inputs to their nodes, and what the nodes answer.

use pinhole_sansio::{Datagram, Instant, Transmit};

use super::{Event, World};
use crate::drops::DropReason;
use crate::host::HostIndex;
use crate::icmp::IcmpKind;
use crate::link::Direction;
use crate::packet::{Body, Packet};
use crate::trace::Happening;
use crate::violation::{Fault, MAX_TRANSMITS, MAX_WAKES, Violation};

impl World {
    /// Gives a packet to the node of `host`.
    pub(super) fn deliver(&mut self, host: HostIndex, packet: &Packet) {
        let now = self.now;
        let device = self.hosts[host].device;
        self.trace.record(now, Some(device), Happening::Received, Some(packet));
        let node = &mut self.hosts[host].node;
        match &packet.body {
            Body::Datagram { payload, .. } => {
                if !node.is_open(packet.destination) {
                    self.refuse(host, packet);
                    return;
                }
                let five_tuple = packet.five_tuple().reversed();
                node.handle_datagram(Datagram { five_tuple, payload }, now);
            }
            Body::Icmp(error) => node.handle_icmp(*error, now),
        }
        let counters = &mut self.hosts[host].counters;
        counters.received += 1;
        counters.received_bytes += packet.length() as u64;
        self.drain(host);
    }

    /// The alarm of `host` that was set for `at` rings.
    pub(super) fn wake(&mut self, host: HostIndex, at: Instant) {
        let now = self.now;
        let state = &mut self.hosts[host];
        if state.alarm.set_for != Some(at) {
            return;
        }
        state.alarm.set_for = None;
        if state.node.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.trace.record(now, Some(state.device), Happening::Woken, None);
            state.counters.timeouts += 1;
            state.node.handle_timeout(now);
            let deadline = state.node.poll_timeout();
            let wakes = state.alarm.ring(now);
            if let Some(deadline) = deadline.filter(|&deadline| deadline <= now) {
                self.fail(host, Fault::DeadlineStillDue { deadline, now });
            } else if wakes > MAX_WAKES {
                self.fail(host, Fault::Spins { wakes });
            }
        }
        self.drain(host);
    }

    /// Sends what the node has to send, and sets the alarm for its deadline.
    pub(super) fn drain(&mut self, host: HostIndex) {
        let mut transmits = 0;
        while let Some(transmit) = self.hosts[host].node.poll_transmit() {
            self.send(host, &transmit);
            transmits += 1;
            if transmits > MAX_TRANSMITS {
                self.fail(host, Fault::Floods { transmits });
                return;
            }
        }
        let Some(deadline) = self.hosts[host].node.poll_timeout() else { return };
        let at = deadline.max(self.now);
        let alarm = &mut self.hosts[host].alarm;
        // An earlier alarm finds out by itself that it is too early.
        if alarm.set_for.is_none_or(|set_for| at < set_for) {
            alarm.set_for = Some(at);
            self.queue.schedule(at, Event::Wake { host });
        }
    }

    fn send(&mut self, host: HostIndex, transmit: &Transmit) {
        let five_tuple = transmit.five_tuple;
        let transport = five_tuple.transport;
        let body = Body::Datagram { transport, payload: transmit.payload.clone() };
        let packet = self.packet(host, five_tuple.local, five_tuple.remote, body);
        self.launch(host, packet);
    }

    /// Puts a packet of `host` on the link that owns its source address.
    pub(super) fn launch(&mut self, host: HostIndex, packet: Packet) {
        let state = &mut self.hosts[host];
        let device = state.device;
        let Some(link) = state.link_of(packet.source.ip()) else {
            self.drop_packet(Some(device), DropReason::NoSuchSource, &packet);
            return;
        };
        state.counters.sent += 1;
        state.counters.sent_bytes += packet.length() as u64;
        self.trace.record(self.now, Some(device), Happening::Sent, Some(&packet));
        self.transfer(link, Direction::Up, packet);
    }

    /// The host itself answers that nobody listens.
    fn refuse(&mut self, host: HostIndex, packet: &Packet) {
        let device = self.hosts[host].device;
        self.drop_packet(Some(device), DropReason::PortClosed, packet);
        let reporter = packet.destination.ip();
        if let Some(error) = self.icmp_error(reporter, IcmpKind::PortUnreachable, packet) {
            self.launch(host, error);
        }
    }

    fn fail(&mut self, host: HostIndex, fault: Fault) {
        let device = self.hosts[host].device;
        self.violation.get_or_insert_with(|| {
            Box::new(Violation {
                host: self.trace.name(device).to_owned(),
                at: self.now,
                fault,
                seed: self.seed,
                trace: self.trace.to_string(),
            })
        });
    }
}
