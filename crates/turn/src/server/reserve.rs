//! What is held besides allocations: ports that are reserved or held by others, timers.

use core::time::Duration;

use pinhole_sansio::Instant;
use pinhole_stun::attribute::Family;
use rand::Rng;

use super::allocation::Key;
use super::port::PortPool;
use super::quota::Owner;
use super::{Command, Config, Server};
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

/// The ports of both relay hosts.
#[derive(Debug)]
pub(super) struct Ports {
    v4: PortPool,
    v6: PortPool,
}

impl Ports {
    pub(super) fn new(config: &Config) -> Self {
        let pool = |family| match config.relay(family) {
            Some(_) => PortPool::new(&config.ports),
            #[expect(clippy::reversed_empty_ranges, reason = "no host, no ports")]
            None => PortPool::new(&(1..=0)),
        };
        Self { v4: pool(Family::Ipv4), v6: pool(Family::Ipv6) }
    }

    pub(super) fn count(&self, family: Family) -> usize {
        match family {
            Family::Ipv4 => self.v4.free_ports(),
            Family::Ipv6 => self.v6.free_ports(),
        }
    }

    pub(super) const fn of(&mut self, family: Family) -> &mut PortPool {
        match family {
            Family::Ipv4 => &mut self.v4,
            Family::Ipv6 => &mut self.v6,
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

    pub(super) fn release(&mut self, family: Family, port: u16) {
        self.ports.of(family).release(port);
    }

    /// Leaves a port alone that somebody else holds.
    pub(super) fn hold(&mut self, family: Family, port: u16, now: Instant) {
        self.timers.insert((now + HOLD, Timer::Held(family, port)));
    }
}
