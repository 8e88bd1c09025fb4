//! A deterministic Internet in a test: hosts, links, routers, NATs and firewalls on a virtual clock.
//!
//! A [`World`] knows no protocol. On its hosts run [`Node`]s, which are anything that takes a datagram
//! or a timeout and gives datagrams and a deadline. Each input is followed by the whole loop:
//!
//! ```text
//! node.handle_datagram(..) or handle_timeout(..) or your own call through World::with
//!     while let Some(transmit) = node.poll_transmit()   → onto the link that owns the source address
//!     node.poll_timeout()                               → into the queue, ordered by time and then by age
//! ```
//!
//! One [`Seed`] and the same calls give the same run, to the byte of the [trace](World::trace). A node
//! whose deadline is still due after `handle_timeout`, that spins, or that answers one input without
//! end, stops the world with a [`Violation`] that names the seed and shows the end of the trace.
//!
//! # Quick start
//!
//! Somebody behind a home router asks a server which address it sees:
//!
//! ```
//! use std::net::SocketAddr;
//! use std::time::Duration;
//! use pinhole_netsim::{NatConfig, Node, World};
//! use pinhole_sansio::{Datagram, FiveTuple, Instant, Transmit};
//!
//! #[derive(Default)]
//! struct Socket {
//!     unsent: Option<Transmit>,
//!     peer: Option<SocketAddr>,
//! }
//!
//! impl Node for Socket {
//!     fn handle_datagram(&mut self, datagram: Datagram<'_>, _now: Instant) {
//!         self.peer = Some(datagram.five_tuple.remote);
//!     }
//!     fn handle_timeout(&mut self, _now: Instant) {}
//!     fn poll_transmit(&mut self) -> Option<Transmit> {
//!         self.unsent.take()
//!     }
//!     fn poll_timeout(&self) -> Option<Instant> {
//!         None
//!     }
//! }
//!
//! let mut world = World::new(7);
//! let home = world.nat("home", NatConfig::port_restricted());
//! let alice = world.host("alice").on(home).start(Socket::default());
//! let server = world.host("server").start(Socket::default());
//!
//! let (local, remote) = (world.endpoint(alice, 5000), world.endpoint(server, 3478));
//! world.with(alice, |socket, _now| {
//!     let five_tuple = FiveTuple::udp(local, remote);
//!     socket.unsent = Some(Transmit { five_tuple, payload: b"who am I?"[..].into() });
//! });
//! world.run_for(Duration::from_millis(50));
//!
//! let seen = world.node(server).peer.expect("the datagram arrived");
//! assert_eq!(seen.ip(), world.external_addresses(home.gateway)[0]);
//! ```

#![forbid(unsafe_code)]

mod address;
mod arena;
mod drops;
mod firewall;
mod gateway;
mod host;
mod icmp;
mod link;
mod nat;
mod node;
mod packet;
mod queue;
mod router;
mod seed;
mod stream;
mod trace;
mod violation;
mod world;

pub use address::{Family, Prefix};
pub use arena::{GatewayId, LinkId, NetworkId};
pub use drops::{DropReason, Drops};
pub use firewall::{Egress, FirewallConfig, Ingress};
pub use gateway::Site;
pub use host::{HostCounters, HostId, Inbox};
pub use icmp::{IcmpError, IcmpKind};
pub use link::{Bandwidth, Conditions, Direction, LinkCounters, Loss, Mtu, Reordering};
pub use nat::{
    Behavior, Hairpin, Lifetimes, NatConfig, Pooling, PortAllocation, PortPolicy, UnsolicitedSyn,
};
pub use node::Node;
pub use packet::Protocol;
pub use seed::Seed;
pub use stream::{CloseReason, StreamCommand, StreamEvent};
pub use trace::{Recording, Trace};
pub use violation::{Breach, Violation};
pub use world::{GatewayBuilder, HostBuilder, World};
