//! Somebody who has seen what clients send, and has an account of his own: what he tries on a TURN server, and what must
//! come of it (T4 to T7, T13, T14, T16, T18, T21).

mod campaign;

use std::net::{Ipv4Addr, SocketAddr};

use pinhole_sansio::{Datagram, FiveTuple, Instant, Transmit, Transport};
use pinhole_stun::{Class, Message, MessageWriter, Method, TransactionId};
use pinhole_turn::attribute::{Lifetime, RequestedTransport, XorPeerAddress};

use super::SERVER_PORT;
use super::forgery::forge;
use super::turn::TurnServer;
use crate::mutation::Mutation;
use crate::transcript::digest;

/// How far he has come.
#[derive(Debug, Default)]
pub(super) struct Rogue {
    /// How many honest requests he has seen.
    seen: usize,
}

impl TurnServer {
    /// He is there before an honest request: with a forgery from the same address, with the same bytes from another one,
    /// with a byte changed; and with nothing to show for himself.
    pub(super) fn attack_before(&mut self, datagram: Datagram<'_>, now: Instant) {
        let Some(rogue) = &mut self.rogue else { return };
        let Some(forged) = forge(datagram.payload) else { return };
        rogue.seen += 1;
        let seen = rogue.seen;
        self.refuses(Datagram { payload: &forged, ..datagram }, now);
        let mut elsewhere = datagram;
        elsewhere.five_tuple.remote.set_port(datagram.five_tuple.remote.port() ^ 1);
        // A NAT that was restarted may have led its sender there before: from there it would be his own.
        if !self.warden.has_met(elsewhere.five_tuple.remote) {
            self.refuses(elsewhere, now);
        }
        let garbled = garble(&forged);
        self.inject(Datagram { payload: &garbled, ..datagram }, now);
        match seen {
            FLOOD => self.flood(now),
            CAMPAIGN => self.campaign(now),
            _ => {}
        }
    }

    /// He puts something behind the integrity of some requests. It is taken for what it was (T6).
    pub(super) fn tamper(&mut self, datagram: Datagram<'_>) -> Option<Vec<u8>> {
        self.rogue.as_ref()?;
        let forged = forge(datagram.payload)?;
        let method = Message::parse(&forged).ok()?.method();
        let is_chosen = digest(&forged).is_multiple_of(3);
        if !is_chosen || ![Method::CREATE_PERMISSION, Method::REFRESH].contains(&method) {
            return None;
        }
        let signed = datagram.payload.get(..forged.len())?;
        append(signed, method)
    }

    /// What was put behind the integrity has no effect; and the same request again has none either (T13).
    pub(super) fn attack_after(&mut self, datagram: Datagram<'_>, now: Instant) {
        if self.rogue.is_none() || forge(datagram.payload).is_none() {
            return;
        }
        let relays: Vec<_> = self.relays.values().copied().collect();
        let lie = self.warden.is_lied_to(Mutation::BelievedTrailers);
        for relay in relays {
            let believed = self.server.handle_peer_datagram(relay, trap(), 1, now).is_ok();
            let what = format_args!("what follows the integrity is believed");
            self.warden.demand("T6", !believed && !lie, now, what);
        }
        let tampered = self.tamper(datagram);
        let before = self.outbox.len();
        self.handle_client(datagram, tampered.as_deref(), false, now);
        self.outbox.truncate(before);
    }

    /// Many requests from an address that is not his.
    fn flood(&mut self, now: Instant) {
        let Some(server) = self.listener() else { return };
        let stranger = SocketAddr::from((STRANGER, 4_000));
        for round in 0..30_u8 {
            let mut buffer = [0; 64];
            let id = TransactionId::new([round; 12]);
            let request = MessageWriter::new(&mut buffer, Class::Request, Method::ALLOCATE, id)
                .and_then(|mut writer| {
                    writer.attribute(&RequestedTransport::UDP)?;
                    Ok(writer.finish())
                })
                .expect("the buffer is large enough");
            let five_tuple = FiveTuple::udp(server, stranger);
            self.inject(Datagram { five_tuple, payload: request }, now);
        }
    }

    /// The request does not succeed, and leaves nothing behind, as the warden sees (T7).
    fn refuses(&mut self, datagram: Datagram<'_>, now: Instant) {
        let answers = self.inject(datagram, now);
        let succeeds = answers.iter().any(|answer| code_of(&answer.payload) == Some(0));
        let what = format_args!("a forged or replayed request succeeds");
        self.warden.demand("T7", !succeeds, now, what);
    }

    /// Handles what he sends; what the server has to say to that never reaches anybody.
    fn inject(&mut self, datagram: Datagram<'_>, now: Instant) -> Vec<Transmit> {
        let before = self.outbox.len();
        self.handle_client(datagram, None, false, now);
        self.outbox.split_off(before).into()
    }

    fn listener(&self) -> Option<SocketAddr> {
        let is_one = |address: &&SocketAddr| address.is_ipv4() && address.port() == SERVER_PORT;
        self.listeners.iter().find(is_one).copied()
    }
}

/// The code of an answer, 0 for a success; `None` for what is no answer.
fn code_of(bytes: &[u8]) -> Option<u16> {
    let message = Message::parse(bytes).ok()?;
    match message.class() {
        Class::SuccessResponse => Some(0),
        Class::ErrorResponse => {
            let error = message.get::<pinhole_stun::attribute::ErrorCode<'_>>().ok()??;
            Some(error.code)
        }
        Class::Request | Class::Indication => None,
    }
}

/// The same bytes but for one, which the bytes themselves choose; not the last, which would undo the forgery.
fn garble(bytes: &[u8]) -> Vec<u8> {
    let mut garbled = bytes.to_vec();
    let choice = digest(bytes);
    let at = choice % garbled.len().saturating_sub(1).max(1) as u64;
    if let Some(byte) = usize::try_from(at).ok().and_then(|at| garbled.get_mut(at)) {
        *byte ^= 1 << (choice >> 61);
    }
    garbled
}

/// The signed message with an attribute that would change what it asks for, if it counted.
fn append(signed: &[u8], method: Method) -> Option<Vec<u8>> {
    let mut buffer = [0; 64];
    let id = Message::parse(signed).ok()?.transaction_id();
    let mut writer = MessageWriter::new(&mut buffer, Class::Request, method, id).ok()?;
    if method == Method::REFRESH {
        writer.attribute(&Lifetime(std::time::Duration::ZERO)).ok()?;
    } else {
        writer.attribute(&XorPeerAddress(trap())).ok()?;
    }
    let attribute = writer.finish().get(HEADER..)?.to_vec();
    let mut tampered = [signed, &attribute].concat();
    let length = u16::try_from(tampered.len() - HEADER).ok()?.to_be_bytes();
    tampered.get_mut(2..4)?.copy_from_slice(&length);
    Some(tampered)
}

/// Nobody's peer.
fn trap() -> SocketAddr {
    SocketAddr::from((TRAP, 7))
}

const TRAP: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 251);
const STRANGER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 252);
/// After so many honest requests he does more.
const FLOOD: usize = 3;
const CAMPAIGN: usize = 5;
const HEADER: usize = 20;
