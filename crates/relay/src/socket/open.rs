use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, SockRef, Socket, Type};

use super::option::{self, Fragmentation};

/// A UDP socket that sends and receives in batches.
#[derive(Debug)]
pub(crate) struct Udp {
    pub(crate) io: OwnedFd,
    /// What it is bound to.
    pub(crate) local: SocketAddr,
    /// Whether it is ready for data.
    is_ready: Cell<bool>,
}

/// How many bytes the kernel may keep for a socket, each way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Buffers(pub(crate) usize);

impl Udp {
    /// One of the sockets that share the address of a listener.
    pub(crate) fn listen(address: SocketAddr, buffers: Buffers) -> io::Result<Self> {
        let socket = open(address, Type::DGRAM)?;
        bind_shared(&socket, address)?;
        let udp = Self::new(socket, address)?;
        udp.prepare(buffers)?;
        Ok(udp)
    }

    /// A relayed transport address that is ready for data.
    pub(crate) fn relay(address: SocketAddr, buffers: Buffers) -> io::Result<Self> {
        let udp = Self::reserve(address)?;
        udp.make_ready(buffers)?;
        Ok(udp)
    }

    /// A relayed transport address that carries no data before [`Udp::make_ready`].
    pub(crate) fn reserve(address: SocketAddr) -> io::Result<Self> {
        let socket = open(address, Type::DGRAM)?;
        socket.bind(&address.into())?;
        Self::new(socket, address)
    }

    /// Sets the options that a relayed address needs for data, unless they are set; what ICMP says of its
    /// datagrams is queued.
    pub(crate) fn make_ready(&self, buffers: Buffers) -> io::Result<()> {
        if self.is_ready.get() {
            return Ok(());
        }
        self.prepare(buffers)?;
        option::queue_errors(&self.io, self.local.ip())
    }

    fn new(socket: Socket, address: SocketAddr) -> io::Result<Self> {
        let local = if address.port() == 0 { chosen(&socket)? } else { address };
        Ok(Self { io: socket.into(), local, is_ready: Cell::new(false) })
    }

    fn prepare(&self, buffers: Buffers) -> io::Result<()> {
        self.is_ready.set(true);
        buffers.set(&self.io)?;
        option::set_told(&self.io, self.local)?;
        self.set_fragmentation(Fragmentation::Allowed)
    }

    /// Has the TTL of what comes told: what goes on in the other IP version leaves with it.
    pub(crate) fn set_ttl_told(&self) -> io::Result<()> {
        option::set_ttl_told(&self.io, self.local.ip())
    }

    /// Sets or clears DF for what follows.
    pub(crate) fn set_fragmentation(&self, fragmentation: Fragmentation) -> io::Result<()> {
        option::set_fragmentation(&self.io, self.local.ip(), fragmentation)
    }
}

impl AsFd for Udp {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

impl Buffers {
    /// Asks for so much; beyond the system's limit only with the privilege to do so.
    fn set(self, socket: &impl AsFd) -> io::Result<()> {
        let socket = SockRef::from(socket);
        if setsockopt(&*socket, sockopt::RcvBufForce, &self.0).is_err() {
            socket.set_recv_buffer_size(self.0)?;
        }
        if setsockopt(&*socket, sockopt::SndBufForce, &self.0).is_err() {
            socket.set_send_buffer_size(self.0)?;
        }
        Ok(())
    }
}

/// One of the sockets that accept the connections of an address.
pub(crate) fn listen_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = shared_tcp(address)?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from(socket))
}

/// A relayed transport address that accepts connections, of which nobody else has the port: not a server of the same
/// user that shares its own with its workers, and not this one. Those that it connects from may join it
/// ([`connect_from`]).
pub(crate) fn relay_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = open(address, Type::STREAM)?;
    socket.set_reuse_address(true)?;
    bind_first(&socket, address)?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from(socket))
}

/// The next connection that has come, which never blocks; nor does this call.
pub(crate) fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, remote) = listener.accept()?;
    stream.set_nonblocking(true)?;
    Ok((stream, remote))
}

/// Begins to connect from an address that others listen at (RFC 6062 §5.2).
pub(crate) fn connect_from(local: SocketAddr, peer: SocketAddr) -> io::Result<TcpStream> {
    let socket = shared_tcp(local)?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&peer.into()) {
        Err(error) if errno(&error) != Errno::EINPROGRESS => Err(error),
        _ => Ok(TcpStream::from(socket)),
    }
}

fn shared_tcp(address: SocketAddr) -> io::Result<Socket> {
    let socket = open(address, Type::STREAM)?;
    socket.set_reuse_address(true)?;
    bind_shared(&socket, address)?;
    Ok(socket)
}

