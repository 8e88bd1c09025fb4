//! From a URI to the servers to try, in their order (RFC 8489 §8, RFC 5928).

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use pinhole_sansio::Transport;
use rand::rngs::ChaCha20Rng;
use rand::{Rng, SeedableRng};

use crate::uri::{Host, Scheme, Uri, UriTransport};

/// Turns a [`Uri`] into servers, one after the other: it asks for look-ups and is told the answers.
///
/// ```text
/// loop {
///     if let Some(query) = resolver.poll_query() {
///         resolver.handle_answer(/* what the DNS says to query; empty if it says nothing */);
///     } else if let Some(server) = resolver.poll_server() {
///         /* try it; if it fails, go on */
///     } else {
///         /* none is left */
///     }
/// }
/// ```
///
/// Look-ups for a server that is not needed are never asked for.
#[derive(Debug)]
pub struct Resolver {
    scheme: Scheme,
    /// The transports to use, the preferred one first.
    transports: Vec<Transport>,
    /// What is left to do, in order; servers that are known, and look-ups that lead to more.
    steps: VecDeque<Step>,
    /// How many look-ups may still be asked for.
    budget: u32,
    generator: ChaCha20Rng,
}

/// A look-up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Query {
    /// The NAPTR records of this name.
    Naptr(String),
    /// The SRV records of this name.
    Srv(String),
    /// The A and AAAA records of this name.
    Addresses(String),
}

/// What the DNS says, empty if it says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Query::Naptr`].
    Naptr(Vec<Naptr>),
    /// To [`Query::Srv`].
    Srv(Vec<Srv>),
    /// To [`Query::Addresses`], the preferred address first.
    Addresses(Vec<IpAddr>),
}

/// A NAPTR record (RFC 3403); those with a regular expression do not belong here (RFC 3958 §2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    /// Records with a lower order come first.
    pub order: u16,
    /// Among records of the same order, those with a lower preference come first.
    pub preference: u16,
    /// `s` for an SRV record, `a` for an address, empty for another NAPTR record.
    pub flags: String,
    /// Such as `RELAY:turn.udp`.
    pub service: String,
    /// The name to look up next.
    pub replacement: String,
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Records with a lower priority come first.
    pub priority: u16,
    /// Among records of the same priority, how often this one comes first.
    pub weight: u16,
    /// The server's port.
    pub port: u16,
    /// The server's name; `.` says that there is no such service.
    pub target: String,
}

/// A server to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    /// Where.
    pub address: SocketAddr,
    /// How.
    pub transport: Transport,
}

/// Why there is nothing to resolve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The URI asks for a transport that the application does not have.
    #[error("the application has no transport for this URI")]
    Transport,
    /// "A 'stuns' URI containing an IP address MUST be rejected" (RFC 8489 §8.1).
    #[error("a stuns: URI needs a name, which a certificate can vouch for")]
    StunsAddress,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Naptr { name: String, depth: u8 },
    Srv { name: String, fallback: Option<String>, transport: Transport },
    Addresses { name: String, port: u16, transport: Transport },
    Server(ServerAddress),
}

/// How many NAPTR records may lead to one another.
const MAX_DEPTH: u8 = 4;
/// How many steps are kept; more records than that are of no use to anybody.
const MAX_STEPS: usize = 64;
/// How many look-ups a URI is worth.
const MAX_QUERIES: u32 = 64;

