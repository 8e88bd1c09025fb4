//! What a connection tells.

use std::net::SocketAddr;

use pinhole_ice::Credentials;
use pinhole_stun::resolve::ServerAddress;

/// Something that happened to a [`Connection`](crate::Connection), in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The agent tells.
    Agent(pinhole_ice::Event),
    /// An ICE restart has begun: signal these credentials. Candidates that are told from here on belong to them.
    Restarted(Credentials),
    /// No connection to a TURN server can be opened: it does not listen, its certificate is not trusted, a proxy refuses.
    ServerNotReached {
        /// The server.
        server: ServerAddress,
        /// Why, in words.
        reason: String,
    },
    /// The machine has a new address, and the agent a socket there.
    AddressAdded(SocketAddr),
    /// The machine has an address no more.
    AddressRemoved(SocketAddr),
}

impl From<pinhole_ice::Event> for Event {
    fn from(event: pinhole_ice::Event) -> Self {
        Self::Agent(event)
    }
}
