//! Taking an allocation to another five-tuple (RFC 8016).

use core::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use pinhole_sansio::{FiveTuple, Instant};
use pinhole_stun::{Class, Message, Reader, TransactionId};
use sha2::Sha256;

use super::allocation::{Allocation, Key};
use super::key::Paths;
use super::refusal::Refusal;
use super::request::Request;
use super::{Server, Users};
use crate::attribute::{Lifetime, MobilityTicket};

/// Makes and opens tickets: an allocation and a serial number, which nobody else can read or make. A ticket
/// is good for nobody but the owner of the allocation, whose password it does not replace.
///
/// "The TURN server MUST always ensure that the ticket is authenticated and encrypted" (RFC 8016 §5). The tag
/// of what is sealed is the nonce of the key stream that hides it (as in RFC 5297): so a ticket is the same
/// as often as it is asked for, and no nonce is used twice. It is text, of 32 characters, since there are
/// clients that keep it as a string.
pub(super) struct Tickets {
    shard: u8,
    mac: Hmac<Sha256>,
}

/// The tag and the key stream are different functions of one key.
const TAG: u8 = 0;
const STREAM: u8 = 1;

const TAG_LENGTH: usize = 11;
/// Slot, generation and serial number, of four bytes each.
const BODY_LENGTH: usize = 12;
/// The machine's number, tag and body: a multiple of three, so that each character counts.
const SEALED_LENGTH: usize = 1 + TAG_LENGTH + BODY_LENGTH;
const LENGTH: usize = SEALED_LENGTH / 3 * 4;

/// The number of the machine that has made a ticket, the one thing that a ticket tells.
pub(super) fn shard_of(ticket: &[u8]) -> Option<u8> {
    let [shard, ..] = decode(ticket)?;
    Some(shard)
}

fn decode(ticket: &[u8]) -> Option<[u8; SEALED_LENGTH]> {
    let mut sealed = [0; SEALED_LENGTH];
    let length = URL_SAFE_NO_PAD.decode_slice(ticket, &mut sealed).ok()?;
    (length == SEALED_LENGTH).then_some(sealed)
}

/// What an allocation whose client asked for a ticket knows of its moves.
#[derive(Debug, Default)]
pub(super) struct Mobility {
    /// The number of the newest ticket; older ones are good for retransmissions only.
    serial: u32,
    /// The last move, for its retransmissions.
    last: Option<Move>,
    /// The five-tuple that takes over with the first data on it.
    next: Option<FiveTuple>,
    /// The client's connection is closed, and there is no other yet.
    suspended: bool,
}

#[derive(Clone, Copy, Debug)]
struct Move {
    request: TransactionId,
    lifetime: Duration,
}

impl Tickets {
    pub(super) fn new(shard: u8, seed: [u8; 32]) -> Self {
        let mac = Hmac::new_from_slice(&seed).expect("HMAC takes keys of every length");
        Self { shard, mac }
    }

    fn make(&self, key: Key, serial: u32) -> [u8; LENGTH] {
        let mut body = [0; BODY_LENGTH];
        let numbers = [key.slot, key.generation, serial];
        let bytes = numbers.into_iter().flat_map(u32::to_be_bytes);
        body.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
        let mac = self.tag_of(&body).finalize().into_bytes();
        let (tag, _) = mac.split_at(TAG_LENGTH);
        self.hide(tag, &mut body);
        let mut sealed = [0; SEALED_LENGTH];
        let whole = core::iter::once(&self.shard).chain(tag).chain(&body);
        sealed.iter_mut().zip(whole).for_each(|(place, byte)| *place = *byte);
        let mut ticket = [0; LENGTH];
        URL_SAFE_NO_PAD.encode_slice(sealed, &mut ticket).expect("24 bytes make 32 characters");
        ticket
    }

    /// What the ticket is for, if it was made here.
    fn open(&self, ticket: &[u8]) -> Option<(Key, u32)> {
        let sealed = decode(ticket)?;
        let mut sealed = Reader::new(&sealed);
        sealed.array::<1>().filter(|shard| *shard == [self.shard])?;
        let tag = sealed.array::<TAG_LENGTH>()?;
        let mut body = sealed.array::<BODY_LENGTH>()?;
        self.hide(&tag, &mut body);
        self.tag_of(&body).verify_truncated_left(&tag).ok()?;
        let mut body = Reader::new(&body);
        Some((Key { slot: body.u32()?, generation: body.u32()? }, body.u32()?))
    }