impl Resolver {
    /// Begins to resolve, for an application that has these transports and prefers the first ones. The
    /// seed decides between SRV records of the same priority.
    ///
    /// # Errors
    /// [`ResolveError`].
    pub fn new(uri: &Uri, supported: &[Transport], seed: [u8; 32]) -> Result<Self, ResolveError> {
        if uri.scheme == Scheme::Stuns && matches!(uri.host, Host::Ip(_)) {
            return Err(ResolveError::StunsAddress);
        }
        let transports: Vec<_> =
            supported.iter().copied().filter(|transport| is_wanted(uri, *transport)).collect();
        let Some(&first) = transports.first() else { return Err(ResolveError::Transport) };
        let mut steps = VecDeque::new();
        let default_port = uri.port.unwrap_or(uri.scheme.default_port());
        match (&uri.host, uri.port) {
            (Host::Ip(ip), _) => steps.extend(transports.iter().map(|&transport| {
                let address = SocketAddr::new(*ip, default_port);
                Step::Server(ServerAddress { address, transport })
            })),
            (Host::Name(name), Some(port)) => {
                steps.extend(transports.iter().map(|&transport| Step::Addresses {
                    name: name.clone(),
                    port,
                    transport,
                }))
            }
            (Host::Name(name), None) if uri.scheme.is_turn() && uri.transport.is_none() => {
                steps.push_back(Step::Naptr { name: name.clone(), depth: 0 });
            }
            (Host::Name(name), None) if uri.transport.is_some() => {
                steps.push_back(srv(uri.scheme, name, first));
            }
            (Host::Name(name), None) => {
                steps.extend(transports.iter().map(|&transport| srv(uri.scheme, name, transport)));
            }
        }
        let generator = ChaCha20Rng::from_seed(seed);
        Ok(Self { scheme: uri.scheme, transports, steps, budget: MAX_QUERIES, generator })
    }

    /// The look-up that is needed next; the same one until it has been answered.
    #[must_use]
    pub fn poll_query(&self) -> Option<Query> {
        Some(match self.steps.front()? {
            Step::Naptr { name, .. } => Query::Naptr(name.clone()),
            Step::Srv { name, .. } => Query::Srv(name.clone()),
            Step::Addresses { name, .. } => Query::Addresses(name.clone()),
            Step::Server(_) => return None,
        })
    }

    /// Takes the answer to the look-up that [`Resolver::poll_query`] has asked for. An answer to
    /// another one counts as none.
    pub fn handle_answer(&mut self, answer: Answer) {
        if matches!(self.steps.front(), None | Some(Step::Server(_))) {
            return;
        }
        let Some(step) = self.steps.pop_front() else { return };
        let found = match (step, answer) {
            (Step::Naptr { name, depth }, Answer::Naptr(records)) => {
                self.after_naptr(&name, depth, records)
            }
            (Step::Naptr { name, depth }, _) => self.after_naptr(&name, depth, Vec::new()),
            (Step::Srv { fallback, transport, .. }, Answer::Srv(records)) => {
                self.after_srv(fallback, transport, records)
            }
            (Step::Srv { fallback, transport, .. }, _) => {
                self.after_srv(fallback, transport, Vec::new())
            }
            (Step::Addresses { port, transport, .. }, Answer::Addresses(addresses)) => addresses
                .into_iter()
                .map(|ip| ServerAddress { address: SocketAddr::new(ip, port), transport })
                .map(Step::Server)
                .collect(),
            (Step::Addresses { .. } | Step::Server(_), _) => Vec::new(),
        };
        for step in found.into_iter().rev() {
            self.steps.push_front(step);
        }
        self.steps.truncate(MAX_STEPS);
        self.budget = self.budget.saturating_sub(1);
        if self.budget == 0 {
            self.steps.retain(|step| matches!(step, Step::Server(_)));
        }
    }

    /// The server to try next, if it is known already.
    #[must_use]
    pub fn poll_server(&mut self) -> Option<ServerAddress> {
        let Step::Server(server) = self.steps.front()?.clone() else { return None };
        self.steps.pop_front();
        Some(server)
    }

