//! The way of an allocation to open relayed addresses, and the answer at its end.

use alloc::vec::Vec;
use core::net::SocketAddr;

use pinhole_sansio::Instant;
use pinhole_stun::attribute::{ErrorCode, Family, XorMappedAddress};
use pinhole_stun::{Class, MessageWriter, WriteError};

use super::allocation::{Ask, FAMILIES, Grant, Key};
use super::request::{NO_CAPACITY, Reply};
use super::{Command, Event, OpenError, Protocol, RelayId, Server};
use crate::attribute::{AddressErrorCode, Lifetime, MobilityTicket, XorRelayedAddress};
use crate::indication::canonical;

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
    pub(super) fn try_port(&mut self, key: Key, family: Family, ask: Ask) -> bool {
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
    pub(super) fn opening_failed(&mut self, key: Key, family: Family) {
        let Some(allocation) = self.allocations.get_mut(key) else { return };
        allocation.grant.missing = Some((family, NO_CAPACITY.0));
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
