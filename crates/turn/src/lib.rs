//! TURN (RFC 8656) without sockets, clocks or global randomness.
//!
//! # The codec
//! - [`attribute`] holds the attributes of TURN, each as good as those of `pinhole-stun`.
//! - [`ChannelNumber`] and [`ChannelData`] are the four-byte framing of channels.
//!
//! # The client
//! - [`client`] is the machine: one allocation, kept alive.
//!
//! # The server
//! - [`server`] is the machine.
//! - [`policy`] tells which peers may be relayed to, and why not.
//! - [`credential`] makes and checks credentials that expire by themselves.

#![forbid(unsafe_code)]
#![no_std]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod attribute;
mod channel;
pub mod client;
pub mod credential;
mod indication;
pub mod policy;
pub mod server;

pub use channel::{CHANNEL_HEADER_LENGTH, ChannelData, ChannelNumber, channel_header};
