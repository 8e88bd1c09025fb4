//! A worker: one thread, one machine, one poll, its own sockets.

mod abroad;
mod accept;
mod client;
mod control;
mod data;
mod handshakes;
mod neighbour;
mod poll;
mod relays;
mod splice;
mod streams;
mod token;

pub(crate) use neighbour::{Message, Neighbour, QUEUE};
pub(crate) use poll::{Poll, Waker};

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use pinhole_sansio::{FiveTuple, Instant};
use pinhole_stun::attribute::Family;
use pinhole_turn::server::{self, PortPool, Quota, Server};
use rustls::ServerConfig;
use tracing::info;

use crate::auth::Directory;
use crate::clock::{Clock, unix_time};
use crate::metrics::Counters;
use crate::report::Reporter;
use crate::socket::{Buffers, Inbox, Outbox, Udp};
use client::SCRATCH;
use neighbour::Abroad;
use poll::{Event, is_error};
use relays::UdpSockets;
use streams::Streams;
use token::Source;

/// What a worker is made of.
pub(crate) struct Parts {
    pub(crate) poll: Poll,
    /// Its place among its neighbours, of which it is one.
    pub(crate) number: u8,
    pub(crate) neighbours: Arc<[Neighbour]>,
    pub(crate) messages: Receiver<Message>,
    /// Whether there are any, as [`Neighbour::new`] was told.
    pub(crate) mail: Arc<AtomicBool>,
    pub(crate) clock: Clock,
    pub(crate) machine: server::Config,
    pub(crate) seed: [u8; 32],
    pub(crate) users: Directory,
    pub(crate) quota: Box<dyn Quota>,
    pub(crate) ports: Box<dyn PortPool>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) relay_buffers: Buffers,
    /// What clients have of it, before they have an allocation.
    pub(crate) patience: Duration,
    pub(crate) tls: Option<Arc<ServerConfig>>,
}

pub(crate) struct Worker {
    poll: Poll,
    number: u8,
    neighbours: Arc<[Neighbour]>,
    messages: Receiver<Message>,
    /// Whether there are messages that the poll has not told of yet.
    mail: Arc<AtomicBool>,
    is_over: bool,
    clock: Clock,
    server: Server<Directory>,
    udp: UdpSockets,
    streams: Streams,
    inbox: Inbox,
    outbox: Outbox,
    /// What is read of connections, until it is handled.
    scratch: Box<[u8]>,
    abroad: Abroad,
    /// The path of the datagram that is being handled. It is written and read in place: addresses that move
    /// are moved in pieces, some thirty instructions each.
    path: FiveTuple,
    /// Whether something was done since the last deadline was asked for that may have moved it: anything but to
    /// relay a datagram.
    is_deadline_moved: bool,
    /// When the wait ends, if that is set.
    alarm: Option<Instant>,
    /// Whose datagram is being handled, if another worker has received it.
    guest: Option<(FiveTuple, u8)>,
    /// Sources that had more to give than their turn allowed.
    unfinished: Vec<Source>,
    /// Room for the next turn's.
    spare: Vec<Source>,
    /// Sources for which the system had no descriptor, and when they are tried again.
    paused: Vec<Source>,
    paused_until: Instant,
    pub(crate) counters: Arc<Counters>,
    reporter: Reporter,
    relay_buffers: Buffers,
    tls: Option<Arc<ServerConfig>>,
    /// When the system's wall clock is read again.
    wall_clock_at: Instant,
}

