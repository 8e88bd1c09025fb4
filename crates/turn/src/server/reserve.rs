//! What is held besides allocations: quotas, ports that are reserved or held by others, timers.

use alloc::boxed::Box;
use core::time::Duration;

use foldhash::quality::SeedableRandomState;
use hashbrown::HashMap;
use pinhole_sansio::Instant;
use pinhole_stun::attribute::Family;
use rand::Rng;

use super::allocation::Key;
use super::port::PortPool;
use super::{Config, Server};
use crate::attribute::{ConnectionId, ReservationToken};

/// "The server MUST hold this reservation for at least 30 seconds" (RFC 8656 §7.2).
const RESERVATION_LIFETIME: Duration = Duration::from_secs(30);
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

/// A port that waits for the bearer of its token.
#[derive(Debug)]
pub(super) struct Reservation {
    pub(super) family: Family,
    pub(super) port: u16,
    owner: Box<str>,
    expires: Instant,
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

/// How much each user has, and all of them.
#[derive(Debug)]
pub(super) struct Quota {
    users: HashMap<Box<str>, u32, SeedableRandomState>,
    total: u32,
    per_user: u32,
    limit: u32,
}

impl Quota {
    pub(super) const fn new(per_user: u32, limit: u32, hasher: SeedableRandomState) -> Self {
        Self { users: HashMap::with_hasher(hasher), total: 0, per_user, limit }
    }

    /// Counts `count` more for this user; false, and nothing counted, if that is too much.
    #[must_use]
    pub(super) fn charge(&mut self, user: &str, count: u32) -> bool {
        let has = self.users.get(user).copied().unwrap_or(0);
        if has + count > self.per_user || self.total + count > self.limit {
            return false;
        }
        self.total += count;
        self.users.insert(user.into(), has + count);
        true
    }

    /// Counts `count` less.
    pub(super) fn discharge(&mut self, user: &str, count: u32) {
        self.total = self.total.saturating_sub(count);
        let Some(has) = self.users.get_mut(user) else { return };
        *has = has.saturating_sub(count);
        if *has == 0 {
            self.users.remove(user);
        }
    }
}

impl<U> Server<U> {
    /// Reserves a port that is taken already; the token is good once.
    pub(super) fn reserve(
        &mut self,
        family: Family,
        port: u16,
        owner: Box<str>,
        now: Instant,
    ) -> ReservationToken {
        let mut token = [0; 8];
        self.rng.fill_bytes(&mut token);
        let expires = now + RESERVATION_LIFETIME;
        self.timers.insert((expires, Timer::Reservation(token)));
        self.reservations.insert(token, Reservation { family, port, owner, expires });
        ReservationToken(token)
    }

    /// Ends a reservation; its port stays taken.
    pub(super) fn claim(&mut self, token: ReservationToken) -> Option<Reservation> {
        let reservation = self.reservations.remove(&token.0)?;
        self.timers.remove(&(reservation.expires, Timer::Reservation(token.0)));
        self.quota.discharge(&reservation.owner, 1);
        Some(reservation)
    }

    pub(super) fn release(&mut self, family: Family, port: u16) {
        self.ports.of(family).release(port);
    }

    /// Leaves a port alone that somebody else holds.
    pub(super) fn hold(&mut self, family: Family, port: u16, now: Instant) {
        self.timers.insert((now + HOLD, Timer::Held(family, port)));
    }
}
