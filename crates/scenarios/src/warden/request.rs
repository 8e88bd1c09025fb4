//! Requests, and what a right answer makes of them.

use std::net::SocketAddr;
use std::time::Duration;

use pinhole_sansio::{Datagram, FiveTuple};
use pinhole_stun::attribute::{Attribute, Family, Nonce, Username};
use pinhole_stun::{Class, Message, Method, TransactionId};
use pinhole_turn::attribute::{
    Channel, Lifetime, MobilityTicket, RequestedAddressFamily, ReservationToken, XorPeerAddress,
};

/// What a client has asked for, and how often that was answered.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) client: FiveTuple,
    pub(super) id: TransactionId,
    pub(super) method: Method,
    /// Nobody but its sender has written it.
    pub(super) is_honest: bool,
    /// What it was signed with, besides the password.
    pub(super) nonce: Option<String>,
    pub(super) user: String,
    pub(super) lifetime: Option<Duration>,
    pub(super) family: Option<Family>,
    pub(super) peers: Vec<SocketAddr>,
    pub(super) number: Option<u16>,
    pub(super) ticket: Option<Vec<u8>>,
    pub(super) reservation: Option<ReservationToken>,
    pub(super) answers: usize,
    /// It was answered with a success.
    pub(super) is_granted: bool,
    /// What tells these bytes from others.
    pub(super) digest: u64,
}

impl Asked {
    /// Reads a request; `None` for every other message.
    pub(super) fn read(datagram: Datagram<'_>, is_honest: bool) -> Option<Self> {
        let message = Message::parse(datagram.payload).ok()?;
        if message.class() != Class::Request {
            return None;
        }
        let id = message.transaction_id();
        let peers = message
            .attributes()
            .filter(|attribute| attribute.kind == XorPeerAddress::KIND)
            .filter_map(|attribute| XorPeerAddress::decode(attribute.value, id).ok())
            .map(|XorPeerAddress(peer)| canonical(peer))
            .collect();
        let user = message.get::<Username<'_>>().ok().flatten();
        let family = message.get::<RequestedAddressFamily>().ok().flatten();
        let ticket = message.get::<MobilityTicket<'_>>().ok().flatten();
        Some(Self {
            client: datagram.five_tuple,
            id,
            method: message.method(),
            is_honest,
            nonce: nonce_of(&message),
            user: user.map_or_else(String::new, |Username(user)| user.to_owned()),
            lifetime: message.get().ok().flatten().map(|Lifetime(lifetime)| lifetime),
            family: family.map(|RequestedAddressFamily(family)| family),
            peers,
            number: message.get().ok().flatten().map(|Channel(number)| number),
            ticket: ticket.map(|MobilityTicket(ticket)| ticket.to_vec()),
            reservation: message.get().ok().flatten(),
            answers: 0,
            is_granted: false,
            digest: crate::transcript::digest(datagram.payload),
        })
    }

    /// The lifetime that is due: what is asked for, within the bounds (RFC 8656 §7.2).
    pub(super) fn due_lifetime(&self) -> Duration {
        match self.lifetime {
            Some(Duration::ZERO) if self.method == Method::REFRESH => Duration::ZERO,
            asked => asked.unwrap_or_default().clamp(DEFAULT_LIFETIME, MAX_LIFETIME),
        }
    }
}

/// The nonce in a request or in an answer.
pub(super) fn nonce_of(message: &Message<'_>) -> Option<String> {
    let nonce = message.get::<Nonce<'_>>().ok().flatten();
    nonce.map(|Nonce(nonce)| nonce.to_owned())
}

/// An IPv4 address in its own form, also where it was written in the form of IPv6.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// RFC 8656 §6 and §7.2.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);
const MAX_LIFETIME: Duration = Duration::from_secs(3_600);
