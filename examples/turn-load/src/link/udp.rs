//! UDP in batches.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use mio::event::Source;
use mio::net::UdpSocket;
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};

/// A socket that sends bursts by GSO, and receives many datagrams at a time.
pub(crate) struct UdpLink {
    socket: UdpSocket,
    state: UdpSocketState,
}

/// Room for what is received at once, shared by the sockets of a worker.
pub(crate) struct Inbox {
    pub(super) bytes: Vec<u8>,
    meta: [RecvMeta; BATCH_SIZE],
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; BATCH_SIZE * SLOT], meta: [RecvMeta::default(); BATCH_SIZE] }
    }
}

/// The largest datagram, or row of datagrams that GRO has merged.
const SLOT: usize = 65_536;

impl UdpLink {
    /// A socket that talks to `remote` alone, and learns that nobody listens there.
    pub(crate) fn connect(local: Option<IpAddr>, remote: SocketAddr) -> io::Result<Self> {
        let any = match remote {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let link = Self::bind(local.unwrap_or(any))?;
        link.socket.connect(remote)?;
        Ok(link)
    }

    /// A socket on this address.
    pub(crate) fn bind(ip: IpAddr) -> io::Result<Self> {
        let address = SocketAddr::new(ip, 0);
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        // As large as the system lets us: what is lost here would be blamed on the server.
        let _ = socket.set_recv_buffer_size(BUFFER);
        let _ = socket.set_send_buffer_size(BUFFER);
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into());
        let state = UdpSocketState::new((&socket).into())?;
        Ok(Self { socket, state })
    }

    pub(crate) fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(crate) fn source(&mut self) -> &mut dyn Source {
        &mut self.socket
    }

    /// Sends datagrams of `segment` bytes each, with one call where the system knows GSO.
    pub(crate) fn send(
        &self,
        destination: SocketAddr,
        contents: &[u8],
        segment: usize,
    ) -> io::Result<()> {
        let segment_size = (segment < contents.len()).then_some(segment);
        let transmit = Transmit { destination, ecn: None, contents, segment_size, src_ip: None };
        self.socket.try_io(|| self.state.try_send((&self.socket).into(), &transmit))
    }

    /// How many datagrams of this length one call sends.
    pub(crate) fn burst(&self, length: usize) -> usize {
        self.state.max_gso_segments().min(fitting(length))
    }

    /// Hands on every datagram that has come, and whom it is from.
    pub(crate) fn receive(
        &self,
        inbox: &mut Inbox,
        mut deliver: impl FnMut(SocketAddr, &[u8]),
    ) -> io::Result<()> {
        let Inbox { bytes, meta } = inbox;
        loop {
            let mut slots = bytes.chunks_mut(SLOT);
            let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
                std::array::from_fn(|_| IoSliceMut::new(slots.next().unwrap_or_default()));
            let receive = || self.state.recv((&self.socket).into(), &mut slices, meta);
            let count = match self.socket.try_io(receive) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            for (slot, meta) in bytes.chunks(SLOT).zip(meta.iter()).take(count) {
                let row = slot.get(..meta.len).unwrap_or_default();
                for datagram in row.chunks(meta.stride.max(1)) {
                    deliver(meta.addr, datagram);
                }
            }
        }
    }
}

/// How many messages of this length fit into what one call may send.
pub(super) const fn fitting(length: usize) -> usize {
    let fitting = MAX_ROW / if length == 0 { 1 } else { length };
    if fitting == 0 { 1 } else { fitting }
}

/// The most bytes that one call sends, with room for the headers of IP and UDP.
const MAX_ROW: usize = 65_000;
/// Thousands of small datagrams.
const BUFFER: usize = 4 << 20;
