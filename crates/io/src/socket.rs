//! UDP sockets, one for each base.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// A non-blocking socket on `ip` and a port that the system chooses.
///
/// # Errors
/// What the operating system says.
pub fn bind(ip: IpAddr) -> io::Result<UdpSocket> {
    bind_to(SocketAddr::new(ip, 0))
}

/// A non-blocking socket on `address`.
///
/// # Errors
/// What the operating system says.
pub fn bind_to(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // As large as the system lets us; a burst is lost otherwise, and less is no reason to fail.
    for enlarge in [Socket::set_recv_buffer_size, Socket::set_send_buffer_size] {
        if let Err(error) = enlarge(&socket, BUFFER) {
            tracing::debug!(%error, "socket buffer keeps its default size");
        }
    }
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// Sends one datagram that lies in parts, once the socket can take it.
pub(crate) async fn send_parts(
    socket: &UdpSocket,
    parts: &[&[u8]],
    to: SocketAddr,
) -> io::Result<()> {
    let (slices, to) = (slices(parts), to.into());
    let send = || SockRef::from(socket).send_to_vectored(&slices, &to).map(drop);
    socket.async_io(Interest::WRITABLE, send).await
}

/// The parts of a datagram, a header, a payload and padding at most, as the system takes them.
pub(crate) fn slices<'a>(parts: &[&'a [u8]]) -> [IoSlice<'a>; 3] {
    let mut parts = parts.iter();
    std::array::from_fn(|_| IoSlice::new(parts.next().copied().unwrap_or_default()))
}

/// Lets the system join datagrams of one sender and one length before it gives them to us, where it can (UDP GRO).
pub(crate) fn receive_joined(socket: &UdpSocket) {
    #[cfg(target_os = "linux")]
    {
        use nix::sys::socket::{setsockopt, sockopt};
        if let Err(error) = setsockopt(socket, sockopt::UdpGroSegment, &true) {
            tracing::debug!(%error, "datagrams come one by one");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

/// Some hundred full datagrams.
const BUFFER: usize = 1 << 20;
