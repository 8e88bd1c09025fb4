mod build;
mod drive;
mod fault;
mod forward;
mod view;

use std::any::Any;
use std::time::Duration;

use pinhole_sansio::Instant;
use rand::rngs::ChaCha8Rng;

use build::Access;
pub use build::{GatewayBuilder, HostBuilder};

use crate::arena::{Arena, GatewayId, LinkId, NetworkId};
use crate::drops::Drops;
use crate::gateway::Gateway;
use crate::host::{Host, HostId, HostIndex};
use crate::link::{Direction, Link};
use crate::node::Node;
use crate::packet::Packet;
use crate::queue::Queue;
use crate::router::Network;
use crate::seed::Seed;
use crate::trace::{Recording, Trace};
use crate::violation::{Breach, MAX_EVENTS_AT_ONCE, Violation};

/// A simulated Internet on a virtual clock that starts at [`Instant::ZERO`].
///
/// Everything that happens is a function of the seed and of the calls that were made.
pub struct World {
    seed: Seed,
    rng: ChaCha8Rng,
    now: Instant,
    queue: Queue<Event>,
    hosts: Arena<HostIndex, Host>,
    networks: Arena<NetworkId, Network>,
    gateways: Arena<GatewayId, Gateway>,
    links: Arena<LinkId, Link>,
    trace: Trace,
    drops: Drops,
    packets: u64,
    partitions: u32,
    /// How many events have happened at this instant.
    events_at_once: u32,
    violation: Option<Box<Violation>>,
    plan: build::AddressPlan,
}

/// What waits in the queue.
enum Event {
    /// A packet leaves a link.
    Arrival { link: LinkId, direction: Direction, packet: Box<Packet> },
    /// A host has time for a packet that had to wait.
    Delivery { host: HostIndex, packet: Box<Packet> },
    /// A host gets an interface.
    Attachment { host: HostIndex, access: Box<Access> },
    /// A host's deadline may have passed.
    Wake { host: HostIndex },
    /// A SYN that a NAT refused has waited for an answer from the inside.
    LateReport { network: NetworkId, packet: Box<Packet> },
}

impl World {
    /// A world with one network, the Internet's core, and nothing on it.
    #[must_use]
    pub fn new(seed: impl Into<Seed>) -> Self {
        let seed = seed.into();
        let mut world = Self {
            seed,
            rng: seed.generator(),
            now: Instant::ZERO,
            queue: Queue::new(),
            hosts: Arena::new(),
            networks: Arena::new(),
            gateways: Arena::new(),
            links: Arena::new(),
            trace: Trace::new(),
            drops: Drops::default(),
            packets: 0,
            partitions: 0,
            events_at_once: 0,
            violation: None,
            plan: build::AddressPlan::default(),
        };
        world.add_core();
        world
    }

    /// Calls `act` with the node of `host` and its time, then sends what the node has to send.
    pub fn with<T: Node, R>(
        &mut self,
        host: HostId<T>,
        act: impl FnOnce(&mut T, Instant) -> R,
    ) -> R {
        let state = &mut self.hosts[host.index()];
        let now = state.time(self.now);
        let node: &mut dyn Any = &mut *state.node;
        let answer = act(node.downcast_mut().expect("a host keeps the type of its node"), now);
        self.drain(host.index());
        answer
    }

    /// Lets everything happen that is due within `duration`, and moves the clock on by it.
    ///
    /// # Panics
    ///
    /// When a machine breaks its contract; see [`Violation`].
    #[track_caller]
    pub fn run_for(&mut self, duration: Duration) {
        let until = self.now + duration;
        self.run_until(until);
    }

    /// Lets everything happen that is due until `until`, and moves the clock there.
    ///
    /// # Panics
    ///
    /// When a machine breaks its contract; see [`Violation`].
    #[track_caller]
    pub fn run_until(&mut self, until: Instant) {
        if let Err(violation) = self.try_run_until(until) {
            panic!("{violation}");
        }
    }

    /// Lets things happen until `done`, asked after each of them, or until `limit` has passed.
    /// The answer is whether it was `done`; if so, the clock stands where it became so.
    ///
    /// # Panics
    ///
    /// When a machine breaks its contract; see [`Violation`].
    #[track_caller]
    pub fn run_until_done(&mut self, limit: Duration, done: impl FnMut(&Self) -> bool) -> bool {
        match self.try_run_until_done(limit, done) {
            Ok(done) => done,
            Err(violation) => panic!("{violation}"),
        }
    }

    /// [`run_until`](Self::run_until) for callers that go on after a violation.
    ///
    /// # Errors
    ///
    /// The first contract that a machine broke. The world stands still from then on.
    pub fn try_run_until(&mut self, until: Instant) -> Result<(), Box<Violation>> {
        while self.next_event_at().is_some_and(|at| at <= until) {
            self.step()?;
        }
        self.check()?;
        self.now = self.now.max(until);
        Ok(())
    }

    /// [`run_until_done`](Self::run_until_done) for callers that go on after a violation.
    ///
    /// # Errors
    ///
    /// The first contract that a machine broke. The world stands still from then on.
    pub fn try_run_until_done(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Result<bool, Box<Violation>> {
        let limit = self.now + limit;
        while !done(self) {
            if self.next_event_at().is_none_or(|at| at > limit) {
                self.check()?;
                self.now = limit;
                return Ok(done(self));
            }
            self.step()?;
        }
        Ok(true)
    }

    /// Lets the next thing happen. `false` when nothing is left to happen.
    ///
    /// # Errors
    ///
    /// The first contract that a machine broke. The world stands still from then on.
    pub fn step(&mut self) -> Result<bool, Box<Violation>> {
        self.check()?;
        let Some((at, event)) = self.queue.pop() else { return Ok(false) };
        self.count_event(at);
        match event {
            Event::Arrival { link, direction, packet } => self.arrive(link, direction, packet),
            Event::Delivery { host, packet } => self.deliver_late(host, packet),
            Event::Attachment { host, access } => self.add_interface(host, *access),
            Event::Wake { host } => self.wake(host, at),
            Event::LateReport { network, packet } => self.report_late(network, &packet),
        }
        self.check()?;
        Ok(true)
    }

    /// How much the trace remembers from now on. At first it is a short tail.
    pub fn record(&mut self, recording: Recording) {
        self.trace.set_recording(recording);
    }

    fn count_event(&mut self, at: Instant) {
        self.events_at_once = if at > self.now { 0 } else { self.events_at_once + 1 };
        self.now = self.now.max(at);
        if self.events_at_once > MAX_EVENTS_AT_ONCE {
            let events = self.events_at_once;
            self.blame("the world".to_owned(), Breach::StandsStill { events });
        }
    }

    fn check(&self) -> Result<(), Box<Violation>> {
        self.violation.clone().map_or(Ok(()), Err)
    }
}
