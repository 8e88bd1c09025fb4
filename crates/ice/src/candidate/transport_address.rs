use core::net::{IpAddr, SocketAddr};

use pinhole_sansio::Transport;

use super::{CandidateTransport, TcpType};

/// Where a candidate is, or what it is sent from: an address and how it is reached (RFC 8445 §4, "transport address").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TransportAddress {
    pub(crate) transport: CandidateTransport,
    pub(crate) address: SocketAddr,
}

impl TransportAddress {
    pub(crate) const fn tcp(tcp_type: TcpType, address: SocketAddr) -> Self {
        Self { transport: CandidateTransport::Tcp(tcp_type), address }
    }

    /// What connections of this machine's own are opened from: any port of the address (RFC 6544 §4.5).
    pub(crate) const fn active(ip: IpAddr) -> Self {
        Self::tcp(TcpType::Active, SocketAddr::new(ip, DISCARD))
    }

    pub(crate) const fn ip(self) -> IpAddr {
        self.address.ip()
    }

    pub(crate) const fn is_udp(self) -> bool {
        matches!(self.transport, CandidateTransport::Udp)
    }

    /// Whether it is for the other side to begin: such a local candidate forms no pairs of its own (RFC 6544 §6.2).
    pub(crate) const fn waits_for_connections(self) -> bool {
        matches!(self.transport, CandidateTransport::Tcp(TcpType::Passive))
    }

    /// Whether checks may go between the two: one family, link-local IPv6 only with its like (RFC 8445 §6.1.2.2), and
    /// of TCP candidates only those of which exactly one opens the connection, or both at once (RFC 6544 §6.2).
    pub(crate) const fn may_be_paired_with(self, remote: Self) -> bool {
        let fits = match (self.transport, remote.transport) {
            (CandidateTransport::Udp, CandidateTransport::Udp) => true,
            (CandidateTransport::Tcp(own), CandidateTransport::Tcp(theirs)) => {
                own.counterpart() as u8 == theirs as u8
            }
            (CandidateTransport::Udp, CandidateTransport::Tcp(_))
            | (CandidateTransport::Tcp(_), CandidateTransport::Udp) => false,
        };
        fits && are_of_one_scope(self.ip(), remote.ip())
    }

    /// Whether its side opens the connection, and nobody else can.
    pub(crate) const fn is_active(self) -> bool {
        matches!(self.transport, CandidateTransport::Tcp(TcpType::Active))
    }

    /// Where connections of this candidate's begin: at any port, which 0 stands for, or at its own (RFC 6544 §5.1).
    pub(crate) const fn connects_from(self) -> SocketAddr {
        match self.is_active() {
            true => SocketAddr::new(self.ip(), 0),
            false => self.address,
        }
    }

    /// The transport that its bytes travel over.
    pub(crate) const fn carrier(self) -> Transport {
        match self.transport {
            CandidateTransport::Udp => Transport::Udp,
            CandidateTransport::Tcp(_) => Transport::Tcp,
        }
    }
}

impl From<SocketAddr> for TransportAddress {
    fn from(address: SocketAddr) -> Self {
        Self { transport: CandidateTransport::Udp, address }
    }
}

const fn are_of_one_scope(local: IpAddr, remote: IpAddr) -> bool {
    match (local, remote) {
        (IpAddr::V4(_), IpAddr::V4(_)) => true,
        (IpAddr::V6(local), IpAddr::V6(remote)) => {
            local.is_unicast_link_local() == remote.is_unicast_link_local()
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

/// "the port number ... MUST be ... 9 (discard) for active candidates" (RFC 6544 §4.5).
const DISCARD: u16 = 9;
