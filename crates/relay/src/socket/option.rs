//! Socket options of the data path.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;

use super::system::set;

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

/// Has datagrams of one source handed over as trains (GRO), and their DSCP and ECN told; where they were
/// sent to is told if the address does not.
pub(crate) fn set_told(socket: &impl AsFd, local: SocketAddr) -> io::Result<()> {
    // Kernels before 5.0 know no trains.
    set(socket, libc::SOL_UDP, libc::UDP_GRO, 1).unwrap_or_default();
    if local.is_ipv4() {
        set(socket, libc::IPPROTO_IP, libc::IP_RECVTOS, 1)?;
    } else {
        set(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS, 1)?;
    }
    match local.ip() {
        ip if !ip.is_unspecified() => Ok(()),
        IpAddr::V4(_) => set(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1),
        IpAddr::V6(_) => set(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1),
    }
}

/// Has the Time to Live, or the Hop Limit, of datagrams told.
pub(crate) fn set_ttl_told(socket: &impl AsFd, local: IpAddr) -> io::Result<()> {
    match local {
        IpAddr::V4(_) => set(socket, libc::IPPROTO_IP, libc::IP_RECVTTL, 1),
        IpAddr::V6(_) => set(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, 1),
    }
}

/// Has the kernel queue what ICMP says of a socket's datagrams.
pub(crate) fn queue_errors(socket: &impl AsFd, local: IpAddr) -> io::Result<()> {
    match local {
        IpAddr::V4(_) => set(socket, libc::IPPROTO_IP, libc::IP_RECVERR, 1),
        IpAddr::V6(_) => set(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, 1),
    }
}