/// Binds to an address for a moment, which fails where anybody has it.
pub(crate) fn bind_alone(address: SocketAddr, kind: Type) -> io::Result<()> {
    let socket = open(address, kind)?;
    // Connections of a server that has ended may linger.
    socket.set_reuse_address(kind == Type::STREAM)?;
    socket.bind(&address.into())
}

/// Binds to an address that others may bind to afterwards.
///
/// To a socket that is ready to share, the system may give a port that others share already, be it another
/// server's: a port of its choice is chosen first, and shared then.
fn bind_shared(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if address.port() == 0 {
        return bind_first(socket, address);
    }
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())
}

/// Binds to an address that nobody has, and that others may bind to afterwards.
fn bind_first(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    socket.bind(&address.into())?;
    socket.set_reuse_port(true)
}

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1_024;

/// The address that the system has chosen.
fn chosen(socket: &Socket) -> io::Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| ErrorKind::AddrNotAvailable.into())
}

fn open(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind.nonblocking(), None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// Whether this is about a datagram that was sent before: ICMP has answered it.
pub(super) fn is_belated(error: &io::Error) -> bool {
    matches!(
        errno(error),
        Errno::ECONNREFUSED
            | Errno::EHOSTUNREACH
            | Errno::ENETUNREACH
            | Errno::EHOSTDOWN
            | Errno::ENOPROTOOPT
            | Errno::EPROTO
    )
}

/// Whether the system has no more descriptors or memory to give.
pub(crate) fn is_exhausted(error: &io::Error) -> bool {
    matches!(errno(error), Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM)
}

/// Whether a port could not be bound, and another one might: others hold it, or it takes a privilege.
pub(crate) fn is_about_port(error: &io::Error) -> bool {
    matches!(errno(error), Errno::EADDRINUSE | Errno::EACCES)
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::getsockopt;
    use std::collections::BTreeSet;
    use std::net::Ipv4Addr;

    /// Among as many ports that may be shared, the system chooses some twice, nearly always.
    #[test]
    fn a_port_of_the_systems_choice_is_nobody_elses() {
        let any = (Ipv4Addr::LOCALHOST, 0).into();
        let open: Vec<_> = (0..400).map(|_| Udp::listen(any, Buffers(4_096)).unwrap()).collect();
        let ports: BTreeSet<_> = open.iter().map(|udp| udp.local.port()).collect();
        assert_eq!(ports.len(), open.len());
        for first in open.iter().take(3) {
            let second = Udp::listen(first.local, Buffers(4_096)).unwrap();
            assert_eq!(second.local, first.local, "others can join");
        }
        let accepting: Vec<_> = (0..400).map(|_| listen_tcp(any).unwrap()).collect();
        let ports = accepting.iter().map(|listener| listener.local_addr().unwrap());
        assert_eq!(ports.clone().collect::<BTreeSet<_>>().len(), accepting.len());
        for address in ports.take(3) {
            assert!(listen_tcp(address).is_ok(), "others can join");
        }
    }

    #[test]
    fn a_relayed_address_is_not_shared_but_with_its_own_connections() {
        let any = (Ipv4Addr::LOCALHOST, 0).into();
        let (clients, peer) = (listen_tcp(any).unwrap(), listen_tcp(any).unwrap());
        let is_in_use =
            |address| relay_tcp(address).is_err_and(|error| error.kind() == ErrorKind::AddrInUse);
        assert!(is_in_use(clients.local_addr().unwrap()), "clients connect there");
        let relay = relay_tcp(any).unwrap();
        let address = relay.local_addr().unwrap();
        assert!(is_in_use(address), "another allocation's");
        let connection = connect_from(address, peer.local_addr().unwrap()).unwrap();
        assert_eq!(connection.local_addr().unwrap(), address);
        assert!(is_in_use(address), "while one of its connections is there, too");
    }

    #[test]
    fn a_relayed_address_has_its_options_once_it_is_made_ready() {
        let any = (Ipv4Addr::LOCALHOST, 0).into();
        let udp = Udp::reserve(any).unwrap();
        let options = || {
            let buffer = getsockopt(&udp, sockopt::RcvBuf).unwrap();
            let errors = getsockopt(&udp, sockopt::Ipv4RecvErr).unwrap();
            (buffer, SockRef::from(&udp).recv_tos_v4().unwrap(), errors)
        };
        let (before, ..) = options();
        assert_eq!(options(), (before, false, false), "a socket, and no more");
        udp.make_ready(Buffers(4_096)).unwrap();
        // The kernel doubles what it is asked for.
        assert_eq!(options(), (8_192, true, true));
        udp.make_ready(Buffers(1 << 16)).unwrap();
        assert_eq!(options(), (8_192, true, true), "once is enough");
    }
}
