use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use pinhole_sansio::Instant;

use super::filtering::Filter;
use super::mapping::Behavior;
use crate::packet::{Body, Packet};
use crate::stream::Flags;

/// How long a middlebox remembers, and what refreshes its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// UDP without refresh (RFC 4787 REQ-5).
    pub udp: Duration,
    /// Whether UDP packets that come in refresh; those that go out always do (RFC 4787 REQ-6).
    pub refresh_inbound: bool,
    /// A TCP connection that one side has opened so far (RFC 5382 REQ-5, RFC 7857 §2.1).
    pub tcp_opening: Duration,
    /// An established TCP connection (RFC 5382 REQ-5).
    pub tcp_established: Duration,
    /// A TCP connection that is being closed or was reset (RFC 7857 §2.1 and §2.2).
    pub tcp_closing: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            udp: UDP,
            refresh_inbound: false,
            tcp_opening: TCP_TRANSITORY,
            tcp_established: TCP_ESTABLISHED,
            tcp_closing: TCP_TRANSITORY,
        }
    }
}

/// A side of a middlebox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Inside,
    Outside,
}

/// What a middlebox sees of a packet besides its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traffic {
    Datagram,
    Segment(Flags),
}

impl Traffic {
    /// `None` for ICMP errors, which are part of the traffic that they are about.
    pub(crate) const fn of(packet: &Packet) -> Option<Self> {
        match &packet.body {
            Body::Datagram { .. } => Some(Self::Datagram),
            Body::Segment(segment) => Some(Self::Segment(segment.flags)),
            Body::Icmp(_) => None,
        }
    }

    /// Whether it may be the first of its session.
    pub(crate) const fn begins(self) -> bool {
        match self {
            Self::Datagram => true,
            Self::Segment(flags) => flags.is_opening(),
        }
    }
}

/// What one internal endpoint has opened: the filter of its mapping and its TCP sessions.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    filter: Filter,
    expires: Instant,
    sessions: BTreeMap<SocketAddr, Session>,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    state: TcpState,
    expires: Instant,
}

/// RFC 7857 §2, figure 1. The state CLOSED is the absence of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TcpState {
    /// This side sent a SYN.
    Init(Side),
    Established,
    /// This side sent a FIN.
    FinReceived(Side),
    FinsReceived,
    /// A RST was seen.
    Transitory,
}

impl Opening {
    pub(crate) const fn new(filtering: Behavior) -> Self {
        Self { filter: Filter::new(filtering), expires: Instant::ZERO, sessions: BTreeMap::new() }
    }

    pub(crate) fn is_live(&self, now: Instant) -> bool {
        now < self.expires
    }

    /// Whether a TCP session with `remote` is known.
    pub(crate) fn has_session(&self, remote: SocketAddr, now: Instant) -> bool {
        self.sessions.get(&remote).is_some_and(|session| now < session.expires)
    }

    /// A packet from the inside goes to `remote`.
    pub(crate) fn outbound(
        &mut self,
        remote: SocketAddr,
        traffic: Traffic,
        lifetimes: &Lifetimes,
        now: Instant,
    ) {
        match traffic {
            Traffic::Datagram => self.refresh(remote, lifetimes.udp, now),
            Traffic::Segment(flags) => self.track(Side::Inside, remote, flags, lifetimes, now),
        }
    }

    /// A packet from `remote` wants in: whether it may.
    pub(crate) fn inbound(
        &mut self,
        remote: SocketAddr,
        traffic: Traffic,
        lifetimes: &Lifetimes,
        now: Instant,
    ) -> bool {
        if !self.filter.admits(remote, now) {
            return false;
        }
        // RFC 7857 §7: only what passed the filter may refresh.
        match traffic {
            Traffic::Datagram if lifetimes.refresh_inbound => {
                self.refresh(remote, lifetimes.udp, now);
            }
            Traffic::Datagram => {}
            Traffic::Segment(flags) => self.track(Side::Outside, remote, flags, lifetimes, now),
        }
        true
    }

    fn refresh(&mut self, remote: SocketAddr, lifetime: Duration, now: Instant) {
        self.expires = now + lifetime;
        self.filter.open(remote, self.expires);
    }

    fn track(
        &mut self,
        side: Side,
        remote: SocketAddr,
        flags: Flags,
        lifetimes: &Lifetimes,
        now: Instant,
    ) {
        self.sessions.retain(|_, session| now < session.expires);
        let known = self.sessions.get(&remote).map(|session| session.state);
        let Some(state) = TcpState::after(known, side, flags) else { return };
        // A reset that changes nothing refreshes nothing (RFC 7857 §7.1).
        if known == Some(state) && flags.has(Flags::RST) {
            return;
        }
        self.sessions.insert(remote, Session { state, expires: now + state.lifetime(lifetimes) });
        self.filter.close();
        for (&remote, session) in &self.sessions {
            self.filter.open(remote, session.expires);
        }
        let last = self.sessions.values().map(|session| session.expires).max();
        self.expires = last.unwrap_or(self.expires);
    }
}

