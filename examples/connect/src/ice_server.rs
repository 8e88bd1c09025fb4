//! `stun:` and `turn:` URIs on the command line (RFC 7064, RFC 7065), and the addresses behind them.

use std::net::SocketAddr;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};

/// A server that was named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IceServer {
    pub(crate) uri: String,
    host: String,
    port: u16,
}

impl FromStr for IceServer {
    type Err = anyhow::Error;

    fn from_str(uri: &str) -> Result<Self> {
        let (scheme, rest) = uri.split_once(':').context("expected stun:HOST or turn:HOST")?;
        let default_port = match scheme {
            "stun" | "turn" => 3_478,
            "stuns" | "turns" => 5_349,
            _ => bail!("{scheme}: is none of stun:, stuns:, turn:, turns:"),
        };
        let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
        if !matches!(query, "" | "transport=udp" | "transport=tcp") {
            bail!("?{query} is neither ?transport=udp nor ?transport=tcp");
        }
        let (host, port) = split_port(authority, default_port)?;
        if host.is_empty() {
            bail!("the host is missing");
        }
        Ok(Self { uri: uri.to_owned(), host: host.to_owned(), port })
    }
}

impl IceServer {
    /// All addresses of the host.
    pub(crate) async fn resolve(&self) -> Result<Vec<SocketAddr>> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        Ok(found.with_context(|| format!("{}: the host cannot be resolved", self.uri))?.collect())
    }
}

fn split_port(authority: &str, default: u16) -> Result<(&str, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) =
                rest.split_once(']').context("the ] of an IPv6 address is missing")?;
            (host, port.strip_prefix(':'))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = port
        .map_or(Ok(default), |port| port.parse().with_context(|| format!("{port:?} is no port")))?;
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str) -> (String, u16) {
        let server: IceServer = uri.parse().unwrap_or_else(|error| panic!("{uri}: {error}"));
        (server.host, server.port)
    }

    #[test]
    fn hosts_and_ports_are_told_apart() {
        assert_eq!(parts("stun:example.org"), ("example.org".into(), 3_478));
        assert_eq!(parts("stuns:example.org"), ("example.org".into(), 5_349));
        assert_eq!(parts("turn:192.0.2.1:99?transport=udp"), ("192.0.2.1".into(), 99));
        assert_eq!(parts("stun:[2001:db8::1]:99"), ("2001:db8::1".into(), 99));
        assert_eq!(parts("stun:[2001:db8::1]"), ("2001:db8::1".into(), 3_478));
    }

    #[test]
    fn wrong_uris_say_what_is_wrong() {
        for (uri, message) in [
            ("example.org", "expected stun:HOST"),
            ("http:example.org", "http: is none of"),
            ("stun:", "the host is missing"),
            ("stun:host:port", "\"port\" is no port"),
            ("turn:host?transport=sctp", "?transport=sctp is neither"),
            ("stun:[::1", "the ] of an IPv6 address is missing"),
        ] {
            let error = uri.parse::<IceServer>().unwrap_err().to_string();
            assert!(error.contains(message), "{uri}: {error}");
        }
    }
}