impl Worker {
    pub(crate) fn new(parts: Parts) -> Self {
        let now = parts.clock.now();
        let server = Server::new(parts.machine, parts.users, parts.seed, unix_time(), now);
        Self {
            poll: parts.poll,
            number: parts.number,
            mail: parts.mail,
            neighbours: parts.neighbours,
            messages: parts.messages,
            is_over: false,
            clock: parts.clock,
            server: server.with_quota(parts.quota).with_ports(parts.ports),
            udp: UdpSockets::default(),
            streams: Streams::new(parts.patience),
            inbox: Inbox::new(),
            outbox: Outbox::new(),
            scratch: vec![0; SCRATCH].into_boxed_slice(),
            abroad: Abroad::default(),
            path: FiveTuple::udp(NOWHERE, NOWHERE),
            is_deadline_moved: true,
            alarm: None,
            guest: None,
            unfinished: Vec::new(),
            spare: Vec::new(),
            paused: Vec::new(),
            paused_until: now,
            counters: parts.counters,
            reporter: Reporter::new(),
            relay_buffers: parts.relay_buffers,
            tls: parts.tls,
            wall_clock_at: now + WALL_CLOCK,
        }
    }

    /// Serves clients at one more UDP socket.
    pub(crate) fn listen_udp(&mut self, udp: Udp) -> io::Result<()> {
        let other = if udp.local.is_ipv4() { Family::Ipv6 } else { Family::Ipv4 };
        if self.server.free_ports(other) > 0 {
            udp.set_ttl_told()?;
        }
        self.udp.listen(udp, &self.poll)
    }

    /// Serves clients at one more TCP socket.
    pub(crate) fn listen_tcp(&mut self, listener: TcpListener, tls_only: bool) -> io::Result<()> {
        self.streams.listen(listener, tls_only, &self.poll)
    }

