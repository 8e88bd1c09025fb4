//! The security checklist for TURN: tests named after its lines (section 1b) and its invariants (T1 to
//! T22). Those that need many draws make them in a release build, and fewer in a debug build.
//!
//! Elsewhere: line 26 with its million steps is beside `Peers`, line 27 in `client.rs` and beside the
//! client's channels, T19 in `framing.rs`, and T1 to T16 once more in `model.rs`, after each step of random programs. Lines 37
//! and 39 are about logs and TLS, which a driver has.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "../common/mod.rs"]
mod common;

mod allocate;
mod channels;
mod invariants;
mod peers;
mod permissions;
mod policy;

use std::net::SocketAddr;

use common::{Answer, Caller, PEER, World, ask, config};
use pinhole_sansio::{FiveTuple, Transport};
use pinhole_stun::Method;
use pinhole_stun::attribute::AttributeWrite;
use pinhole_turn::attribute::RequestedTransport;
use pinhole_turn::server::Event;

const UDP: RequestedTransport = RequestedTransport::UDP;

/// As many as the checklist wants in a release build, and a twentieth in a debug build.
const fn times(whole: usize) -> usize {
    if cfg!(debug_assertions) { whole / 20 } else { whole }
}

fn allocate(world: &mut World, caller: &mut Caller, attributes: &[&dyn AttributeWrite]) -> Answer {
    ask(world, caller, Method::ALLOCATE, attributes)
}

/// A client with an allocation and a permission for [`PEER`].
fn connected() -> (World, Caller, SocketAddr) {
    let (mut world, mut alice) = (World::new(config()), Caller::alice());
    let relayed = alice.allocate(&mut world);
    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    (world, alice, relayed)
}

fn caller(user: &str, port: u16) -> Caller {
    Caller::new(&format!("192.0.2.1:{port}"), user, Transport::Udp)
}

/// What of the server can be observed: what an attacker must not change.
#[derive(Debug, PartialEq, Eq)]
struct State {
    allocations: usize,
    open: Vec<SocketAddr>,
    timeout: Option<pinhole_sansio::Instant>,
    events: Vec<Event>,
}

impl State {
    fn of(world: &World) -> Self {
        Self {
            allocations: world.server.allocations(),
            open: world.open.values().copied().collect(),
            timeout: world.server.poll_timeout(),
            events: world.events.clone(),
        }
    }
}

/// The answers that these bytes get on this path.
fn answers(world: &mut World, path: FiveTuple, bytes: &[u8]) -> Vec<Vec<u8>> {
    let before = world.answers.len();
    let _ = world.input(path, bytes);
    world.answers[before..].iter().map(|(_, bytes)| bytes.clone()).collect()
}
