//! What workers tell one another, off the hot path.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};

use foldhash::quality::RandomState;
use pinhole_sansio::FiveTuple;
use pinhole_stun::StreamBuffer;
use pinhole_turn::server::Alternate;
use rustls::ServerConfig;

use super::poll::Waker;
use crate::stream::Wire;

/// What another thread tells a worker.
pub(crate) enum Message {
    /// Close all allocations, and end.
    Stop,
    /// The certificate for connections from now on.
    Certificate(Arc<ServerConfig>),
    /// Whether there are new allocations from now on, and where clients are sent that get none.
    Intake { is_open: bool, alternate: Option<Alternate> },
    /// A client's datagram, for whose allocation the receiver has the machine.
    Datagram {
        five_tuple: FiveTuple,
        bytes: Box<[u8]>,
        /// The worker that the kernel gives this client's datagrams to.
        from: u8,
    },
    /// The sender has this client's allocation: what comes from it is the sender's.
    Adopted { five_tuple: FiveTuple, by: u8 },
    /// That is over.
    Released { five_tuple: FiveTuple },
    /// A connection whose next message names the receiver.
    Connection(Box<Guest>),
}

/// A connection that moves from one worker to another, with what has been read of it.
pub(crate) struct Guest {
    pub(crate) wire: Wire,
    pub(crate) five_tuple: FiveTuple,
    /// What has been read, from the message on that made it move.
    pub(crate) input: StreamBuffer,
}

/// The way to a worker.
pub(crate) struct Neighbour {
    pub(crate) messages: SyncSender<Message>,
    pub(crate) waker: Waker,
    /// Whether there are messages, for a worker that is busy with something else.
    mail: Arc<AtomicBool>,
}

impl Neighbour {
    pub(crate) const fn new(
        messages: SyncSender<Message>,
        waker: Waker,
        mail: Arc<AtomicBool>,
    ) -> Self {
        Self { messages, waker, mail }
    }

    /// Tells it, unless it has too much to do: then the message is lost, as a datagram would be.
    pub(crate) fn tell(&self, message: Message) -> bool {
        let is_told = match self.messages.try_send(message) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        };
        is_told && self.wake()
    }

    fn wake(&self) -> bool {
        self.mail.store(true, Ordering::Release);
        self.waker.wake().is_ok()
    }

    /// Tells it, even if that takes a while; for threads that relay nothing.
    pub(crate) fn insist(&self, message: Message) {
        // A worker that has ended needs to know nothing, and one with a full queue is awake.
        self.messages.send(message).unwrap_or_default();
        self.wake();
    }
}

/// How many messages may wait for a worker.
pub(crate) const QUEUE: usize = 4_096;

/// Clients whose datagrams the kernel gives to one worker while another has their allocation: those
/// that used a reservation token or a mobility ticket.
#[derive(Default)]
pub(super) struct Abroad {
    /// Where the allocations of clients are whose datagrams come here.
    homes: HashMap<FiveTuple, u8, RandomState>,
    /// Where the datagrams of clients come whose allocations are here.
    guests: HashMap<FiveTuple, u8, RandomState>,
}

/// Entries of each table. A client that finds no room has to allocate anew.
const LIMIT: usize = 1 << 16;

impl Abroad {
    /// Whether no datagram that comes here is for another worker, as nearly always.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.homes.is_empty()
    }

    /// The worker that has this client's allocation, if it is another one.
    #[inline]
    pub(super) fn home(&self, five_tuple: &FiveTuple) -> Option<u8> {
        self.homes.get(five_tuple).copied()
    }

    pub(super) fn adopted(&mut self, five_tuple: FiveTuple, by: u8) {
        if self.homes.len() < LIMIT {
            self.homes.insert(five_tuple, by);
        }
    }

    pub(super) fn released(&mut self, five_tuple: FiveTuple) {
        self.homes.remove(&five_tuple);
    }

    /// This worker has an allocation for a client whose datagrams come to another one; whether that is
    /// news, and there is room.
    pub(super) fn adopt(&mut self, five_tuple: FiveTuple, from: u8) -> bool {
        self.guests.len() < LIMIT && self.guests.insert(five_tuple, from) != Some(from)
    }

    /// The client's allocation is over; who has to know it.
    pub(super) fn release(&mut self, five_tuple: FiveTuple) -> Option<u8> {
        if self.guests.is_empty() { None } else { self.guests.remove(&five_tuple) }
    }
}
