//! Requests of a client, and what their answers mean.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use pinhole_sansio::{FiveTuple, Instant, Transport};
use pinhole_stun::attribute::{Attribute, ErrorCode, Family, UnknownAttributes, XorMappedAddress};
use pinhole_stun::auth::{Target, Verdict};
use pinhole_stun::{
    AttributeType, Class, ClientTransaction, Message, MessageWriter, Method, TransactionId,
    WriteError,
};
use rand::RngExt;

use super::auth::{Attempt, Auth};
use super::{Addresses, Client, Command, Config, Event, Live, Port, Reason, State};
use crate::ChannelNumber;
use crate::attribute::{
    AdditionalAddressFamily, Channel, ConnectionId, DontFragment, EvenPort, Lifetime,
    MobilityTicket, RequestedAddressFamily, XorPeerAddress, XorRelayedAddress,
};
use crate::indication::canonical;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Allocate,
    Refresh,
    /// Ends the allocation.
    Delete,
    Permit(IpAddr),
    Bind(ChannelNumber, SocketAddr),
    /// Takes the allocation to this path.
    Migrate(FiveTuple),
    /// Connects the server to a peer.
    Connect(SocketAddr),
    /// Tells on a data connection which one it is.
    BindConnection(ConnectionId),
}

/// A request on its way.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) transaction: ClientTransaction,
    attempt: Attempt,
    pub(super) purpose: Purpose,
}

impl Purpose {
    const fn method(self) -> Method {
        match self {
            Self::Allocate => Method::ALLOCATE,
            Self::Refresh | Self::Delete | Self::Migrate(_) => Method::REFRESH,
            Self::Permit(_) => Method::CREATE_PERMISSION,
            Self::Bind(..) => Method::CHANNEL_BIND,
            Self::Connect(_) => Method::CONNECT,
            Self::BindConnection(_) => Method::CONNECTION_BIND,
        }
    }

    /// Whether a client who has a token shows it.
    fn shows_token(self) -> bool {
        matches!(self.method(), Method::ALLOCATE | Method::REFRESH)
    }
}

impl Client {
    /// Sends a request.
    pub(super) fn request(&mut self, purpose: Purpose, now: Instant) {
        let id = TransactionId::random(&mut self.rng);
        let (server, auth) = self.conversation(purpose);
        let mut buffer = [0; 2_560];
        let mut write = || -> Result<Pending, WriteError> {
            let mut writer = MessageWriter::new(&mut buffer, Class::Request, purpose.method(), id)?;
            self.write_attributes(purpose, &mut writer)?;
            let attempt = auth.authorize(purpose.shows_token(), &mut writer)?;
            writer.fingerprint()?;
            let request =
                Message::parse_structure(writer.finish()).map_err(|_| WriteError::Full)?;
            let retransmission = self.config.retransmission;
            let transaction = ClientTransaction::new(server, &request, retransmission, now);
            Ok(Pending { transaction, attempt, purpose })
        };
        // A name, a realm and a nonce of the longest kind fit.
        if let Ok(pending) = write() {
            self.pending.push(pending);
        }
    }

    fn write_attributes(
        &self,
        purpose: Purpose,
        writer: &mut MessageWriter<'_>,
    ) -> Result<(), WriteError> {
        match purpose {
            Purpose::Allocate => {
                self.write_wishes(writer)?;
                if self.config.mobility {
                    writer.attribute(&MobilityTicket(&[]))?;
                }
                self.write_lifetime(writer)
            }
            Purpose::Migrate(_) => {
                writer.attribute(&MobilityTicket(self.ticket.as_deref().unwrap_or_default()))?;
                self.write_lifetime(writer)
            }
            Purpose::Refresh => self.write_lifetime(writer),
            Purpose::Delete => writer.attribute(&Lifetime(Duration::ZERO)).map(drop),
            Purpose::Permit(peer) => {
                writer.attribute(&XorPeerAddress(SocketAddr::new(peer, 0))).map(drop)
            }
            Purpose::Bind(number, peer) => {
                writer.attribute(&Channel::from(number))?.attribute(&XorPeerAddress(peer)).map(drop)
            }
            Purpose::Connect(peer) => writer.attribute(&XorPeerAddress(peer)).map(drop),
            Purpose::BindConnection(id) => writer.attribute(&id).map(drop),
        }
    }

