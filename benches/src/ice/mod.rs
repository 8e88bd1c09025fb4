//! ICE agents of three kinds behind one trait, as nodes of a simulated network.
//!
//! An [`Agent`] is an agent and what an application must do for it, no more: turn candidates into text, answer
//! its events, ask STUN servers where it does not do so itself. Every call into a crate goes through
//! [`counted`], so that instructions and allocations are the crate's alone: neither the network's nor the text's.

mod is;
mod meeting;
mod node;
mod ours;
mod reflexive;
mod rice;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use pinhole_sansio::{Datagram, Instant, Transmit};

pub use meeting::{Meeting, Topology};
pub use node::AgentNode;

/// Whose agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `pinhole-ice`.
    Ours,
    /// The same, taking its peer for one of RFC 5245: its checks nominate, as those of `is` do.
    OursAggressive,
    /// `is`, str0m's.
    Is,
    /// `rice-proto`, librice's.
    Rice,
}

impl Kind {
    /// One of each crate.
    pub const ALL: [Self; 3] = [Self::Ours, Self::Is, Self::Rice];

    /// What a table calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::OursAggressive => "ours, aggressive",
            Self::Is => "is",
            Self::Rice => "rice-proto",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Ours, Self::OursAggressive, Self::Is, Self::Rice];
        all.into_iter().find(|kind| kind.name() == name)
    }

    fn start(self, setup: &Setup, now: Instant) -> Box<dyn Agent> {
        match self {
            Self::Ours => Box::new(ours::Ours::new(setup, false, now)),
            Self::OursAggressive => Box::new(ours::Ours::new(setup, true, now)),
            Self::Is => Box::new(is::Is::new(setup, now)),
            Self::Rice => Box::new(rice::Rice::new(setup, now)),
        }
    }
}

/// What an agent knows at its start.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Whether it nominates.
    pub is_controlling: bool,
    /// Tells one agent from another.
    pub seed: u8,
    /// Its sockets, the preferred one first.
    pub addresses: Vec<SocketAddr>,
    /// Servers that tell it its server-reflexive addresses.
    pub stun_servers: Vec<SocketAddr>,
}

/// What an agent wants the other side to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `candidate:…` (RFC 8839 §5.1).
    Candidate(String),
    /// There will be no more.
    End,
}

/// A fragment and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// `ice-ufrag`.
    pub ufrag: String,
    /// `ice-pwd`.
    pub password: String,
}

/// An agent and its application.
pub trait Agent {
    /// What the other side is told first.
    fn credentials(&self) -> Credentials;

    /// The other side's, once and before its candidates.
    fn set_remote_credentials(&mut self, credentials: &Credentials, now: Instant);

    /// Something that the other side has signalled.
    fn handle_signal(&mut self, signal: &Signal, now: Instant);

    /// Something to signal to the other side, until `None`.
    fn poll_signal(&mut self) -> Option<Signal>;

    /// A datagram arrived; whether it was application data.
    fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Instant) -> bool;

    /// The deadline has passed.
    fn handle_timeout(&mut self, now: Instant);

    /// The next datagram to send, until `None`.
    fn poll_transmit(&mut self) -> Option<Transmit>;

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    fn poll_timeout(&mut self) -> Option<Instant>;

    /// Whether application data has a path.
    fn can_send(&self, now: Instant) -> bool;

    /// Whether a pair is selected.
    fn is_selected(&self) -> bool;

    /// Application data on its way, if it has one.
    fn send(&mut self, payload: &[u8], now: Instant) -> Option<Transmit>;
}

/// Whether what happens now is an agent's work.
pub static IS_COUNTED: AtomicBool = AtomicBool::new(false);

/// Calls into an agent's crate.
fn counted<T>(call: impl FnOnce() -> T) -> T {
    let (mut call, mut result) = (Some(call), None);
    measured(&mut || result = call.take().map(|call| call()));
    result.expect("it was called")
}

/// What callgrind counts, and the allocator.
#[inline(never)]
pub fn measured(work: &mut dyn FnMut()) {
    IS_COUNTED.store(true, Ordering::Relaxed);
    work();
    IS_COUNTED.store(false, Ordering::Relaxed);
}

/// The credentials of the agents that are told theirs.
fn credentials(seed: u8) -> Credentials {
    Credentials { ufrag: format!("u{seed:03}"), password: format!("{seed:022}") }
}
