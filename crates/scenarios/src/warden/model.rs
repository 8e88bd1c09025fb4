//! What a TURN server has, as far as its answers have said so.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pinhole_sansio::{FiveTuple, Instant};
use pinhole_turn::attribute::ReservationToken;

/// All allocations.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) allocations: Vec<Allocation>,
    /// IPv4 ports that are kept for the bearer of a token, and until when.
    pub(super) reserved: BTreeMap<ReservationToken, Instant>,
}

/// One allocation, in the words of RFC 8656 §3.2, seen from the server.
#[derive(Debug)]
pub(super) struct Allocation {
    pub(super) user: String,
    pub(super) client: FiveTuple,
    /// The five-tuple that takes over with the first data on it (RFC 8016 §3.2.2).
    pub(super) next: Option<FiveTuple>,
    /// One address, or one of each family.
    pub(super) relayed: Vec<SocketAddr>,
    pub(super) expires: Instant,
    permissions: BTreeMap<IpAddr, Instant>,
    channels: BTreeMap<u16, (SocketAddr, Instant)>,
    /// The newest ticket, if the client has asked for one.
    pub(super) ticket: Option<Vec<u8>>,
}

impl Allocation {
    pub(super) fn new(user: String, client: FiveTuple, relayed: Vec<SocketAddr>) -> Self {
        Self {
            user,
            client,
            next: None,
            relayed,
            expires: Instant::ZERO,
            permissions: BTreeMap::new(),
            channels: BTreeMap::new(),
            ticket: None,
        }
    }

    pub(super) fn is_of(&self, client: FiveTuple) -> bool {
        self.client == client || self.next == Some(client)
    }

    pub(super) fn permits(&self, peer: IpAddr, now: Instant) -> bool {
        self.permissions.get(&peer.to_canonical()).is_some_and(|expires| now < *expires)
    }

    pub(super) fn permit(&mut self, peer: IpAddr, now: Instant) {
        self.permissions.insert(peer.to_canonical(), now + PERMISSION_LIFETIME);
    }

    pub(super) fn peer_of(&self, number: u16, now: Instant) -> Option<SocketAddr> {
        self.channels.get(&number).filter(|(_, expires)| now < *expires).map(|(peer, _)| *peer)
    }

    pub(super) fn number_of(&self, peer: SocketAddr, now: Instant) -> Option<u16> {
        self.channels.keys().copied().find(|number| self.peer_of(*number, now) == Some(peer))
    }

    pub(super) fn bind(&mut self, number: u16, peer: SocketAddr, now: Instant) {
        self.channels.insert(number, (peer, now + CHANNEL_LIFETIME));
        self.permit(peer.ip(), now);
    }

    /// The relayed address that talks to peers of this one's family.
    pub(super) fn relayed_towards(&self, peer: SocketAddr) -> Option<SocketAddr> {
        self.relayed.iter().copied().find(|relayed| relayed.is_ipv4() == peer.is_ipv4())
    }
}

impl Model {
    /// The allocation of a client, as long as it lives.
    pub(super) fn of(&self, client: FiveTuple, now: Instant) -> Option<&Allocation> {
        self.allocations.iter().find(|one| one.is_of(client) && now < one.expires)
    }

    pub(super) fn of_mut(&mut self, client: FiveTuple, now: Instant) -> Option<&mut Allocation> {
        self.allocations.iter_mut().find(|one| one.is_of(client) && now < one.expires)
    }

    /// The allocation with this relayed address, as long as it lives.
    pub(super) fn at(&self, relayed: SocketAddr, now: Instant) -> Option<&Allocation> {
        self.allocations.iter().find(|one| one.relayed.contains(&relayed) && now < one.expires)
    }

    pub(super) fn end(&mut self, client: FiveTuple) {
        self.allocations.retain(|one| !one.is_of(client));
    }

    /// Data has come on this five-tuple, which may be the next one of an allocation.
    pub(super) fn arrived(&mut self, client: FiveTuple) {
        let moved = self.allocations.iter_mut().find(|one| one.next == Some(client));
        if let Some(allocation) = moved {
            allocation.client = client;
            allocation.next = None;
        }
    }

    pub(super) fn expire(&mut self, now: Instant) {
        self.allocations.retain(|one| now < one.expires);
        self.reserved.retain(|_, until| now < *until);
    }

    /// A port is kept for 30 s (RFC 8656 §7.2).
    pub(super) fn reserve(&mut self, token: ReservationToken, now: Instant) {
        self.reserved.insert(token, now + RESERVATION_LIFETIME);
    }

    /// All relayed addresses.
    pub(super) fn relayed(&self) -> impl Iterator<Item = SocketAddr> {
        self.allocations.iter().flat_map(|one| one.relayed.iter().copied())
    }
}

/// RFC 8656 §7.2: 30 s at least, and as many with us.
const RESERVATION_LIFETIME: Duration = Duration::from_secs(30);
/// RFC 8656 §9.
const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);
/// RFC 8656 §12.
const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);
