//! What went wrong, in the words of whoever has to put it right.

use std::io;
use std::net::{IpAddr, SocketAddr};

use pinhole_sansio::FiveTuple;
use pinhole_stun::auth::AuthFailure;
use pinhole_turn::client::{Reason, SendError};

/// Why a load cannot be put on a server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// A socket cannot be opened, or not any more.
    #[error("{0}: {1}{hint}", hint = io_hint(.1))]
    Socket(SocketAddr, io::Error),
    /// Peers, or clients, cannot be where they are to be.
    #[error("no socket at {0}: {1}{hint}", hint = here_hint(.1))]
    Here(IpAddr, io::Error),
    /// The connection to the server fails.
    #[error("{path}: {error}{hint}", hint = link_hint(*.path, .error))]
    Link {
        /// How it was to be reached.
        path: FiveTuple,
        /// What the system, or TLS, says.
        error: io::Error,
    },
    /// The server makes no allocation, or ends one.
    #[error("no allocation over {0}: {1}{hint}", hint = allocation_hint(*.1))]
    Allocation(FiveTuple, Reason),
    /// The server does not relay to the peer.
    #[error("the server refuses the peer {0}: {1}{hint}", hint = peer_hint(*.0, *.1))]
    Peer(IpAddr, Reason),
    /// The server cannot reach the peer.
    #[error(
        "the server gets an ICMP error for the peer {0}: name an address of this machine that it reaches with --peer-ip"
    )]
    Unreachable(SocketAddr),
    /// The client machine refuses a packet.
    #[error(transparent)]
    Send(SendError),
    /// Other than the operating system's sockets.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Nothing moves any more.
    #[error(
        "{done} of {total} {what} after {seconds} s without progress: the server does not answer, or refuses"
    )]
    Stalled {
        /// What was being waited for.
        what: &'static str,
        /// How many are there.
        done: u64,
        /// How many there should be.
        total: u64,
        /// For how long there was no other.
        seconds: u64,
    },
    /// A worker has come to an end without a word.
    #[error("a worker thread has panicked")]
    Worker,
}

impl Failure {
    pub(crate) const fn link(path: FiveTuple, error: io::Error) -> Self {
        Self::Link { path, error }
    }
}

fn io_hint(error: &io::Error) -> &'static str {
    const TOO_MANY_FILES: i32 = 24;
    if error.raw_os_error() == Some(TOO_MANY_FILES) {
        ": each allocation needs one or two descriptors; raise the limit (ulimit -n)"
    } else {
        ""
    }
}

fn here_hint(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::AddrNotAvailable {
        ": --peer-ip and --source-ips name addresses of this machine"
    } else {
        io_hint(error)
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "the others speak for themselves")]
fn link_hint(path: FiveTuple, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!(": nothing listens on {} there", path.remote)
        }
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            ": the server closes the connection; has it ended, or does it not speak this transport on this port?".into()
        }
        io::ErrorKind::InvalidData if path.transport == pinhole_sansio::Transport::Tls => {
            ": name the certificate, or its issuer's, with --trust FILE".into()
        }
        _ => String::new(),
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "the others speak for themselves")]
fn allocation_hint(reason: Reason) -> &'static str {
    match reason {
        Reason::Credentials(AuthFailure::Refused) | Reason::Code(401) => {
            " (401): check name and password (--user), or the secret (--secret)"
        }
        Reason::Code(403) => " (Forbidden): the server's policy keeps this client out",
        Reason::Code(437) => {
            " (Allocation Mismatch): wait until the server has forgotten this port"
        }
        Reason::Code(440) => {
            " (Address Family not Supported): give the server a relay address of the peers' family, \
             or name another with --peer-ip"
        }
        Reason::Code(486) => {
            " (Allocation Quota Reached): raise the quota of the user, of the address, or of all, or \
             lower --allocations"
        }
        Reason::Code(508) => {
            " (Insufficient Capacity): the server has no relayed port left; widen their range"
        }
        Reason::Transaction(_) => {
            ": is this the address of a TURN server, and no firewall between?"
        }
        _ => "",
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "the others speak for themselves")]
fn peer_hint(peer: IpAddr, reason: Reason) -> String {
    match reason {
        Reason::Code(403) => format!(
            " (Forbidden): open the address to peers (turn-server --allow-peer {peer}, \
             coturn --allow-loopback-peers or --allowed-peer-ip={peer}), or name another with --peer-ip"
        ),
        Reason::Code(443) => {
            " (Peer Address Family Mismatch): name a peer of the other family with --peer-ip".into()
        }
        _ => String::new(),
    }
}
