//! TURN (RFC 8656) without sockets, clocks or global randomness.
//!
//! # The machines
//! - [`client`]: one allocation, kept alive, and a way to and from its peers.
//! - [`server`]: all allocations of all clients, and a route for every datagram.
//!
//! The loops that drive them stand at the top of their modules. Neither copies what is relayed: both
//! answer with a route over the caller's own buffer, and with a [`Header`] to put in front.
//!
//! # Beside them
//! - [`policy`] tells which peers may be relayed to, and why not.
//! - [`credential`] makes and checks credentials that expire by themselves.
//! - [`attribute`] holds the attributes of TURN, each as good as those of `pinhole-stun`.
//! - [`ChannelNumber`] and [`ChannelData`] are the four-byte framing of channels;
//!   [`stream_buffer`] cuts a stream into STUN and ChannelData.
//!
//! # Quick start
//! A client and a server talk in memory:
//! ```
//! use pinhole_sansio::{FiveTuple, Instant};
//! use pinhole_stun::Credentials;
//! use pinhole_turn::client::{self, Client};
//! use pinhole_turn::server::{self, Command, Server, StaticUsers};
//! use std::{net::IpAddr, time::Duration};
//!
//! let (seed, now) = ([7; 32], Instant::ZERO); // from a strong generator, outside of an example
//! let alice = Credentials::new("alice", "secret")?;
//! let mut config = server::Config::new("realm");
//! config.relay_v4 = Some("192.0.2.10".parse::<IpAddr>()?.into());
//! let users = StaticUsers::new("realm").with(&alice);
//! let mut server = Server::new(config, users, seed, Duration::from_secs(1_700_000_000), now);
//!
//! let path = FiveTuple::udp("192.0.2.1:5000".parse()?, "192.0.2.10:3478".parse()?);
//! let mut client = Client::new(client::Config::new(path, alice), seed, now);
//! while let Some(request) = client.poll_transmit() {
//!     let _ = server.handle_client_datagram(request.as_datagram(), now);
//!     while let Some(command) = server.poll_command() {
//!         if let Command::OpenRelay { relay, address, .. } = command {
//!             println!("bind {address}");
//!             server.relay_opened(relay, Ok(()), now);
//!         }
//!     }
//!     while let Some(answer) = server.poll_transmit() {
//!         let _ = client.handle_datagram(answer.as_datagram(), now);
//!     }
//! }
//! assert!(matches!(client.poll_event(), Some(client::Event::Allocated { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Deliberately absent
//! - **Allocations without authentication** (a MAY of RFC 8656 §7.2): an open relay is nobody's wish.
//! - **A table of recent requests**, so that an answer other than Allocate's is remembered (RFC 8489
//!   §6.3.1): all others are idempotent, but for a Refresh to zero, whose repetition gets the 437 that
//!   RFC 8656 §8.3 has a client take for success.
//! - **Inner IPv4 addresses anywhere but in the last 32 bits** of a NAT64 prefix of 96 bits (RFC 6052
//!   §2.2): the well-known prefix has no other, and the local one is refused as a whole.
//! - **Users behind access tokens** (RFC 7635), which name none: quotas and 441 go by the token. A ticket
//!   (RFC 8016) is so good with the token that the allocation was refreshed with last, and with no other.
//!   A token under another key is somebody else's, and gets a 441: where an authorization server has changed its
//!   keys, a client's next token means a new allocation.
//! - **A client that begins again by itself.** One whose allocation is refused or lost says why
//!   ([`client::Event::Lost`]) and is over. Whoever has it makes another: from another port after a 437, not before a
//!   minute after a 486 or 508, not at all after a 440 (RFC 8656 §7.4). He knows other servers and paths; it does not.
//! - **SSODA and other drafts.** Dual allocations are those of RFC 8656; the server also takes the number
//!   under which a draft, and clients that are still in use, ask for one.

#![forbid(unsafe_code)]
#![no_std]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod attribute;
mod channel;
pub mod client;
pub mod credential;
mod framing;
mod indication;
pub mod policy;
pub mod server;

pub use channel::{CHANNEL_HEADER_LENGTH, ChannelData, ChannelNumber, channel_header};
pub use framing::{frame_length, stream_buffer};
pub use indication::Header;
