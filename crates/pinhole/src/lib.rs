//! NAT traversal for Rust: STUN, TURN, ICE and SDP as libraries without sockets, and a driver that has them.
//!
//! Two machines that want to talk peer to peer sit behind NATs and firewalls. They tell each other, over some
//! server, where they might be reached (*signaling*, described in *SDP*), learn their public addresses from a
//! *STUN* server, and try all pairs of addresses until one works and stays alive: *ICE*.
//!
//! Where nothing else works, a *TURN* server relays.
//!
//! This crate is the front door: it holds the others under one name and adds nothing.
//!
//! | module | crate | what |
//! |---|---|---|
//! | [`sansio`] | `pinhole-sansio` | the words every machine speaks: instants, five-tuples, datagrams |
//! | [`stun`] | `pinhole-stun` | RFC 8489: messages, integrity, transactions, authentication, NAT behaviour discovery |
//! | [`turn`] | `pinhole-turn` | RFC 8656: attributes, peer policy, the machines of client and server |
//! | [`ice`] | `pinhole-ice` | RFC 8445: candidates, pairs, checks, nomination, consent; the [`Agent`](ice::Agent) |
//! | [`sdp`] | `pinhole-sdp` | RFC 8866: session descriptions with every byte kept, typed attributes |
//! | [`io`] | `pinhole-io` | tokio drivers: an agent on real sockets, a [`Connection`](io::Connection) |
//!
//! `pinhole-netsim`, a deterministic network with NATs for tests, stands beside them and is used by name.
//!
//! # Where to start
//! - You want a path between two machines: [`io::Connection`], whose page is a program that runs.
//! - You have sockets of your own, or no sockets at all: [`ice`], whose page shows the loop.
//! - You want one piece: [`stun`] and [`sdp`] depend on nobody but [`sansio`], or on nobody at all.
//!
//! # One shape for every machine
//! A protocol here is a *machine*: bytes and the time go in; datagrams, events and the next deadline come out.
//! None of them reads a clock, opens a socket or asks for randomness, so that a test replays to the byte and a
//! simulation runs thousands of sessions a second. The protocol crates are `no_std` + `alloc`; the feature `std`,
//! on by default, makes their errors `std` ones, and `io` brings the drivers.

#![forbid(unsafe_code)]
#![no_std]

pub use pinhole_ice as ice;
#[cfg(feature = "io")]
pub use pinhole_io as io;
pub use pinhole_sansio as sansio;
pub use pinhole_sdp as sdp;
pub use pinhole_stun as stun;
pub use pinhole_turn as turn;
