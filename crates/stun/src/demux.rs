/// The protocol of a packet on a shared socket, told by its first byte (RFC 7983 §7, RFC 9443 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketKind {
    /// 0 to 3: STUN.
    Stun,
    /// 16 to 19: ZRTP.
    Zrtp,
    /// 20 to 63: DTLS.
    Dtls,
    /// 64 to 79: TURN ChannelData, when the source is a TURN server; QUIC otherwise.
    Channel,
    /// 80 to 127 and 192 to 255: QUIC.
    Quic,
    /// 128 to 191: RTP or RTCP.
    Rtp,
    /// 4 to 15: assigned to nobody, to be dropped.
    Unknown,
}

/// Classifies a packet by its first byte.
///
/// ```
/// use pinhole_stun::{PacketKind, classify};
/// assert_eq!(classify(0x00), PacketKind::Stun); // the type of a Binding request begins with 00
/// assert_eq!(classify(0x80), PacketKind::Rtp); // RTP version 2
/// ```
#[inline]
#[must_use]
pub const fn classify(first_byte: u8) -> PacketKind {
    match first_byte {
        0..=3 => PacketKind::Stun,
        4..=15 => PacketKind::Unknown,
        16..=19 => PacketKind::Zrtp,
        20..=63 => PacketKind::Dtls,
        64..=79 => PacketKind::Channel,
        80..=127 | 192..=255 => PacketKind::Quic,
        128..=191 => PacketKind::Rtp,
    }
}
