//! The socket options that no library offers, and with them the only unsafe code of the crate.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};

use libc::c_int;

/// Whether datagrams leave with the bit DF set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fragmentation {
    /// Routers may fragment, and so may this machine: what RFC 8656 §14 has for everything that does
    /// not ask for something else.
    Allowed,
    /// DF is set, and no remembered path MTU keeps a datagram back.
    Forbidden,
}

/// Sets or clears DF for what a socket of this address's family sends from now on.
pub(crate) fn set_fragmentation(
    socket: &impl AsFd,
    local: IpAddr,
    fragmentation: Fragmentation,
) -> io::Result<()> {
    match (local, fragmentation) {
        (IpAddr::V4(_), Fragmentation::Allowed) => {
            set(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DONT)
        }
        (IpAddr::V4(_), Fragmentation::Forbidden) => {
            set(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE)
        }
        (IpAddr::V6(_), Fragmentation::Allowed) => {
            set(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_DONT)?;
            set(socket, libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG, 0)
        }
        (IpAddr::V6(_), Fragmentation::Forbidden) => {
            set(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_PROBE)?;
            set(socket, libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG, 1)
        }
    }
}

/// Spares the kernel a time stamp on every datagram.
pub(crate) fn clear_timestamps(socket: &impl AsFd) -> io::Result<()> {
    set(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 0)
}

#[expect(unsafe_code, reason = "setsockopt has no safe form for these options")]
fn set(socket: &impl AsFd, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    let length = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: the descriptor is open for as long as it is borrowed; `value` lives until the call
    // returns, and `length` is its size.
    let result = unsafe {
        let fd = socket.as_fd().as_raw_fd();
        libc::setsockopt(fd, level, name, (&raw const value).cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