    /// Serves until it is told to stop.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            if std::mem::take(&mut self.is_deadline_moved) {
                self.set_alarm()?;
            }
            self.poll.wait(&mut events, self.unfinished.is_empty())?;
            let now = self.clock.now();
            self.turn(&events, now);
            self.read_mail(now);
            if self.is_over {
                self.end(now);
                return Ok(());
            }
            self.resume_handshakes(now);
            self.flush_dirty(now);
        }
    }

    /// Serves each source once that something has happened to, or that was not finished with.
    #[inline]
    fn turn(&mut self, events: &[Event], now: Instant) {
        if !self.unfinished.is_empty() {
            return self.busy_turn(events, now);
        }
        let mut rest = events;
        while let [event, others @ ..] = rest {
            rest = others;
            self.handle_event(event, now);
            self.serve(Source::of(event), others, now);
        }
        if !self.outbox.is_empty() {
            self.flush();
        }
    }

    /// The same where there are sources that were not finished with.
    #[cold]
    fn busy_turn(&mut self, events: &[Event], now: Instant) {
        let mut rest = std::mem::replace(&mut self.unfinished, std::mem::take(&mut self.spare));
        rest.sort_unstable();
        rest.dedup();
        for event in events {
            self.handle_event(event, now);
            let source = Source::of(event);
            if rest.binary_search(&source).is_err() {
                self.serve(source, events, now);
            }
        }
        for source in rest.drain(..) {
            self.serve(source, events, now);
        }
        self.spare = rest;
        self.flush();
    }

    #[inline]
    fn handle_event(&mut self, event: &Event, now: Instant) {
        if is_error(event) {
            self.handle_error(Source::of(event), now);
        }
    }

    fn handle_error(&mut self, source: Source, now: Instant) {
        match source {
            Source::Relay(key) => self.read_errors(key, now),
            Source::Stream(key) => self.stream_failed(key, now),
            Source::Listener(_)
            | Source::Acceptor(_)
            | Source::PeerAcceptor(_)
            | Source::Timer
            | Source::Control => {}
        }
    }

    /// Serves a source. Some of the others may be served next in this turn.
    #[inline(always)]
    fn serve(&mut self, source: Source, others: &[Event], now: Instant) {
        let is_finished = match source {
            Source::Listener(number) => self.read_listener(number, now),
            Source::Relay(key) => {
                let is_followed = others.iter().any(|other| Source::of(other).is_relay());
                self.read_relay(key, is_followed, now)
            }
            Source::Acceptor(_)
            | Source::PeerAcceptor(_)
            | Source::Stream(_)
            | Source::Timer
            | Source::Control => self.serve_other(source, now),
        };
        if !is_finished {
            self.unfinished.push(source);
        }
    }

    /// Serves what is not on the data path, so that whatever it does may move a deadline.
    #[inline(never)]
    fn serve_other(&mut self, source: Source, now: Instant) -> bool {
        self.is_deadline_moved = true;
        let is_finished = match source {
            Source::Acceptor(number) => self.accept(number, now),
            Source::PeerAcceptor(key) => self.accept_peers(key, now),
            Source::Stream(key) => self.serve_stream(key, now),
            Source::Timer => {
                self.alarm = None;
                self.handle_timeout(now);
                true
            }
            Source::Control | Source::Listener(_) | Source::Relay(_) => true,
        };
        self.count();
        is_finished
    }

    /// Does what other threads have asked for.
    ///
    /// A worker that takes a client over tells so before it answers the client. So what comes from the
    /// client afterwards comes after the mail, if it is looked for whenever something has come.
    #[inline]
    fn read_mail(&mut self, now: Instant) {
        if self.mail.load(Ordering::Acquire) {
            self.handle_mail(now);
        }
    }

    #[cold]
    fn handle_mail(&mut self, now: Instant) {
        self.is_deadline_moved = true;
        self.mail.store(false, Ordering::Release);
        for _ in 0..LETTERS {
            let Ok(message) = self.messages.try_recv() else { return };
            self.handle_message(message, now);
        }
        // There may be more, and nobody tells of them once more.
        self.mail.store(true, Ordering::Release);
        self.unfinished.push(Source::Control);
    }

    fn handle_message(&mut self, message: Message, now: Instant) {
        match message {
            Message::Stop => self.is_over = true,
            Message::Certificate(tls) => self.tls = Some(tls),
            Message::Intake { is_open, alternate } => {
                self.server.set_alternate(alternate);
                if is_open {
                    self.server.reopen();
                } else {
                    self.server.drain();
                }
            }
            Message::Datagram { five_tuple, bytes, from } => {
                self.handle_forwarded(five_tuple, &bytes, from, now);
            }
            Message::Adopted { five_tuple, by } => self.abroad.adopted(five_tuple, by),
            Message::Released { five_tuple } => self.abroad.released(five_tuple),
            Message::Connection(guest) => self.take_over(*guest, now),
        }
    }

    /// Ends all allocations, and tells so.
    fn end(&mut self, now: Instant) {
        let allocations = self.server.end_all();
        self.obey(now);
        self.flush_dirty(now);
        info!(worker = self.number, allocations, "ended");
    }

    /// Sees that the wait ends when something is due. Where that is later than it was, an alarm comes to nothing.
    #[inline(never)]
    fn set_alarm(&mut self) -> io::Result<()> {
        let deadline = self.deadline();
        if self.alarm.is_none_or(|alarm| deadline < alarm) {
            self.poll.wake_at(deadline)?;
            self.alarm = Some(deadline);
        }
        Ok(())
    }

    /// When something is due next.
    fn deadline(&self) -> Instant {
        let paused = (!self.paused.is_empty()).then_some(self.paused_until);
        let deadlines = [self.server.poll_timeout(), self.streams.next_deadline(), paused];
        deadlines.into_iter().flatten().fold(self.wall_clock_at, Instant::min)
    }

    /// Does what is due.
    fn handle_timeout(&mut self, now: Instant) {
        self.server.handle_timeout(now);
        self.obey(now);
        self.expire_streams(now);
        if !self.paused.is_empty() && self.paused_until <= now {
            self.paused_until = now + PAUSE;
            self.unfinished.append(&mut self.paused);
        }
        if self.wall_clock_at <= now {
            self.server.set_unix_time(unix_time(), now);
            self.wall_clock_at = now + WALL_CLOCK;
        }
    }
}

/// Nobody's address.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
/// Messages of neighbours that are read at once: others may have more to tell than this worker has time for.
const LETTERS: usize = 256;
/// Events of one turn.
const EVENTS: usize = 1_024;
/// How often the system's wall clock is read, in case it was set.
const WALL_CLOCK: Duration = Duration::from_secs(10);
/// How long nobody is accepted when there are no descriptors.
const PAUSE: Duration = Duration::from_millis(250);
