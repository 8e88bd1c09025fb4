use pinhole_sansio::Instant;
use pinhole_stun::attribute::Family;
use pinhole_turn::server::{Server, Users};

/// What of a server's state can be counted from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(super) allocations: usize,
    /// Of IPv4 and IPv6.
    pub(super) free_ports: [usize; 2],
    /// Sockets of relayed addresses that the driver was told to open, and not to close.
    pub(super) sockets: usize,
    pub(super) deadline: Option<Instant>,
}

impl Picture {
    pub(crate) fn of(server: &Server<impl Users>, sockets: usize) -> Self {
        Self {
            allocations: server.allocations(),
            free_ports: [Family::Ipv4, Family::Ipv6].map(|family| server.free_ports(family)),
            sockets,
            deadline: server.poll_timeout(),
        }
    }

    /// Whether something is due that the next input may end.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }
}
