//! TCP: reliable, ordered byte streams, as much of them as TURN over TCP and ICE-TCP need.

mod congestion;
mod connection;
mod receiver;
mod segment;
mod sender;
mod timer;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use pinhole_sansio::{FiveTuple, Instant, Transport};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use crate::icmp::IcmpKind;
use connection::{Connection, Outcome};
pub(crate) use segment::{Flags, Segment};

/// What a node asks of its host's TCP.
///
/// Bytes are written with a [`Transmit`](pinhole_sansio::Transmit) over [`Transport::Tcp`] or
/// [`Transport::Tls`]; what is written before the handshake is done waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamCommand {
    /// Accept connections to this address.
    Listen(SocketAddr),
    /// Accept no more; connections that are there stay.
    StopListening(SocketAddr),
    /// Open a connection from `local` to `remote`.
    Connect(FiveTuple),
    /// Send what was written, and what the node has to transmit at this moment, then no more.
    Close(FiveTuple),
    /// End the connection at once, on both sides. No event follows on this one.
    Reset(FiveTuple),
}

/// What happened to a TCP connection. The five-tuple's `local` is the host's own address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEvent {
    /// A connection that this host asked for is open.
    Connected(FiveTuple),
    /// A peer opened a connection.
    Accepted(FiveTuple),
    /// Bytes arrived, in order. Segment boundaries mean nothing.
    Received(FiveTuple, Vec<u8>),
    /// The peer sends no more; this host still may.
    Finished(FiveTuple),
    /// The connection is over.
    Closed(FiveTuple, CloseReason),
}

/// Why a TCP connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// Both sides closed it.
    #[error("both sides closed")]
    Finished,
    /// Nobody listened.
    #[error("refused")]
    Refused,
    /// The peer reset it.
    #[error("reset by the peer")]
    Reset,
    /// The peer did not answer.
    #[error("timed out")]
    TimedOut,
    /// The network said so while it was being opened.
    #[error("{0}")]
    Unreachable(IcmpKind),
}

/// The TCP of one host.
#[derive(Default)]
pub(crate) struct Stack {
    listening: BTreeSet<SocketAddr>,
    connections: BTreeMap<Key, Connection>,
    /// Connections to close as soon as the node has nothing more to write.
    closing: VecDeque<Key>,
    segments: VecDeque<(Key, Segment)>,
    events: VecDeque<StreamEvent>,
}

/// Names a connection on its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

impl Key {
    const fn of(five_tuple: FiveTuple) -> Self {
        Self { local: five_tuple.local, remote: five_tuple.remote }
    }

    const fn five_tuple(self) -> FiveTuple {
        FiveTuple { transport: Transport::Tcp, local: self.local, remote: self.remote }
    }
}

impl Stack {
    pub(crate) fn command(&mut self, command: StreamCommand, now: Instant, rng: &mut ChaCha8Rng) {
        match command {
            StreamCommand::Listen(local) => {
                self.listening.insert(local);
            }
            StreamCommand::StopListening(local) => {
                self.listening.remove(&local);
            }
            StreamCommand::Connect(five_tuple) => {
                let key = Key::of(five_tuple);
                self.connections
                    .entry(key)
                    .or_insert_with(|| Connection::connect(rng.random::<u32>().into()));
                self.flush(key, now);
            }
            StreamCommand::Close(five_tuple) => self.closing.push_back(Key::of(five_tuple)),
            StreamCommand::Reset(five_tuple) => {
                let key = Key::of(five_tuple);
                if let Some(connection) = self.connections.remove(&key) {
                    self.segments.push_back((key, connection.abort()));
                }
            }
        }
    }

    /// Carries out one [`StreamCommand::Close`]. `false` when none waits.
    pub(crate) fn close_next(&mut self, now: Instant) -> bool {
        let Some(key) = self.closing.pop_front() else { return false };
        if let Some(connection) = self.connections.get_mut(&key) {
            connection.close();
            self.flush(key, now);
        }
        true
    }

    /// Writes to a connection. `false` when there is none.
    pub(crate) fn write(&mut self, five_tuple: FiveTuple, bytes: &[u8], now: Instant) -> bool {
        let key = Key::of(five_tuple);
        let Some(connection) = self.connections.get_mut(&key) else { return false };
        connection.write(bytes);
        self.flush(key, now);
        true
    }

    pub(crate) fn handle_segment(
        &mut self,
        key: Key,
        segment: &Segment,
        now: Instant,
        rng: &mut ChaCha8Rng,
    ) {
        if !self.connections.contains_key(&key) {
            if segment.flags.is_opening() && self.listening.contains(&key.local) {
                let syn = rng.random::<u32>().into();
                self.connections.insert(key, Connection::accept(syn, segment));
                self.flush(key, now);
            } else if !segment.flags.has(Flags::RST) {
                self.segments.push_back((key, segment.refusal_of()));
            }
            return;
        }
        self.advance(key, now, |connection| connection.handle_segment(segment, now));
    }

    /// An ICMP error for a segment that `five_tuple` names as it was sent.
    pub(crate) fn handle_icmp(&mut self, five_tuple: FiveTuple, kind: IcmpKind, now: Instant) {
        self.advance(Key::of(five_tuple), now, |connection| connection.handle_icmp(kind));
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let is_due = |connection: &Connection| connection.deadline().is_some_and(|at| at <= now);
        let due = self.connections.iter().filter(|(_, connection)| is_due(connection));
        let due: Vec<_> = due.map(|(&key, _)| key).collect();
        for key in due {
            self.advance(key, now, |connection| connection.handle_timeout(now));
        }
    }

    pub(crate) fn poll_segment(&mut self) -> Option<(Key, Segment)> {
        self.segments.pop_front()
    }

    pub(crate) fn poll_event(&mut self) -> Option<StreamEvent> {
        self.events.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.connections.values().filter_map(Connection::deadline).min()
    }

    /// Lets a connection act, tells what came of it, and sends what it has to send.
    fn advance(&mut self, key: Key, now: Instant, act: impl FnOnce(&mut Connection) -> Outcome) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let outcome = act(connection);
        let five_tuple = key.five_tuple();
        if outcome.opened {
            let is_active = connection.is_active();
            let event = if is_active { StreamEvent::Connected } else { StreamEvent::Accepted };
            self.events.push_back(event(five_tuple));
        }
        if !outcome.bytes.is_empty() {
            self.events.push_back(StreamEvent::Received(five_tuple, outcome.bytes));
        }
        if outcome.finished {
            self.events.push_back(StreamEvent::Finished(five_tuple));
        }
        // The last acknowledgment still goes out; a broken connection has nothing more to say.
        if outcome.closed.is_none_or(|reason| reason == CloseReason::Finished) {
            self.flush(key, now);
        }
        if let Some(reason) = outcome.closed {
            self.connections.remove(&key);
            self.events.push_back(StreamEvent::Closed(five_tuple, reason));
        }
    }

    fn flush(&mut self, key: Key, now: Instant) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        while let Some(segment) = connection.poll_segment(now) {
            self.segments.push_back((key, segment));
        }
    }
}