    /// S-NAPTR with the service tag RELAY (RFC 5928 §3, steps 4 and 5).
    fn after_naptr(&self, name: &str, depth: u8, mut records: Vec<Naptr>) -> Vec<Step> {
        if records.is_empty() && depth == 0 {
            return self.transports.iter().map(|&t| srv(self.scheme, name, t)).collect();
        }
        records.sort_by_key(|record| (record.order, record.preference));
        let mut steps = Vec::new();
        for record in records {
            let mut tags = record.service.split(':');
            if !tags.next().is_some_and(|tag| tag.eq_ignore_ascii_case("RELAY")) {
                continue;
            }
            let name = record.replacement.trim_end_matches('.').to_string();
            let offered: Vec<_> = tags.filter_map(transport_of).collect();
            let wanted = self.transports.iter().copied().filter(|t| offered.contains(t));
            match record.flags.to_ascii_lowercase().as_str() {
                "s" => steps.extend(wanted.map(|transport| Step::Srv {
                    name: name.clone(),
                    fallback: None,
                    transport,
                })),
                "a" => {
                    let port = self.scheme.default_port();
                    steps.extend(wanted.map(|transport| Step::Addresses {
                        name: name.clone(),
                        port,
                        transport,
                    }));
                }
                "" if depth < MAX_DEPTH && wanted.count() > 0 => {
                    steps.push(Step::Naptr { name, depth: depth + 1 });
                }
                _ => {}
            }
        }
        steps
    }

    /// The SRV algorithm (RFC 2782), with an A and AAAA query if there are no records.
    fn after_srv(
        &mut self,
        fallback: Option<String>,
        transport: Transport,
        mut records: Vec<Srv>,
    ) -> Vec<Step> {
        if let (true, Some(name)) = (records.is_empty(), fallback) {
            let port = self.scheme.default_port();
            return [Step::Addresses { name, port, transport }].into();
        }
        records.retain(|record| record.target != "." && record.port > 0);
        records.sort_by_key(|record| (record.priority, record.weight));
        let mut steps = Vec::new();
        while let Some(record) = self.draw(&mut records) {
            let name = record.target.trim_end_matches('.').to_string();
            steps.push(Step::Addresses { name, port: record.port, transport });
        }
        steps
    }

    /// Takes one of the records of the lowest priority, each as often as its weight says.
    fn draw(&mut self, records: &mut Vec<Srv>) -> Option<Srv> {
        let priority = records.first()?.priority;
        let group = records.iter().take_while(|record| record.priority == priority);
        let total: u64 = group.clone().map(|record| u64::from(record.weight)).sum();
        let drawn = self.generator.next_u64() % (total + 1);
        let mut sum = 0;
        let index = group
            .map(|record| {
                sum += u64::from(record.weight);
                sum
            })
            .position(|sum| sum >= drawn)?;
        Some(records.remove(index))
    }
}

fn srv(scheme: Scheme, name: &str, transport: Transport) -> Step {
    let protocol = if transport.is_reliable() { "tcp" } else { "udp" };
    let service = format!("_{}._{protocol}.{name}", scheme.name());
    Step::Srv { name: service, fallback: Some(name.into()), transport }
}

/// Whether the URI can be reached over this transport (RFC 5928 §3 as amended by RFC 7350 §4.6).
fn is_wanted(uri: &Uri, transport: Transport) -> bool {
    let is_secure = matches!(transport, Transport::Tls | Transport::Dtls);
    let fits = match uri.transport {
        None => true,
        Some(UriTransport::Udp) => !transport.is_reliable(),
        Some(UriTransport::Tcp) => transport.is_reliable(),
    };
    fits && is_secure == uri.scheme.is_secure()
}

/// The transport of an application protocol tag (RFC 5928 §3, RFC 7350 §4.6).
fn transport_of(tag: &str) -> Option<Transport> {
    [
        ("turn.udp", Transport::Udp),
        ("turn.tcp", Transport::Tcp),
        ("turn.tls", Transport::Tls),
        ("turn.dtls", Transport::Dtls),
    ]
    .into_iter()
    .find_map(|(name, transport)| name.eq_ignore_ascii_case(tag).then_some(transport))
}
