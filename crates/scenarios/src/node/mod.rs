//! Agents and servers as nodes of the simulated network.

mod agent;
mod forgery;
mod recovery;
mod rogue;
mod streams;
mod stun;
mod turn;

pub use agent::AgentNode;
pub(crate) use agent::Start;
pub use stun::StunServer;
pub use turn::TurnServer;
pub(crate) use turn::{Start as TurnStart, USER};

pub(crate) use recovery::Signal;

/// The port of the STUN server, and of the TURN server.
pub(crate) const SERVER_PORT: u16 = 3_478;
/// The port that gets through where nothing else does.
pub(crate) const HTTPS_PORT: u16 = 443;
