//! Addresses behind names (draft-ietf-mmusic-mdns-ice-candidates, RFC 6762).

mod message;
mod name;
mod query;
mod registration;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use pinhole_sansio::{FiveTuple, Instant, Payload, Transmit};
use pinhole_turn::policy::Range;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use crate::candidate::{Candidate, CandidateAddress, CandidateKind};
use message::Message;
use query::{Answer, Due, Query};
use registration::Registration;

/// Gives host candidates names in place of addresses, answers for them on the link, and finds the addresses of the
/// names that a peer has signalled.
///
/// The application owns the sockets: one for each address of the machine, IPv4 or IPv6, bound to [`Mdns::PORT`] and a member of
/// [`Mdns::group`] there. An agent ignores candidates with names: have them [resolved](Self::resolve), and give it
/// the candidate with the address. "The ICE agent MUST NOT form candidate pairs between its own relay candidates and
/// remote mDNS candidates" (§3.3.2): do not resolve for an agent that has TURN servers.
///
/// ```
/// use pinhole_ice::{Mdns, MdnsEvent};
/// use pinhole_sansio::Instant;
///
/// let now = Instant::ZERO;
/// let (mut alice, mut bob) = (Mdns::new([1; 32]), Mdns::new([2; 32]));
/// alice.add_interface("192.168.1.1:5353".parse()?, "192.168.1.0/24".parse()?);
/// bob.add_interface("192.168.1.2:5353".parse()?, "192.168.1.0/24".parse()?);
///
/// let name = alice.register("192.168.1.1".parse()?, now); // signal it in place of the address
/// bob.resolve(&name, now)?;
/// bob.handle_timeout(now);
/// let query = bob.poll_transmit().ok_or("a question")?; // to the group, and so to Alice
/// alice.handle_datagram("192.168.1.1:5353".parse()?, query.five_tuple.local, &query.payload, now);
/// while let Some(answer) = alice.poll_transmit() {
///     bob.handle_datagram("192.168.1.2:5353".parse()?, answer.five_tuple.local, &answer.payload, now);
/// }
/// assert_eq!(bob.poll_event(), Some(MdnsEvent::Resolved { name, address: "192.168.1.1".parse()? }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Deliberately absent
/// - *Probing* (RFC 6762 §8.1): names are random, and the draft says to skip it (§3.1.1).
/// - *Negative answers* (RFC 6762 §6.1): who asks for the other family gets none, and has the address of the one.
/// - *Truncated queries* (RFC 6762 §7.2): each is answered for itself.
#[derive(Debug)]
pub struct Mdns {
    rng: ChaCha12Rng,
    interfaces: Vec<Interface>,
    registrations: Vec<Registration>,
    queries: Vec<Query>,
    /// No new name is asked for earlier.
    next_query: Instant,
    transmits: VecDeque<Transmit>,
    events: VecDeque<MdnsEvent>,
}

/// A socket of the application's, and the addresses on its link.
#[derive(Clone, Copy, Debug)]
struct Interface {
    local: SocketAddr,
    network: Range,
}

/// What became of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MdnsEvent {
    /// The name has this address.
    Resolved {
        /// As it was given, in lower case.
        name: String,
        /// Its only address.
        address: IpAddr,
    },
    /// Candidates with this name are to be ignored: nobody answers, or there is more than one address.
    Unresolved {
        /// As it was given, in lower case.
        name: String,
    },
}

/// Why a name is not asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MdnsError {
    /// It is not a version 4 UUID and `.local` (draft-ietf-mmusic-mdns-ice-candidates §3.2.2).
    #[error("not a version 4 UUID followed by .local")]
    NotEphemeral,
    /// As many names are being asked for as may be.
    #[error("more than {MAX_QUERIES} names at once")]
    TooMany,
}

impl Mdns {
    /// The port of multicast DNS.
    pub const PORT: u16 = 5_353;

