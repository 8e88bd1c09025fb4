//! The attributes of TURN: one type for each, to be read with
//! [`Message::get`](pinhole_stun::Message::get) and written with
//! [`MessageWriter::attribute`](pinhole_stun::MessageWriter::attribute).
//!
//! The codec knows the format and no policy: a channel number out of range or a transport that no
//! server offers is read as it stands, so that the server can answer with the code that fits.

mod address;
mod channel;
mod data;
mod family;
mod icmp;
mod lifetime;
mod mobility;
mod port;
mod tcp;
mod transport;

pub use address::{XorPeerAddress, XorRelayedAddress};
pub use channel::Channel;
pub use data::Data;
pub use family::{AdditionalAddressFamily, AddressErrorCode, RequestedAddressFamily};
pub use icmp::Icmp;
pub use lifetime::Lifetime;
pub use mobility::MobilityTicket;
pub use port::{EvenPort, ReservationToken};
pub use tcp::ConnectionId;
pub use transport::{DontFragment, RequestedTransport};

use pinhole_stun::Reader;
use pinhole_stun::attribute::{Attribute, AttributeError};

/// The `N` bytes at the front of the value of an `A`.
fn front<'a, A: Attribute<'a>, const N: usize>(value: &[u8]) -> Result<[u8; N], AttributeError> {
    let error = AttributeError::Length { kind: A::KIND, length: value.len() };
    Reader::new(value).array().ok_or(error)
}
