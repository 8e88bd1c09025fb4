//! Allocate: the checks of RFC 8656 §7.2 in their order, and the way to an open relayed address.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use pinhole_sansio::Instant;
use pinhole_stun::Class;
use pinhole_stun::attribute::{AttributeError, ErrorCode, Family, XorMappedAddress};
use pinhole_stun::{Message, MessageWriter, WriteError};

use super::allocation::{Allocation, Ask, FAMILIES, Grant, Key, Opening};
use super::bandwidth::Bucket;
use super::mobility::{Mobility, wants_ticket};
use super::peers::Peers;
use super::request::{BAD_REQUEST, MISMATCH, NO_CAPACITY, Refusal, Reply, Request};
use super::{Command, Event, OpenError, Protocol, RelayId, Server, Traffic, Users};
use crate::attribute::{
    AdditionalAddressFamily, AddressErrorCode, DontFragment, EvenPort, Lifetime, MobilityTicket,
    RequestedAddressFamily, RequestedTransport, ReservationToken, XorRelayedAddress,
};
use crate::indication::canonical;
use crate::policy::embedded;

/// 403: not from there.
const FORBIDDEN: Refusal = Refusal(403);
/// 440: no relayed addresses of this family.
const NO_FAMILY: Refusal = Refusal(440);
/// 442: no relaying over this protocol.
const NO_TRANSPORT: Refusal = Refusal(442);
/// 486: the user, or everybody together, has enough.
const QUOTA: Refusal = Refusal(486);

/// Whether the client is at the end of a tunnel from which no server may take requests (RFC 8656 §21.4).
fn is_tunneled(client: IpAddr) -> bool {
    let IpAddr::V6(client) = client else { return false };
    embedded(client).is_some_and(|(embedding, _)| embedding.is_forbidden())
}

/// What an Allocate request asks for.
struct Wishes {
    token: Option<ReservationToken>,
    even: Option<EvenPort>,
    family: Option<Family>,
    dual: bool,
    lifetime: Option<Duration>,
    is_tcp: bool,
}

/// The families of which an address shall be opened, and what to say about one that the server has not.
struct Families {
    asked: [Option<Family>; 2],
    missing: Option<(Family, u16)>,
}

impl Wishes {
    /// Checks 3 to 9 of RFC 8656 §7.2, as far as they are about the request alone.
    ///
    /// `tcp` tells whether the client's transport is one over which TCP is relayed; `None` where none is
    /// (RFC 6062 §5.1).
    fn read(message: &Message<'_>, tcp: Option<bool>) -> Result<Self, Refusal> {
        let transport = message.get::<RequestedTransport>()?.ok_or(BAD_REQUEST)?;
        let is_tcp = transport == RequestedTransport::TCP;
        if transport != RequestedTransport::UDP && !(is_tcp && tcp.is_some()) {
            return Err(NO_TRANSPORT);
        }
        let token = message.get::<ReservationToken>()?;
        let even = message.get::<EvenPort>()?;
        let is_udp_only =
            even.is_some() || token.is_some() || message.get::<DontFragment>()?.is_some();
        if is_tcp && (is_udp_only || tcp != Some(true)) {
            return Err(BAD_REQUEST);
        }
        let family = message.get::<RequestedAddressFamily>();
        let additional = message.get::<AdditionalAddressFamily>();
        let names_family = !matches!(family, Ok(None));
        let is_dual = !matches!(additional, Ok(None));
        if token.is_some() && (even.is_some() || names_family || is_dual) {
            return Err(BAD_REQUEST);
        }
        if names_family && is_dual {
            return Err(BAD_REQUEST);
        }
        let family = match family {
            Err(AttributeError::Family(_)) => return Err(NO_FAMILY),
            family => family?.map(|RequestedAddressFamily(family)| family),
        };
        let reserves = even.is_some_and(|even| even.reserve_next);
        let additional = additional?.map(|AdditionalAddressFamily(family)| family);
        if is_dual && (reserves || additional != Some(Family::Ipv6)) {
            return Err(BAD_REQUEST);
        }
        let lifetime = message.get::<Lifetime>()?.map(|Lifetime(asked)| asked);
        Ok(Self { token, even, family, dual: is_dual, lifetime, is_tcp })
    }

    const fn ask(&self) -> Ask {
        match self.even {
            None => Ask::Any,
            Some(EvenPort { reserve_next: false }) => Ask::Even,
            Some(EvenPort { reserve_next: true }) => Ask::Pair,
        }
    }
}

