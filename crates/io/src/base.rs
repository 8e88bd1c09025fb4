//! Sockets that come and go.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

use quinn_udp::UdpSocketState;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::batch::Batch;
use crate::burst::Burst;
use crate::socket;

/// A socket and the address that it is bound to.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) address: SocketAddr,
    pub(crate) socket: UdpSocket,
    offload: UdpSocketState,
}

impl Base {
    pub(crate) fn bind(ip: IpAddr) -> io::Result<Self> {
        let socket = socket::bind(ip)?;
        let address = socket.local_addr()?;
        Self::new(address, socket)
    }

    /// Takes a socket that is bound already.
    pub(crate) fn new(address: SocketAddr, socket: UdpSocket) -> io::Result<Self> {
        socket::receive_joined(&socket);
        Ok(Self { address, offload: offload(address.ip())?, socket })
    }

    /// Waits for datagrams, and takes as many as are there, or fit. Cancel-safe.
    pub(crate) async fn receive(&self, batch: &mut Batch) -> io::Result<()> {
        let receive = || batch.fill(|to, told| self.offload.recv((&self.socket).into(), to, told));
        self.socket.async_io(Interest::READABLE, receive).await
    }

    /// As many datagrams of one length as the system takes in one call.
    pub(crate) fn burst_limit(&self) -> usize {
        self.offload.max_gso_segments()
    }

    /// Sends all of a burst, once the socket can take it. Cancel-safe.
    pub(crate) async fn send_burst(&self, burst: &Burst, to: SocketAddr) -> io::Result<()> {
        let transmit = burst.transmit(to);
        let send = || self.offload.try_send((&self.socket).into(), &transmit);
        match self.socket.async_io(Interest::WRITABLE, send).await {
            // Whatever is wrong, such as a path that is too narrow, may be so of all of them together alone.
            Err(_) if burst.len() > 1 => {
                for datagram in burst.datagrams() {
                    socket::send_parts(&self.socket, &[datagram], to).await?;
                }
                Ok(())
            }
            sent => sent,
        }
    }

    /// One for each of these addresses that can be bound.
    ///
    /// # Errors
    /// That of the last address, when there is none.
    pub(crate) fn bind_all(addresses: &[IpAddr]) -> io::Result<Vec<Arc<Self>>> {
        let mut bases = Vec::new();
        let mut last_error =
            io::Error::new(io::ErrorKind::AddrNotAvailable, "no usable network address");
        for &ip in addresses {
            match Self::bind(ip) {
                Ok(base) => bases.push(Arc::new(base)),
                Err(error) => {
                    tracing::debug!(%ip, %error, "address cannot be bound");
                    last_error = error;
                }
            }
        }
        if bases.is_empty() { Err(last_error) } else { Ok(bases) }
    }
}

/// What the system can do, asked on a socket of its own: quinn-udp would forbid fragmentation on ours, and whoever sends
/// large datagrams over a narrow path would lose them.
fn offload(ip: IpAddr) -> io::Result<UdpSocketState> {
    let probe = std::net::UdpSocket::bind((ip, 0))?;
    UdpSocketState::new((&probe).into())
}

/// The sockets of a connection.
#[derive(Debug)]
pub(crate) struct Bases(RwLock<Vec<Arc<Base>>>);

impl Bases {
    pub(crate) const fn new(bases: Vec<Arc<Base>>) -> Self {
        Self(RwLock::new(bases))
    }

    pub(crate) fn all(&self) -> Vec<Arc<Base>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn at(&self, address: SocketAddr) -> Option<Arc<Base>> {
        let bases = self.0.read().unwrap_or_else(PoisonError::into_inner);
        bases.iter().find(|base| base.address == address).cloned()
    }

    pub(crate) fn add(&self, base: Arc<Base>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(base);
    }

    pub(crate) fn remove(&self, address: SocketAddr) {
        let mut bases = self.0.write().unwrap_or_else(PoisonError::into_inner);
        bases.retain(|base| base.address != address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_burst_is_one_call_on_either_side_where_the_system_can_do_it() {
        for ip in ["127.0.0.1", "::1"].map(|ip| ip.parse().unwrap()) {
            let (Ok(from), Ok(to)) = (Base::bind(ip), Base::bind(ip)) else {
                println!("skipped: this machine has no {ip}");
                continue;
            };
            let limit = from.burst_limit();
            let (mut burst, mut number) = (Burst::default(), 0_u8);
            while burst.push([&[number], &[0; 999], &[]], limit) {
                number += 1;
            }
            assert_eq!(usize::from(number), limit.min(64));
            from.send_burst(&burst, to.address).await.unwrap();
            let mut batch = Batch::new();
            to.receive(&mut batch).await.unwrap();
            let received: Vec<_> = batch.datagrams().collect();
            assert_eq!(received.len(), burst.len());
            for ((source, datagram), number) in received.into_iter().zip(0_u8..) {
                assert_eq!((source, datagram.len(), datagram[0]), (from.address, 1_000, number));
            }
        }
    }
}
