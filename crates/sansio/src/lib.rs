//! The words that every Pinhole machine speaks.
//!
//! A *machine* is a protocol without sockets, clocks or global randomness. It takes datagrams and the
//! time, and answers with datagrams to send, events, and the next instant at which it wants to be
//! called:
//!
//! ```text
//! new(config, seed: [u8; 32], now)        one seed, one generator: the same inputs give the same bytes
//! handle_datagram(Datagram, now)          what arrived
//! handle_timeout(now)                     early or repeated calls do nothing
//! poll_transmit() -> Option<Transmit>     what to send, until `None`
//! poll_event() -> Option<Event>           what happened, until `None`
//! poll_timeout() -> Option<Instant>       a pure question: when to call `handle_timeout` next
//! ```
//!
//! This crate holds the types in those signatures and no logic. It is `no_std` + `alloc`.

#![forbid(unsafe_code)]
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod datagram;
mod instant;
mod payload;
mod transport;

pub use datagram::{Datagram, Transmit};
pub use instant::Instant;
pub use payload::Payload;
pub use transport::{FiveTuple, Transport};
