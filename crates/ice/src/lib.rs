//! Interactive Connectivity Establishment (RFC 8445) without sockets and clocks.

#![forbid(unsafe_code)]
#![no_std]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod agent;
mod candidate;
mod check;
mod checklist;
mod config;
mod consent;
mod credentials;
mod event;
mod gather;
mod pacer;
mod pair;
mod policy;
mod role;
mod wire;

pub use agent::{Agent, AgentError, DropReason, PairInfo, Received, Route, State};
pub use candidate::{
    Candidate, CandidateAddress, CandidateKind, CandidateTextError, CandidateTransport, Component,
    Foundation, LocalPreference, Priority, TcpType,
};
pub use config::Config;
pub use consent::ConsentConfig;
pub use credentials::{CredentialError, Credentials, Password, Ufrag, is_ice_char};
pub use event::Event;
pub use gather::GatheringError;
pub use pair::{PairFailure, PairId, PairPriority, PairState};
pub use policy::{NominationPolicy, Settling};
pub use role::Role;
