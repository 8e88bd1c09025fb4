//! From a URI to servers: answers the look-ups of [`pinhole_stun::resolve`] from the DNS.

use std::io;
use std::net::SocketAddr;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use pinhole_sansio::Transport;
use pinhole_stun::Uri;
use pinhole_stun::resolve::{
    Answer, Naptr, Query, ResolveError, Resolver as Machine, ServerAddress, Srv,
};

/// Looks up STUN and TURN servers (RFC 8489 §8, RFC 5928): NAPTR, SRV, A and AAAA records, and the system's hosts file.
#[derive(Clone)]
pub struct Resolver {
    dns: TokioResolver,
}

/// Why a URI leads to no server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// The URI wants a transport that the caller does not support.
    #[error(transparent)]
    Uri(#[from] ResolveError),
    /// The DNS cannot be asked, or does not answer.
    #[error("{name} cannot be looked up: {reason}")]
    Dns {
        /// What was asked for.
        name: String,
        /// What the resolver says.
        reason: Box<NetError>,
    },
    /// There is no such host.
    #[error("{0} has no address")]
    NotFound(String),
    /// The system gives no randomness.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Resolver {
    /// With the name servers that the system is configured with.
    ///
    /// # Errors
    /// When the system's configuration cannot be read.
    pub fn system() -> Result<Self, LookupError> {
        let builder = TokioResolver::builder_tokio()
            .map_err(|reason| failed("the system's name servers", reason))?;
        Self::build(builder)
    }

    /// With one name server of the caller's choice, over UDP and TCP.
    ///
    /// # Errors
    /// When the resolver cannot be set up.
    pub fn with_name_server(address: SocketAddr) -> Result<Self, LookupError> {
        let connections =
            [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = address.port();
                connection
            });
        let server = NameServerConfig::new(address.ip(), true, connections.into());
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        Self::build(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()))
    }

    /// The servers that the URI leads to over the transports that the caller supports, in the order in which they
    /// are to be tried; at most [`MAX_SERVERS`](Self::MAX_SERVERS).
    ///
    /// # Errors
    /// [`LookupError`].
    pub async fn resolve(
        &self,
        uri: &Uri,
        supported: &[Transport],
    ) -> Result<Vec<ServerAddress>, LookupError> {
        let mut machine = machine(uri, supported)?;
        let mut servers = Vec::new();
        while servers.len() < Self::MAX_SERVERS {
            if let Some(query) = machine.poll_query() {
                machine.handle_answer(self.look_up(query).await?);
            } else if let Some(server) = machine.poll_server() {
                servers.push(server);
            } else {
                break;
            }
        }
        if servers.is_empty() {
            Err(LookupError::NotFound(uri.host.to_string()))
        } else {
            Ok(servers)
        }
    }

    /// More than enough of one provider's.
    pub const MAX_SERVERS: usize = 8;

    fn build(
        mut builder: hickory_resolver::ResolverBuilder<TokioRuntimeProvider>,
    ) -> Result<Self, LookupError> {
        let options: &mut ResolverOpts = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv6AndIpv4;
        let dns = builder.build().map_err(|reason| failed("the system's name servers", reason))?;
        Ok(Self { dns })
    }

    async fn look_up(&self, query: Query) -> Result<Answer, LookupError> {
        match query {
            Query::Naptr(name) => {
                Ok(Answer::Naptr(self.records(name, RecordType::NAPTR, naptr).await?))
            }
            Query::Srv(name) => Ok(Answer::Srv(self.records(name, RecordType::SRV, srv).await?)),
            Query::Addresses(name) => {
                let found = self.dns.lookup_ip(name.as_str()).await;
                let addresses = found.map(|addresses| addresses.iter().collect());
                Ok(Answer::Addresses(empty_if_none(addresses, name)?))
            }
        }
    }

    async fn records<T>(
        &self,
        name: String,
        kind: RecordType,
        read: fn(&RData) -> Option<T>,
    ) -> Result<Vec<T>, LookupError> {
        let found = self.dns.lookup(name.as_str(), kind).await;
        let records = found
            .map(|found| found.answers().iter().filter_map(|record| read(&record.data)).collect());
        empty_if_none(records, name)
    }
}

/// The servers of a URI whose host is an address; no DNS is needed for it.
///
/// # Errors
/// [`LookupError::Uri`] for an unsupported transport, [`LookupError::NotFound`] where the host is a name.
pub fn resolve_numeric(
    uri: &Uri,
    supported: &[Transport],
) -> Result<Vec<ServerAddress>, LookupError> {
    let mut machine = machine(uri, supported)?;
    if machine.poll_query().is_some() {
        return Err(LookupError::NotFound(uri.host.to_string()));
    }
    Ok(std::iter::from_fn(|| machine.poll_server()).collect())
}

fn machine(uri: &Uri, supported: &[Transport]) -> Result<Machine, LookupError> {
    Ok(Machine::new(uri, supported, crate::seed()?)?)
}

fn naptr(data: &RData) -> Option<Naptr> {
    let RData::NAPTR(record) = data else { return None };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    // One with a regular expression does not belong here (RFC 3958 §2.2).
    record.regexp.is_empty().then(|| Naptr {
        order: record.order,
        preference: record.preference,
        flags: text(&record.flags),
        service: text(&record.services),
        replacement: record.replacement.to_utf8(),
    })
}

fn srv(data: &RData) -> Option<Srv> {
    let RData::SRV(record) = data else { return None };
    Some(Srv {
        priority: record.priority,
        weight: record.weight,
        port: record.port,
        target: record.target.to_utf8(),
    })
}

/// That there are no records is an answer.
fn empty_if_none<T>(found: Result<Vec<T>, NetError>, name: String) -> Result<Vec<T>, LookupError> {
    match found {
        Err(error) if error.is_no_records_found() || error.is_nx_domain() => Ok(Vec::new()),
        found => found.map_err(|reason| failed(&name, reason)),
    }
}

fn failed(name: &str, reason: NetError) -> LookupError {
    LookupError::Dns { name: name.to_owned(), reason: Box::new(reason) }
}
