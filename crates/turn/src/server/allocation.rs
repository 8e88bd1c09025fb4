use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use pinhole_sansio::{FiveTuple, Instant};
use pinhole_stun::TransactionId;
use pinhole_stun::attribute::Family;

use super::bandwidth::Bucket;
use super::mobility::Mobility;
use super::peers::Peers;
use super::port::Ask;
use super::quota::Owner;
use super::request::Reply;
use super::token::Bearer;
use super::{Account, Bandwidth, DropReason, RelayId, Traffic};
use crate::attribute::ReservationToken;

/// What a client has on the server (RFC 8656 §3.2).
#[derive(Debug)]
pub(super) struct Allocation {
    pub(super) client: FiveTuple,
    pub(super) owner: Owner,
    pub(super) expires: Instant,
    /// What a retransmission of the Allocate request is told again.
    pub(super) grant: Grant,
    pub(super) v4: Option<u16>,
    pub(super) v6: Option<u16>,
    pub(super) peers: Peers,
    pub(super) traffic: Traffic,
    pub(super) bucket: Bucket,
    /// If the client has asked for a ticket.
    pub(super) mobility: Option<Box<Mobility>>,
    /// If the client was let in by a token.
    pub(super) bearer: Option<Box<Bearer>>,
    /// Whether it relays connections and no datagrams.
    pub(super) is_tcp: bool,
    /// Until every relayed address is open, or has failed.
    pub(super) opening: Option<Box<Opening>>,
}

/// What the Allocate request has brought.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) request: TransactionId,
    pub(super) lifetime: Duration,
    pub(super) token: Option<ReservationToken>,
    /// The family of a dual allocation that could not be had, and the code that says why.
    pub(super) missing: Option<(Family, u16)>,
}

/// An Allocate request whose answer waits for the driver.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) reply: Reply,
    pub(super) unopened: Vec<Family>,
    pub(super) ask: Ask,
    /// The place of the reserved port, while its socket is being opened and after that.
    pub(super) spare: Option<Key>,
    /// How many ports others held.
    pub(super) failures: u32,
}

impl Allocation {
    pub(super) const fn port(&self, family: Family) -> Option<u16> {
        match family {
            Family::Ipv4 => self.v4,
            Family::Ipv6 => self.v6,
        }
    }

    pub(super) const fn set_port(&mut self, family: Family, port: Option<u16>) {
        match family {
            Family::Ipv4 => self.v4 = port,
            Family::Ipv6 => self.v6 = port,
        }
    }

    /// Whether it is this account's; all requests but Allocate are for the owner only (RFC 8656 §5).
    pub(super) fn is_of(&self, account: &Account) -> bool {
        *self.owner.name == *account.owner
    }

    /// Whether there is a path to the client.
    #[inline]
    pub(super) fn is_reachable(&self) -> bool {
        self.mobility.as_ref().is_none_or(|mobility| !mobility.is_suspended())
    }

    /// Whether the allocation answers requests and carries data at this instant.
    #[inline]
    pub(super) fn is_live(&self, now: Instant) -> bool {
        self.opening.is_none() && now < self.expires
    }

    /// Whether it has a relayed address of this family at this instant. A driver may bring what it had received
    /// before it closed one of a dual allocation's.
    #[inline]
    pub(super) fn relays(&self, family: Family, now: Instant) -> bool {
        self.is_live(now) && self.port(family).is_some()
    }
}

impl Bucket {
    /// Takes a datagram from the bandwidth of the allocation, and from that of its user. Nothing is
    /// queued: what is too much is dropped at once (RFC 8656 §5).
    #[inline]
    pub(super) fn take_with(
        &mut self,
        owner: &Owner,
        bytes: usize,
        limit: Option<&Bandwidth>,
        now: Instant,
    ) -> Result<(), DropReason> {
        if !self.take(bytes, limit.copied(), now) {
            return Err(DropReason::Bandwidth);
        }
        let shared = owner.holding.bandwidth.as_ref();
        if shared.is_some_and(|shared| !shared.take(bytes, now)) {
            self.put_back(bytes, limit.copied());
            return Err(DropReason::UserBandwidth);
        }
        Ok(())
    }
}

pub(super) const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];

/// All allocations, each found by its number in constant time.
#[derive(Debug, Default)]
pub(super) struct Allocations {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// How many slots have an allocation; others are free, or kept for one.
    count: usize,
}

#[derive(Debug, Default)]
struct Slot {
    /// How often the slot has been emptied; tells a late answer from one to its present holder.
    generation: u32,
    allocation: Option<Box<Allocation>>,
}

/// Where an allocation is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

impl Key {
    pub(super) const fn relay(self, family: Family) -> RelayId {
        RelayId { slot: self.slot, generation: self.generation, family }
    }
}

impl From<RelayId> for Key {
    fn from(relay: RelayId) -> Self {
        Self { slot: relay.slot, generation: relay.generation }
    }
}

impl Allocations {
    /// A place for an allocation to come.
    pub(super) fn reserve(&mut self) -> Option<Key> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                let slot = u32::try_from(self.slots.len()).ok()?;
                self.slots.push(Slot::default());
                slot
            }
        };
        let generation = self.slots.get(usize::try_from(slot).ok()?)?.generation;
        Some(Key { slot, generation })
    }

    /// Puts an allocation where a place is reserved.
    pub(super) fn place(&mut self, key: Key, allocation: Allocation) {
        if let Some(slot) = self.slot(key)
            && slot.allocation.replace(Box::new(allocation)).is_none()
        {
            self.count += 1;
        }
    }

    /// Gives up a place that was reserved.
    pub(super) fn vacate(&mut self, key: Key) {
        if let Some(slot) = self.slot(key) {
            slot.generation = slot.generation.wrapping_add(1);
            self.free.push(key.slot);
        }
    }

    fn slot(&mut self, key: Key) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(usize::try_from(key.slot).ok()?)?;
        (slot.generation == key.generation).then_some(slot)
    }

    /// The allocations of which this is true.
    pub(super) fn keys_where(&self, is_one: impl Fn(&Allocation) -> bool) -> Vec<Key> {
        let slots = (0..).zip(&self.slots);
        slots
            .filter(|(_, slot)| slot.allocation.as_deref().is_some_and(&is_one))
            .map(|(number, slot)| Key { slot: number, generation: slot.generation })
            .collect()
    }

    #[inline]
    pub(super) fn get(&self, key: Key) -> Option<&Allocation> {
        let slot = self.slots.get(usize::try_from(key.slot).ok()?)?;
        if slot.generation == key.generation { slot.allocation.as_deref() } else { None }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Allocation> {
        let slot = self.slots.get_mut(usize::try_from(key.slot).ok()?)?;
        if slot.generation == key.generation { slot.allocation.as_deref_mut() } else { None }
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Box<Allocation>> {
        let allocation = self.slot(key)?.allocation.take()?;
        self.count -= 1;
        self.vacate(key);
        Some(allocation)
    }

    pub(super) const fn len(&self) -> usize {
        self.count
    }
}
