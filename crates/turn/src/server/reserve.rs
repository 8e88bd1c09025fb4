//! What is held besides allocations: ports that are reserved or held by others, timers.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use pinhole_sansio::Instant;
use pinhole_stun::attribute::Family;
use rand::Rng;

use super::allocation::Key;
use super::port::{Ask, PortPool};
use super::quota::Owner;
use super::{Command, Server};
use crate::attribute::{ConnectionId, ReservationToken};

/// "The server MUST hold this reservation for at least 30 seconds" (RFC 8656 §7.2).
pub(super) const RESERVATION_LIFETIME: Duration = Duration::from_secs(30);
/// How long a port that somebody else holds is left alone.
const HOLD: Duration = Duration::from_secs(60);

/// What a timer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Allocation(Key),
    Reservation([u8; 8]),
    Held(Family, u16),
    Connection(ConnectionId),
}

/// A port that waits for the bearer of its token, with a socket, so that nobody else can bind it.
#[derive(Debug)]
pub(super) struct Reservation {
    /// Where the allocation will be.
    pub(super) key: Key,
    pub(super) family: Family,
    pub(super) port: u16,
    pub(super) owner: Owner,
    pub(super) expires: Instant,
}

/// The pool of ports, and what is on its way back there.
pub(super) struct Ports {
    pool: Box<dyn PortPool>,
    /// Ports whose sockets the driver has not been told to close yet, or may be closing now: another machine
    /// that shares the pool could not bind them.
    closing: Vec<(Family, u16)>,
}

impl Ports {
    pub(super) const fn new(pool: Box<dyn PortPool>) -> Self {
        Self { pool, closing: Vec::new() }
    }

    pub(super) fn count(&self, family: Family) -> usize {
        let closing = self.closing.iter().filter(|(of, _)| *of == family);
        self.pool.free(family) + closing.count()
    }

    pub(super) fn take(&mut self, family: Family, ask: Ask, random: u32) -> Option<u16> {
        self.pool.take(family, ask, random)
    }

    /// The driver has done all that it was told.
    #[inline]
    pub(super) fn settle(&mut self) {
        if !self.closing.is_empty() {
            self.give_back();
        }
    }

    #[cold]
    fn give_back(&mut self) {
        for (family, port) in self.closing.drain(..) {
            self.pool.release(family, port);
        }
    }
}

impl<U> Server<U> {
    /// Keeps a port for the bearer of a token, which is good once.
    pub(super) fn keep(&mut self, reservation: Reservation) -> ReservationToken {
        let mut token = [self.config.shard; 8];
        let [_, random @ ..] = &mut token;
        self.rng.fill_bytes(random);
        self.timers.insert((reservation.expires, Timer::Reservation(token)));
        self.reservations.insert(token, reservation);
        ReservationToken(token)
    }

    /// Ends a reservation; its port and its socket go to somebody.
    pub(super) fn claim(&mut self, token: ReservationToken) -> Option<Reservation> {
        let reservation = self.reservations.remove(&token.0)?;
        self.timers.remove(&(reservation.expires, Timer::Reservation(token.0)));
        Some(reservation)
    }

    /// Nobody has come for the port.
    pub(super) fn reservation_expired(&mut self, token: ReservationToken) {
        let Some(Reservation { key, family, port, owner, .. }) = self.claim(token) else { return };
        self.quota.discharge(owner.holder(), 1);
        self.close_spare(key, family, port);
    }

    /// Closes the socket of a port that nobody has.
    pub(super) fn close_spare(&mut self, key: Key, family: Family, port: u16) {
        self.spares.remove(&key);
        self.commands.push_back(Command::CloseRelay { relay: key.relay(family) });
        self.release(family, port);
        self.allocations.vacate(key);
    }

    /// Puts a port back, as soon as its socket is closed.
    pub(super) fn release(&mut self, family: Family, port: u16) {
        self.ports.closing.push((family, port));
    }

    /// Leaves a port alone that somebody else holds.
    pub(super) fn hold(&mut self, family: Family, port: u16, now: Instant) {
        self.timers.insert((now + HOLD, Timer::Held(family, port)));
    }
}
