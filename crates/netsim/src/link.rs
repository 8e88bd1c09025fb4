use std::fmt;
use std::time::Duration;

use pinhole_sansio::Instant;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use crate::arena::{GatewayId, NetworkId};
use crate::drops::{DropReason, Refusal};
use crate::host::HostIndex;
use crate::icmp::IcmpKind;

/// How one direction of a link treats packets.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditions {
    /// How long a packet travels.
    pub latency: Duration,
    /// Up to how much longer, uniformly. Jitter alone keeps the order of packets.
    pub jitter: Duration,
    /// Which packets are lost.
    pub loss: Loss,
    /// The probability that a packet arrives twice.
    pub duplication: f64,
    /// Which packets others overtake.
    pub reordering: Reordering,
    /// How fast bytes leave; `None` is without limit.
    pub bandwidth: Option<Bandwidth>,
    /// The largest packet, and what happens to larger ones; `None` is without limit.
    pub mtu: Option<Mtu>,
    /// Nothing passes.
    pub outage: bool,
}

impl Conditions {
    /// Instant delivery of everything.
    pub const PERFECT: Self = Self {
        latency: Duration::ZERO,
        jitter: Duration::ZERO,
        loss: Loss::None,
        duplication: 0.0,
        reordering: Reordering { probability: 0.0, delay: Duration::ZERO },
        bandwidth: None,
        mtu: None,
        outage: false,
    };

    /// Delivery of everything after `latency`.
    #[must_use]
    pub const fn latency(latency: Duration) -> Self {
        Self { latency, ..Self::PERFECT }
    }

    /// The same, with each packet lost with `probability`.
    #[must_use]
    pub fn with_loss(self, probability: f64) -> Self {
        Self { loss: Loss::Random { probability }, ..self }
    }

    /// The same, with jitter.
    #[must_use]
    pub fn with_jitter(self, jitter: Duration) -> Self {
        Self { jitter, ..self }
    }
}

/// Which packets a link loses. Probabilities lie in 0..=1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// None.
    None,
    /// Each with the same probability.
    Random {
        /// The probability.
        probability: f64,
    },
    /// In bursts: the Gilbert–Elliott model, a chain of a good and a bad state that steps with each packet.
    GilbertElliott {
        /// The probability that a step leaves the good state.
        to_bad: f64,
        /// The probability that a step leaves the bad state; the mean burst is its inverse.
        to_good: f64,
        /// The loss in the good state.
        good: f64,
        /// The loss in the bad state.
        bad: f64,
    },
}

/// Which packets are held back so that later ones overtake them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reordering {
    /// The probability for each packet.
    pub probability: f64,
    /// How long it is held back.
    pub delay: Duration,
}

/// The rate of a link and the queue in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// Bytes that leave in a second.
    pub bytes_per_second: u64,
    /// Bytes that may wait. A packet that finds no room is dropped.
    pub queue: u64,
}

/// The largest packet of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mtu {
    /// In bytes with its IP header.
    pub bytes: u16,
    /// Whether the sender of a larger packet is told (path MTU discovery) or not (a black hole).
    pub tells: bool,
}

/// A direction of a link, as seen from the host or gateway that owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the owner to the network.
    Up,
    /// From the network to the owner.
    Down,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "upstream",
            Self::Down => "downstream",
        })
    }
}

/// Counts of what entered one direction of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Packets that entered.
    pub packets: u64,
    /// Their bytes, with IP headers.
    pub bytes: u64,
    /// Packets of them that did not arrive.
    pub dropped: u64,
}

/// The access of a host or gateway to a network.
pub(crate) struct Link {
    pub(crate) owner: Owner,
    pub(crate) network: NetworkId,
    /// Links of one network in different parts do not reach each other.
    pub(crate) part: u32,
    up: Pipe,
    down: Pipe,
}

/// Who is at the near end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Host(HostIndex),
    Gateway(GatewayId),
    /// The host has gone.
    Nobody,
}

impl Link {
    pub(crate) fn new(owner: Owner, network: NetworkId, conditions: Conditions) -> Self {
        let (up, down) = (Pipe::new(conditions.clone()), Pipe::new(conditions));
        Self { owner, network, part: 0, up, down }
    }

    pub(crate) const fn pipe(&self, direction: Direction) -> &Pipe {
        match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        }
    }

    pub(crate) const fn pipe_mut(&mut self, direction: Direction) -> &mut Pipe {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }
}

