//! RFC 7983 §7 as updated by RFC 9443 §3, byte by byte.
#![allow(missing_docs)]

use pinhole_stun::{PacketKind, classify};

#[test]
fn every_first_byte_has_the_class_of_the_rfc() {
    for byte in 0..=255 {
        let expected = match byte {
            0..=3 => PacketKind::Stun,
            16..=19 => PacketKind::Zrtp,
            20..=63 => PacketKind::Dtls,
            64..=79 => PacketKind::Channel,
            128..=191 => PacketKind::Rtp,
            80..=127 | 192..=255 => PacketKind::Quic,
            4..=15 => PacketKind::Unknown,
        };
        assert_eq!(classify(byte), expected, "{byte}");
    }
}

#[test]
fn the_class_is_known_at_compile_time() {
    const KIND: PacketKind = classify(0x16);
    assert_eq!(KIND, PacketKind::Dtls);
}