    fn tag_of(&self, body: &[u8]) -> Hmac<Sha256> {
        self.mac.clone().chain_update([TAG, self.shard]).chain_update(body)
    }

    /// Encrypts, or decrypts.
    fn hide(&self, tag: &[u8], body: &mut [u8; BODY_LENGTH]) {
        let stream = self.mac.clone().chain_update([STREAM]).chain_update(tag);
        let stream = stream.finalize().into_bytes();
        body.iter_mut().zip(stream).for_each(|(byte, mask)| *byte ^= mask);
    }
}

/// Whether the client asks for a ticket in its Allocate request (RFC 8016 §3.1.2).
pub(super) fn wants_ticket(message: &Message<'_>, allowed: bool) -> Result<bool, Refusal> {
    match message.get::<MobilityTicket<'_>>()? {
        None => Ok(false),
        Some(MobilityTicket(ticket)) if !ticket.is_empty() => Err(Refusal::BAD_REQUEST),
        Some(_) if !allowed => Err(Refusal::MOBILITY_FORBIDDEN),
        Some(_) => Ok(true),
    }
}

impl<U: Users> Server<U> {
    /// A Refresh request with a ticket (RFC 8016 §3.2.2): the allocation is that of the ticket, and the
    /// old five-tuple serves until data comes on the new one.
    pub(super) fn resume(
        &mut self,
        request: &Request<'_>,
        ticket: &[u8],
        now: Instant,
    ) -> Result<(), Refusal> {
        if !self.config.mobility {
            return Err(Refusal::MOBILITY_FORBIDDEN);
        }
        let (key, serial) = self.tickets.open(ticket).ok_or(Refusal::BAD_REQUEST)?;
        let asked = request.message.get::<Lifetime>()?.map(|Lifetime(asked)| asked);
        let lifetime = self.lifetime(asked, request, now);
        let in_use = self.by_client.get(&request.reply.client);
        let allocation = self.allocations.get_mut(key).ok_or(Refusal::ALLOCATION_MISMATCH)?;
        let (is_live, is_own) = (allocation.is_live(now), allocation.is_of(&request.account));
        let mobility =
            allocation.mobility.as_mut().filter(|_| is_live).ok_or(Refusal::ALLOCATION_MISMATCH)?;
        if !is_own {
            return Err(Refusal::WRONG_CREDENTIALS);
        }
        let repeated = mobility.last.filter(|last| last.request == request.reply.id);
        if in_use == Some(key) {
            let last = repeated.ok_or(Refusal::BAD_REQUEST)?;
            self.answer_resumed(key, request, last.lifetime);
            return Ok(());
        }
        if in_use.is_some() {
            return Err(Refusal::ALLOCATION_MISMATCH);
        }
        if serial != mobility.serial {
            return Err(Refusal::BAD_REQUEST);
        }
        if asked == Some(Duration::ZERO) {
            self.end(key, None);
            self.answer(&request.reply, Class::SuccessResponse, |writer| {
                writer.attribute(&Lifetime(Duration::ZERO)).map(drop)
            });
            return Ok(());
        }
        let is_suspended = mobility.suspended;
        mobility.serial = mobility.serial.wrapping_add(1);
        mobility.last = Some(Move { request: request.reply.id, lifetime });
        // One move at a time: a five-tuple that has sent no data yet gives way.
        let given_up = mobility.next.replace(request.reply.client);
        if let Some(path) = given_up {
            self.by_client.remove(path);
        }
        self.by_client.insert(request.reply.client, key);
        if is_suspended {
            allocation.take_over(key, &mut self.by_client);
        }
        self.prolong(key, now + lifetime);
        self.answer_resumed(key, request, lifetime);
        Ok(())
    }