    /// What the relayed address shall be like (RFC 8656 §7.1).
    fn write_wishes(&self, writer: &mut MessageWriter<'_>) -> Result<(), WriteError> {
        let Config { requested_transport, port, addresses, dont_fragment, .. } = &self.config;
        writer.attribute(requested_transport)?;
        // "The request MUST NOT include a DONT-FRAGMENT, RESERVATION-TOKEN, or EVEN-PORT attribute" (RFC
        // 6062 §4.1).
        let (port, dont_fragment) =
            if self.is_tcp() { (&Port::Any, false) } else { (port, *dont_fragment) };
        if dont_fragment {
            writer.attribute(&DontFragment)?;
        }
        match port {
            Port::Any => {}
            Port::Even => {
                writer.attribute(&EvenPort { reserve_next: false })?;
            }
            Port::Pair => {
                writer.attribute(&EvenPort { reserve_next: true })?;
            }
            // The family is that of the reservation, and must not be named.
            Port::Reserved(token) => return writer.attribute(token).map(drop),
        }
        match addresses {
            // Nor with EVEN-PORT whose R bit is set: a pair is one of IPv4.
            Addresses::Both if *port == Port::Pair => Ok(()),
            // The default; servers older than RFC 6156 know nothing else.
            Addresses::Ipv4 => Ok(()),
            Addresses::Ipv6 => writer.attribute(&RequestedAddressFamily(Family::Ipv6)).map(drop),
            Addresses::Both => writer.attribute(&AdditionalAddressFamily(Family::Ipv6)).map(drop),
        }
    }

    fn write_lifetime(&self, writer: &mut MessageWriter<'_>) -> Result<(), WriteError> {
        match self.config.lifetime {
            Some(lifetime) => writer.attribute(&Lifetime(lifetime)).map(drop),
            None => Ok(()),
        }
    }

    /// A response to the request at this place among those on their way.
    pub(super) fn respond(&mut self, place: usize, response: &Message<'_>, now: Instant) {
        let Some(pending) = self.pending.get_mut(place) else { return };
        let purpose = pending.purpose;
        let auth = if let Purpose::BindConnection(id) = purpose {
            self.connections.binding_mut(id)
        } else if let Purpose::Migrate(_) = purpose {
            Some(&mut self.next_auth)
        } else {
            Some(&mut self.auth)
        };
        let Some(auth) = auth else { return };
        let verdict = auth.judge(response, pending.attempt);
        if verdict == Verdict::Discard {
            pending.transaction.distrust();
            return;
        }
        self.pending.swap_remove(place);
        match verdict {
            Verdict::Retry => self.request(purpose, now),
            Verdict::Fail(failure) => {
                if let Purpose::BindConnection(id) = purpose {
                    self.connection_refused(id, failure.into());
                } else {
                    self.lose(failure.into());
                }
            }
            Verdict::Accept if response.class() == Class::SuccessResponse => {
                self.succeeded(purpose, response, now);
            }
            Verdict::Accept | Verdict::Discard => {
                let error = response.get::<ErrorCode<'_>>().ok().flatten();
                match error.map(|error| error.code) {
                    Some(300) if purpose == Purpose::Allocate => self.redirect(response, now),
                    Some(420) if purpose == Purpose::Allocate && self.gives_up_df(response) => {
                        self.request(purpose, now);
                    }
                    Some(code) => self.refused(purpose, Reason::Code(code), now),
                    None => self.refused(purpose, Reason::Unusable, now),
                }
            }
        }
    }

    /// Whether the server refuses a request because it cannot set DF; then the client goes on without
    /// (RFC 8656 §7.4).
    fn gives_up_df(&mut self, response: &Message<'_>) -> bool {
        let unknown = response.get::<UnknownAttributes<'_>>().ok().flatten();
        let is_it = unknown
            .is_some_and(|unknown| unknown.iter().any(|kind| kind == AttributeType::DONT_FRAGMENT));
        is_it && core::mem::replace(&mut self.config.dont_fragment, false)
    }

    fn succeeded(&mut self, purpose: Purpose, response: &Message<'_>, now: Instant) {
        let jitter = Duration::from_millis(self.rng.random_range(0..15_000));
        match purpose {
            Purpose::Allocate => self.allocated(response, now),
            Purpose::Refresh => match lifetime_of(response) {
                Some(lifetime) => self.refreshed(lifetime, now),
                None => self.give_up(Reason::Unusable, now),
            },
            Purpose::Migrate(path) => self.migrated(path, response, now),
            Purpose::Delete => self.finish(),
            Purpose::Permit(peer) => {
                if self.permissions.granted(peer, jitter, now) {
                    self.events.push_back(Event::Permitted { peer });
                }
            }
            // "A ChannelBind also installs or refreshes a permission" (RFC 8656 §12).
            Purpose::Bind(_, peer) => {
                self.channels.bound(peer, jitter, now);
                if self.permissions.granted(peer.ip(), jitter, now) {
                    self.events.push_back(Event::Permitted { peer: peer.ip() });
                }
            }
            Purpose::Connect(peer) => self.peer_connected(peer, response, now),
            Purpose::BindConnection(id) => self.connection_bound(id),
        }
    }

    /// An error, or no answer.
    pub(super) fn refused(&mut self, purpose: Purpose, reason: Reason, now: Instant) {
        match (purpose, reason) {
            (Purpose::Delete, _) => self.finish(),
            (Purpose::BindConnection(id), _) => self.connection_refused(id, reason),
            // The allocation is not there, or not ours.
            (Purpose::Allocate | Purpose::Refresh, _) | (_, Reason::Code(437 | 441)) => {
                self.lose(reason);
            }
            (Purpose::Migrate(_), _) => {
                self.moving = None;
                self.events.push_back(Event::NotMigrated { reason });
            }
            (Purpose::Permit(peer), _) => {
                self.permissions.refused(peer, reason);
                self.events.push_back(Event::Refused { peer, reason });
            }
            // Client and server do not agree about a channel: neither can trust its numbers any more.
            (Purpose::Bind(..), Reason::Code(400)) => self.give_up(reason, now),
            (Purpose::Bind(_, peer), _) => self.channels.unknown(peer, now),
            (Purpose::Connect(peer), _) => self.peer_failed(peer, reason, now),
        }
    }