impl<U: Users> Server<U> {
    pub(super) fn allocate(&mut self, request: &Request<'_>, now: Instant) -> Result<(), Refusal> {
        if let Some(&key) = self.by_client.get(&request.reply.client) {
            return self.allocate_again(key, request);
        }
        if is_tunneled(request.reply.client.remote.ip()) {
            return Err(FORBIDDEN);
        }
        let is_mobile = wants_ticket(&request.message, self.config.mobility)?;
        let tcp = self.config.tcp.then(|| request.reply.client.transport.is_reliable());
        let wishes = Wishes::read(&request.message, tcp)?;
        let owner = &request.account.owner;
        let (families, ask) = match wishes.token {
            Some(token) => {
                let reservation = self.claim(token).ok_or(NO_CAPACITY)?;
                let asked = [Some(reservation.family), None];
                (Families { asked, missing: None }, Ask::Reserved(reservation.port))
            }
            None => (self.families(&wishes)?, wishes.ask()),
        };
        let charged = self.quota.charge(owner, 1);
        let reserves = ask == Ask::Pair;
        if !charged || (reserves && !self.quota.charge(owner, 1)) {
            self.quota.discharge(owner, charged.into());
            if let (Ask::Reserved(port), [Some(family), _]) = (ask, families.asked) {
                self.release(family, port);
            }
            return Err(QUOTA);
        }
        let lifetime = self.lifetime(wishes.lifetime, &request.account, now);
        let missing = families.missing;
        let grant = Grant { request: request.reply.id, lifetime, token: None, missing };
        let mobility = is_mobile.then(Mobility::default);
        let allocation = Allocation {
            client: request.reply.client,
            owner: owner.as_str().into(),
            expires: now,
            grant,
            v4: None,
            v6: None,
            peers: Peers::new(&self.hasher),
            traffic: Traffic::default(),
            bucket: Bucket::default(),
            mobility,
            is_tcp: wishes.is_tcp,
            opening: None,
        };
        self.open(allocation, &request.reply, families.asked, ask, now);
        Ok(())
    }

    /// Checks 7 and 9 of RFC 8656 §7.2: what of the wishes can be had.
    fn families(&self, wishes: &Wishes) -> Result<Families, Refusal> {
        let has = |family| self.config.relay(family).is_some();
        if !wishes.dual {
            let family = wishes.family.unwrap_or(Family::Ipv4);
            let asked = Families { asked: [Some(family), None], missing: None };
            return if has(family) { Ok(asked) } else { Err(NO_FAMILY) };
        }
        let found = FAMILIES.map(|family| has(family).then_some(family));
        let lacking = FAMILIES.into_iter().find(|family| !has(*family));
        if found == [None, None] {
            return Err(NO_FAMILY);
        }
        Ok(Families { asked: found, missing: lacking.map(|family| (family, NO_FAMILY.0)) })
    }

    /// Notes the allocation, and has its relayed addresses opened.
    fn open(
        &mut self,
        mut allocation: Allocation,
        reply: &Reply,
        families: [Option<Family>; 2],
        ask: Ask,
        now: Instant,
    ) {
        let unopened: Vec<Family> = families.into_iter().flatten().collect();
        let opening =
            Opening { reply: reply.clone(), unopened: unopened.clone(), ask, failures: 0 };
        allocation.opening = Some(Box::new(opening));
        let key = self.allocations.insert(allocation);
        let Some(key) = key else { return };
        self.by_client.insert(reply.client, key);
        for family in unopened {
            if !self.try_port(key, family, ask) {
                self.opening_failed(key, family);
            }
        }
        self.finish_opening(key, now);
    }

    /// A retransmission is told what the first one was told (RFC 8656 §7.2); anything else on a
    /// five-tuple with an allocation is a mismatch.
    fn allocate_again(&mut self, key: Key, request: &Request<'_>) -> Result<(), Refusal> {
        let allocation = self.allocations.get(key).ok_or(MISMATCH)?;
        let is_same = allocation.grant.request == request.reply.id
            && *allocation.owner == *request.account.owner;
        if !is_same {
            return Err(MISMATCH);
        }
        if allocation.opening.is_none() {
            self.answer_allocated(key, &request.reply);
        }
        Ok(())
    }

    /// The time to live: what is asked for, within the bounds (RFC 8656 §7.2).
    pub(super) fn lifetime(
        &self,
        asked: Option<Duration>,
        account: &super::Account,
        now: Instant,
    ) -> Duration {
        let config = &self.config;
        let lifetime = asked.unwrap_or_default().min(config.max_lifetime);
        let lifetime = lifetime.max(config.default_lifetime);
        match account.expires {
            Some(expires) if config.end_with_credentials => {
                let left = expires.saturating_sub(self.unix_time(now));
                lifetime.min(Duration::from_secs(left.as_secs().max(1)))
            }
            _ => lifetime,
        }
    }
}

