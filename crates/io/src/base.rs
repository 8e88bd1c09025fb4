//! Sockets that come and go.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::net::UdpSocket;

use crate::socket;

/// A socket and the address that it is bound to.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) address: SocketAddr,
    pub(crate) socket: UdpSocket,
}

impl Base {
    pub(crate) fn bind(ip: IpAddr) -> io::Result<Self> {
        let socket = socket::bind(ip)?;
        Ok(Self { address: socket.local_addr()?, socket })
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
