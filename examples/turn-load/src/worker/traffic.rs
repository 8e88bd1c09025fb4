//! Packets, both ways.

use std::io;

use hdrhistogram::Histogram;

use super::{Pace, Worker};
use crate::failure::Failure;
use crate::payload::Stamp;
use crate::shared::{Counters, Shared, add};

/// What has been sent and received since it was published.
pub(super) struct Tally {
    sent: u64,
    received: u64,
    unsent: u64,
    mangled: u64,
    /// From one end to the other, in nanoseconds.
    pub(super) latency: Histogram<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        let latency = Histogram::new_with_bounds(1, SLOWEST, 3).expect("the bounds are valid");
        Self { sent: 0, received: 0, unsent: 0, mangled: 0, latency }
    }
}

impl Tally {
    pub(super) fn publish(&mut self, counters: &Counters) {
        add(&counters.sent, std::mem::take(&mut self.sent));
        add(&counters.received, std::mem::take(&mut self.received));
        add(&counters.unsent, std::mem::take(&mut self.unsent));
        add(&counters.mangled, std::mem::take(&mut self.mangled));
    }

    /// A packet has come, with this stamp if it is a whole one of ours.
    fn arrived(&mut self, stamp: Option<Stamp>, shared: &Shared) {
        match stamp {
            Some(stamp) if stamp.run == shared.run => {
                let now = shared.clock.now();
                self.received += 1;
                let nanoseconds = u64::try_from((now - stamp.sent).as_nanos()).unwrap_or(u64::MAX);
                self.latency.saturating_record(nanoseconds);
            }
            _ => self.mangled += 1,
        }
    }

    const fn offered(&mut self, packets: u64, outcome: &io::Result<()>) {
        match outcome {
            Ok(()) => self.sent += packets,
            Err(_) => self.unsent += packets,
        }
    }
}

impl Worker {
    /// Sends what is due, from one allocation after the other, to the peer and from it.
    pub(super) fn send(&mut self) {
        let now = self.shared.clock.now();
        let settings = &self.shared.settings;
        let share = settings.rate * self.share as u64 / settings.allocations.max(1) as u64;
        let row = settings.row() as u64;
        let mut due = self.pace.get_or_insert_with(|| Pace::new(share, now)).due(row, now);
        while due > 0 {
            let turn = if self.peers.is_empty() { self.next * 2 } else { self.next };
            let index = turn / 2 % self.allocations.len().max(1);
            let is_from_client = turn.is_multiple_of(2);
            self.next += 1;
            let sent = if is_from_client {
                self.send_from_client(index, due)
            } else {
                self.send_from_peer(index, due)
            };
            due = due.saturating_sub(sent.max(1));
        }
    }

    /// Sends packets through one allocation; how many.
    fn send_from_client(&mut self, index: usize, due: u64) -> u64 {
        let settings = &self.shared.settings;
        let Some(allocation) = self.allocations.get_mut(index) else { return 0 };
        let now = self.shared.clock.now();
        let stamp = Stamp { run: self.shared.run, allocation: number(index), sent: now };
        let longest = settings.size + pinhole_turn::Header::MAX + 3;
        let burst = allocation.link.burst(longest).min(settings.row());
        let (mut packets, mut segment) = (0, 0);
        self.outbox.clear();
        while packets < due.min(burst as u64) {
            let Ok(to_server) = allocation.client.send(allocation.peer, settings.size, now) else {
                break;
            };
            self.outbox.extend_from_slice(&to_server.header);
            stamp.write(settings.size, &mut self.outbox);
            self.outbox.resize(self.outbox.len() + usize::from(to_server.padding), 0);
            packets += 1;
            if packets == 1 {
                segment = self.outbox.len();
            }
        }
        if packets > 0 {
            let sent = allocation.link.send_data(allocation.path, &self.outbox, segment);
            self.tally.offered(packets, &sent);
        }
        packets
    }

    /// Sends packets from a peer to an allocation's relayed address; how many.
    fn send_from_peer(&mut self, index: usize, due: u64) -> u64 {
        let settings = &self.shared.settings;
        let peer = self.peers.get(index % self.peers.len().max(1));
        let relayed = self.allocations.get(index).and_then(|it| it.stage.way_back());
        let (Some(peer), Some(relayed)) = (peer, relayed) else { return 0 };
        let sent = self.shared.clock.now();
        let stamp = Stamp { run: self.shared.run, allocation: number(index), sent };
        let burst = peer.burst(settings.size).min(settings.row());
        let packets = due.min(burst as u64);
        self.outbox.clear();
        for _ in 0..packets {
            stamp.write(settings.size, &mut self.outbox);
        }
        let sent = peer.send(relayed, &self.outbox, settings.size);
        self.tally.offered(packets, &sent);
        packets
    }

    pub(super) fn receive_from_server(&mut self, index: usize) -> Result<(), Failure> {
        let Self { allocations, inbox, tally, shared, .. } = self;
        let Some(allocation) = allocations.get_mut(index) else { return Ok(()) };
        let now = shared.clock.now();
        let received = allocation
            .receive(inbox, shared.settings.size, now, |stamp| tally.arrived(stamp, shared))
            .and_then(|()| allocation.link.flush());
        received.map_err(|error| Failure::link(allocation.path, error))
    }

    pub(super) fn receive_from_peer(&mut self, index: usize) -> Result<(), Failure> {
        let Self { allocations, peers, inbox, tally, shared, .. } = self;
        let Some(peer) = peers.get(index) else { return Ok(()) };
        let received = peer.receive(inbox, |source, packet| {
            let stamp = Stamp::read(packet, shared.settings.size).filter(|stamp| {
                let allocation = allocations.get(stamp.allocation as usize);
                allocation.and_then(|it| it.stage.way_back()) == Some(source)
            });
            tally.arrived(stamp, shared);
        });
        match received {
            // An ICMP error for something sent to a relayed address: it counts as lost.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            received => received.map_err(Failure::Io),
        }
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// A minute, in nanoseconds; whatever takes longer counts as this.
const SLOWEST: u64 = 60_000_000_000;
