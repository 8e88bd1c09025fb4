//! The server machine (RFC 8656).
//!
//! [`Server`] takes what clients and peers send, and the time. Control is answered with messages to
//! send ([`Server::poll_transmit`]) and sockets to open and close ([`Server::poll_command`]); data is
//! answered with a route over the caller's own buffer: where to, which bytes, what to put in front.
//!
//! Nothing is kept for a client that has not shown, with a nonce that was sent to its address, that it
//! is there: nonces carry what the server needs to know. Every other table has a bound.
//!
//! # The loop
//! ```
//! use pinhole_sansio::{Datagram, Instant, Transmit};
//! use pinhole_turn::server::{Command, OpenError, Received, RelayId, Server, Users};
//! use std::net::SocketAddr;
//!
//! /// What a driver has: sockets.
//! trait Sockets {
//!     fn send(&mut self, transmit: Transmit);
//!     fn send_from(&mut self, relay: RelayId, peer: SocketAddr, payload: &[u8]);
//!     fn open(&mut self, relay: RelayId, address: SocketAddr) -> Result<(), OpenError>;
//!     fn close(&mut self, relay: RelayId);
//!     fn connections(&mut self, command: Command); // where TCP is relayed (RFC 6062)
//! }
//!
//! fn client_sent(
//!     server: &mut Server<impl Users>,
//!     sockets: &mut impl Sockets,
//!     datagram: Datagram<'_>,
//!     now: Instant,
//! ) {
//!     if let Received::ToPeer(route) = server.handle_client_datagram(datagram, now) {
//!         sockets.send_from(route.relay, route.peer, &datagram.payload[route.payload]);
//!     }
//!     while let Some(command) = server.poll_command() {
//!         match command {
//!             Command::OpenRelay { relay, address, .. } => {
//!                 let result = sockets.open(relay, address);
//!                 server.relay_opened(relay, result, now);
//!             }
//!             Command::CloseRelay { relay } => sockets.close(relay),
//!             command => sockets.connections(command),
//!         }
//!     }
//!     while let Some(transmit) = server.poll_transmit() {
//!         sockets.send(transmit);
//!     }
//!     while let Some(event) = server.poll_event() {
//!         println!("{event:?}");
//!     }
//!     // Then: sleep until server.poll_timeout(), and call server.handle_timeout(now).
//! }
//! ```
//!
//! # Several machines in one server
//! A server that has a machine for each core tells them apart with [`Config::shard`], gives them the same
//! [`NonceSeed`] and instants of the same origin, and asks [`home`] of every datagram that the kernel
//! brings: a few requests name another machine. They share the ports, with a [`PortPool`], and what is
//! counted over all of them, with a [`Quota`].

mod allocate;
mod allocation;
mod bandwidth;
mod config;
mod event;
mod key;
mod mobility;
mod opening;
mod operator;
mod peers;
mod port;
mod quota;
mod refusal;
mod relay;
mod request;
mod reserve;
mod route;
mod shard;
mod tcp;
mod token;
mod user;

pub use bandwidth::{Bandwidth, SharedBucket};
pub use config::{Alternate, Config, Limits, NonceSeed, RelayHost};
pub use event::{Command, EndReason, Event, OpenError, Protocol, Traffic};
pub use port::{Ask, LocalPorts, PortPool};
pub use quota::{Exceeded, Holder, Holding, LocalQuota, Quota};
pub use route::{AllocationId, DropReason, Received, RelayId, ToClient, ToPeer};
pub use shard::home;
#[cfg(feature = "third-party")]
pub use token::AccessTokens;
pub use user::{Account, Query, StaticUsers, Users};

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::fmt;
use core::time::Duration;

use pinhole_sansio::{Datagram, FiveTuple, Instant, Payload, Transmit};
use pinhole_stun::attribute::Family;
use pinhole_stun::auth::LongTermServer;
use pinhole_stun::binding::{self, Limiter};
use pinhole_stun::{Class, Message, Method, PacketKind, classify};
use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

use allocation::{Allocations, FAMILIES, Key};
use key::Paths;
use mobility::Tickets;
use reserve::{Ports, Reservation, Timer};
use tcp::Connections;

use crate::attribute::ReservationToken;

/// A TURN server without sockets; see the [module](self).
pub struct Server<U> {
    config: Config,
    users: U,
    auth: LongTermServer,
    tickets: Tickets,
    limiter: Option<Limiter>,
    rng: ChaCha12Rng,
    /// The time since the Unix epoch at an instant.
    wall_clock: (Duration, Instant),
    allocations: Allocations,
    by_client: Paths,
    quota: Box<dyn Quota>,
    /// Whether there are no new allocations.
    draining: bool,
    ports: Ports,
    connections: Connections,
    reservations: BTreeMap<[u8; 8], Reservation>,
    /// Sockets of reserved ports that are being opened, and the allocations that wait for them.
    spares: BTreeMap<Key, Key>,
    timers: BTreeSet<(Instant, Timer)>,
    transmits: VecDeque<Transmit>,
    commands: VecDeque<Command>,
    events: VecDeque<Event>,
}