    /// Without interfaces and names. `seed` is all its randomness: never use one twice.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            rng: ChaCha12Rng::from_seed(seed),
            interfaces: Vec::new(),
            registrations: Vec::new(),
            queries: Vec::new(),
            next_query: Instant::ZERO,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// The group of an address's family, to be joined on its interface (RFC 6762 §3).
    #[must_use]
    pub const fn group(local: IpAddr) -> IpAddr {
        match local {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::new(224, 0, 0, 251)),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb)),
        }
    }

    /// A socket that is a member of the group: `local` is the interface's address with [`PORT`](Self::PORT),
    /// `network` the addresses of its link. Others are not listened to (RFC 6762 §11).
    pub fn add_interface(&mut self, local: SocketAddr, network: Range) {
        self.remove_interface(local);
        self.interfaces.push(Interface { local, network });
    }

    /// The socket is gone.
    pub fn remove_interface(&mut self, local: SocketAddr) {
        self.interfaces.retain(|interface| interface.local != local);
    }

    /// The name of an address of ours: a new one, which is announced, or the one that it has.
    pub fn register(&mut self, address: IpAddr, now: Instant) -> String {
        if let Some(known) = self.registrations.iter().find(|known| known.address == address) {
            return known.name.clone();
        }
        let name = name::random(&mut self.rng);
        self.registrations.push(Registration::new(name.clone(), address, now));
        self.announce(now);
        name
    }

    /// Takes the name of an address back, and says so on the link.
    pub fn unregister(&mut self, address: IpAddr) {
        let position = self.registrations.iter().position(|known| known.address == address);
        let Some(gone) = position.map(|position| self.registrations.remove(position)) else {
            return;
        };
        self.multicast(&gone.goodbye());
    }

    /// Takes all names back, and asks for none any more.
    pub fn close(&mut self) {
        self.queries.clear();
        while let Some(address) = self.registrations.first().map(|first| first.address) {
            self.unregister(address);
        }
    }

    /// The candidate as it is signalled where addresses are not to be told: a host candidate by its name, the others
    /// without related address, as `0.0.0.0:9` or `[::]:9` (§3.1.1, §3.1.2.2).
    #[must_use]
    pub fn conceal(&mut self, candidate: &Candidate, now: Instant) -> Candidate {
        let mut concealed = candidate.clone();
        if let CandidateAddress::Ip(address) = candidate.address
            && candidate.kind == CandidateKind::Host
        {
            let host = self.register(address.ip(), now);
            concealed.address = CandidateAddress::Name { host, port: address.port() };
        }
        concealed.related = candidate.related.map(|related| match related {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, DISCARD).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, DISCARD).into(),
        });
        concealed
    }

    /// Has a name of the peer's asked for. One that is being asked for already is not asked for again.
    ///
    /// # Errors
    /// [`MdnsError`].
    pub fn resolve(&mut self, name: &str, now: Instant) -> Result<(), MdnsError> {
        let name = name::checked(name).ok_or(MdnsError::NotEphemeral)?;
        if let Some(own) = self.registrations.iter().find(|known| known.name == name) {
            self.events.push_back(MdnsEvent::Resolved { name, address: own.address });
            return Ok(());
        }
        if self.queries.iter().any(|query| query.name == name) {
            return Ok(());
        }
        if self.queries.len() >= MAX_QUERIES {
            return Err(MdnsError::TooMany);
        }
        let first = self.next_query.max(now);
        self.next_query = first + BETWEEN_QUERIES;
        self.queries.push(Query::new(name, first));
        Ok(())
    }

    /// Takes what came to the socket of the interface `local`.
    pub fn handle_datagram(
        &mut self,
        local: SocketAddr,
        source: SocketAddr,
        payload: &[u8],
        now: Instant,
    ) {
        if !self.is_on_link(local, source.ip()) {
            return;
        }
        let Some(message) = Message::parse(payload) else { return };
        if !message.is_response {
            self.answer(&message, local, source, now);
        } else if source.port() == Self::PORT {
            self.read_answers(&message);
        }
    }

    /// Asks, announces, gives up, as it is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.announce(now);
        let (due, rest): (Vec<Query>, Vec<Query>) =
            core::mem::take(&mut self.queries).into_iter().partition(|query| query.next <= now);
        self.queries = rest;
        for mut query in due {
            match query.step(now) {
                Due::Ask(message) => {
                    self.multicast(&message);
                    self.queries.push(query);
                }
                Due::GiveUp => self.events.push_back(MdnsEvent::Unresolved { name: query.name }),
            }
        }
    }

    /// The next datagram to send, from the socket of the interface that `local` says, until `None`.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// What became of names, until `None`.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<MdnsEvent> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `None` for never.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let announcements = self.registrations.iter().filter_map(Registration::deadline);
        announcements.chain(self.queries.iter().map(|query| query.next)).min()
    }

    /// RFC 6762 §11: whoever is not on the link is not listened to.
    fn is_on_link(&self, local: SocketAddr, source: IpAddr) -> bool {
        let interface = self.interfaces.iter().find(|interface| interface.local == local);
        let is_link_local = match source {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        interface.is_some_and(|interface| is_link_local || interface.network.contains(source))
    }

    fn answer(&mut self, query: &Message, local: SocketAddr, source: SocketAddr, now: Instant) {
        let group = SocketAddr::new(Self::group(local.ip()), Self::PORT);
        for registration in self.registrations.iter_mut().filter(|own| own.is_asked(query)) {
            let (answer, to) = if source.port() != Self::PORT {
                (registration.legacy_answer(query), source)
            } else if registration.may_be_told_alone(query) {
                (registration.answer(), source)
            } else if registration.take_turn(local, now) {
                (registration.answer(), group)
            } else {
                continue;
            };
            let payload = Payload::from(&answer.write()[..]);
            self.transmits.push_back(Transmit { five_tuple: FiveTuple::udp(local, to), payload });
        }
    }

    fn read_answers(&mut self, response: &Message) {
        let events = &mut self.events;
        self.queries.retain(|query| {
            let name = query.name.clone();
            match query.read(&response.records) {
                Answer::Nothing => return true,
                Answer::Address(address) => events.push_back(MdnsEvent::Resolved { name, address }),
                Answer::Ambiguous => events.push_back(MdnsEvent::Unresolved { name }),
            }
            false
        });
    }

    fn announce(&mut self, now: Instant) {
        let due = self.registrations.iter_mut().filter_map(|own| own.announce(now));
        let due: Vec<Message> = due.collect();
        due.iter().for_each(|announcement| self.multicast(announcement));
    }

    /// On each interface.
    fn multicast(&mut self, message: &Message) {
        let bytes = message.write();
        for Interface { local, .. } in &self.interfaces {
            let group = SocketAddr::new(Self::group(local.ip()), Self::PORT);
            let five_tuple = FiveTuple::udp(*local, group);
            self.transmits.push_back(Transmit { five_tuple, payload: Payload::from(&bytes[..]) });
        }
    }
}

/// As many names as a peer with many interfaces has.
const MAX_QUERIES: usize = 32;
/// A peer that signals many names does not make us flood the link.
const BETWEEN_QUERIES: Duration = Duration::from_millis(20);
/// The port that stands for none (RFC 8839 §5.1).
const DISCARD: u16 = 9;
