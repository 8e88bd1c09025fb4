//! UDP sockets, one for each base.

use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
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

/// Some hundred full datagrams.
const BUFFER: usize = 1 << 20;
