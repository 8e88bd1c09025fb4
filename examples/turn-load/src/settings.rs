//! What a run is told.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use pinhole_stun::resolve::ServerAddress;
use pinhole_stun::{Credentials, Host};
use tokio_rustls::rustls::ClientConfig;

/// A load to put on a server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server.
    pub target: Target,
    /// The user that all allocations belong to.
    pub credentials: Credentials,
    /// How many allocations to make.
    pub allocations: usize,
    /// Packets a second, those of all allocations and both directions together; with 0, the allocations are only
    /// held.
    pub rate: u64,
    /// The bytes of a packet, as the peer sees it; from [`Settings::MIN_SIZE`] to [`Settings::MAX_SIZE`].
    pub size: usize,
    /// How long to send, or to hold.
    pub duration: Duration,
    /// The threads to share the work among.
    pub threads: usize,
    /// Whether to send rows of packets with one call (GSO).
    pub gso: bool,
    /// Whether to send in Send indications, and bind no channels.
    pub indications: bool,
    /// Whether clients send to each other's relayed addresses, two by two, in place of peers of their own: each packet
    /// is relayed twice, unless the server knows a shorter way.
    pub between_clients: bool,
    /// Where the peers are: an address of this machine that the server reaches.
    pub peer: IpAddr,
    /// The addresses of this machine that clients come from, in turn; `None` lets the system choose.
    pub sources: Option<Sources>,
    /// The server's process, if it runs on this machine and is to be measured, too.
    pub pid: Option<u32>,
}

/// A server that has been looked up.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it is, and how to get there: UDP, TCP or TLS.
    pub server: ServerAddress,
    /// Its name, which its certificate is to bear.
    pub host: Host,
    /// Whom to believe; needed for TLS.
    pub tls: Option<Arc<ClientConfig>>,
}

impl Settings {
    /// A packet carries a stamp.
    pub const MIN_SIZE: usize = crate::payload::Stamp::LENGTH;
    /// With all headers, a packet is to fit into a datagram.
    pub const MAX_SIZE: usize = 65_000;

    /// How many packets are sent with one call, and never fewer: with GSO, as many as a sender of video makes in one go.
    pub(crate) const fn row(&self) -> usize {
        if self.gso { 32 } else { 1 }
    }
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sources {
    first: IpAddr,
    count: u128,
}

/// Why a text is no range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a range is written as ADDRESS/BITS, with up to 32 or 128 bits")]
pub struct SourcesError;

impl Sources {
    /// The address of the client with this number.
    #[must_use]
    pub fn of(&self, number: usize) -> IpAddr {
        let offset = number as u128 % self.count;
        match self.first {
            // An IPv4 range has no more than 2^32 addresses.
            IpAddr::V4(first) => IpAddr::V4((u32::from(first) + offset as u32).into()),
            IpAddr::V6(first) => IpAddr::V6((u128::from(first) + offset).into()),
        }
    }
}

impl FromStr for Sources {
    type Err = SourcesError;

    fn from_str(text: &str) -> Result<Self, SourcesError> {
        let (address, bits) = text.split_once('/').ok_or(SourcesError)?;
        let address: IpAddr = address.parse().map_err(|_| SourcesError)?;
        let width = if address.is_ipv4() { 32_u32 } else { 128 };
        let bits: u32 = bits.parse().map_err(|_| SourcesError)?;
        let host = width.checked_sub(bits).ok_or(SourcesError)?;
        let count = 1_u128.checked_shl(host).unwrap_or(u128::MAX);
        let first = match address {
            IpAddr::V4(ip) => IpAddr::V4((u32::from(ip) & !((count - 1) as u32)).into()),
            IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) & !(count - 1)).into()),
        };
        Ok(Self { first, count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_come_from_each_address_of_a_range_in_turn() {
        let sources: Sources = "127.0.1.77/30".parse().unwrap();
        let addresses: Vec<String> = (0..5).map(|client| sources.of(client).to_string()).collect();
        assert_eq!(
            addresses,
            ["127.0.1.76", "127.0.1.77", "127.0.1.78", "127.0.1.79", "127.0.1.76"]
        );
        let one: Sources = "fd00::5/128".parse().unwrap();
        assert_eq!(one.of(9).to_string(), "fd00::5");
        assert_eq!("fd00::/64".parse::<Sources>().unwrap().of(3).to_string(), "fd00::3");
        for whole in ["0.0.0.0/0", "::/0"] {
            assert!(whole.parse::<Sources>().unwrap().of(0).is_unspecified());
        }
        for wrong in ["127.0.0.1", "127.0.0.1/33", "::/129", "x/1", "1.1.1.1/-1"] {
            assert_eq!(wrong.parse::<Sources>(), Err(SourcesError), "{wrong}");
        }
    }
}
