//! What the server counts, and how Prometheus reads it.
//!
//! Each worker counts on its own, without a lock and without a shared cache line; who asks adds up.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pinhole_stun::attribute::Family;
use pinhole_turn::server::{DropReason, EndReason, Event};

use crate::ports::SharedPorts;

/// A number that one thread changes and any thread reads.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Counter {
    /// The thread that changes the number is the only one: no locked instruction is needed.
    #[inline]
    fn add(&self, count: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one worker counts.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Counters {
    to_peers: Flow,
    to_clients: Flow,
    control: Flow,
    answers: Flow,
    dropped: [Counter; DROPS.len()],
    allocations: Counter,
    relays: Counter,
    connections: Counter,
    allocated: Counter,
    ended: [Counter; ENDS.len()],
    refused_peers: Counter,
    refused_connections: Counter,
    exhausted: Counter,
    has_ended: Counter,
}

#[derive(Debug, Default)]
struct Flow {
    messages: Counter,
    bytes: Counter,
}

impl Flow {
    #[inline]
    fn add(&self, length: usize) {
        self.messages.add(1);
        self.bytes.add(length as u64);
    }
}

/// The values of the label `reason` of drops: the machine's, and the driver's own.
const DROPS: [&str; 14] = [
    "malformed",
    "unexpected",
    "rate_limited",
    "no_allocation",
    "suspended",
    "no_channel",
    "no_permission",
    "bandwidth",
    "user_bandwidth",
    "too_long",
    "other",
    "not_sent",
    "slow_client",
    "ttl",
];
const OTHER: usize = 10;
const NOT_SENT: usize = 11;
const SLOW_CLIENT: usize = 12;
const TTL: usize = 13;

/// The values of the label `reason` of ended allocations.
const ENDS: [&str; 5] = ["deleted", "expired", "disconnected", "operator", "other"];

impl Counters {
    #[inline]
    pub(crate) fn to_peer(&self, length: usize) {
        self.to_peers.add(length);
    }

    /// A payload that was routed to a peer, and whether the kernel took it.
    pub(crate) fn sent_to_peer(&self, length: usize, sent: bool) {
        if sent {
            self.to_peers.add(length);
        } else {
            self.not_sent(1);
        }
    }

    #[inline]
    pub(crate) fn to_client(&self, length: usize) {
        self.to_clients.add(length);
    }

    pub(crate) fn control(&self, length: usize) {
        self.control.add(length);
    }

    /// A message of the machine's, and whether it was sent.
    pub(crate) fn answered(&self, length: usize, sent: bool) {
        if sent {
            self.answers.add(length);
        } else {
            self.not_sent(1);
        }
    }

    pub(crate) fn dropped(&self, reason: DropReason) {
        self.drop_as(drop_label(reason), 1);
    }

    /// Datagrams that the kernel did not take.
    pub(crate) fn not_sent(&self, count: u64) {
        self.drop_as(NOT_SENT, count);
    }

    /// Data for a client that does not read what it gets over its connection.
    pub(crate) fn slow_client(&self) {
        self.drop_as(SLOW_CLIENT, 1);
    }

    /// A datagram that has made its last hop.
    pub(crate) fn expired(&self) {
        self.drop_as(TTL, 1);
    }

    fn drop_as(&self, label: usize, count: u64) {
        if let Some(counter) = self.dropped.get(label) {
            counter.add(count);
        }
    }

    pub(crate) fn event(&self, event: &Event) {
        match event {
            Event::Allocated { .. } => self.allocated.add(1),
            Event::Ended { reason, .. } => {
                if let Some(counter) = self.ended.get(end_label(*reason)) {
                    counter.add(1);
                }
            }
            Event::PeerRefused { .. } => self.refused_peers.add(1),
            Event::PeerPermitted { .. } | _ => {}
        }
    }

    /// What there is now.
    pub(crate) fn now(&self, allocations: usize, relays: usize, connections: usize) {
        self.allocations.set(allocations as u64);
        self.relays.set(relays as u64);
        self.connections.set(connections as u64);
    }

    /// The worker is no more.
    pub(crate) fn ended(&self) {
        self.has_ended.set(1);
    }

    /// A connection that was not accepted, or cut, to protect the others.
    pub(crate) fn refused_connection(&self) {
        self.refused_connections.add(1);
    }

    /// The system had no descriptor, or no memory.
    pub(crate) fn exhausted(&self) {
        self.exhausted.add(1);
    }
}

const fn drop_label(reason: DropReason) -> usize {
    match reason {
        DropReason::Malformed => 0,
        DropReason::Unexpected => 1,
        DropReason::RateLimited => 2,
        DropReason::NoAllocation => 3,
        DropReason::Suspended => 4,
        DropReason::NoChannel => 5,
        DropReason::NoPermission => 6,
        DropReason::Bandwidth => 7,
        DropReason::UserBandwidth => 8,
        DropReason::TooLong => 9,
        _ => OTHER,
    }
}

const fn end_label(reason: EndReason) -> usize {
    match reason {
        EndReason::Deleted => 0,
        EndReason::Expired => 1,
        EndReason::Disconnected => 2,
        EndReason::Operator => 3,
        _ => 4,
    }
}

/// A number of a worker.
type Of<T> = fn(&Counters) -> &T;
/// A metric's name, what it means, and where it stands.
type Row<T> = (&'static str, &'static str, Of<T>);

/// The numbers of all workers.
#[derive(Clone, Debug)]
pub struct Metrics {
    workers: Arc<[Arc<Counters>]>,
    ports: SharedPorts,
}

impl Metrics {
    pub(crate) fn new(workers: &[Arc<Counters>], ports: SharedPorts) -> Self {
        Self { workers: workers.into(), ports }
    }

    /// Whether all workers run.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.sum(|worker| &worker.has_ended) == 0
    }

    /// How many allocations there are.
    #[must_use]
    pub fn allocations(&self) -> u64 {
        self.sum(|worker| &worker.allocations)
    }

    /// How many datagrams were dropped for this reason, as the metric's label tells it.
    #[must_use]
    pub fn dropped(&self, reason: &str) -> u64 {
        let label = DROPS.iter().position(|label| *label == reason);
        let counters =
            |label: usize| self.workers.iter().filter_map(move |it| it.dropped.get(label));
        label.map_or(0, |label| counters(label).map(Counter::get).sum())
    }

    /// The text that Prometheus reads: version 0.0.4 of its exposition format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        self.gauges(&mut text);
        self.ports(&mut text);
        self.flows(&mut text);
        let name = "pinhole_dropped_total";
        head(&mut text, name, "counter", "Datagrams that led to nothing.");
        for reason in DROPS {
            line(&mut text, name, &format!("reason=\"{reason}\""), self.dropped(reason));
        }
        let name = "pinhole_allocations_ended_total";
        head(&mut text, name, "counter", "Allocations that are over.");
        for (label, reason) in ENDS.iter().enumerate() {
            let counters = self.workers.iter().filter_map(|worker| worker.ended.get(label));
            let value = counters.map(Counter::get).sum();
            line(&mut text, name, &format!("reason=\"{reason}\""), value);
        }
        self.totals(&mut text);
        text
    }

    fn gauges(&self, text: &mut String) {
        let gauges: [Row<Counter>; 3] = [
            ("pinhole_allocations", "Allocations now.", |it| &it.allocations),
            ("pinhole_relay_sockets", "Relayed transport addresses now.", |it| &it.relays),
            ("pinhole_connections", "Connections of clients and peers now.", |it| &it.connections),
        ];
        for (name, help, counter) in gauges {
            head(text, name, "gauge", help);
            line(text, name, "", self.sum(counter));
        }
    }

    /// Of the families that there are relayed addresses of.
    fn ports(&self, text: &mut String) {
        let name = "pinhole_free_ports";
        head(text, name, "gauge", "Ports that relayed addresses may still have.");
        for (family, free) in self.ports.all_free() {
            let label = match family {
                Family::Ipv4 => "family=\"ipv4\"",
                Family::Ipv6 => "family=\"ipv6\"",
            };
            line(text, name, label, free as u64);
        }
    }

    fn flows(&self, text: &mut String) {
        let flows: [(&str, Of<Flow>); 4] = [
            ("direction=\"to_peers\"", |it| &it.to_peers),
            ("direction=\"to_clients\"", |it| &it.to_clients),
            ("direction=\"control_in\"", |it| &it.control),
            ("direction=\"control_out\"", |it| &it.answers),
        ];
        let name = "pinhole_messages_total";
        head(text, name, "counter", "Datagrams relayed, and messages of STUN and TURN.");
        for (label, flow) in flows {
            line(text, name, label, self.workers.iter().map(|it| flow(it).messages.get()).sum());
        }
        let name = "pinhole_bytes_total";
        head(text, name, "counter", "Bytes relayed, without headers, and bytes of control.");
        for (label, flow) in flows {
            line(text, name, label, self.workers.iter().map(|it| flow(it).bytes.get()).sum());
        }
    }

    fn totals(&self, text: &mut String) {
        let totals: [Row<Counter>; 4] = [
            ("pinhole_allocations_total", "Allocations made.", |it| &it.allocated),
            ("pinhole_peers_refused_total", "Peers that the policy refused.", |it| {
                &it.refused_peers
            }),
            ("pinhole_connections_refused_total", "Connections refused or cut.", |it| {
                &it.refused_connections
            }),
            ("pinhole_exhausted_total", "Sockets that the system did not give.", |it| {
                &it.exhausted
            }),
        ];
        for (name, help, counter) in totals {
            head(text, name, "counter", help);
            line(text, name, "", self.sum(counter));
        }
    }

    fn sum(&self, counter: Of<Counter>) -> u64 {
        self.workers.iter().map(|worker| counter(worker).get()).sum()
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}").unwrap_or_default();
}

