//! The way of an allocation to open relayed addresses, and the answer at its end.

use alloc::vec::Vec;
use core::net::SocketAddr;

use pinhole_sansio::Instant;
use pinhole_stun::attribute::{ErrorCode, Family, XorMappedAddress};
use pinhole_stun::{Class, MessageWriter, WriteError};
use rand::Rng;

use super::allocation::{FAMILIES, Grant, Key, Opening};
use super::port::Ask;
use super::refusal::Refusal;
use super::request::Reply;
use super::reserve::{RESERVATION_LIFETIME, Reservation};
use super::{Command, Event, OpenError, Protocol, RelayId, Server};
use crate::attribute::{AddressErrorCode, Lifetime, MobilityTicket, XorRelayedAddress};
use crate::indication::canonical;

impl<U> Server<U> {
    /// Tells how a [`Command::OpenRelay`] went.
    pub fn relay_opened(&mut self, relay: RelayId, result: Result<(), OpenError>, now: Instant) {
        let (key, family) = (Key::from(relay), relay.family);
        if let Some(pair) = self.spares.remove(&key) {
            return self.spare_opened(pair, key, family, result, now);
        }
        let Some(allocation) = self.allocations.get_mut(key) else { return };
        let port = allocation.port(family);
        let Some(opening) = &mut allocation.opening else { return };
        let Some(at) = opening.unopened.iter().position(|unopened| *unopened == family) else {
            return;
        };
        let Some(port) = port.filter(|_| opening.spare.is_none()) else { return };
        match result {
            Ok(()) if opening.ask == Ask::Pair => self.open_spare(key, family, port),
            Ok(()) => {
                opening.unopened.swap_remove(at);
            }
            Err(error) => {
                if opening.ask == Ask::Pair {
                    self.release(family, port + 1);
                }
                self.give_back(family, port, error, now);
                self.try_again(key, family, error);
            }
        }
        self.finish_opening(key, now);
    }

    /// The first socket of a pair is open: now the one of the port that is reserved, so that no other
    /// program can bind it meanwhile.
    fn open_spare(&mut self, key: Key, family: Family, port: u16) {
        let (Some(host), Some(spare)) = (self.config.relay(family), self.allocations.reserve())
        else {
            return;
        };
        if let Some(opening) = self.opening(key) {
            opening.spare = Some(spare);
        }
        self.spares.insert(spare, key);
        let address = SocketAddr::new(host.bind, port + 1);
        let (relay, protocol) = (spare.relay(family), Protocol::Udp);
        self.commands.push_back(Command::OpenRelay { relay, address, protocol });
    }

    /// The second socket of a pair is open, or the first is of no use.
    fn spare_opened(
        &mut self,
        key: Key,
        spare: Key,
        family: Family,
        result: Result<(), OpenError>,
        now: Instant,
    ) {
        let port = self.allocations.get(key).and_then(|allocation| allocation.port(family));
        let (Some(port), Some(opening)) = (port, self.opening(key)) else { return };
        match result {
            Ok(()) => opening.unopened.clear(),
            Err(error) => {
                opening.spare = None;
                self.allocations.vacate(spare);
                self.commands.push_back(Command::CloseRelay { relay: key.relay(family) });
                self.release(family, port);
                self.give_back(family, port + 1, error, now);
                self.try_again(key, family, error);
            }
        }
        self.finish_opening(key, now);
    }

    fn opening(&mut self, key: Key) -> Option<&mut Opening> {
        self.allocations.get_mut(key)?.opening.as_deref_mut()
    }

    /// Puts a port back that could not be opened; not at once, if somebody else holds it.
    fn give_back(&mut self, family: Family, port: u16, error: OpenError, now: Instant) {
        match error {
            OpenError::InUse => self.hold(family, port, now),
            OpenError::Exhausted => self.release(family, port),
        }
    }

    /// Tries another port, if that may help and has not been done too often.
    fn try_again(&mut self, key: Key, family: Family, error: OpenError) {
        let attempts = self.config.limits.port_attempts;
        let Some(allocation) = self.allocations.get_mut(key) else { return };
        allocation.set_port(family, None);
        let Some(opening) = &mut allocation.opening else { return };
        opening.failures += 1;
        let (failures, ask) = (opening.failures, opening.ask);
        let may_help = error == OpenError::InUse && failures < attempts;
        if !(may_help && self.try_port(key, family, ask)) {
            self.opening_failed(key, family);
        }
    }

    /// Takes a port and has it opened; false if there is none.
    pub(super) fn try_port(&mut self, key: Key, family: Family, ask: Ask) -> bool {
        let (Some(host), Some(allocation)) =
            (self.config.relay(family), self.allocations.get_mut(key))
        else {
            return false;
        };
        let protocol = if allocation.is_tcp { Protocol::Tcp } else { Protocol::Udp };
        let Some(port) = self.ports.take(family, ask, self.rng.next_u32()) else { return false };
        allocation.set_port(family, Some(port));
        let address = SocketAddr::new(host.bind, port);
        self.commands.push_back(Command::OpenRelay { relay: key.relay(family), address, protocol });
        true
    }

    /// There is no relayed address of this family to be had.
    pub(super) fn opening_failed(&mut self, key: Key, family: Family) {
        let Some(allocation) = self.allocations.get_mut(key) else { return };
        allocation.grant.missing = Some((family, Refusal::INSUFFICIENT_CAPACITY.0));
        if let Some(opening) = &mut allocation.opening {
            opening.unopened.retain(|unopened| *unopened != family);
        }
    }

    /// Answers the Allocate request, once nothing is being opened any more.
    pub(super) fn finish_opening(&mut self, key: Key, now: Instant) {
        let Some(allocation) = self.allocations.get_mut(key) else { return };
        let Some(opening) = allocation.opening.take_if(|opening| opening.unopened.is_empty())
        else {
            return;
        };
        let Some(family) = FAMILIES.into_iter().find(|family| allocation.port(*family).is_some())
        else {
            self.forget(key, opening.ask == Ask::Pair);
            let refusal = self.full(opening.reply.client, Refusal::INSUFFICIENT_CAPACITY);
            self.refuse(&opening.reply, refusal);
            return;
        };
        allocation.expires = now;
        let port = allocation.port(family).unwrap_or_default();
        let lifetime = allocation.grant.lifetime;
        let reservation = opening.spare.map(|spare| {
            let owner = allocation.owner.clone();
            let expires = now + RESERVATION_LIFETIME;
            Reservation { key: spare, family, port: port + 1, owner, expires }
        });
        let user = allocation.owner.name.clone();
        let token = reservation.map(|reservation| self.keep(reservation));
        if let Some(allocation) = self.allocations.get_mut(key) {
            allocation.grant.token = token;
        }
        self.prolong(key, now + lifetime);
        self.answer_allocated(key, &opening.reply);
        if let Some(host) = self.config.relay(family) {
            let relayed = SocketAddr::new(host.external, port);
            let client = opening.reply.client;
            self.events.push_back(Event::Allocated { client, user, relayed });
        }
    }

    pub(super) fn answer_allocated(&mut self, key: Key, reply: &Reply) {
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
