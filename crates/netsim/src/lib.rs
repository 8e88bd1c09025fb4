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
//!
//! # How a packet travels
//!
//! ```text
//! host ──link──► network ──► gateway ──link──► network ──► gateway ──link──► the core ──link──► host
//!                router      NAT, firewall     (carrier)
//! ```
//!
//! A *link* is the access of a host or gateway to a network and has [`Conditions`] of its own in each
//! [`Direction`]. A *network* is a router that knows its links; what it does not know goes to its gateway,
//! and in the core nowhere, without a word, as in the Internet. A *gateway* routes, lets its firewall
//! decide, and translates IPv4 where it has a NAT. Addresses are given out unless you choose them:
//!
//! | network | IPv4 | IPv6 |
//! |---|---|---|
//! | the core | 203.0.113.0/24 | 2001:db8::/48 |
//! | the n-th network, behind a NAT | 192.168.n.0/24 | 2001:db8:n::/48 |
//! | the n-th network, behind a router | 198.18.n.0/24 | 2001:db8:n::/48 |
//! | behind a carrier's NAT | 100.64.0.0/10 | |
//!
//! # What a failing seed leaves
//!
//! [`Trace`] is text by its `Display`, a capture file by [`Trace::to_pcapng`], a sequence diagram by
//! [`Trace::to_mermaid`], and for an oracle [`Trace::iter`]. [`World::record`] says how much is kept; [`World::drops`] counts what was
//! dropped, by reason.
//!
//! # Deliberately absent
//!
//! - IP fragments. Every packet is sent with "do not fragment", as path MTU discovery has it, so that
//!   RFC 4787 REQ-13a and REQ-14 have nothing to act on.
//! - Application-level gateways (RFC 4787 REQ-10 wants them off), ICMP queries, port overloading (REQ-3),
//!   the IP identification field (RFC 7857 §10).
//! - A mapping that TCP and UDP share (RFC 7857 §5 and §6 make it an option that is off), and more
//!   external addresses for a host whose paired one has no port left ("soft" pooling, RFC 7857 §4).
//! - Shorter lifetimes for well-known ports (RFC 4787 REQ-5a, an option).
//! - NAT64, multicast, broadcast, link-local addresses, routing protocols.
//! - TCP options but timestamps and SACK, flow control and TIME-WAIT. A host answers what it does not know with a reset, which
//!   ends a connection that waits for its last acknowledgment as well as the acknowledgment would.
//! - TLS and DTLS. Their bytes travel as TCP and UDP.
//! - Clocks that drift or step back: a node's clock runs at the world's rate, and jumps ahead only.

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
pub use seed::{Seed, SeedError};
pub use stream::{CloseReason, StreamCommand, StreamEvent};
pub use trace::{Happening, PacketRecord, Record, Recording, Trace};
pub use violation::{Breach, Violation};
pub use world::{GatewayBuilder, HostBuilder, World};
