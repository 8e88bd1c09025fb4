use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use pinhole_sansio::Instant;

use crate::attribute::{AlternateDomain, AlternateServer, Attribute, ErrorCode};
use crate::message::Message;

/// Follows 300 (Try Alternate), and remembers where it has been (RFC 8489 §10).
#[derive(Clone, Debug, Default)]
pub struct Redirections {
    asked: Vec<(SocketAddr, Instant)>,
}

/// The server to try instead, over the same transport and with the same credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its address.
    pub address: SocketAddr,
    /// The name for which its certificate has to be valid, where TLS or DTLS is used; `None` means the
    /// name that was used so far.
    pub domain: Option<String>,
}

/// Why a redirection is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectError {
    /// The response is not a 300.
    #[error("the response does not redirect")]
    NotRedirected,
    /// A 300 without ALTERNATE-SERVER for an address family that the client can use.
    #[error("the response names no alternate server of the family in use")]
    NoTarget,
    /// "If the client has been redirected to a server to which it has already sent this request within
    /// the last five minutes, it MUST ignore the redirection" (RFC 8489 §10).
    #[error("{0} has been asked within five minutes")]
    Loop(SocketAddr),
    /// More redirections than anybody needs.
    #[error("{0} redirections")]
    TooMany(usize),
}

/// See [`RedirectError::Loop`].
const MEMORY: Duration = Duration::from_secs(300);
/// How many servers are remembered, and so followed within [`MEMORY`].
const LIMIT: usize = 8;

impl Redirections {
    /// Notes that `server` has been sent the request.
    pub fn asked(&mut self, server: SocketAddr, now: Instant) {
        self.asked.retain(|(_, at)| now < *at + MEMORY);
        if self.asked.len() <= LIMIT {
            self.asked.push((server, now));
        }
    }

    /// Where this response, whose integrity has been verified, sends the client that has asked `server`.
    ///
    /// # Errors
    /// [`RedirectError`]: the transaction has failed.
    pub fn follow(
        &mut self,
        response: &Message<'_>,
        server: SocketAddr,
        now: Instant,
    ) -> Result<Target, RedirectError> {
        let code = response.get::<ErrorCode<'_>>().ok().flatten().map(|error| error.code);
        if code != Some(300) {
            return Err(RedirectError::NotRedirected);
        }
        self.asked(server, now);
        let address = alternates(response)
            .find(|address| address.is_ipv4() == server.is_ipv4())
            .ok_or(RedirectError::NoTarget)?;
        if self.asked.iter().any(|(asked, _)| *asked == address) {
            return Err(RedirectError::Loop(address));
        }
        if self.asked.len() > LIMIT {
            return Err(RedirectError::TooMany(self.asked.len()));
        }
        let domain = response.get::<AlternateDomain<'_>>().ok().flatten();
        Ok(Target { address, domain: domain.map(|domain| domain.0.into()) })
    }
}

/// There may be one ALTERNATE-SERVER for each address family.
fn alternates(response: &Message<'_>) -> impl Iterator<Item = SocketAddr> {
    let id = response.transaction_id();
    response
        .attributes()
        .filter(|attribute| attribute.kind == AlternateServer::KIND)
        .filter_map(move |attribute| AlternateServer::decode(attribute.value, id).ok())
        .map(|AlternateServer(address)| address)
}