    /// RFC 8656 §7.3.
    fn allocated(&mut self, response: &Message<'_>, now: Instant) {
        if self.state == State::Closing {
            return self.request(Purpose::Delete, now);
        }
        let id = response.transaction_id();
        let mut relayed = response
            .attributes()
            .filter(|attribute| attribute.kind == XorRelayedAddress::KIND)
            .filter_map(|attribute| XorRelayedAddress::decode(attribute.value, id).ok())
            .map(|XorRelayedAddress(address)| canonical(address))
            .filter(|address| self.config.include(Family::of(address.ip())));
        let (first, second) = (relayed.next(), relayed.next());
        let mapped = response.get::<XorMappedAddress>().ok().flatten();
        let (Some(relayed), Some(XorMappedAddress(mapped)), Some(lifetime)) =
            (first, mapped, lifetime_of(response))
        else {
            return self.give_up(Reason::Unusable, now);
        };
        self.ticket = ticket_of(response);
        self.reservation = response.get().ok().flatten();
        self.families =
            [Some(relayed), second].map(|of| of.map(|address| Family::of(address.ip())));
        self.state = State::Live(Live { expires: now, refresh: None });
        self.refreshed(lifetime, now);
        self.events.push_back(Event::Allocated { relayed, second, mapped });
    }

    /// Asks again in time: a quarter of the lifetime before the end, a minute at most, and some more by
    /// chance, so that the clients of a server that was restarted do not come together.
    fn refreshed(&mut self, lifetime: Duration, now: Instant) {
        let margin = (lifetime / 4).min(Duration::from_secs(60));
        let jitter = margin.mul_f64(self.rng.random_range(0.0..1.0));
        let refresh = Some(now + lifetime.saturating_sub(margin + jitter));
        if let State::Live(live) = &mut self.state {
            *live = Live { expires: now + lifetime, refresh };
        }
    }

    /// RFC 8016 §3.2.3. What was asked for on the old path is asked for again on the new one; but not
    /// what is about connections.
    fn migrated(&mut self, path: FiveTuple, response: &Message<'_>, now: Instant) {
        let Some(lifetime) = lifetime_of(response) else {
            return self.refused(Purpose::Migrate(path), Reason::Unusable, now);
        };
        self.ticket = ticket_of(response);
        self.moving = None;
        self.previous = Some(core::mem::replace(&mut self.config.server, path));
        self.auth = self.next_auth.clone();
        for pending in core::mem::take(&mut self.pending) {
            // A data connection stays where it is, and the server is connecting to a peer already:
            // "Connect requests with the same XOR-PEER-ADDRESS parameter MUST NOT be sent
            // simultaneously" (RFC 6062 §4.3).
            if let Purpose::BindConnection(_) | Purpose::Connect(_) = pending.purpose {
                self.pending.push(pending);
            } else {
                self.request(pending.purpose, now);
            }
        }
        self.refreshed(lifetime, now);
        self.events.push_back(Event::Migrated);
    }

    /// The path that a request takes. A nonce is good for one path, so each has a conversation of its
    /// own.
    fn conversation(&self, purpose: Purpose) -> (FiveTuple, &Auth) {
        let usual = (self.config.server, &self.auth);
        if let Purpose::BindConnection(id) = purpose {
            self.connections.binding(id).unwrap_or(usual)
        } else if let Purpose::Migrate(path) = purpose {
            (path, &self.next_auth)
        } else {
            usual
        }
    }

    /// RFC 8489 §10: another server, over the same transport.
    fn redirect(&mut self, response: &Message<'_>, now: Instant) {
        let server = &mut self.config.server;
        match self.redirections.follow(response, server.remote, now) {
            Ok(target) if server.transport == Transport::Udp => {
                server.remote = target.address;
                self.auth = Auth::new(&self.config);
                self.request(Purpose::Allocate, now);
            }
            Ok(Target { address: server, domain }) => {
                self.state = State::Redirected;
                self.commands.push_back(Command::Reconnect { server, domain });
            }
            Err(_) => self.lose(Reason::Redirected),
        }
    }
}

/// What LIFETIME says, if it is there and not zero.
fn lifetime_of(response: &Message<'_>) -> Option<Duration> {
    let Lifetime(lifetime) = response.get().ok().flatten()?;
    (!lifetime.is_zero()).then_some(lifetime)
}

fn ticket_of(response: &Message<'_>) -> Option<Vec<u8>> {
    let MobilityTicket(ticket) = response.get().ok().flatten()?;
    Some(ticket.to_vec())
}
