//! Candidates: transport addresses that may lead to an agent (RFC 8445 §5.1, RFC 8839 §5.1).

mod foundation;
mod kind;
mod local;
mod priority;
mod remote;
mod text;
mod transport_address;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;

pub use foundation::Foundation;
pub use kind::CandidateKind;
pub use priority::{Component, LocalPreference, Priority};
pub use text::CandidateTextError;

pub(crate) use foundation::Foundations;
pub(crate) use local::{LocalCandidate, LocalCandidates};
pub(crate) use remote::{AddRemote, RemoteCandidate, RemoteCandidates};
pub(crate) use transport_address::TransportAddress;

/// A candidate as it is signalled to the peer; [`FromStr`](core::str::FromStr) and [`Display`](fmt::Display)
/// are its text form, `candidate:…` (RFC 8839 §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Equal for candidates whose checks are likely to end alike.
    pub foundation: Foundation,
    /// Which part of the stream it is for.
    pub component: Component,
    /// How to reach the address.
    pub transport: CandidateTransport,
    /// How much its owner prefers it.
    pub priority: Priority,
    /// Where it leads.
    pub address: CandidateAddress,
    /// How it was learned.
    pub kind: CandidateKind,
    /// The base of a reflexive candidate, the mapped address of a relayed one; for diagnosis only, and
    /// hidden as `0.0.0.0:9` where it must not be told.
    pub related: Option<SocketAddr>,
    /// Further name and value pairs in their order, such as `ufrag` or `generation`.
    pub extensions: Vec<(String, String)>,
}

impl Candidate {
    /// A candidate of the first component, with the recommended priority and no extensions.
    pub(crate) fn new(
        kind: CandidateKind,
        at: TransportAddress,
        foundation: Foundation,
        preference: LocalPreference,
    ) -> Self {
        let TransportAddress { transport, address } = at;
        let component = Component::FIRST;
        let priority = Priority::of_transport(transport, kind, preference, component);
        Self { transport, priority, ..Self::udp(kind, address, foundation, preference) }
    }

    /// A UDP candidate with the recommended priority and no extensions.
    #[must_use]
    pub fn udp(
        kind: CandidateKind,
        address: SocketAddr,
        foundation: Foundation,
        preference: LocalPreference,
    ) -> Self {
        Self {
            foundation,
            component: Component::FIRST,
            transport: CandidateTransport::Udp,
            priority: Priority::recommended(kind, preference, Component::FIRST),
            address: CandidateAddress::Ip(address),
            kind,
            related: None,
            extensions: Vec::new(),
        }
    }

    /// The value of the extension `name`, such as `ufrag` (RFC 8838 §11).
    #[must_use]
    pub fn extension(&self, name: &str) -> Option<&str> {
        self.extensions.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Where checks go: an address by number, with a port unless it is the one that opens connections.
    pub(crate) fn transport_address(&self) -> Option<TransportAddress> {
        let CandidateAddress::Ip(address) = self.address else { return None };
        let needs_port = self.transport != CandidateTransport::Tcp(TcpType::Active);
        let transport = self.transport;
        (address.port() != 0 || !needs_port).then_some(TransportAddress { transport, address })
    }

    /// The address to send checks to over UDP, when it is given by number and with a port.
    #[must_use]
    pub fn udp_address(&self) -> Option<SocketAddr> {
        match (&self.address, self.transport) {
            (CandidateAddress::Ip(address), CandidateTransport::Udp) if address.port() != 0 => {
                Some(*address)
            }
            _ => None,
        }
    }
}

/// How a candidate's address is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CandidateTransport {
    /// Datagrams.
    Udp,
    /// A TCP connection (RFC 6544).
    Tcp(TcpType),
}

/// Who opens the connection of a TCP candidate (RFC 6544 §4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TcpType {
    /// The candidate's owner, so the port is a placeholder.
    Active,
    /// The other side.
    Passive,
    /// Both at once.
    SimultaneousOpen,
}

impl TcpType {
    /// What the other side of the connection is (RFC 6544 §6.2).
    pub(crate) const fn counterpart(self) -> Self {
        match self {
            Self::Active => Self::Passive,
            Self::Passive => Self::Active,
            Self::SimultaneousOpen => Self::SimultaneousOpen,
        }
    }
}

/// Where a candidate leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CandidateAddress {
    /// An address by number.
    Ip(SocketAddr),
    /// A name, such as the `.local` names that browsers put in place of host addresses.
    Name {
        /// The name without a trailing dot.
        host: String,
        /// The port.
        port: u16,
    },
}

impl fmt::Display for CandidateAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => fmt::Display::fmt(address, f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
        }
    }
}
