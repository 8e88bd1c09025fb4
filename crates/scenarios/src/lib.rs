//! Whole-system tests: two agents, a STUN server and a TURN server on a simulated Internet.
//!
//! - [`Place`] is where an agent sits: behind which NATs and firewalls, with which address families.
//! - [`oracle`] says from the RFC 4787 behaviours alone whether two places have a direct path.
//! - [`Session`] runs two agents with signaling between them; a [`Monitor`] watches each one's wire, and a [`Warden`]
//!   both sides of the TURN server, for what must never happen.
//! - [`matrix`] connects every place with every place; [`Plan`] makes a whole session out of one seed: places, latency,
//!   loss, jitter, who starts when.
//!
//! ```text
//! cargo run --release -p pinhole-scenarios -- matrix
//! cargo run --release -p pinhole-scenarios -- run --seeds 20000
//! ```

#![forbid(unsafe_code)]
#![allow(clippy::indexing_slicing, reason = "a test's panic is its report")]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a checker looks for the few events that it checks"
)]

mod fault;
mod ingredient;
pub mod matrix;
mod monitor;
mod mutation;
mod node;
pub mod oracle;
mod place;
mod plan;
mod rerun;
mod session;
mod transcript;
mod warden;

pub use fault::{Disturbance, Fault};
pub use ingredient::Ingredient;
pub use monitor::Monitor;
pub use mutation::Mutation;
pub use node::{AgentNode, StunServer, TurnServer};
pub use place::{HomeNat, Place};
pub use plan::{Plan, Verdict};
pub use session::{Relaying, Session, SessionConfig, Side};
pub use warden::Warden;