fn line(text: &mut String, name: &str, label: &str, value: u64) {
    let written = match label {
        "" => writeln!(text, "{name} {value}"),
        label => writeln!(text, "{name}{{{label}}} {value}"),
    };
    written.unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinhole_turn::server::Config;

    /// A hundred of IPv6.
    fn ports() -> SharedPorts {
        let mut config = Config::new("test");
        config.relay_v6 = Some(std::net::IpAddr::from([1; 16]).into());
        config.ports = 50_000..=50_099;
        SharedPorts::new(&config)
    }

    #[test]
    fn workers_are_added_up_and_every_reason_has_its_line() {
        let workers = [Arc::new(Counters::default()), Arc::new(Counters::default())];
        let [first, second] = &workers;
        first.dropped(DropReason::Bandwidth);
        second.dropped(DropReason::Bandwidth);
        second.to_peer(172);
        first.now(3, 4, 0);
        second.now(2, 2, 1);
        let metrics = Metrics::new(&workers, ports());
        assert_eq!((metrics.allocations(), metrics.dropped("bandwidth")), (5, 2));
        let text = metrics.render();
        for expected in [
            "pinhole_dropped_total{reason=\"bandwidth\"} 2\n",
            "pinhole_dropped_total{reason=\"slow_client\"} 0\n",
            "pinhole_messages_total{direction=\"to_peers\"} 1\n",
            "pinhole_bytes_total{direction=\"to_peers\"} 172\n",
            "# TYPE pinhole_relay_sockets gauge\npinhole_relay_sockets 6\n",
            "# TYPE pinhole_free_ports gauge\npinhole_free_ports{family=\"ipv6\"} 100\n",
        ] {
            assert!(text.contains(expected), "{expected} in\n{text}");
        }
    }

    #[test]
    fn every_line_is_a_comment_or_a_name_and_a_number() {
        let text = Metrics::new(&[Arc::new(Counters::default())], ports()).render();
        for line in text.lines().filter(|line| !line.starts_with("# ")) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with("pinhole_") && value.parse::<u64>().is_ok(), "{line}");
        }
    }
}
