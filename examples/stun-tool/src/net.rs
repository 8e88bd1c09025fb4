//! The clock, the generator, names and sockets: everything that the libraries do not touch.

use std::net::SocketAddr;

use pinhole_sansio::{Instant, Transport};
use pinhole_stun::Uri;
use pinhole_stun::resolve::{Answer, Query, Resolver};
use rand::TryRng;
use rand::rngs::SysRng;
use tokio::net::{UdpSocket, lookup_host};

use crate::Failure;

/// The longest datagram there is.
pub(crate) const MAX_DATAGRAM: usize = 65_535;

/// The system's monotonic clock, read as time since the program began.
#[derive(Clone, Copy)]
pub(crate) struct Clock(tokio::time::Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(tokio::time::Instant::now())
    }

    pub(crate) fn now(self) -> Instant {
        Instant::ZERO + self.0.elapsed()
    }

    /// Sleeps until then.
    pub(crate) async fn sleep_until(self, deadline: Instant) {
        tokio::time::sleep_until(self.0 + (deadline - Instant::ZERO)).await;
    }
}

/// Thirty-two bytes from the operating system.
pub(crate) fn seed() -> Result<[u8; 32], Failure> {
    let mut seed = [0; 32];
    SysRng.try_fill_bytes(&mut seed).map_err(|error| {
        let reason = std::io::Error::other(error);
        Failure::Network { what: "random bytes".into(), reason }
    })?;
    Ok(seed)
}

/// The server that a `stun:` URI leads to, over UDP.
///
/// The system's resolver knows addresses only; so SRV records count as absent, and RFC 8489 §8.1 falls
/// back on A and AAAA.
pub(crate) async fn resolve(text: &str, ipv6: bool) -> Result<SocketAddr, Failure> {
    let uri: Uri = text.parse().map_err(|reason| Failure::Uri { uri: text.into(), reason })?;
    let mut resolver = Resolver::new(&uri, &[Transport::Udp], seed()?)
        .map_err(|reason| Failure::Scheme { uri: text.into(), reason })?;
    let mut found = Vec::new();
    loop {
        if let Some(query) = resolver.poll_query() {
            resolver.handle_answer(look_up(query).await?);
        } else if let Some(server) = resolver.poll_server() {
            found.push(server.address);
        } else {
            break;
        }
    }
    let of_family = found.iter().find(|address| address.is_ipv6() == ipv6);
    of_family.or(found.first().filter(|_| !ipv6)).copied().ok_or_else(|| {
        let reason = std::io::Error::other("no address of this family");
        Failure::Network { what: uri.host.to_string(), reason }
    })
}

async fn look_up(query: Query) -> Result<Answer, Failure> {
    match query {
        Query::Naptr(_) => Ok(Answer::Naptr(Vec::new())),
        Query::Srv(_) => Ok(Answer::Srv(Vec::new())),
        Query::Addresses(name) => {
            let addresses = lookup_host((name.as_str(), 0)).await;
            let addresses =
                addresses.map_err(|reason| Failure::Network { what: name.clone(), reason })?;
            Ok(Answer::Addresses(addresses.map(|address| address.ip()).collect()))
        }
    }
}

/// A socket on the address from which the system reaches `server`.
pub(crate) async fn bind_towards(server: SocketAddr) -> Result<UdpSocket, Failure> {
    let connected = connect(server).await?;
    let local = local_address(&connected)?;
    bind(SocketAddr::new(local.ip(), 0)).await
}

/// A socket that exchanges datagrams with `server` only, and so is told when nobody listens there.
pub(crate) async fn connect(server: SocketAddr) -> Result<UdpSocket, Failure> {
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let any = any.parse().map_err(|_| Failure::Usage("no such address".into()))?;
    let socket = bind(any).await?;
    socket.connect(server).await.map_err(failure(server))?;
    Ok(socket)
}

pub(crate) async fn bind(address: SocketAddr) -> Result<UdpSocket, Failure> {
    UdpSocket::bind(address).await.map_err(failure(address))
}

pub(crate) fn local_address(socket: &UdpSocket) -> Result<SocketAddr, Failure> {
    socket
        .local_addr()
        .map_err(|reason| Failure::Network { what: "the socket's address".into(), reason })
}

/// A failure of the network at this address.
pub(crate) fn failure(address: SocketAddr) -> impl FnOnce(std::io::Error) -> Failure {
    move |reason| Failure::Network { what: address.to_string(), reason }
}