    fn answer_resumed(&mut self, key: Key, request: &Request<'_>, lifetime: Duration) {
        let ticket = self.ticket(key);
        self.answer(&request.reply, Class::SuccessResponse, |writer| {
            writer.attribute(&Lifetime(lifetime))?;
            ticket.map_or(Ok(()), |ticket| writer.attribute(&MobilityTicket(&ticket)).map(drop))
        });
    }
}

impl<U> Server<U> {
    /// The newest ticket of an allocation whose client has asked for one.
    pub(super) fn ticket(&self, key: Key) -> Option<[u8; LENGTH]> {
        let mobility = self.allocations.get(key)?.mobility.as_ref()?;
        Some(self.tickets.make(key, mobility.serial))
    }

    /// The client's connection is closed. A client with a ticket may come back on another one, and its
    /// allocation waits for it as long as it lives; false for any other client.
    pub(super) fn suspend(&mut self, key: Key, closed: FiveTuple) -> bool {
        let Some(allocation) = self.allocations.get_mut(key) else { return false };
        let is_open = allocation.opening.is_none();
        let Some(mobility) = allocation.mobility.as_mut().filter(|_| is_open) else { return false };
        if mobility.next == Some(closed) {
            mobility.next = None;
        } else if mobility.next.is_some() {
            allocation.take_over(key, &mut self.by_client);
            return true;
        } else {
            mobility.suspended = true;
        }
        self.by_client.remove(closed);
        true
    }
}

impl Allocation {
    /// Whether the client has sent from another path than the one it is known by, as it may with a ticket.
    #[inline(always)]
    pub(super) fn is_elsewhere(&self, path: &FiveTuple) -> bool {
        self.mobility.is_some() && self.client != *path
    }

    /// Data has come on the new path: it is the only one now.
    #[cold]
    pub(super) fn take_over(&mut self, key: Key, paths: &mut Paths) {
        let Some(mobility) = &mut self.mobility else { return };
        let Some(next) = mobility.next.take() else { return };
        mobility.suspended = false;
        let old = core::mem::replace(&mut self.client, next);
        // A client that was away may come back on the path that it had.
        if old != next {
            paths.disown(old, key);
        }
    }
}

impl Mobility {
    /// Whether nothing can be sent to the client at present.
    pub(super) const fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// The five-tuple that has sent no data yet.
    pub(super) const fn next(&self) -> Option<FiveTuple> {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    #[test]
    fn a_ticket_leads_back_to_its_allocation() {
        let (here, there) = (Tickets::new(3, [1; 32]), Tickets::new(4, [1; 32]));
        for (slot, generation, serial) in [(0, 0, 0), (7, u32::MAX, 1), (u32::MAX, 9, u32::MAX)] {
            let key = Key { slot, generation };
            let ticket = here.make(key, serial);
            assert_eq!(here.open(&ticket), Some((key, serial)));
            assert_eq!(shard_of(&ticket), Some(3));
            assert_eq!(here.make(key, serial), ticket, "a retransmission is answered alike");
            let [mut sealed, elsewhere] =
                [ticket, there.make(key, serial)].map(|t| decode(&t).unwrap());
            assert_ne!(sealed[1..], elsewhere[1..]);
            sealed[0] = 4;
            assert_eq!(
                there.open(URL_SAFE_NO_PAD.encode(sealed).as_bytes()),
                None,
                "of another machine"
            );
        }
    }

    /// RFC 8016 §5: "nothing can be gleaned by looking at the ticket alone".
    #[test]
    fn tickets_of_one_allocation_and_of_neighbours_have_nothing_in_common() {
        let tickets = Tickets::new(3, [2; 32]);
        let neighbours = (0..256).map(|slot| tickets.make(Key { slot, generation: 0 }, 0));
        let moves = (0..256).map(|serial| tickets.make(Key { slot: 7, generation: 1 }, serial));
        for family in [neighbours.collect::<Vec<_>>(), moves.collect()] {
            let sealed: Vec<_> = family.iter().map(|ticket| decode(ticket).unwrap()).collect();
            for at in 1..SEALED_LENGTH {
                let values: BTreeSet<u8> = sealed.iter().map(|sealed| sealed[at]).collect();
                // Of 256 draws, 162 are different on average.
                assert!(values.len() > 130, "byte {at} has {} values", values.len());
            }
        }
    }
}