impl TcpState {
    /// The state after `side` sent a segment with `flags`.
    fn after(before: Option<Self>, side: Side, flags: Flags) -> Option<Self> {
        let (syn, fin, rst) = (flags.has(Flags::SYN), flags.has(Flags::FIN), flags.has(Flags::RST));
        Some(match before {
            None if syn => Self::Init(side),
            None => return None,
            Some(Self::Init(first)) if syn && first != side => Self::Established,
            Some(Self::Established) if rst => Self::Transitory,
            Some(Self::Established) if fin => Self::FinReceived(side),
            Some(Self::FinReceived(first)) if fin && first != side => Self::FinsReceived,
            // The same endpoints meet again.
            Some(Self::FinsReceived) if syn => Self::Init(side),
            Some(Self::Transitory) if !rst => Self::Established,
            Some(unchanged) => unchanged,
        })
    }

    const fn lifetime(self, lifetimes: &Lifetimes) -> Duration {
        match self {
            Self::Init(_) => lifetimes.tcp_opening,
            Self::Established | Self::FinReceived(_) => lifetimes.tcp_established,
            Self::FinsReceived | Self::Transitory => lifetimes.tcp_closing,
        }
    }
}

/// RFC 4787 REQ-5c: "a default value of five minutes or more" is recommended.
const UDP: Duration = Duration::from_secs(300);
/// RFC 5382 REQ-5: "MUST NOT be less than 4 minutes".
const TCP_TRANSITORY: Duration = Duration::from_secs(240);
/// RFC 5382 REQ-5: "MUST NOT be less than 2 hours 4 minutes".
const TCP_ESTABLISHED: Duration = Duration::from_secs(7_440);

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 80);
    const NEIGHBOUR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 81);

    /// An opening, its lifetimes and the seconds that have passed.
    struct Lab {
        opening: Opening,
        lifetimes: Lifetimes,
        now: Instant,
    }

    impl Lab {
        fn new(filtering: Behavior) -> Self {
            let lifetimes = Lifetimes {
                tcp_opening: Duration::from_secs(10),
                tcp_established: Duration::from_secs(100),
                tcp_closing: Duration::from_secs(20),
                ..Lifetimes::default()
            };
            Self { opening: Opening::new(filtering), lifetimes, now: Instant::ZERO }
        }

        fn out(&mut self, remote: SocketAddr, flags: Flags) {
            self.opening.outbound(remote, Traffic::Segment(flags), &self.lifetimes, self.now);
        }

        fn comes_in(&mut self, remote: SocketAddr, flags: Flags) -> bool {
            self.opening.inbound(remote, Traffic::Segment(flags), &self.lifetimes, self.now)
        }

        fn establish(&mut self, remote: SocketAddr) {
            self.out(remote, Flags::SYN);
            assert!(self.comes_in(remote, Flags::SYN | Flags::ACK));
        }

        fn pass(&mut self, seconds: u64) {
            self.now += Duration::from_secs(seconds);
        }
    }

    #[test]
    fn a_filter_stays_open_for_the_longest_session_in_its_scope() {
        let mut lab = Lab::new(Behavior::AddressDependent);
        lab.establish(PEER);
        lab.out(NEIGHBOUR, Flags::SYN);
        lab.pass(50);
        assert!(lab.opening.has_session(PEER, lab.now));
        assert!(!lab.opening.has_session(NEIGHBOUR, lab.now));
        assert!(lab.comes_in(PEER, Flags::ACK));
    }

    #[test]
    fn a_reset_shortens_its_own_session_only_and_does_not_refresh_it() {
        let mut lab = Lab::new(Behavior::AddressAndPortDependent);
        lab.establish(PEER);
        lab.establish(NEIGHBOUR);
        assert!(lab.comes_in(PEER, Flags::RST));
        lab.pass(15);
        assert!(lab.comes_in(PEER, Flags::RST));
        lab.pass(5);
        assert!(!lab.comes_in(PEER, Flags::RST));
        assert!(lab.comes_in(NEIGHBOUR, Flags::ACK));
    }

    #[test]
    fn data_after_a_false_reset_restores_the_session() {
        let mut lab = Lab::new(Behavior::AddressAndPortDependent);
        lab.establish(PEER);
        assert!(lab.comes_in(PEER, Flags::RST));
        lab.out(PEER, Flags::ACK);
        lab.pass(99);
        assert!(lab.comes_in(PEER, Flags::ACK));
    }

    #[test]
    fn both_fins_end_a_session_and_a_new_syn_begins_another() {
        let mut lab = Lab::new(Behavior::AddressAndPortDependent);
        lab.establish(PEER);
        lab.out(PEER, Flags::FIN);
        lab.pass(50);
        assert!(lab.comes_in(PEER, Flags::FIN), "one FIN leaves the other direction open");
        lab.pass(10);
        lab.establish(PEER);
        lab.pass(99);
        assert!(lab.comes_in(PEER, Flags::FIN));
        lab.out(PEER, Flags::FIN);
        lab.pass(20);
        assert!(!lab.comes_in(PEER, Flags::ACK));
        assert!(!lab.opening.is_live(lab.now));
    }
}
