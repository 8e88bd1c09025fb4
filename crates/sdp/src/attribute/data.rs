//! Data channels over SCTP (RFC 8841).

use super::wrapper;
use crate::Reader;

wrapper! {
    /// `a=sctp-port`: the SCTP port inside DTLS (RFC 8841 §5); zero closes the association.
    SctpPort(u16), "sctp-port", "RFC 8841 §5",
    |reader: &mut Reader<'a>| reader.number("an SCTP port from 0 to 65535")
}

wrapper! {
    /// `a=max-message-size`: the most bytes of one message that the sender of the attribute takes
    /// (RFC 8841 §6). Zero means any size; 65,536 where the attribute is absent.
    MaxMessageSize(u64), "max-message-size", "RFC 8841 §6",
    |reader: &mut Reader<'a>| reader.number("a number of bytes")
}
