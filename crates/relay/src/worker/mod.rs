//! A worker: one thread, one machine, one poll, its own sockets.

mod control;
mod data;
mod relays;
mod token;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use mio::{Events, Poll};
use pinhole_sansio::Instant;
use pinhole_turn::server::Server;

use crate::auth::Directory;
use crate::clock::{Clock, unix_time};
use crate::metrics::Counters;
use crate::socket::{Buffers, Inbox, Outbox, Udp};
use relays::UdpSockets;
pub(crate) use token::Source;

/// What another thread tells a worker.
#[derive(Debug)]
pub(crate) enum Message {
    /// Close all allocations, and end.
    Stop,
}

/// What a worker is made of.
pub(crate) struct Parts {
    pub(crate) poll: Poll,
    pub(crate) machine: pinhole_turn::server::Config,
    pub(crate) seed: [u8; 32],
    pub(crate) users: Directory,
    pub(crate) messages: Receiver<Message>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) relay_buffers: Buffers,
}

pub(crate) struct Worker {
    poll: Poll,
    clock: Clock,
    server: Server<Directory>,
    udp: UdpSockets,
    inbox: Inbox,
    outbox: Outbox,
    /// Sources that had more to give than their turn allowed.
    unfinished: VecDeque<Source>,
    messages: Receiver<Message>,
    counters: Arc<Counters>,
    relay_buffers: Buffers,
    /// When the system's wall clock is read again.
    wall_clock_at: Instant,
}

impl Worker {
    pub(crate) fn new(parts: Parts) -> Self {
        let clock = Clock::start();
        let now = clock.now();
        let server = Server::new(parts.machine, parts.users, parts.seed, unix_time(), now);
        Self {
            poll: parts.poll,
            clock,
            server,
            udp: UdpSockets::default(),
            inbox: Inbox::new(),
            outbox: Outbox::new(),
            unfinished: VecDeque::new(),
            messages: parts.messages,
            counters: parts.counters,
            relay_buffers: parts.relay_buffers,
            wall_clock_at: now + WALL_CLOCK,
        }
    }

    /// Serves clients at one more socket.
    pub(crate) fn listen(&mut self, udp: Udp) -> io::Result<()> {
        self.udp.listen(udp, self.poll.registry())
    }

    /// Serves until it is told to stop.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            let timeout = self.timeout();
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            let now = self.clock.now();
            let turns = self.unfinished.len();
            for event in &events {
                let source = Source::of(event.token());
                if event.is_error()
                    && let Source::Relay(key) = source
                {
                    self.read_errors(key, now);
                }
                self.serve(source, now);
            }
            for _ in 0..turns {
                let Some(source) = self.unfinished.pop_front() else { break };
                self.serve(source, now);
            }
            if self.has_to_stop() {
                return Ok(());
            }
            self.handle_timeout(now);
        }
    }

    fn serve(&mut self, source: Source, now: Instant) {
        let is_finished = match source {
            Source::Listener(number) => self.read_listener(number, now),
            Source::Relay(key) => self.read_relay(key, now),
            Source::Control | Source::Acceptor(_) | Source::PeerAcceptor(_) | Source::Stream(_) => {
                true
            }
        };
        if !is_finished {
            self.unfinished.push_back(source);
        }
    }

    fn timeout(&self) -> Option<Duration> {
        if !self.unfinished.is_empty() {
            return Some(Duration::ZERO);
        }
        let machine = self.server.poll_timeout();
        let at = machine.map_or(self.wall_clock_at, |at| at.min(self.wall_clock_at));
        Some(at - self.clock.now())
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.server.poll_timeout().is_some_and(|at| at <= now) {
            self.server.handle_timeout(now);
            self.obey(now);
        }
        if self.wall_clock_at <= now {
            self.server.set_unix_time(unix_time(), now);
            self.wall_clock_at = now + WALL_CLOCK;
        }
    }

    fn has_to_stop(&self) -> bool {
        match self.messages.try_recv() {
            Ok(Message::Stop) | Err(TryRecvError::Disconnected) => true,
            Err(TryRecvError::Empty) => false,
        }
    }
}

/// Events of one turn.
const EVENTS: usize = 1_024;
/// How often the system's wall clock is read, in case it was set.
const WALL_CLOCK: Duration = Duration::from_secs(10);