impl<U: Users> Server<U> {
    /// A server for these users; `unix_time` is the time since the Unix epoch now.
    #[must_use]
    pub fn new(
        config: Config,
        users: U,
        seed: [u8; 32],
        unix_time: Duration,
        now: Instant,
    ) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let mut nonce_seed = [0; 32];
        rng.fill_bytes(&mut nonce_seed);
        let mut ticket_seed = [0; 32];
        rng.fill_bytes(&mut ticket_seed);
        let by_client = Paths::new(rng.next_u64());
        let limiter = config.rate.map(|rate| Limiter::new(rate, rng.next_u64()));
        let hosts = [config.relay_v4, config.relay_v6].into_iter().flatten();
        let policy = hosts.fold(config.policy.clone(), |policy, host| {
            policy.with_own(host.bind).with_own(host.external)
        });
        let quota = LocalQuota::new(config.limits, rng.next_u64());
        let NonceSeed(nonce_seed) = config.nonce_seed.unwrap_or(NonceSeed(nonce_seed));
        let auth = LongTermServer::new(&config.realm, nonce_seed, config.nonce_lifetime)
            .with_offer(config.offer);
        Self {
            auth: if config.username_anonymity { auth.with_anonymity() } else { auth },
            tickets: Tickets::new(config.shard, ticket_seed),
            limiter,
            rng,
            wall_clock: (unix_time, now),
            allocations: Allocations::default(),
            by_client,
            quota: Box::new(quota),
            draining: false,
            ports: Ports::new(Box::new(LocalPorts::new(&config))),
            connections: Connections::default(),
            reservations: BTreeMap::new(),
            spares: BTreeMap::new(),
            timers: BTreeSet::new(),
            transmits: VecDeque::new(),
            commands: VecDeque::new(),
            events: VecDeque::new(),
            config: Config { policy, ..config },
            users,
        }
    }

    /// The same server with another quota, which it may share with others.
    #[must_use]
    pub fn with_quota(self, quota: Box<dyn Quota>) -> Self {
        Self { quota, ..self }
    }

    /// The same server with another pool of ports, which it may share with others: [`Server::free_ports`] are
    /// those that none of them has.
    #[must_use]
    pub fn with_ports(self, pool: Box<dyn PortPool>) -> Self {
        Self { ports: Ports::new(pool), ..self }
    }

    /// What becomes of a datagram, or of a frame of a stream, that a client has sent.
    pub fn handle_client_datagram(&mut self, datagram: Datagram<'_>, now: Instant) -> Received {
        let Some(&first) = datagram.payload.first() else {
            return Received::Dropped(DropReason::Malformed);
        };
        match classify(first) {
            PacketKind::Channel => {
                let Datagram { five_tuple, payload } = &datagram;
                match self.allocation_of(five_tuple) {
                    Some(id) => self.handle_channel_data(id, five_tuple, payload, now).into(),
                    None => Received::Dropped(DropReason::NoAllocation),
                }
            }
            PacketKind::Stun => self.handle_stun(datagram, now),
            PacketKind::Zrtp
            | PacketKind::Dtls
            | PacketKind::Quic
            | PacketKind::Rtp
            | PacketKind::Unknown => Received::Dropped(DropReason::Malformed),
        }
    }

    fn handle_stun(&mut self, datagram: Datagram<'_>, now: Instant) -> Received {
        let Ok(message) = Message::parse(datagram.payload) else {
            return Received::Dropped(DropReason::Malformed);
        };
        match (message.class(), message.method()) {
            (Class::Indication, Method::SEND) => self.handle_send(&message, datagram, now),
            (Class::Request, Method::BINDING) => self.handle_binding(datagram, now),
            (Class::Request, _) => {
                self.handle_timeout(now);
                self.handle_request(message, datagram.five_tuple, now)
            }
            (Class::Indication | Class::SuccessResponse | Class::ErrorResponse, _) => {
                Received::Dropped(DropReason::Unexpected)
            }
        }
    }

    fn handle_binding(&mut self, datagram: Datagram<'_>, now: Instant) -> Received {
        let five_tuple = datagram.five_tuple;
        if !self.may_answer(five_tuple, now) {
            return Received::Dropped(DropReason::RateLimited);
        }
        let mut buffer = [0; 512];
        let answer = binding::respond(datagram.payload, five_tuple.remote, &mut buffer);
        let payload = answer.map(Payload::from);
        self.transmits.extend(payload.map(|payload| Transmit { five_tuple, payload }));
        Received::Handled
    }
}

impl<U> Server<U> {
    /// A client's connection is closed, and with it its allocation, unless the client may come back with
    /// a ticket.
    pub fn client_closed(&mut self, five_tuple: FiveTuple) {
        if let Some(key) = self.by_client.get(&five_tuple)
            && !self.suspend(key, five_tuple)
        {
            self.end_whole(key, EndReason::Disconnected);
        }
    }

