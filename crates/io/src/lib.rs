//! Pinhole's machines on real sockets.
//!
//! A [`Connection`] is an ICE agent with its sockets, driven by tokio tasks. The application signals what the
//! agent tells, and sends and receives datagrams:
//!
//! ```
//! use pinhole_ice::{Event as Told, Role};
//! use pinhole_io::{Connection, Event};
//!
//! /// Signaling is the application's: here, both live in one process.
//! async fn signal(from: &Connection, to: &Connection) {
//!     loop {
//!         match from.next_event().await.1 {
//!             Event::Agent(Told::CandidateGathered(candidate)) => to.add_remote_candidate(candidate),
//!             Event::Agent(Told::GatheringCompleted) => to.end_of_remote_candidates(),
//!             Event::Restarted(credentials) => drop(to.set_remote_credentials(credentials)),
//!             _ => {}
//!         }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let loopback = ["127.0.0.1".parse()?]; // or `.watch(AddressFilter::default())`, for all addresses
//! let alice = Connection::builder(Role::Controlling).addresses(&loopback).recover().start()?;
//! let bob = Connection::builder(Role::Controlled).addresses(&loopback).recover().start()?;
//! alice.set_remote_credentials(bob.local_credentials())?;
//! bob.set_remote_credentials(alice.local_credentials())?;
//!
//! let talk = async {
//!     // What comes before bob has a path of his own is dropped: anybody might have sent it.
//!     bob.path().wait_for(Option::is_some).await?;
//!     alice.path().wait_for(Option::is_some).await?;
//!     alice.send(b"hello").await?;
//!     assert_eq!(bob.recv().await, b"hello");
//!     Ok::<_, Box<dyn std::error::Error>>(())
//! };
//! tokio::select! {
//!     done = talk => done?,
//!     () = signal(&alice, &bob) => {}
//!     () = signal(&bob, &alice) => {}
//! }
//! assert_eq!(alice.stats().bytes_sent, 5);
//! # Ok(())
//! # }
//! ```
//!
//! Where many datagrams go at once, [`Connection::send_many`] and [`Connection::recv_many`] take fewer calls of the
//! system's. [`Builder`] says what else there is: servers, TCP, names in place of addresses, the modes of RFC 8828.
//!
//! This crate is the only one that reads a clock: [`Clock`].
//!
//! # Deliberately absent
//! - *An enterprise's TURN server through which "the preferred route MUST be"* (RFC 8828 §5.2, mode 2): servers are the
//!   application's to name, and [`CandidatePolicy::Relay`](pinhole_ice::CandidatePolicy::Relay) prefers them to all else.
//! - *UDP through a proxy* (mode 4): HTTP proxies carry streams, and "the use of UDP will be disabled" where they do.
//! - *Batches of checks*: they are paced, one in 5 ms at most, and each has its own destination.

#![forbid(unsafe_code)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "drivers are where clocks and sockets belong"
)]

mod base;
mod batch;
mod builder;
mod burst;
mod clock;
mod connection;
mod driver;
mod event;
mod interface;
mod ip_handling;
mod multicast;
mod names;
mod path;
mod peer_connection;
mod random;
mod recovery;
mod resolve;
mod server_connection;
mod servers;
mod shared;
mod socket;
mod stun_server;
mod watch;

pub use builder::{Builder, IceServer};
pub use clock::Clock;
pub use connection::{Connection, SendError};
pub use event::Event;
pub use interface::{AddressFilter, usable_addresses};
pub use ip_handling::IpHandling;
pub use names::Names;
pub use path::{Path, Stats};
pub use pinhole_turn::policy::Range;
pub use random::seed;
pub use resolve::{LookupError, Resolver, resolve_numeric};
pub use server_connection::{ServerConnection, ServerConnector, ServerStream, Trust, TrustError};
pub use socket::{bind, bind_to};
pub use stun_server::StunServer;
