//! A thread with its share of the allocations and peers.

mod pace;
mod traffic;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token};
use pinhole_sansio::Instant;
use pinhole_turn::client::Reason;
use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

use crate::allocation::{Allocation, Stage};
use crate::failure::Failure;
use crate::link::{Inbox, UdpLink};
use crate::shared::{Phase, Shared, add};
use pace::Pace;
use traffic::Tally;

pub(crate) struct Worker {
    shared: Arc<Shared>,
    /// How many allocations are this worker's.
    share: usize,
    poll: Poll,
    allocations: Vec<Allocation>,
    peers: Vec<UdpLink>,
    /// The deadlines of the client machines.
    timers: BTreeSet<(Instant, usize)>,
    inbox: Inbox,
    outbox: Vec<u8>,
    rng: ChaCha12Rng,
    /// The allocation that is the next to go on, in the present phase.
    next: usize,
    /// How many are through with the present phase.
    done: usize,
    /// How many allocations were asked for once more.
    again: usize,
    reported: Option<Phase>,
    pace: Option<Pace>,
    tally: Tally,
    reporter: Sender<Report>,
}

/// What a worker says.
pub(crate) enum Report {
    /// The phase is over for this worker's allocations.
    Finished(Instant),
    Failed(Failure),
}

impl Worker {
    pub(crate) fn new(
        shared: Arc<Shared>,
        share: usize,
        seed: [u8; 32],
        reporter: Sender<Report>,
    ) -> Result<Self, Failure> {
        let mut worker = Self {
            shared,
            share,
            poll: Poll::new()?,
            allocations: Vec::with_capacity(share),
            peers: Vec::new(),
            timers: BTreeSet::new(),
            inbox: Inbox::new(),
            outbox: Vec::new(),
            rng: ChaCha12Rng::from_seed(seed),
            next: 0,
            done: 0,
            again: 0,
            reported: None,
            pace: None,
            tally: Tally::default(),
            reporter,
        };
        worker.open_peers()?;
        Ok(worker)
    }

    /// A peer for each allocation, up to a number that serves all of them.
    fn open_peers(&mut self) -> Result<(), Failure> {
        let count =
            if self.shared.settings.between_clients { 0 } else { self.share.min(MAX_PEERS) };
        for index in 0..count {
            let ip = self.shared.settings.peer;
            let mut peer = UdpLink::bind(ip).map_err(|error| Failure::Here(ip, error))?;
            let token = Token(FIRST_PEER + index);
            self.poll.registry().register(peer.source(), token, Interest::READABLE)?;
            self.peers.push(peer);
        }
        Ok(())
    }

    /// Works until all is over; the latencies that were seen, in nanoseconds.
    pub(crate) fn run(mut self) -> Histogram<u64> {
        if let Err(failure) = self.work() {
            // Nobody listens any more once another failure has ended the run.
            let _ = self.reporter.send(Report::Failed(failure));
        }
        self.leave();
        self.tally.latency
    }

    /// Ends the allocations that a failure has left behind, without waiting for an answer.
    fn leave(&mut self) {
        let now = self.shared.clock.now();
        for allocation in self.allocations.iter_mut().filter(|it| it.stage != Stage::Closed) {
            allocation.close(now);
            // It was a courtesy: if it fails, they expire.
            let _ = allocation.advance(now);
        }
    }

    fn work(&mut self) -> Result<(), Failure> {
        let mut events = Events::with_capacity(1_024);
        let mut phase = Phase::Allocate;
        loop {
            let wanted = self.shared.phase();
            if wanted != phase {
                (phase, self.next, self.done, self.pace) = (wanted, 0, 0, None);
                if phase == Phase::Bind && self.shared.settings.between_clients {
                    self.pair();
                }
            }
            match phase {
                Phase::Allocate => self.allocate()?,
                Phase::Bind => self.each(Allocation::bind)?,
                Phase::Send => self.send(),
                Phase::Hold => {}
                Phase::Close => self.each(Allocation::close)?,
                Phase::Over => return Ok(()),
            }
            self.report(phase);
            self.wait(phase, &mut events)?;
            self.handle_timeouts()?;
            self.tally.publish(&self.shared.counters);
        }
    }

    /// Starts more allocations, some at a time.
    fn allocate(&mut self) -> Result<(), Failure> {
        while self.allocations.len() < self.share && self.allocations.len() < self.done + WINDOW {
            let index = self.allocations.len();
            let allocation = self.start(index)?;
            self.allocations.push(allocation);
            self.advance(index)?;
        }
        Ok(())
    }

    fn start(&mut self, index: usize) -> Result<Allocation, Failure> {
        let settings = &self.shared.settings;
        let peer = self.peers.get(index % self.peers.len().max(1));
        let peer = peer.map_or_else(|| Ok((settings.peer, 0).into()), UdpLink::local_address)?;
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let now = self.shared.clock.now();
        let source = settings.sources.map(|sources| sources.of(index));
        let mut allocation =
            Allocation::start(settings, source, peer, seed, now).map_err(|error| match source {
                Some(source) => Failure::Here(source, error),
                None => Failure::Socket(settings.target.server.address, error),
            })?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(allocation.link.source(), Token(index), interest)?;
        Ok(allocation)
    }

