//! The client machine (RFC 8656): one allocation, kept alive.
//!
//! [`Client`] allocates when it is made, answers the server's challenges in the middle of anything, and
//! refreshes in time. Permissions and channels are renewed as long as data goes to the peer or comes
//! from it, and a channel is bound when a peer has had enough datagrams to make it worth while. When
//! the allocation is lost, [`Event::Lost`] says why.
//!
//! # The loop
//! ```
//! use pinhole_sansio::{Datagram, Instant, Transmit};
//! use pinhole_turn::client::{Client, Event, Received};
//! use std::net::SocketAddr;
//!
//! /// What a driver has: a socket, and an application.
//! trait Driver {
//!     fn send(&mut self, transmit: Transmit);
//!     fn deliver(&mut self, peer: SocketAddr, data: &[u8]);
//!     fn happened(&mut self, event: Event);
//! }
//!
//! fn received(client: &mut Client, driver: &mut impl Driver, datagram: Datagram<'_>, now: Instant) {
//!     if let Received::Data { peer, payload } = client.handle_datagram(datagram, now) {
//!         driver.deliver(peer, &datagram.payload[payload]);
//!     }
//!     while let Some(transmit) = client.poll_transmit() {
//!         driver.send(transmit);
//!     }
//!     while let Some(event) = client.poll_event() {
//!         driver.happened(event);
//!     }
//!     // Then: sleep until client.poll_timeout(), and call client.handle_timeout(now).
//! }
//! ```
//!
//! [`Client::send`] tells what to put in front of a payload and behind it; nothing is copied.
//!
//! Over UDP that is all. Over TCP and TLS the driver also does what [`Client::poll_command`] wants:
//! connect to another server that the first one has named, and, where the allocation is for connections
//! (RFC 6062), open a data connection for each of them.

mod auth;
mod channel;
mod config;
mod data;
mod event;
mod permission;
mod request;
mod tcp;

pub use auth::Token;
pub use config::{Addresses, Config, Port};
pub use event::{
    Command, ConnectError, Event, MigrateError, Reason, Received, SendError, ToServer,
};

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::IpAddr;

use pinhole_sansio::{Datagram, FiveTuple, Instant, Transmit};
use pinhole_stun::attribute::Family;
use pinhole_stun::auth::Redirections;
use pinhole_stun::{Class, Message, Method, PacketKind, classify};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use auth::Auth;
use channel::Channels;
use permission::Permissions;
use request::{Pending, Purpose};
use tcp::Connections;

use crate::attribute::ReservationToken;

/// A TURN client without a socket; see the [module](self).
#[derive(Debug)]
pub struct Client {
    config: Config,
    auth: Auth,
    /// The same, on the path that the allocation is being taken to.
    next_auth: Auth,
    ticket: Option<Vec<u8>>,
    reservation: Option<ReservationToken>,
    /// Of which families there is a relayed address.
    families: [Option<Family>; 2],
    moving: Option<FiveTuple>,
    /// The path before the last move, on which data may still come.
    previous: Option<FiveTuple>,
    redirections: Redirections,
    rng: ChaCha12Rng,
    state: State,
    pending: Vec<Pending>,
    permissions: Permissions,
    channels: Channels,
    connections: Connections,
    commands: VecDeque<Command>,
    events: VecDeque<Event>,
    /// When anything of this is due next.
    deadline: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Allocating,
    /// The driver is connecting to the server that the last one has named.
    Redirected,
    Live(Live),
    /// The allocation is being ended, or has to be as soon as it is made.
    Closing,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Live {
    expires: Instant,
    /// When to refresh; `None` while a refresh is on its way.
    refresh: Option<Instant>,
}

impl Client {
    /// A client that asks for an allocation at once.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32], now: Instant) -> Self {
        let mut client = Self {
            auth: Auth::new(&config),
            next_auth: Auth::new(&config),
            ticket: None,
            reservation: None,
            families: [None; 2],
            moving: None,
            previous: None,
            redirections: Redirections::default(),
            rng: ChaCha12Rng::from_seed(seed),
            state: State::Allocating,
            pending: Vec::new(),
            permissions: Permissions::default(),
            channels: Channels::new(config.channel_after),
            connections: Connections::default(),
            commands: VecDeque::new(),
            events: VecDeque::new(),
            deadline: None,
            config,
        };
        client.request(Purpose::Allocate, now);
        client.schedule();
        client
    }

