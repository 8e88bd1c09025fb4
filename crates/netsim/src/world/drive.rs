//! Hosts: inputs to their nodes, and what the nodes answer.

use pinhole_sansio::{Datagram, FiveTuple, Instant, Transmit, Transport};

use super::{Event, World};
use crate::drops::DropReason;
use crate::host::{HostIndex, Inbox};
use crate::icmp::IcmpKind;
use crate::link::Direction;
use crate::packet::{Body, Packet};
use crate::stream::Key;
use crate::trace::Happening;
use crate::violation::{Breach, MAX_TRANSMITS, MAX_WAKES, Violation};

impl World {
    /// A packet has reached `host`, which takes it now, later or not at all.
    pub(super) fn admit(&mut self, host: HostIndex, packet: Box<Packet>) {
        let now = self.now;
        let state = &mut self.hosts[host];
        match state.pause {
            Some((_, Inbox::Lost)) => {
                let device = state.device;
                self.drop_packet(Some(device), DropReason::HostDown, &packet);
            }
            Some((until, Inbox::Kept)) => self.postpone(host, packet, until),
            None if !state.service_time.is_zero() => {
                state.busy_until = state.busy_until.max(now) + state.service_time;
                let until = state.busy_until;
                self.postpone(host, packet, until);
            }
            None => self.deliver(host, &packet),
        }
    }

    /// A packet that had to wait is next, unless the host has stopped meanwhile.
    pub(super) fn deliver_late(&mut self, host: HostIndex, packet: Box<Packet>) {
        if self.hosts[host].pause.is_some() {
            self.admit(host, packet);
        } else {
            self.deliver(host, &packet);
        }
    }

    /// Gives a packet to the node of `host`, or to its TCP.
    pub(super) fn deliver(&mut self, host: HostIndex, packet: &Packet) {
        let now = self.now;
        let state = &mut self.hosts[host];
        self.trace.record(now, Some(state.device), Happening::Received, Some(packet));
        let five_tuple = packet.five_tuple().reversed();
        match &packet.body {
            Body::Datagram { payload, .. } => {
                if !state.node.is_open(packet.destination) {
                    self.refuse(host, packet);
                    return;
                }
                let node_time = state.time(now);
                state.node.handle_datagram(Datagram { five_tuple, payload }, node_time);
            }
            Body::Segment(segment) => {
                let key = Key { local: packet.destination, remote: packet.source };
                state.streams.handle_segment(key, segment, now, &mut self.rng);
            }
            Body::Icmp(error) => state.handle_icmp(**error, now),
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
        if state.pause.is_some_and(|(until, _)| until <= now) {
            state.pause = None;
        }
        if state.pause.is_none() {
            state.streams.handle_timeout(now);
            if state.deadline().is_some_and(|deadline| deadline <= now) {
                self.time_out(host);
            }
        }
        self.drain(host);
    }

    fn time_out(&mut self, host: HostIndex) {
        let state = &mut self.hosts[host];
        self.trace.record(self.now, Some(state.device), Happening::Woken, None);
        state.counters.timeouts += 1;
        let now = state.time(self.now);
        state.node.handle_timeout(now);
        let deadline = state.node.poll_timeout();
        let wakes = state.alarm.ring(self.now);
        if let Some(deadline) = deadline.filter(|&deadline| deadline <= now) {
            self.fail(host, Breach::DeadlineStillDue { deadline, now });
        } else if wakes > MAX_WAKES {
            self.fail(host, Breach::Spins { wakes });
        }
    }

    /// Takes everything that the node and its TCP have to say, and sets the alarm for their deadline.
    pub(super) fn drain(&mut self, host: HostIndex) {
        let mut transmits = 0;
        while self.take_output(host) {
            transmits += 1;
            if transmits > MAX_TRANSMITS {
                self.fail(host, Breach::Floods { transmits });
                return;
            }
        }
        let state = &mut self.hosts[host];
        let Some(mut at) = state.next_alarm(self.now) else { return };
        if let Some((until, _)) = state.pause {
            at = at.max(until);
        }
        // An earlier alarm finds out by itself that it is too early.
        if state.alarm.set_for.is_none_or(|set_for| at < set_for) {
            state.alarm.set_for = Some(at);
            self.queue.schedule(at, Event::Wake { host });
        }
    }

    /// Takes one thing that the node or its TCP has to say. `false` when there is none.
    fn take_output(&mut self, host: HostIndex) -> bool {
        let now = self.now;
        let state = &mut self.hosts[host];
        // A connection is asked for before it is written to, and closed afterwards.
        if let Some(command) = state.node.poll_stream() {
            state.streams.command(command, now, &mut self.rng);
        } else if let Some(transmit) = state.node.poll_transmit() {
            self.send(host, &transmit);
        } else if state.streams.close_next(now) {
            // Its segments come next.
        } else if let Some((Key { local, remote }, segment)) = state.streams.poll_segment() {
            let five_tuple = FiveTuple { transport: Transport::Tcp, local, remote };
            let packet = self.packet(host, five_tuple, Body::Segment(segment));
            self.launch(host, packet);
        } else if let Some(event) = state.streams.poll_event() {
            let node_time = state.time(now);
            state.node.handle_stream(event, node_time);
        } else {
            return false;
        }
        true
    }

    fn send(&mut self, host: HostIndex, transmit: &Transmit) {
        let Transmit { five_tuple, payload } = transmit;
        let is_stream = five_tuple.transport.is_reliable();
        if is_stream && self.hosts[host].streams.write(*five_tuple, payload, self.now) {
            return;
        }
        let body = Body::Datagram { transport: five_tuple.transport, payload: (**payload).into() };
        let packet = self.packet(host, *five_tuple, body);
        if is_stream {
            let device = self.hosts[host].device;
            self.drop_packet(Some(device), DropReason::NoStream, &packet);
        } else if packet.length() > usize::from(u16::MAX) {
            let device = self.hosts[host].device;
            self.drop_packet(Some(device), DropReason::TooBig, &packet);
        } else {
            self.launch(host, packet);
        }
    }

    /// Puts a packet of `host` on the link that owns its source address.
    fn launch(&mut self, host: HostIndex, packet: Box<Packet>) {
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

    fn postpone(&mut self, host: HostIndex, packet: Box<Packet>, until: Instant) {
        self.queue.schedule(until, Event::Delivery { host, packet });
    }

    fn fail(&mut self, host: HostIndex, breach: Breach) {
        let culprit = self.trace.name(self.hosts[host].device).to_owned();
        self.blame(culprit, breach);
    }

    pub(super) fn blame(&mut self, culprit: String, breach: Breach) {
        self.violation.get_or_insert_with(|| {
            let (at, seed, trace) = (self.now, self.seed, self.trace.to_string());
            Box::new(Violation { culprit, at, breach, seed, trace })
        });
    }
}
