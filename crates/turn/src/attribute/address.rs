use core::net::SocketAddr;

use pinhole_stun::attribute::{
    Attribute, AttributeError, AttributeWrite, ValueWriter, read_xor_address, write_xor_address,
};
use pinhole_stun::{AttributeType, TransactionId, WriteError};

/// Declares attributes that wrap a transport address under XOR.
macro_rules! xor_address {
    ($($(#[$doc:meta])* $name:ident = $kind:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub SocketAddr);

        impl Attribute<'_> for $name {
            const KIND: AttributeType = AttributeType::$kind;

            fn decode(value: &[u8], id: TransactionId) -> Result<Self, AttributeError> {
                read_xor_address(Self::KIND, value, id).map(Self)
            }
        }

        impl AttributeWrite for $name {
            fn kind(&self) -> AttributeType {
                AttributeType::$kind
            }

            fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
                write_xor_address(self.0, value)
            }
        }
    )+};
}

xor_address! {
    /// The peer as the server sees it (RFC 8656 §18.3).
    XorPeerAddress = XOR_PEER_ADDRESS;
    /// The address on the server at which peers reach the client (RFC 8656 §18.5).
    XorRelayedAddress = XOR_RELAYED_ADDRESS;
}
