//! What the server should have, in the words of the RFCs, and as simply as it can be said.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pinhole_sansio::Instant;
use pinhole_turn::attribute::ReservationToken;

/// The number of a path from a client to the server.
pub(crate) type Path = usize;

pub(crate) const QUOTA: usize = 3;
pub(crate) const TOTAL: usize = 5;
pub(crate) const PORTS: std::ops::RangeInclusive<u16> = 50_000..=50_007;

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) allocations: Vec<Allocation>,
    pub(crate) reservations: Vec<Reservation>,
}

pub(crate) struct Allocation {
    pub(crate) owner: &'static str,
    pub(crate) relayed: SocketAddr,
    pub(crate) expires: Instant,
    pub(crate) permissions: BTreeMap<IpAddr, Instant>,
    pub(crate) channels: BTreeMap<u16, (SocketAddr, Instant)>,
    /// Where data goes; nowhere, if the client's connection has closed and it may come back.
    pub(crate) path: Option<Path>,
    /// Where data will go, as soon as some has come from there.
    pub(crate) next: Option<Path>,
    /// The tickets that were given, the newest at the end.
    pub(crate) tickets: Vec<Vec<u8>>,
}

pub(crate) struct Reservation {
    pub(crate) owner: &'static str,
    pub(crate) token: ReservationToken,
    pub(crate) port: u16,
    pub(crate) expires: Instant,
}

impl Allocation {
    pub(crate) fn permits(&self, peer: IpAddr, now: Instant) -> bool {
        self.permissions.get(&peer.to_canonical()).is_some_and(|expires| now < *expires)
    }

    pub(crate) fn peer_of(&self, number: u16, now: Instant) -> Option<SocketAddr> {
        self.channels.get(&number).filter(|(_, expires)| now < *expires).map(|(peer, _)| *peer)
    }

    pub(crate) fn number_of(&self, peer: SocketAddr, now: Instant) -> Option<u16> {
        self.channels.keys().copied().find(|number| self.peer_of(*number, now) == Some(peer))
    }

    pub(crate) fn permit(&mut self, peer: IpAddr, now: Instant) {
        self.permissions.insert(peer, now + Duration::from_secs(300));
    }

    /// The code that a ChannelBind gets, the policy aside; it is done, if that is 0.
    pub(crate) fn bind(&mut self, number: u16, peer: SocketAddr, now: Instant) -> u16 {
        let is_bound = self.peer_of(number, now).is_some_and(|bound| bound != peer);
        let is_numbered = self.number_of(peer, now).is_some_and(|bound| bound != number);
        if is_bound || is_numbered {
            return 400;
        }
        self.channels.insert(number, (peer, now + Duration::from_secs(600)));
        self.permit(peer.ip(), now);
        0
    }
}

impl Model {
    /// The allocation that requests on this path are about.
    pub(crate) fn on(&mut self, path: Path) -> Option<&mut Allocation> {
        let is_on = |one: &&mut Allocation| one.path == Some(path) || one.next == Some(path);
        self.allocations.iter_mut().find(is_on)
    }

    /// The same, or the code that the request gets from this user.
    pub(crate) fn owned(&mut self, path: Path, user: &str) -> Result<&mut Allocation, u16> {
        let allocation = self.on(path).ok_or(437_u16)?;
        if allocation.owner == user { Ok(allocation) } else { Err(441) }
    }

    /// Data has come on this path.
    pub(crate) fn arrived(&mut self, path: Path) {
        if let Some(allocation) = self.on(path)
            && allocation.next == Some(path)
        {
            allocation.path = allocation.next.take();
        }
    }

    /// Takes an allocation out that ends.
    pub(crate) fn end(&mut self, path: Path) {
        self.allocations.retain(|one| one.path != Some(path) && one.next != Some(path));
    }

    /// The connection on this path has closed.
    pub(crate) fn closed(&mut self, path: Path) {
        let Some(allocation) = self.on(path) else { return };
        if allocation.tickets.is_empty() {
            self.end(path);
        } else if allocation.next == Some(path) {
            allocation.next = None;
        } else {
            allocation.path = allocation.next.take();
        }
    }

    /// Whether a user may have this many more.
    pub(crate) fn may_have(&self, user: &str, count: usize) -> bool {
        let owned = self.allocations.iter().map(|one| one.owner);
        let all: Vec<_> = owned.chain(self.reservations.iter().map(|one| one.owner)).collect();
        let has = all.iter().filter(|owner| **owner == user).count();
        has + count <= QUOTA && all.len() + count <= TOTAL
    }

    pub(crate) fn free_ports(&self) -> BTreeSet<u16> {
        let live = self.allocations.iter().map(|one| one.relayed.port());
        let taken: Vec<u16> = live.chain(self.reservations.iter().map(|one| one.port)).collect();
        PORTS.filter(|port| !taken.contains(port)).collect()
    }

    /// The even ports whose successors are free, too.
    pub(crate) fn pairs(&self) -> Vec<u16> {
        let free = self.free_ports();
        let is_pair = |port: &u16| port.is_multiple_of(2) && free.contains(&(port + 1));
        free.iter().copied().filter(is_pair).collect()
    }

    /// Time has passed.
    pub(crate) fn forget(&mut self, now: Instant) {
        self.allocations.retain(|one| now < one.expires);
        self.reservations.retain(|one| now < one.expires);
    }
}
