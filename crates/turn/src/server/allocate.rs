//! Allocate: the checks of RFC 8656 §7.2 in their order.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use pinhole_sansio::{FiveTuple, Instant};
use pinhole_stun::attribute::{Attribute, AttributeError, Family};
use pinhole_stun::{AttributeType, Message, Method};

use super::allocation::{Allocation, FAMILIES, Grant, Key, Opening};
use super::bandwidth::Bucket;
use super::mobility::wants_ticket;
use super::peers::Peers;
use super::port::Ask;
use super::quota::Owner;
use super::refusal::Refusal;
use super::request::Request;
use super::{Account, Exceeded, Holder, Server, Traffic, Users};
use crate::attribute::{
    AdditionalAddressFamily, DontFragment, EvenPort, Lifetime, RequestedAddressFamily,
    RequestedTransport, ReservationToken,
};
use crate::policy::embedded;

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
        let transport = message.get::<RequestedTransport>()?.ok_or(Refusal::BAD_REQUEST)?;
        let is_tcp = transport == RequestedTransport::TCP;
        if transport != RequestedTransport::UDP && !(is_tcp && tcp.is_some()) {
            return Err(Refusal::UNSUPPORTED_TRANSPORT);
        }
        let token = message.get::<ReservationToken>()?;
        let even = message.get::<EvenPort>()?;
        let is_udp_only =
            even.is_some() || token.is_some() || message.get::<DontFragment>()?.is_some();
        if is_tcp && (is_udp_only || tcp != Some(true)) {
            return Err(Refusal::BAD_REQUEST);
        }
        let family = message.get::<RequestedAddressFamily>();
        let additional = additional_family(message);
        let names_family = !matches!(family, Ok(None));
        let is_dual = !matches!(additional, Ok(None));
        if token.is_some() && (even.is_some() || names_family || is_dual) {
            return Err(Refusal::BAD_REQUEST);
        }
        if names_family && is_dual {
            return Err(Refusal::BAD_REQUEST);
        }
        let family = match family {
            Err(AttributeError::Family(_)) => return Err(Refusal::FAMILY_NOT_SUPPORTED),
            family => family?.map(|RequestedAddressFamily(family)| family),
        };
        let reserves = even.is_some_and(|even| even.reserve_next);
        let additional = additional?.map(|AdditionalAddressFamily(family)| family);
        if is_dual && (reserves || additional != Some(Family::Ipv6)) {
            return Err(Refusal::BAD_REQUEST);
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
        if let Some(key) = self.by_client.get(&request.reply.client) {
            return self.allocate_again(key, request);
        }
        if is_tunneled(request.reply.client.remote.ip()) {
            return Err(Refusal::FORBIDDEN);
        }
        let is_mobile = wants_ticket(&request.message, self.config.mobility)?;
        let tcp = self.config.tcp.then(|| request.reply.client.transport.is_reliable());
        let wishes = Wishes::read(&request.message, tcp)?;
        match wishes.token {
            Some(token) => self.redeem(request, &wishes, token, is_mobile, now),
            None => self.allocate_new(request, &wishes, is_mobile, now),
        }
    }

    /// An allocation whose ports are still to be found.
    fn allocate_new(
        &mut self,
        request: &Request<'_>,
        wishes: &Wishes,
        is_mobile: bool,
        now: Instant,
    ) -> Result<(), Refusal> {
        let (families, ask) = (self.families(wishes)?, wishes.ask());
        let client = request.reply.client;
        if self.draining {
            return Err(self.full(client, Refusal::INSUFFICIENT_CAPACITY));
        }
        let count = if ask == Ask::Pair { 2 } else { 1 };
        let owner = self.charge(&request.account, client, count, now)?;
        let mut allocation = self.allocation(request, wishes, owner, is_mobile, now);
        allocation.grant.missing = families.missing;
        let unopened: Vec<Family> = families.asked.into_iter().flatten().collect();
        let reply = request.reply.clone();
        let opening = Opening { reply, unopened: unopened.clone(), ask, spare: None, failures: 0 };
        allocation.opening = Some(Box::new(opening));
        let Some(key) = self.allocations.reserve() else {
            return Err(Refusal::INSUFFICIENT_CAPACITY);
        };
        self.allocations.place(key, allocation);
        self.by_client.insert(client, key);
        for family in unopened {
            if !self.try_port(key, family, ask) {
                self.opening_failed(key, family);
            }
        }
        self.finish_opening(key, now);
        Ok(())
    }

    /// An allocation on a port that waits for it, with its socket (RFC 8656 §7.2, check 5).
    fn redeem(
        &mut self,
        request: &Request<'_>,
        wishes: &Wishes,
        token: ReservationToken,
        is_mobile: bool,
        now: Instant,
    ) -> Result<(), Refusal> {
        let reservation = self.reservations.get(&token.0).ok_or(Refusal::INSUFFICIENT_CAPACITY)?;
        let account = &request.account;
        let is_own = *reservation.owner.name == *account.owner;
        let charged =
            if is_own { None } else { Some(self.charge(account, request.reply.client, 1, now)?) };
        let reservation = self.claim(token).ok_or(Refusal::INSUFFICIENT_CAPACITY)?;
        let owner = match charged {
            Some(owner) => {
                self.quota.discharge(reservation.owner.holder(), 1);
                owner
            }
            None => reservation.owner,
        };
        let mut allocation = self.allocation(request, wishes, owner, is_mobile, now);
        allocation.set_port(reservation.family, Some(reservation.port));
        let (reply, unopened) = (request.reply.clone(), Vec::new());
        let opening = Opening { reply, unopened, ask: Ask::Any, spare: None, failures: 0 };
        allocation.opening = Some(Box::new(opening));
        self.allocations.place(reservation.key, allocation);
        self.by_client.insert(request.reply.client, reservation.key);
        self.finish_opening(reservation.key, now);
        Ok(())
    }

    /// Counts allocations, or refuses them: 486, or 300 if somebody else may have room.
    pub(super) fn charge(
        &mut self,
        account: &Account,
        client: FiveTuple,
        count: u32,
        now: Instant,
    ) -> Result<Owner, Refusal> {
        let source = client.remote.ip();
        let holder = Holder { user: &account.owner, source };
        match self.quota.charge(holder, count, now) {
            Ok(holding) => Ok(Owner { name: account.owner.as_str().into(), source, holding }),
            Err(Exceeded::Total) => Err(self.full(client, Refusal::QUOTA_REACHED)),
            Err(Exceeded::User | Exceeded::Prefix) => Err(Refusal::QUOTA_REACHED),
        }
    }

    /// An allocation without relayed addresses yet.
    fn allocation(
        &self,
        request: &Request<'_>,
        wishes: &Wishes,
        owner: Owner,
        is_mobile: bool,
        now: Instant,
    ) -> Allocation {
        let lifetime = self.lifetime(wishes.lifetime, request, now);
        Allocation {
            client: request.reply.client,
            owner,
            expires: now,
            grant: Grant { request: request.reply.id, lifetime, token: None, missing: None },
            v4: None,
            v6: None,
            peers: Peers::default(),
            traffic: Traffic::default(),
            bucket: Bucket::default(),
            mobility: is_mobile.then(Box::default),
            bearer: request.bearer.clone().map(Box::new),
            is_tcp: wishes.is_tcp,
            opening: None,
        }
    }

    /// Checks 7 and 9 of RFC 8656 §7.2: what of the wishes can be had.
    fn families(&self, wishes: &Wishes) -> Result<Families, Refusal> {
        let has = |family| self.config.relay(family).is_some();
        if !wishes.dual {
            let family = wishes.family.unwrap_or(Family::Ipv4);
            let asked = Families { asked: [Some(family), None], missing: None };
            return if has(family) { Ok(asked) } else { Err(Refusal::FAMILY_NOT_SUPPORTED) };
        }
        let found = FAMILIES.map(|family| has(family).then_some(family));
        let lacking = FAMILIES.into_iter().find(|family| !has(*family));
        if found == [None, None] {
            return Err(Refusal::FAMILY_NOT_SUPPORTED);
        }
        Ok(Families {
            asked: found,
            missing: lacking.map(|family| (family, Refusal::FAMILY_NOT_SUPPORTED.0)),
        })
    }

    /// A retransmission is told what the first one was told (RFC 8656 §7.2); anything else on a
    /// five-tuple with an allocation is a mismatch.
    fn allocate_again(&mut self, key: Key, request: &Request<'_>) -> Result<(), Refusal> {
        let allocation = self.allocations.get(key).ok_or(Refusal::ALLOCATION_MISMATCH)?;
        let is_same =
            allocation.grant.request == request.reply.id && allocation.is_of(&request.account);
        if !is_same {
            return Err(Refusal::ALLOCATION_MISMATCH);
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
        request: &Request<'_>,
        now: Instant,
    ) -> Duration {
        let config = &self.config;
        let lifetime = asked.unwrap_or_default().min(config.max_lifetime);
        let lifetime = lifetime.max(config.default_lifetime);
        // "MUST be less than or equal to the lifetime of the token" (RFC 7635 §9).
        let is_bounded = config.end_with_credentials || request.bearer.is_some();
        match request.account.expires {
            Some(expires) if is_bounded => {
                let left = expires.saturating_sub(self.unix_time(now));
                lifetime.min(Duration::from_secs(left.as_secs().max(1)))
            }
            _ => lifetime,
        }
    }
}