    /// Asks the server to let this peer through, on all ports. Nothing happens if it does already, or
    /// while there is no allocation. A peer of a family without a relayed address is refused at once.
    pub fn permit(&mut self, peer: IpAddr, now: Instant) {
        let peer = peer.to_canonical();
        if !matches!(self.state, State::Live(_)) {
            return;
        }
        if !self.can_reach(peer) {
            self.permissions.refused(peer, Reason::Family);
            self.events.push_back(Event::Refused { peer, reason: Reason::Family });
        } else if self.permissions.ask(peer, now) {
            self.request(Purpose::Permit(peer), now);
            self.schedule();
        }
    }

    /// What becomes of a datagram, or of a frame of a stream.
    pub fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Instant) -> Received {
        let Some(&first) = datagram.payload.first() else { return Received::NotMine };
        let path = Some(datagram.five_tuple);
        let is_control =
            path == Some(self.config.server) || path == self.moving || path == self.previous;
        if !is_control && !self.connections.is_binding(datagram.five_tuple) {
            return Received::NotMine;
        }
        match classify(first) {
            PacketKind::Channel => self.handle_channel_data(datagram.payload, now),
            PacketKind::Stun => self.handle_stun(datagram, now),
            PacketKind::Zrtp
            | PacketKind::Dtls
            | PacketKind::Quic
            | PacketKind::Rtp
            | PacketKind::Unknown => Received::NotMine,
        }
    }

    /// Retransmits, refreshes, renews, gives up: whatever is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        for pending in &mut self.pending {
            pending.transaction.handle_timeout(now);
        }
        while let Some((purpose, reason)) = self.failed() {
            self.refused(purpose, reason, now);
        }
        let State::Live(live) = &mut self.state else { return self.schedule() };
        if live.expires <= now {
            self.lose(Reason::Expired);
        } else {
            if live.refresh.is_some_and(|at| at <= now) {
                live.refresh = None;
                self.request(Purpose::Refresh, now);
            }
            for peer in self.permissions.due(now) {
                self.request(Purpose::Permit(peer), now);
            }
            for (number, peer) in self.channels.due(now) {
                self.request(Purpose::Bind(number, peer), now);
            }
        }
        self.schedule();
    }

    /// Refreshes the allocation now, so that the client learns whether the server still has it.
    pub fn refresh(&mut self, now: Instant) {
        if let State::Live(live) = &mut self.state
            && live.refresh.take().is_some()
        {
            self.request(Purpose::Refresh, now);
            self.schedule();
        }
    }

    /// Ends the allocation: the server is told, and [`Event::Closed`] follows.
    pub fn close(&mut self, now: Instant) {
        match self.state {
            State::Live(_) => {
                self.pending.clear();
                self.request(Purpose::Delete, now);
            }
            // The answer to Allocate is waited for.
            State::Allocating | State::Redirected => {}
            State::Closing | State::Over => return,
        }
        let is_gone = self.state == State::Redirected;
        self.state = State::Closing;
        if is_gone {
            self.finish();
        }
        self.schedule();
    }

    /// Takes the allocation to another path to the same server (RFC 8016): data goes on the old one until
    /// [`Event::Migrated`] or [`Event::NotMigrated`]. The path that the client has is another one where a NAT
    /// has given it another address; if none has, the server refuses the ticket (RFC 8016 §3.2.1).
    ///
    /// # Errors
    /// [`MigrateError`].
    pub fn migrate(&mut self, path: FiveTuple, now: Instant) -> Result<(), MigrateError> {
        if !self.is_live(now) {
            return Err(MigrateError::NoAllocation);
        }
        if self.ticket.is_none() {
            return Err(MigrateError::NoTicket);
        }
        self.pending.retain(|pending| !matches!(pending.purpose, Purpose::Migrate(_)));
        self.next_auth = self.auth.clone();
        self.moving = Some(path);
        self.request(Purpose::Migrate(path), now);
        self.schedule();
        Ok(())
    }

    /// Another token, for what is asked for from now on. An allocation that there is is refreshed with it
    /// (RFC 7635 §9).
    pub fn set_token(&mut self, token: Token, now: Instant) {
        self.auth.set_token(token.clone());
        self.config.token = Some(token);
        if self.is_live(now) {
            self.request(Purpose::Refresh, now);
            self.schedule();
        }
    }

    /// What the server calls itself, if it takes tokens: the authorization server has to be told (RFC 7635
    /// §6.1). It is known after the first challenge.
    #[must_use]
    pub fn server_name(&self) -> Option<&[u8]> {
        self.auth.server_name()
    }

    /// The connection that [`Command::Reconnect`] asked for is open: an allocation is asked for there.
    pub fn reconnected(&mut self, path: FiveTuple, now: Instant) {
        if self.state == State::Redirected {
            self.state = State::Allocating;
            self.config.server = path;
            self.auth = Auth::new(&self.config);
            self.request(Purpose::Allocate, now);
            self.schedule();
        }
    }

    /// The connection to the server is closed. Without a ticket, the allocation is lost.
    pub fn connection_closed(&mut self) {
        if self.ticket.is_none() && self.state != State::Over {
            self.lose(Reason::Disconnected);
            self.schedule();
        }
    }

    /// A message to send to the server.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.pending.iter_mut().find_map(|pending| pending.transaction.poll_transmit())
    }

    /// What to do besides.
    #[must_use]
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// What has happened.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`Client::handle_timeout`].
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether there is an allocation at this instant.
    #[must_use]
    pub fn is_live(&self, now: Instant) -> bool {
        matches!(self.state, State::Live(live) if now < live.expires)
    }

    /// Whether a request waits for the server's answer.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The token for the port that [`Port::Pair`] has reserved. The server keeps it for 30 s at least.
    #[must_use]
    pub const fn reservation(&self) -> Option<ReservationToken> {
        self.reservation
    }

    /// "The client MUST only include XOR-PEER-ADDRESS attributes with addresses of the same address family as
    /// that of the relayed transport address for the allocation" (RFC 8656 §10.1, and so §12.1).
    fn can_reach(&self, peer: IpAddr) -> bool {
        self.families.contains(&Some(Family::of(peer)))
    }

    fn handle_stun(&mut self, datagram: Datagram<'_>, now: Instant) -> Received {
        let Ok(message) = Message::parse(datagram.payload) else { return Received::NotMine };
        if message.class() == Class::Indication && message.method() == Method::DATA {
            return self.handle_data(&message, datagram.payload, now);
        }
        if message.class() == Class::Indication && message.method() == Method::CONNECTION_ATTEMPT {
            return self.handle_attempt(&message, now);
        }
        let answered = self.pending.iter_mut().enumerate().find_map(|(place, pending)| {
            Some((place, pending.transaction.handle_datagram(datagram, now)?))
        });
        let Some((place, response)) = answered else { return Received::NotMine };
        self.respond(place, &response, now);
        while let Some((purpose, reason)) = self.failed() {
            self.refused(purpose, reason, now);
        }
        self.schedule();
        Received::Handled
    }

    /// A request that has failed without an answer.
    fn failed(&mut self) -> Option<(Purpose, Reason)> {
        let (place, failure) = self
            .pending
            .iter_mut()
            .enumerate()
            .find_map(|(place, pending)| Some((place, pending.transaction.poll_event()?)))?;
        let pending = self.pending.swap_remove(place);
        Some((pending.purpose, failure.into()))
    }

    /// There is no allocation any more, and nothing to be done about it.
    fn lose(&mut self, reason: Reason) {
        let was_closing = self.state == State::Closing;
        self.state = State::Over;
        self.pending.clear();
        self.close_connections();
        self.events.push_back(if was_closing { Event::Closed } else { Event::Lost { reason } });
    }

    /// There is an allocation that is of no use: the server is told to end it.
    fn give_up(&mut self, reason: Reason, now: Instant) {
        self.lose(reason);
        self.request(Purpose::Delete, now);
    }

    /// The server has been told to end the allocation, and has answered, or does not.
    fn finish(&mut self) {
        if self.state == State::Closing {
            self.close_connections();
            self.events.push_back(Event::Closed);
        }
        self.state = State::Over;
    }

    /// Computes the deadline anew, after anything but data.
    fn schedule(&mut self) {
        let live = match self.state {
            State::Live(live) => {
                let own = Some(live.refresh.unwrap_or(live.expires));
                [own, self.permissions.deadline(), self.channels.deadline()]
            }
            State::Allocating | State::Redirected | State::Closing | State::Over => [None; 3],
        };
        let pending = self.pending.iter().filter_map(|p| p.transaction.poll_timeout());
        self.deadline = live.into_iter().flatten().chain(pending).min();
    }
}
