use std::any::Any;
use std::net::{IpAddr, SocketAddr};

use pinhole_sansio::{Datagram, Instant, Transmit};

use crate::icmp::IcmpError;
use crate::stream::{StreamCommand, StreamEvent};

/// What runs on a host: anything that takes datagrams and timeouts, and gives datagrams and a deadline.
///
/// After each input the world takes [`poll_transmit`](Self::poll_transmit) until `None` and then asks
/// [`poll_timeout`](Self::poll_timeout).
pub trait Node: Any {
    /// A datagram arrived on one of the host's addresses.
    fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Instant);

    /// The deadline has passed. Afterwards no deadline may lie at or before `now`.
    fn handle_timeout(&mut self, now: Instant);

    /// The next datagram to send, until `None`.
    fn poll_transmit(&mut self) -> Option<Transmit>;

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Whether a socket is open on `local`. A datagram to a closed port is answered with ICMP.
    fn is_open(&self, local: SocketAddr) -> bool {
        let _ = local;
        true
    }

    /// An ICMP error came back for something that this host sent.
    fn handle_icmp(&mut self, error: IcmpError, now: Instant) {
        let _ = (error, now);
    }

    /// The next thing that the host's TCP shall do, until `None`. Bytes go out by
    /// [`poll_transmit`](Self::poll_transmit), over [`Transport::Tcp`](pinhole_sansio::Transport::Tcp).
    fn poll_stream(&mut self) -> Option<StreamCommand> {
        None
    }

    /// Something happened to a TCP connection.
    fn handle_stream(&mut self, event: StreamEvent, now: Instant) {
        let _ = (event, now);
    }

    /// The host's addresses changed to `addresses`.
    fn handle_addresses(&mut self, addresses: &[IpAddr], now: Instant) {
        let _ = (addresses, now);
    }
}
