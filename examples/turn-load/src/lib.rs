//! Loads a TURN server, and measures it: allocations a second, relayed packets a second, loss, latency, and what the
//! server's process uses for it.
//!
//! [`run`] drives [`pinhole_turn::client::Client`] machines over batched sockets, some hundreds on one thread; each has
//! a socket of its own, and a peer on this machine with which it exchanges stamped packets.

#![forbid(unsafe_code)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is where sockets and clocks are"
)]

mod allocation;
mod failure;
mod link;
mod payload;
mod process;
mod progress;
mod report;
mod run;
mod settings;
mod shared;
mod worker;

pub use failure::Failure;
pub use progress::Progress;
pub use report::{Latency, Report, Traffic, Usage};
pub use run::run;
pub use settings::{Settings, Sources, SourcesError, Target};
