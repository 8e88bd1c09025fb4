//! The STUN/TURN server around [`pinhole_turn::server`].

#![deny(unsafe_code)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "drivers are where clocks and sockets belong"
)]

mod auth;
mod clock;
mod config;
mod external;
mod health;
mod limits;
mod metrics;
mod report;
mod server;
mod socket;
mod stream;
mod worker;

pub use clock::unix_time;
pub use config::{
    Config, ConfigError, ExternalIp, FileError, LogFormat, PortRange, Settings, UserEntry,
    ValueError,
};
pub use health::Health;
pub use limits::raise_descriptor_limit;
pub use metrics::Metrics;
pub use server::{Server, StartError, random_secret};
pub use stream::TlsError;
