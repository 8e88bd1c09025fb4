//! Requests: who asks, for what, and how the answer is written.

use alloc::collections::VecDeque;
use alloc::vec;
use core::net::IpAddr;

use pinhole_sansio::{FiveTuple, Instant, Payload, Transmit};
use pinhole_stun::attribute::{AccessToken, Attribute, AttributeError, Family};
use pinhole_stun::auth::{Authenticated, Rejection};
use pinhole_stun::{
    AttributeType, Class, Message, MessageWriter, Method, TransactionId, WriteError, response,
};

use super::allocate::wants_translation;
use super::allocation::Key;
use super::peers::BindError;
use super::refusal::Refusal;
use super::token::Bearer;
use super::user::Lookup;
use super::{Account, DropReason, Event, Received, Server, Users};
use crate::attribute::{Channel, Lifetime, MobilityTicket, RequestedAddressFamily, XorPeerAddress};
use crate::indication::canonical;
use crate::policy::Action;

/// A request whose sender is known.
pub(super) struct Request<'m> {
    pub(super) message: Message<'m>,
    pub(super) account: Account,
    /// If it is the sender's by a token.
    pub(super) bearer: Option<Bearer>,
    pub(super) reply: Reply,
}

/// What the answer to a request needs to know of it.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) client: FiveTuple,
    pub(super) id: TransactionId,
    method: Method,
    authenticated: Authenticated,
    fingerprint: bool,
}

/// The comprehension-required attributes that a server knows; DONT-FRAGMENT, if it can be obeyed.
const KNOWN: &[AttributeType] = &[
    AttributeType::DONT_FRAGMENT,
    AttributeType::MAPPED_ADDRESS,
    AttributeType::USERNAME,
    AttributeType::ERROR_CODE,
    AttributeType::UNKNOWN_ATTRIBUTES,
    AttributeType::CHANNEL_NUMBER,
    AttributeType::LIFETIME,
    AttributeType::XOR_PEER_ADDRESS,
    AttributeType::DATA,
    AttributeType::REALM,
    AttributeType::NONCE,
    AttributeType::XOR_RELAYED_ADDRESS,
    AttributeType::REQUESTED_ADDRESS_FAMILY,
    AttributeType::EVEN_PORT,
    AttributeType::REQUESTED_TRANSPORT,
    AttributeType::PASSWORD_ALGORITHM,
    AttributeType::USERHASH,
    AttributeType::XOR_MAPPED_ADDRESS,
    AttributeType::RESERVATION_TOKEN,
    AttributeType::CONNECTION_ID,
    // One that nobody expects is answered before all others.
    AttributeType::ACCESS_TOKEN,
];

impl<U: Users> Server<U> {
    pub(super) fn handle_request(
        &mut self,
        message: Message<'_>,
        client: FiveTuple,
        now: Instant,
    ) -> Received {
        let is_known = match message.method() {
            Method::ALLOCATE
            | Method::REFRESH
            | Method::CREATE_PERMISSION
            | Method::CHANNEL_BIND => true,
            Method::CONNECT | Method::CONNECTION_BIND => self.config.tcp,
            _ => false,
        };
        if !is_known {
            return Received::Dropped(DropReason::Unexpected);
        }
        if message.raw(AccessToken::KIND).is_some() && self.users.server_name().is_none() {
            return self.refuse_token(&message, client, now);
        }
        let (authenticated, account, bearer) = match self.authenticate(&message, client, now) {
            Ok(known) => known,
            Err(rejection) => return self.reject(&message, client, rejection, now),
        };
        let reply = Reply {
            client,
            id: message.transaction_id(),
            method: message.method(),
            authenticated,
            fingerprint: message.has_fingerprint(),
        };
        let request = Request { message, account, bearer, reply };
        let is_obeyed = self.config.dont_fragment && !wants_translation(&message, client);
        let known = KNOWN.get(usize::from(!is_obeyed)..).unwrap_or(KNOWN);
        let mut unknown = message.unknown_required(known).peekable();
        let refused = if unknown.peek().is_some() {
            self.answer_unknown(&request, known);
            Ok(())
        } else {
            self.process(&request, now)
        };
        if let Err(refusal) = refused {
            self.refuse(&request.reply, refusal);
        }
        Received::Handled
    }

    fn process(&mut self, request: &Request<'_>, now: Instant) -> Result<(), Refusal> {
        match request.message.method() {
            Method::ALLOCATE => self.allocate(request, now),
            Method::REFRESH => self.refresh(request, now),
            Method::CREATE_PERMISSION => self.create_permission(request, now),
            Method::CONNECT => self.connect(request, now),
            Method::CONNECTION_BIND => self.bind_connection(request),
            _ => self.bind_channel(request, now),
        }
    }