    /// Ends what has expired.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(at, timer)) = self.timers.first()
            && at <= now
        {
            self.timers.pop_first();
            match timer {
                Timer::Allocation(key) => self.end_whole(key, EndReason::Expired),
                Timer::Reservation(token) => self.reservation_expired(ReservationToken(token)),
                Timer::Held(family, port) => self.release(family, port),
                Timer::Connection(id) => self.connection_expired(id),
            }
        }
    }

    /// Tells the time since the Unix epoch anew, in case the system's clock was set.
    pub fn set_unix_time(&mut self, unix_time: Duration, now: Instant) {
        self.wall_clock = (unix_time, now);
    }

    /// A message to send to a client.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// A socket to open or to close; in this order. Asking for the next one tells that the one before is
    /// done, and the port of a socket that is closed may be another machine's once there is none.
    #[must_use]
    pub fn poll_command(&mut self) -> Option<Command> {
        let command = self.commands.pop_front();
        if command.is_none() {
            self.ports.settle();
        }
        command
    }

    /// What has happened.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`Server::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// How many allocations there are.
    #[must_use]
    pub const fn allocations(&self) -> usize {
        self.allocations.len()
    }

    /// The relayed address of this family of the client on this five-tuple, if he has one.
    #[must_use]
    pub fn relay(&self, client: &FiveTuple, family: Family) -> Option<RelayId> {
        let AllocationId(key) = self.allocation_of(client)?;
        let allocation = self.allocations.get(key).filter(|this| this.opening.is_none())?;
        allocation.port(family).map(|_| key.relay(family))
    }

    /// How many ports of this family's host are neither in use, nor reserved, nor held by others.
    #[must_use]
    pub fn free_ports(&self, family: Family) -> usize {
        self.ports.count(family)
    }

    fn unix_time(&self, now: Instant) -> Duration {
        let (unix_time, at) = self.wall_clock;
        unix_time + (now - at)
    }

    /// Whether another answer may go to a source that may be forged.
    fn may_answer(&mut self, client: FiveTuple, now: Instant) -> bool {
        client.transport.is_reliable()
            || self.limiter.as_mut().is_none_or(|limiter| limiter.allow(client.remote.ip(), now))
    }

    /// Moves the end of an allocation.
    fn prolong(&mut self, key: Key, expires: Instant) {
        let Some(allocation) = self.allocations.get_mut(key) else { return };
        self.timers.remove(&(allocation.expires, Timer::Allocation(key)));
        allocation.expires = expires;
        self.timers.insert((expires, Timer::Allocation(key)));
    }

    /// Ends an allocation, or its relayed address of one family.
    fn end(&mut self, key: Key, family: Option<Family>) {
        let Some(allocation) = self.allocations.get_mut(key) else { return };
        let is_dual = allocation.v4.is_some() && allocation.v6.is_some();
        let Some(family) = family.filter(|_| is_dual) else {
            return self.end_whole(key, EndReason::Deleted);
        };
        if let Some(port) = allocation.port(family) {
            allocation.set_port(family, None);
            self.close_connections(key, family);
            self.commands.push_back(Command::CloseRelay { relay: key.relay(family) });
            self.release(family, port);
        }
    }

    /// Ends an allocation: after this, nothing of it can be observed.
    fn end_whole(&mut self, key: Key, reason: EndReason) {
        let Some(allocation) = self.allocations.get(key) else { return };
        let (client, user) = (allocation.client, allocation.owner.name.clone());
        let traffic = allocation.traffic;
        let is_open = allocation.opening.is_none();
        let opening = allocation.opening.as_ref();
        let reserves = opening.is_some_and(|opening| opening.ask == Ask::Pair);
        let spare = opening.and_then(|opening| opening.spare);
        for family in FAMILIES {
            self.close_connections(key, family);
            let Some(port) = self.allocations.get(key).and_then(|this| this.port(family)) else {
                continue;
            };
            self.commands.push_back(Command::CloseRelay { relay: key.relay(family) });
            self.release(family, port);
            match spare {
                Some(spare) => self.close_spare(spare, family, port + 1),
                None if reserves => self.release(family, port + 1),
                None => {}
            }
        }
        self.forget(key, reserves);
        if is_open {
            self.events.push_back(Event::Ended { client, user, reason, traffic });
        }
    }

    /// Removes an allocation from the tables, and from its owner's quota.
    fn forget(&mut self, key: Key, reserves: bool) {
        let Some(allocation) = self.allocations.remove(key) else { return };
        self.by_client.disown(allocation.client, key);
        if let Some(next) = allocation.mobility.as_ref().and_then(|mobility| mobility.next()) {
            self.by_client.disown(next, key);
        }
        self.timers.remove(&(allocation.expires, Timer::Allocation(key)));
        self.quota.discharge(allocation.owner.holder(), if reserves { 2 } else { 1 });
    }
}

impl<U> fmt::Debug for Server<U> {
    /// Numbers, and no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({} allocations)", self.allocations.len())
    }
}
