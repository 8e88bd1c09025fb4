//! What stands in front of relayed bytes, so that they themselves are not copied.

use core::fmt;
use core::net::SocketAddr;
use core::ops::{Deref, Range};

use pinhole_stun::{
    AttributeType, Class, HEADER_LENGTH, MessageWriter, Method, TransactionId, WriteError,
};

use crate::attribute::{DontFragment, XorPeerAddress};
use crate::{CHANNEL_HEADER_LENGTH, ChannelNumber, channel_header};

/// The bytes to send in front of a payload: the four of ChannelData, or the 36 (IPv4) or 48 (IPv6) of
/// a Send or Data indication, and four more that ask for DF.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Header(Front);

/// ChannelData's is all that most datagrams need, and takes no more to make than it is long.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Front {
    Channel([u8; CHANNEL_HEADER_LENGTH]),
    Indication { bytes: [u8; Header::MAX], length: u8 },
}

impl Header {
    /// No header is longer: keep as many bytes free in front of a receive buffer, and a datagram can be
    /// sent on from where it lies.
    pub const MAX: usize = 52;

    /// In front of `length` bytes for or from a channel; `None` for more than ChannelData can carry.
    #[inline]
    #[must_use]
    pub fn channel(number: ChannelNumber, length: usize) -> Option<Self> {
        channel_header(number, length).map(|header| Self(Front::Channel(header)))
    }

    /// The four bytes of ChannelData, if they are that.
    #[inline]
    #[must_use]
    pub const fn as_channel(&self) -> Option<&[u8; CHANNEL_HEADER_LENGTH]> {
        match &self.0 {
            Front::Channel(header) => Some(header),
            Front::Indication { .. } => None,
        }
    }

    /// In front of the value of DATA, and of its padding, in a Send or Data indication; `None` for more
    /// bytes than a STUN message can carry.
    #[must_use]
    pub(crate) fn indication(
        method: Method,
        id: TransactionId,
        peer: SocketAddr,
        length: usize,
    ) -> Option<Self> {
        Self::write(method, id, length, |writer| writer.attribute(&XorPeerAddress(peer)).map(drop))
    }

    /// The same for a Send indication that asks for DF.
    #[must_use]
    pub(crate) fn unfragmented(id: TransactionId, peer: SocketAddr, length: usize) -> Option<Self> {
        Self::write(Method::SEND, id, length, |writer| {
            writer.attribute(&XorPeerAddress(peer))?.attribute(&DontFragment).map(drop)
        })
    }

    #[inline]
    fn write(
        method: Method,
        id: TransactionId,
        length: usize,
        write: impl FnOnce(&mut MessageWriter<'_>) -> Result<(), WriteError>,
    ) -> Option<Self> {
        let mut bytes = [0; Self::MAX];
        let mut writer = MessageWriter::new(&mut bytes, Class::Indication, method, id).ok()?;
        write(&mut writer).ok()?;
        let before = writer.length();

        let total = before + DATA_HEADER_LENGTH - HEADER_LENGTH + length.next_multiple_of(4);
        let [t0, t1] = u16::try_from(total).ok()?.to_be_bytes();
        let [_, _, field @ ..] = bytes.first_chunk_mut::<4>()?;
        *field = [t0, t1];
        let [k0, k1] = AttributeType::DATA.value().to_be_bytes();
        let [l0, l1] = u16::try_from(length).ok()?.to_be_bytes();
        *bytes.get_mut(before..)?.first_chunk_mut()? = [k0, k1, l0, l1];
        let length = u8::try_from(before + DATA_HEADER_LENGTH).ok()?;
        Some(Self(Front::Indication { bytes, length }))
    }
}

/// Type and length of DATA.
const DATA_HEADER_LENGTH: usize = 4;

impl Deref for Header {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Front::Channel(header) => header,
            Front::Indication { bytes, length } => bytes.get(..(*length).into()).unwrap_or(bytes),
        }
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header({} bytes)", self.len())
    }
}

/// How many bytes of padding follow `length` bytes.
pub(crate) const fn padding(length: usize) -> u8 {
    (length.wrapping_neg() & 3) as u8
}

/// Where in `whole` its part `part` lies.
pub(crate) fn range_of(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(whole.as_ptr().addr()).min(whole.len());
    start..(start + part.len()).min(whole.len())
}

/// An IPv4 address is an IPv4 address, also where a socket of both families shows it mapped.
#[inline]
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(v6) => SocketAddr::new(v6.ip().to_canonical(), v6.port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::Data;
    use pinhole_stun::Message;
    use std::vec::Vec;

    const ID: TransactionId = TransactionId::new([7; 12]);

    #[test]
    fn header_payload_and_padding_make_an_indication() {
        for (peer, expected) in [("192.0.2.1:7", 36), ("[2001:db8::1]:7", 48)] {
            let peer = peer.parse().unwrap();
            for length in [0, 1, 2, 3, 4, 1_200] {
                let payload = std::vec![0xa5; length];
                let header = Header::indication(Method::DATA, ID, peer, length).unwrap();
                assert_eq!(header.len(), expected);
                let padding = std::vec![0; padding(length).into()];
                let bytes: Vec<u8> = [&header[..], &payload, &padding].concat();
                let message = Message::parse(&bytes).unwrap();
                assert_eq!(message.get::<XorPeerAddress>(), Ok(Some(XorPeerAddress(peer))));
                assert_eq!(message.get::<Data<'_>>(), Ok(Some(Data(&payload))));
                let Data(data) = message.get::<Data<'_>>().unwrap().unwrap();
                assert_eq!(range_of(&bytes, data), expected..expected + length);
            }
        }
    }

    #[test]
    fn what_does_not_fit_has_no_header() {
        let peer = "192.0.2.1:7".parse().unwrap();
        assert!(Header::indication(Method::SEND, ID, peer, 65_516).is_some());
        assert!(Header::indication(Method::SEND, ID, peer, 65_520).is_none());
        assert!(Header::channel(ChannelNumber::FIRST, 65_535).is_some());
        assert!(Header::channel(ChannelNumber::FIRST, 65_536).is_none());
    }
}
