//! The STUN/TURN server around [`pinhole_turn::server`]: RFC 8489, 8656, 6062 and 8016 on real sockets.
//!
//! [`Settings`] are what an operator writes, as a file or as flags; [`Settings::resolve`] makes a
//! [`Config`] of them, which has no contradictions, and [`Server::start`] a running server of that.
//!
//! # Quick start
//! ```
//! use pinhole_relay::{Server, Settings};
//!
//! let settings = Settings::from_toml(
//!     "listen = [\"127.0.0.1:0\"]\n\
//!      user = [\"alice:secret\"]\n\
//!      allow-peer = [\"10.0.0.0/8\"]\n",
//! )?;
//! let server = Server::start(&settings.resolve()?)?;
//! println!("listening at {:?}", server.addresses());
//! println!("{}", server.metrics().render());
//! server.stop()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it works
//! A *worker* is a thread with a poll, a machine and sockets of its own: there is one for each core, and
//! no lock, no shared cache line and no heap between a datagram that comes and the one that goes. All
//! workers listen at the same addresses (`SO_REUSEPORT`); the kernel gives a five-tuple to the same one
//! always. What they share is asked for when an allocation begins or ends: users, quotas, ports.
//!
//! ```text
//! poll ─► receive a batch (recvmmsg, GRO) ─► machine: route ─► send from where it lies, or as one train (GSO)
//!                 └► control ─► machine ─► commands: open, close, connect, splice; messages; events
//! ```
//!
//! An allocation is one socket and one entry in the machine: its worker's buffers are all that is
//! received into, and all that is sent from, without a copy. A datagram that nothing can leave with leaves at once;
//! what one turn of the loop has for clients leaves in one call (`sendmmsg`), whichever relayed addresses it came to,
//! and what goes the same way in a row as one train. What names another worker, by a reservation token, a mobility
//! ticket or the number of a peer's connection, is handed to it by message: a datagram with its bytes, a TCP connection
//! with its socket. Later datagrams of that client follow, once the other worker has said that it has the allocation.
//!
//! It waits for its sockets itself (epoll and a timer, by `rustix`), and not with `tokio`: a task for each of 10,000
//! relayed addresses would take its memory and a wake-up for each datagram, where here a turn of one loop
//! serves many sockets, in batches, with one buffer. Nor with `mio`: a lightly loaded server waits once for each datagram,
//! and two hundred instructions of each wait went into timeouts and cancellation points. Signals, metrics and
//! health are tokio's.
//!
//! The calls of the data path are made here, in one file of unsafe code, and not by `quinn-udp`, which
//! sets up its headers anew for each call and makes calls that are cancellation points: a loop that does
//! nothing else takes 570 to 750 instructions a packet with it, outside of the kernel, and this server took
//! 1,340, where it takes less than 600 now (`benches/README.md`).
//!
//! # Bounds
//! - Nothing is kept for a UDP source that has not answered a challenge, and answers to it are few.
//! - Connections without a client that has authenticated: 128 of one source (an IPv6 /64) at a worker, for 10 s
//!   after their last message. All connections: 65,536 of a worker.
//! - Handshakes of TLS with clients that have not authenticated: 16 of one source are under way at a time,
//!   and others wait, with nothing kept for them.
//! - Ports: the workers share the range, and while one is free, nobody gets a 508 for want of it. One that
//!   another program holds is left alone for 60 s, and after 16 such ports in a row comes the 508.
//! - Data for a client that does not read its connection: 256 KiB; more is dropped. At twice as much,
//!   which only answers reach, the client is cut off.
//! - Between a client and a peer that are joined (RFC 6062): 16 KiB each way; the faster side waits.
//! - Without descriptors, or while the machine has not the address to relay from, allocations get a 508; connections
//!   wait with the kernel.
//! - Messages of one worker to another: 4,096 wait, of which 256 are read in a turn; more are dropped.
//! - Connections for metrics and health: 64, each for one answer and for 10 s.
//! - Lines of the log that others cause: one a second for each source and cause.
//!
//! # The IP header of what is relayed
//! RFC 8656 §13 to §16, as far as sockets of Linux reach:
//!
//! | field | from UDP to UDP | between IPv4 and IPv6 | from TCP to UDP |
//! |---|---|---|---|
//! | DSCP and ECN | copied | copied | zero |
//! | TTL, Hop Limit | the system's | one less; dropped and counted at zero | the system's |
//! | DF | set where DONT-FRAGMENT asks for it and all is IPv4, else cleared | cleared | set where DONT-FRAGMENT asks for it |
//! | fragmentation | what comes is assembled, what is too long for a link leaves in fragments | the same | the same |
//! | flow label, options, extension headers | the system's | the system's | the system's |
//!
//! What goes to a client by TCP or TLS has the header of that connection, which is the system's.
//!
//! # Deliberately absent
//! - **DTLS to the server** (RFC 7350): browsers and SIP clients use TLS where UDP does not pass.
//! - **The DF bit of what comes**, which RFC 8656 §14 has copied: no socket of Linux but a raw one tells it, and
//!   those are not a server's. It counts as zero, which is the alternate behaviour, and DONT-FRAGMENT is refused where
//!   IPv4 would be translated to IPv6 (§3.7).
//! - **ICMP to who has sent** what has made its last hop, or what is too long for a link (RFC 8656 §13, RFC 7915
//!   §4), for the same reason: the first is counted, the second leaves in fragments.
//! - **The DSCP of a client's TCP connection** on the datagrams that come by it (RFC 8656 §15): they are best effort.
//! - **A classifier of its own for DSCP, or active queue management** (MAYs of RFC 8656 §14).
//! - **Users whose passwords are not stored** (RFC 8656 §6): the machines know keys only, but a configuration names a
//!   user by his password. Where that is not to be, there are secrets, of which time-limited passwords are made.
//! - **Keys of tokens over HTTPS** (a SHOULD of RFC 7635 §4.1.2): they are configured, and a reload takes new ones.
//! - **Two relayed addresses of one family**: one address for each family is what the machines know.
//! - **Other systems than Linux**, whose error queue and port sharing this relies on.

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
mod ports;
mod report;
mod server;
mod socket;
mod stream;
mod worker;

pub use clock::unix_time;
pub use config::{
    Config, ConfigError, ExternalIp, FileError, LogFormat, PortRange, SecretEntry, Settings,
    TokenKeyEntry, UserEntry, ValueError,
};
pub use health::Health;
pub use limits::raise_descriptor_limit;
pub use metrics::Metrics;
pub use server::{Server, StartError};
pub use stream::TlsError;
