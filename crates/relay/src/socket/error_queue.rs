use std::io::IoSliceMut;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

use nix::cmsg_space;
use nix::libc::sock_extended_err;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};
use pinhole_turn::attribute::Icmp;

/// The next ICMP message that has answered a datagram of this socket, and whom that was sent to; `None`
/// when there is no other. What the queue holds besides ICMP is passed over.
pub(crate) fn next_icmp(socket: &impl AsFd) -> Option<(SocketAddr, Icmp)> {
    let mut space = cmsg_space!(Control);
    for _ in 0..BATCH {
        let mut byte = [0];
        let mut buffers = [IoSliceMut::new(&mut byte)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let fd = socket.as_fd().as_raw_fd();
        let message = recvmsg::<SockaddrStorage>(fd, &mut buffers, Some(&mut space), flags).ok()?;
        let peer = message.address.as_ref().and_then(address);
        let icmp = message.cmsgs().ok()?.find_map(|control| {
            if let ControlMessageOwned::Ipv4RecvErr(error, _)
            | ControlMessageOwned::Ipv6RecvErr(error, _) = control
            {
                icmp(&error)
            } else {
                None
            }
        });
        if let (Some(peer), Some(icmp)) = (peer, icmp) {
            return Some((peer, icmp));
        }
    }
    None
}

/// The error and who has reported it, besides whatever else the socket tells of its datagrams.
type Control = [u8; 256];

/// How many entries of the queue are passed over at once.
const BATCH: usize = 16;

fn icmp(error: &sock_extended_err) -> Option<Icmp> {
    let is_icmp =
        matches!(error.ee_origin, nix::libc::SO_EE_ORIGIN_ICMP | nix::libc::SO_EE_ORIGIN_ICMP6);
    is_icmp.then_some(Icmp { kind: error.ee_type, code: error.ee_code, data: error.ee_info })
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|&v4| SocketAddr::V4(v4.into()));
    v4.or_else(|| storage.as_sockaddr_in6().map(|&v6| SocketAddr::V6(v6.into())))
}