    /// "The client SHOULD pick another client transport address and retry" (RFC 8656 §7.4, error 437): an earlier run
    /// had this port, and the server has not forgotten it yet.
    fn start_again(&mut self, index: usize) -> Result<(), Failure> {
        self.again += 1;
        let fresh = self.start(index)?;
        if let Some(allocation) = self.allocations.get_mut(index) {
            if let Some(old) = allocation.scheduled {
                self.timers.remove(&(old, index));
            }
            *allocation = fresh;
        }
        self.advance(index)
    }

    /// Makes each two allocations each other's peers; an odd one is its own.
    fn pair(&mut self) {
        let relayed: Vec<_> = self.allocations.iter().map(|it| it.stage.relayed()).collect();
        for (index, allocation) in self.allocations.iter_mut().enumerate() {
            let partner = relayed.get(index ^ 1).or_else(|| relayed.get(index)).copied();
            if let Some(address) = partner.flatten() {
                allocation.peer = address;
            }
        }
    }

    /// Takes more allocations to the next stage, some at a time.
    fn each(&mut self, step: impl Fn(&mut Allocation, Instant)) -> Result<(), Failure> {
        while self.next < self.allocations.len() && self.next < self.done + WINDOW {
            let now = self.shared.clock.now();
            if let Some(allocation) = self.allocations.get_mut(self.next) {
                step(allocation, now);
            }
            self.next += 1;
            self.advance(self.next - 1)?;
        }
        Ok(())
    }

    /// Lets a client machine say what it has to say, and keeps its deadline.
    fn advance(&mut self, index: usize) -> Result<(), Failure> {
        let Some(allocation) = self.allocations.get_mut(index) else { return Ok(()) };
        let before = allocation.stage;
        match allocation.advance(self.shared.clock.now()) {
            Err(Failure::Allocation(_, Reason::Code(437)))
                if before == Stage::Allocating && self.again < self.share + WINDOW =>
            {
                return self.start_again(index);
            }
            advanced => advanced?,
        }
        let deadline = allocation.client.poll_timeout();
        if deadline != allocation.scheduled {
            if let Some(old) = allocation.scheduled {
                self.timers.remove(&(old, index));
            }
            self.timers.extend(deadline.map(|at| (at, index)));
            allocation.scheduled = deadline;
        }
        if before != allocation.stage {
            self.count(index);
        }
        Ok(())
    }

    /// Counts an allocation that is through with a phase.
    fn count(&mut self, index: usize) {
        let counters = &self.shared.counters;
        let counter = match self.allocations.get(index).map(|allocation| allocation.stage) {
            Some(Stage::Allocated { .. }) => &counters.allocated,
            Some(Stage::Ready { .. }) => &counters.ready,
            Some(Stage::Closed) => &counters.closed,
            Some(Stage::Allocating | Stage::Binding { .. } | Stage::Closing) | None => return,
        };
        self.done += 1;
        add(counter, 1);
    }

    /// Says once that a phase is over here.
    fn report(&mut self, phase: Phase) {
        if self.done == self.share && self.reported != Some(phase) {
            self.reported = Some(phase);
            let _ = self.reporter.send(Report::Finished(self.shared.clock.now()));
        }
    }

    fn wait(&mut self, phase: Phase, events: &mut Events) -> Result<(), Failure> {
        let patience = if phase == Phase::Send { TICK } else { IDLE };
        match self.poll.poll(events, Some(patience)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        for event in events.iter() {
            match event.token().0 {
                index @ FIRST_PEER.. => self.receive_from_peer(index - FIRST_PEER)?,
                index => {
                    self.receive_from_server(index)?;
                    self.advance(index)?;
                }
            }
        }
        Ok(())
    }

    fn handle_timeouts(&mut self) -> Result<(), Failure> {
        let now = self.shared.clock.now();
        while let Some(&(at, index)) = self.timers.first()
            && at <= now
        {
            self.timers.pop_first();
            if let Some(allocation) = self.allocations.get_mut(index) {
                allocation.scheduled = None;
                allocation.client.handle_timeout(now);
            }
            self.advance(index)?;
        }
        Ok(())
    }
}

/// How many allocations are on their way to the next stage at once.
const WINDOW: usize = 64;
/// As many sockets as this serve the peers of any number of allocations.
const MAX_PEERS: usize = 64;
/// Tokens from here on are the peers'.
const FIRST_PEER: usize = 1 << 32;
/// How often packets are sent.
const TICK: Duration = Duration::from_millis(1);
/// How soon a worker sees that the phase has changed.
const IDLE: Duration = Duration::from_millis(2);
