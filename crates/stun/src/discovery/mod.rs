//! NAT behaviour discovery, the client's side (RFC 5780).
//!
//! [`Discovery`] asks a server with two addresses and two ports, and ends in a [`Report`] that says what
//! the NATs on the way do, and what that means for connections between peers. The server's side is
//! [`binding::Server`](crate::binding::Server).

mod client;
mod lifetime;
mod report;

pub use client::{Config, Discovery, DiscoveryFailure, Event};
pub use report::{Behaviour, Lifetime, Report};
