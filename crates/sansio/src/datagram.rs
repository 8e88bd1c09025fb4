use crate::{FiveTuple, Payload};

/// Bytes that arrived, borrowed from the driver's buffer.
///
/// On a stream transport it is one frame of the protocol that runs on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Where it arrived and whom it came from: `local` is the socket's address, `remote` the source.
    pub five_tuple: FiveTuple,
    /// What arrived.
    pub payload: &'a [u8],
}

/// Bytes to send, built whole by a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The socket to send from (`local`) and the destination (`remote`).
    pub five_tuple: FiveTuple,
    /// What to send.
    pub payload: Payload,
}

impl Transmit {
    /// The datagram that the other side receives when nothing rewrites it on the way.
    #[must_use]
    pub fn as_datagram(&self) -> Datagram<'_> {
        Datagram { five_tuple: self.five_tuple.reversed(), payload: &self.payload }
    }
}
