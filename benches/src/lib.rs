//! The same bytes through several STUN crates, descriptions through several SDP crates ([`sdp`]), several ICE
//! agents on simulated networks ([`ice`]), and what a TURN server machine costs ([`turn`]). What two of them have in
//! common is printed by [`table`].
//!
//! Each row of the table is an operation, each module of this crate a codec that does it. `floor` is no
//! codec: it is written for exactly these bytes, in a straight line, and shows what is possible.

pub mod cases;
pub mod floor;
pub mod ice;
pub mod ours;
pub mod peers;
pub mod sdp;
pub mod table;
pub mod turn;

use std::net::SocketAddr;

/// RFC 5769 §2.1: an ICE check with SOFTWARE, PRIORITY, ICE-CONTROLLED, USERNAME, integrity, FINGERPRINT.
pub const CHECK: [u8; 108] = [
    0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73,
    0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff,
    0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09,
    0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14,
    0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49,
    0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
];

/// The key of the check.
pub const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";
/// The user name of the check.
pub const USERNAME: &str = "evtj:h6vY";
/// The tie-breaker of the check.
pub const TIE_BREAKER: u64 = 0x932f_f9b1_5126_3b36;
/// The priority of the check.
pub const PRIORITY: u32 = 0x6e00_01ff;
/// The transaction id of the check.
pub const ID: [u8; 12] = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

/// The address that a success response tells.
pub fn mapped() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 32853))
}

/// The head of an RTP packet, and its payload.
pub fn rtp() -> [u8; 172] {
    let mut packet = [0x55; 172];
    packet[..12].copy_from_slice(&[0x80, 0x6f, 0x12, 0x34, 0, 0, 1, 0x40, 1, 2, 3, 4]);
    packet
}

/// ChannelData of a voice packet's length.
pub fn channel_data() -> [u8; 164] {
    let mut message = [0x55; 164];
    message[..4].copy_from_slice(&[0x40, 0x01, 0, 160]);
    message
}

/// What a check says, for whoever handles it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// The length of the user name.
    pub username: usize,
    /// PRIORITY.
    pub priority: u32,
    /// ICE-CONTROLLED.
    pub tie_breaker: u64,
    /// USE-CANDIDATE.
    pub nominated: bool,
}

/// What every codec reads in [`CHECK`].
pub const READ: Check = Check {
    username: USERNAME.len(),
    priority: PRIORITY,
    tie_breaker: TIE_BREAKER,
    nominated: false,
};
