//! Pinhole's machines on real sockets.
//!
//! A [`Connection`] is an ICE agent with its sockets, driven by tokio tasks. The application signals what the
//! agent tells, and sends and receives datagrams:
//!
//! ```
//! use pinhole_ice::{Config, Event, Role};
//! use pinhole_io::Connection;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let loopback = ["127.0.0.1".parse()?]; // or `pinhole_io::usable_addresses(filter)?`
//! let alice = Connection::start(Config::new(Role::Controlling), &loopback)?;
//! let bob = Connection::start(Config::new(Role::Controlled), &loopback)?;
//!
//! // Signaling is the application's: here, both live in one process.
//! alice.set_remote_credentials(bob.local_credentials())?;
//! bob.set_remote_credentials(alice.local_credentials())?;
//! loop {
//!     let event = tokio::select! {
//!         (_, event) = alice.next_event() => {
//!             if let Event::CandidateGathered(candidate) = &event {
//!                 bob.add_remote_candidate(candidate.clone());
//!             }
//!             event
//!         }
//!         (_, event) = bob.next_event() => {
//!             if let Event::CandidateGathered(candidate) = &event {
//!                 alice.add_remote_candidate(candidate.clone());
//!             }
//!             continue;
//!         }
//!     };
//!     if matches!(event, Event::PairSelected { .. }) {
//!         break;
//!     }
//! }
//! alice.send(b"hello").await?;
//! assert_eq!(bob.recv().await, b"hello");
//! # Ok(())
//! # }
//! ```
//!
//! This crate is the only one that reads a clock: [`Clock`].

#![forbid(unsafe_code)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "drivers are where clocks and sockets belong"
)]

mod builder;
mod clock;
mod connection;
mod driver;
mod interface;
mod random;
mod resolve;
mod server_connection;
mod servers;
mod socket;
mod stun_server;

pub use builder::{Builder, IceServer};
pub use clock::Clock;
pub use connection::{Connection, SendError};
pub use interface::{AddressFilter, usable_addresses};
pub use random::seed;
pub use resolve::{LookupError, Resolver, resolve_numeric};
pub use server_connection::{ServerConnection, ServerConnector, ServerStream, Trust, TrustError};
pub use socket::{bind, bind_to};
pub use stun_server::StunServer;