impl<U> Server<U> {
    /// Tells how a [`Command::OpenRelay`] went.
    pub fn relay_opened(&mut self, relay: RelayId, result: Result<(), OpenError>, now: Instant) {
        let (key, family) = (Key::from(relay), relay.family);
        let attempts = self.config.limits.port_attempts;
        let Some(allocation) = self.allocations.get_mut(key) else { return };
        let port = allocation.port(family);
        let Some(opening) = &mut allocation.opening else { return };
        let Some(at) = opening.unopened.iter().position(|unopened| *unopened == family) else {
            return;
        };
        match (result, port) {
            (Ok(()), _) => {
                opening.unopened.swap_remove(at);
            }
            (Err(error), Some(port)) => {
                opening.failures += 1;
                let ask = opening.ask;
                let may_retry = error == OpenError::InUse
                    && opening.failures < attempts
                    && !matches!(ask, Ask::Reserved(_));
                allocation.set_port(family, None);
                if ask == Ask::Pair {
                    self.release(family, port + 1);
                }
                match error {
                    OpenError::InUse => self.hold(family, port, now),
                    OpenError::Exhausted => self.release(family, port),
                }
                if !(may_retry && self.try_port(key, family, ask)) {
                    self.opening_failed(key, family);
                }
            }
            (Err(_), None) => {}
        }
        self.finish_opening(key, now);
    }

    /// Takes a port and has it opened; false if there is none.
    fn try_port(&mut self, key: Key, family: Family, ask: Ask) -> bool {
        let (Some(host), Some(allocation)) =
            (self.config.relay(family), self.allocations.get_mut(key))
        else {
            return false;
        };
        let protocol = if allocation.is_tcp { Protocol::Tcp } else { Protocol::Udp };
        let pool = self.ports.of(family);
        let port = match ask {
            Ask::Any => pool.take_any(&mut self.rng),
            Ask::Even => pool.take_even(false, &mut self.rng),
            Ask::Pair => pool.take_even(true, &mut self.rng),
            Ask::Reserved(port) => Some(port),
        };
        let Some(port) = port else { return false };
        allocation.set_port(family, Some(port));
        let address = SocketAddr::new(host.bind, port);
        self.commands.push_back(Command::OpenRelay { relay: key.relay(family), address, protocol });
        true
    }

    /// There is no relayed address of this family to be had.
    fn opening_failed(&mut self, key: Key, family: Family) {
        let Some(allocation) = self.allocations.get_mut(key) else { return };
        allocation.grant.missing = Some((family, NO_CAPACITY.0));
        if let Some(opening) = &mut allocation.opening {
            opening.unopened.retain(|unopened| *unopened != family);
        }
    }

    /// Answers the Allocate request, once nothing is being opened any more.
    fn finish_opening(&mut self, key: Key, now: Instant) {
        let Some(allocation) = self.allocations.get_mut(key) else { return };
        let Some(opening) = allocation.opening.take_if(|opening| opening.unopened.is_empty())
        else {
            return;
        };
        let reserves = opening.ask == Ask::Pair;
        let Some(family) = FAMILIES.into_iter().find(|family| allocation.port(*family).is_some())
        else {
            self.forget(key, reserves);
            self.answer_error(&opening.reply, NO_CAPACITY.0);
            return;
        };
        allocation.expires = now;
        let port = allocation.port(family).unwrap_or_default();
        let (lifetime, owner) = (allocation.grant.lifetime, allocation.owner.clone());
        let token = reserves.then(|| self.reserve(family, port + 1, owner.clone(), now));
        if let Some(allocation) = self.allocations.get_mut(key) {
            allocation.grant.token = token;
        }
        self.prolong(key, now + lifetime);
        self.answer_allocated(key, &opening.reply);
        if let Some(host) = self.config.relay(family) {
            let relayed = SocketAddr::new(host.external, port);
            let client = opening.reply.client;
            self.events.push_back(Event::Allocated { client, user: owner, relayed });
        }
    }

    fn answer_allocated(&mut self, key: Key, reply: &Reply) {
        let Some(allocation) = self.allocations.get(key) else { return };
        let Grant { lifetime, token, missing, .. } = allocation.grant;
        let relayed: Vec<SocketAddr> = FAMILIES
            .into_iter()
            .filter_map(|family| {
                let host = self.config.relay(family)?;
                Some(SocketAddr::new(host.external, allocation.port(family)?))
            })
            .collect();
        let ticket = self.ticket(key);
        let write = |writer: &mut MessageWriter<'_>| -> Result<(), WriteError> {
            for address in &relayed {
                writer.attribute(&XorRelayedAddress(*address))?;
            }
            writer.attribute(&Lifetime(lifetime))?;
            if let Some(token) = &token {
                writer.attribute(token)?;
            }
            if let Some(ticket) = &ticket {
                writer.attribute(&MobilityTicket(ticket))?;
            }
            if let Some((family, code)) = missing {
                let error = ErrorCode::bare(code);
                writer.attribute(&AddressErrorCode { family, error })?;
            }
            writer.attribute(&XorMappedAddress(canonical(reply.client.remote)))?;
            Ok(())
        };
        self.answer(reply, Class::SuccessResponse, write);
    }
}