/// One direction of a link at work.
pub(crate) struct Pipe {
    pub(crate) conditions: Conditions,
    pub(crate) counters: LinkCounters,
    /// The state of the Gilbert–Elliott chain.
    bad: bool,
    /// When the last byte of the queue has left.
    busy_until: Instant,
    /// Before this no packet that keeps its place arrives.
    last_arrival: Instant,
}

/// When a packet arrives, and perhaps a copy of it.
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    pub(crate) copy_at: Option<Instant>,
}

impl Pipe {
    const fn new(conditions: Conditions) -> Self {
        Self {
            conditions,
            counters: LinkCounters { packets: 0, bytes: 0, dropped: 0 },
            bad: false,
            busy_until: Instant::ZERO,
            last_arrival: Instant::ZERO,
        }
    }

    /// Takes a packet of `length` bytes that enters at `now`.
    pub(crate) fn carry(
        &mut self,
        length: usize,
        now: Instant,
        rng: &mut ChaCha8Rng,
    ) -> Result<Arrival, Refusal> {
        self.counters.packets += 1;
        self.counters.bytes += length as u64;
        let admitted = self.admit(length, now, rng);
        self.counters.dropped += u64::from(admitted.is_err());
        admitted.map(|leaves| self.travel(leaves, rng))
    }

    /// When the packet has left the queue, or why it does not.
    fn admit(
        &mut self,
        length: usize,
        now: Instant,
        rng: &mut ChaCha8Rng,
    ) -> Result<Instant, Refusal> {
        if self.conditions.outage {
            return Err(Refusal::silent(DropReason::Outage));
        }
        if let Some(Mtu { bytes, tells }) = self.conditions.mtu
            && length > usize::from(bytes)
        {
            let told = Refusal::told(DropReason::TooBig, IcmpKind::PacketTooBig { mtu: bytes });
            return Err(if tells { told } else { Refusal::silent(DropReason::TooBig) });
        }
        let leaves = self.queue(length as u64, now);
        let leaves = leaves.ok_or(Refusal::silent(DropReason::QueueFull))?;
        if self.loses(rng) { Err(Refusal::silent(DropReason::Lost)) } else { Ok(leaves) }
    }

    fn queue(&mut self, length: u64, now: Instant) -> Option<Instant> {
        let Some(bandwidth) = self.conditions.bandwidth else { return Some(now) };
        let waiting = bytes_in(self.busy_until - now, bandwidth.bytes_per_second);
        if waiting + length > bandwidth.queue.max(length) {
            return None;
        }
        self.busy_until = self.busy_until.max(now) + time_for(length, bandwidth.bytes_per_second);
        Some(self.busy_until)
    }

    fn loses(&mut self, rng: &mut ChaCha8Rng) -> bool {
        match self.conditions.loss {
            Loss::None => false,
            Loss::Random { probability } => happens(probability, rng),
            Loss::GilbertElliott { to_bad, to_good, good, bad } => {
                self.bad ^= happens(if self.bad { to_good } else { to_bad }, rng);
                happens(if self.bad { bad } else { good }, rng)
            }
        }
    }

    fn travel(&mut self, leaves: Instant, rng: &mut ChaCha8Rng) -> Arrival {
        let at = self.arrival(leaves, rng);
        let copied = happens(self.conditions.duplication, rng);
        Arrival { at, copy_at: copied.then(|| self.arrival(leaves, rng)) }
    }

    fn arrival(&mut self, leaves: Instant, rng: &mut ChaCha8Rng) -> Instant {
        let Conditions { latency, jitter, reordering, .. } = self.conditions;
        let mut at = leaves + latency;
        if !jitter.is_zero() {
            at += jitter.mul_f64(rng.random_range(0.0..1.0));
        }
        if happens(reordering.probability, rng) {
            return at + reordering.delay;
        }
        self.last_arrival = at.max(self.last_arrival);
        self.last_arrival
    }
}

/// Whether something of this probability happens. The certain and the impossible draw nothing.
fn happens(probability: f64, rng: &mut ChaCha8Rng) -> bool {
    probability > 0.0 && (probability >= 1.0 || rng.random_bool(probability))
}

fn bytes_in(time: Duration, bytes_per_second: u64) -> u64 {
    let bytes = time.as_nanos() * u128::from(bytes_per_second) / NANOS_PER_SECOND;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn time_for(bytes: u64, bytes_per_second: u64) -> Duration {
    let nanos = u128::from(bytes) * NANOS_PER_SECOND / u128::from(bytes_per_second.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

const NANOS_PER_SECOND: u128 = 1_000_000_000;
