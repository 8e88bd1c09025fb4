//! Names and sockets.

use std::net::SocketAddr;

use pinhole_io::{LookupError, Resolver, resolve_numeric};
use pinhole_sansio::Transport;
use pinhole_stun::resolve::ServerAddress;
use pinhole_stun::{Host, Uri};
use tokio::net::UdpSocket;

use crate::Failure;

/// The longest datagram there is.
pub(crate) const MAX_DATAGRAM: usize = 65_535;

/// Thirty-two bytes from the operating system.
pub(crate) fn seed() -> Result<[u8; 32], Failure> {
    let network = |reason| Failure::Network { what: "random bytes".into(), reason };
    pinhole_io::seed().map_err(network)
}

/// The server that a `stun:` URI leads to, over UDP. The name servers are read only where there is a name to look up.
pub(crate) async fn resolve(text: &str, ipv6: bool) -> Result<SocketAddr, Failure> {
    let uri: Uri = text.parse().map_err(|reason| Failure::Uri { uri: text.into(), reason })?;
    let found = match uri.host {
        Host::Ip(_) => resolve_numeric(&uri, &[Transport::Udp]),
        Host::Name(_) => look_up(&uri).await,
    };
    let found = found.map_err(|reason| {
        if let LookupError::Uri(reason) = reason {
            return Failure::Scheme { uri: text.into(), reason };
        }
        Failure::Lookup { uri: text.into(), reason }
    })?;
    let addresses = || found.iter().map(|server| server.address);
    let of_family = addresses().find(|address| address.is_ipv6() == ipv6);
    of_family.or(addresses().next().filter(|_| !ipv6)).ok_or_else(|| {
        let reason = std::io::Error::other("no address of this family");
        Failure::Network { what: uri.host.to_string(), reason }
    })
}

async fn look_up(uri: &Uri) -> Result<Vec<ServerAddress>, LookupError> {
    Resolver::system()?.resolve(uri, &[Transport::Udp]).await
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