/// What a draft called ADDITIONAL-ADDRESS-FAMILY, and coturn's clients up to 4.6 still do.
const DRAFT_ADDITIONAL: AttributeType = AttributeType::new(0x8032);

/// The family that is wanted besides IPv4, under either number.
fn additional_family(
    message: &Message<'_>,
) -> Result<Option<AdditionalAddressFamily>, AttributeError> {
    match message.raw(DRAFT_ADDITIONAL) {
        Some(value) => AdditionalAddressFamily::decode(value, message.transaction_id()).map(Some),
        None => message.get(),
    }
}

/// "If the TURN server carrying out packet translation from IPv4-to-IPv6 is unable to access the state of the
/// Don't Fragment (DF) bit in the IPv4 header, it MUST reject the Allocate request with the DONT-FRAGMENT
/// attribute" (RFC 8656 §3.7): sockets do not tell it.
pub(super) fn wants_translation(message: &Message<'_>, client: FiveTuple) -> bool {
    let v6 = RequestedAddressFamily(Family::Ipv6);
    let asks_for_v6 = || {
        message.get() == Ok(Some(v6))
            || additional_family(message).is_ok_and(|family| family.is_some())
    };
    message.method() == Method::ALLOCATE
        && !client.transport.is_reliable()
        && client.remote.ip().to_canonical().is_ipv4()
        && asks_for_v6()
}

/// Whether the client is at the end of a tunnel from which no server may take requests (RFC 8656 §21.4).
fn is_tunneled(client: IpAddr) -> bool {
    let IpAddr::V6(client) = client else { return false };
    embedded(client).is_some_and(|(embedding, _)| embedding.is_forbidden())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CHECKLIST 20: REQUESTED-TRANSPORT of two bytes, and none.
    #[test]
    fn line_20_a_short_or_missing_transport_is_400() {
        let header = |length| {
            let mut bytes = std::vec![0, 3, 0, length, 0x21, 0x12, 0xa4, 0x42];
            bytes.extend([7; 12]);
            bytes
        };
        let (mut short, mut whole) = (header(8), header(8));
        short.extend([0, 0x19, 0, 2, 17, 0, 0, 0]);
        whole.extend([0, 0x19, 0, 4, 17, 0, 0, 0]);
        for (bytes, expected) in [
            (header(0), Err(Refusal::BAD_REQUEST)),
            (short, Err(Refusal::BAD_REQUEST)),
            (whole, Ok(())),
        ] {
            let message = Message::parse(&bytes).unwrap();
            assert_eq!(Wishes::read(&message, None).map(drop), expected);
        }
    }
}