    fn authenticate(
        &self,
        message: &Message<'_>,
        client: FiveTuple,
        now: Instant,
    ) -> Result<(Authenticated, Account, Option<Bearer>), Rejection> {
        if let Some(known) = self.authenticate_bearer(message, client, now) {
            let (authenticated, bearer) = known?;
            return Ok((authenticated, bearer.account.clone(), Some(bearer)));
        }
        let lookup = Lookup::new(&self.users, self.unix_time(now));
        loop {
            match self.auth.authenticate(message, client.remote, &lookup, now) {
                Ok(authenticated) => {
                    let account = lookup.finish().ok_or(Rejection::Unauthenticated)?;
                    return Ok((authenticated, account, None));
                }
                Err(Rejection::Unauthenticated) if lookup.advance() => {}
                Err(rejection) => return Err(rejection),
            }
        }
    }

    /// Answers a stranger, as long as his address may be his own.
    fn reject(
        &mut self,
        message: &Message<'_>,
        client: FiveTuple,
        rejection: Rejection,
        now: Instant,
    ) -> Received {
        if !self.may_answer(client, now) {
            return Received::Dropped(DropReason::RateLimited);
        }
        let mut buffer = [0; 1_024];
        let written = self
            .auth
            .reject(rejection, message, client.remote, now, &mut buffer)
            .and_then(|mut writer| {
                if rejection == Rejection::Unauthenticated {
                    self.announce(&mut writer)?;
                }
                if message.has_fingerprint() {
                    writer.fingerprint()?;
                }
                Ok(Payload::from(writer.finish()))
            });
        self.send(client, written);
        Received::Handled
    }

    /// All peers, or none (RFC 8656 §10.2).
    fn create_permission(&mut self, request: &Request<'_>, now: Instant) -> Result<(), Refusal> {
        let key = self.owned(request, now)?;
        let id = request.message.transaction_id();
        let mut peers = vec![];
        for attribute in request.message.attributes() {
            if attribute.kind == XorPeerAddress::KIND {
                let XorPeerAddress(peer) = XorPeerAddress::decode(attribute.value, id)?;
                peers.push(canonical(peer).ip());
            }
        }
        if peers.is_empty() {
            return Err(Refusal::BAD_REQUEST);
        }
        for &peer in &peers {
            self.check_peer(key, request.reply.client, peer)?;
        }
        let allocation = self.allocations.get_mut(key).ok_or(Refusal::ALLOCATION_MISMATCH)?;
        let tell = permitted(&mut self.events, request.reply.client, &allocation.owner.name);
        if !allocation.peers.permit(&peers, &self.config.limits, now, tell) {
            return Err(Refusal::INSUFFICIENT_CAPACITY);
        }
        self.answer(&request.reply, Class::SuccessResponse, |_| Ok(()));
        Ok(())
    }

    /// RFC 8656 §12.2.
    fn bind_channel(&mut self, request: &Request<'_>, now: Instant) -> Result<(), Refusal> {
        let key = self.owned(request, now)?;
        if self.allocations.get(key).is_some_and(|allocation| allocation.is_tcp) {
            return Err(Refusal::BAD_REQUEST);
        }
        let channel = request.message.get::<Channel>()?.ok_or(Refusal::BAD_REQUEST)?;
        let XorPeerAddress(peer) = request.message.get()?.ok_or(Refusal::BAD_REQUEST)?;
        let (number, peer) = (channel.number().ok_or(Refusal::BAD_REQUEST)?, canonical(peer));
        self.check_peer(key, request.reply.client, peer.ip())?;
        let allocation = self.allocations.get_mut(key).ok_or(Refusal::ALLOCATION_MISMATCH)?;
        let tell = permitted(&mut self.events, request.reply.client, &allocation.owner.name);
        let bound = allocation.peers.bind(number, peer, &self.config.limits, now, tell);
        bound.map_err(|error| match error {
            BindError::Conflict => Refusal::BAD_REQUEST,
            BindError::Full => Refusal::INSUFFICIENT_CAPACITY,
        })?;
        self.answer(&request.reply, Class::SuccessResponse, |_| Ok(()));
        Ok(())
    }

    /// Whether the allocation can have this peer: its family (443), and the policy (403).
    pub(super) fn check_peer(
        &mut self,
        key: Key,
        client: FiveTuple,
        peer: IpAddr,
    ) -> Result<(), Refusal> {
        let allocation = self.allocations.get(key).ok_or(Refusal::ALLOCATION_MISMATCH)?;
        if allocation.port(Family::of(peer)).is_none() {
            return Err(Refusal::PEER_FAMILY_MISMATCH);
        }
        let decision = self.config.policy.decide(peer);
        if decision.action == Action::Deny {
            let user = allocation.owner.name.clone();
            self.events.push_back(Event::PeerRefused { client, user, decision });
            return Err(Refusal::FORBIDDEN);
        }
        Ok(())
    }

    /// RFC 8656 §8.2: a new time to live; zero ends the allocation, or one family of it.
    fn refresh(&mut self, request: &Request<'_>, now: Instant) -> Result<(), Refusal> {
        if let Some(MobilityTicket(ticket)) = request.message.get()? {
            return self.resume(request, ticket, now);
        }
        self.take_token(request, now)?;
        let key = self.owned(request, now)?;
        let asked = request.message.get::<Lifetime>()?.map(|Lifetime(asked)| asked);
        let family = match request.message.get::<RequestedAddressFamily>() {
            Ok(family) => family.map(|RequestedAddressFamily(family)| family),
            Err(AttributeError::Family(_)) => return Err(Refusal::PEER_FAMILY_MISMATCH),
            Err(_) => return Err(Refusal::BAD_REQUEST),
        };
        let allocation = self.allocations.get(key).ok_or(Refusal::ALLOCATION_MISMATCH)?;
        if family.is_some_and(|family| allocation.port(family).is_none()) {
            return Err(Refusal::PEER_FAMILY_MISMATCH);
        }
        let lifetime = match asked {
            Some(asked) if asked.is_zero() => {
                self.end(key, family);
                asked
            }
            asked => {
                let lifetime = self.lifetime(asked, request, now);
                self.prolong(key, now + lifetime);
                lifetime
            }
        };
        self.answer(&request.reply, Class::SuccessResponse, |writer| {
            writer.attribute(&Lifetime(lifetime)).map(drop)
        });
        Ok(())
    }

    /// The allocation on the request's five-tuple (437), if it is the sender's (441) (RFC 8656 §5).
    pub(super) fn owned(&self, request: &Request<'_>, now: Instant) -> Result<Key, Refusal> {
        let key = self.by_client.get(&request.reply.client).ok_or(Refusal::ALLOCATION_MISMATCH)?;
        let allocation = self.allocations.get(key).ok_or(Refusal::ALLOCATION_MISMATCH)?;
        if !allocation.is_live(now) {
            return Err(Refusal::ALLOCATION_MISMATCH);
        }
        if allocation.is_of(&request.account) { Ok(key) } else { Err(Refusal::WRONG_CREDENTIALS) }
    }
}

impl<U> Server<U> {
    /// Answers a request with what `write` writes, and the integrity that it came with.
    pub(super) fn answer(
        &mut self,
        reply: &Reply,
        class: Class,
        write: impl FnOnce(&mut MessageWriter<'_>) -> Result<(), WriteError>,
    ) {
        let mut buffer = [0; 512];
        let written = MessageWriter::new(&mut buffer, class, reply.method, reply.id).and_then(
            |mut writer| {
                write(&mut writer)?;
                reply.finish(writer)
            },
        );
        self.send(reply.client, written);
    }

    /// The 420 with its list, which is no longer than the request.
    fn answer_unknown(&mut self, request: &Request<'_>, known: &[AttributeType]) {
        let mut buffer = vec![0; request.message.as_bytes().len() + 128];
        let unknown = request.message.unknown_required(known);
        let written = response::unknown_attributes(&request.message, unknown, &mut buffer)
            .and_then(|writer| request.reply.finish(writer));
        self.send(request.reply.client, written);
    }

    /// Sends an indication.
    pub(super) fn indicate(
        &mut self,
        client: FiveTuple,
        method: Method,
        id: TransactionId,
        write: impl FnOnce(&mut MessageWriter<'_>) -> Result<(), WriteError>,
    ) {
        let mut buffer = [0; 128];
        let written = MessageWriter::new(&mut buffer, Class::Indication, method, id).and_then(
            |mut writer| {
                write(&mut writer)?;
                Ok(Payload::from(writer.finish()))
            },
        );
        self.send(client, written);
    }

    /// Queues a message; one that cannot be written is not sent.
    pub(super) fn send(&mut self, client: FiveTuple, written: Result<Payload, WriteError>) {
        if let Ok(payload) = written {
            self.transmits.push_back(Transmit { five_tuple: client, payload });
        }
    }
}

impl Reply {
    /// Seals a response as its request was sealed.
    fn finish(&self, mut writer: MessageWriter<'_>) -> Result<Payload, WriteError> {
        self.authenticated.seal(&mut writer)?;
        if self.fingerprint {
            writer.fingerprint()?;
        }
        Ok(Payload::from(writer.finish()))
    }
}

/// Tells of each peer that a client is permitted anew.
fn permitted<'a>(
    events: &'a mut VecDeque<Event>,
    client: FiveTuple,
    user: &'a str,
) -> impl FnMut(IpAddr) + use<'a> {
    move |peer| events.push_back(Event::PeerPermitted { client, user: user.into(), peer })
}
