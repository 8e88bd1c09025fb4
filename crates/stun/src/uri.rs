use alloc::string::String;
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

/// Where a STUN or TURN server is: `stun:`, `stuns:`, `turn:` and `turns:` URIs (RFC 7064, RFC 7065).
///
/// ```
/// use pinhole_stun::{Host, Scheme, Uri, UriTransport};
///
/// let uri: Uri = "turn:turn.example.org:443?transport=tcp".parse()?;
/// assert_eq!((uri.scheme, uri.port), (Scheme::Turn, Some(443)));
/// assert_eq!(uri.transport, Some(UriTransport::Tcp));
/// assert_eq!(uri.to_string(), "turn:turn.example.org:443?transport=tcp");
/// # Ok::<(), pinhole_stun::UriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Uri {
    /// What kind of server, and whether over TLS or DTLS.
    pub scheme: Scheme,
    /// The server's name or address.
    pub host: Host,
    /// The server's port; `None` leaves it to the DNS, or to [`Scheme::default_port`].
    pub port: Option<u16>,
    /// The transport that a TURN URI asks for.
    pub transport: Option<UriTransport>,
}

/// The four schemes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// STUN.
    Stun,
    /// STUN over TLS or DTLS.
    Stuns,
    /// TURN.
    Turn,
    /// TURN over TLS or DTLS.
    Turns,
}

/// A domain name or an IP address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// An address; IPv6 stands in brackets.
    Ip(IpAddr),
    /// A domain name.
    Name(String),
}

/// The parameter `transport` of a TURN URI (RFC 7065 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UriTransport {
    /// `udp`: UDP, or DTLS with `turns` (RFC 7350 §4.6).
    Udp,
    /// `tcp`: TCP, or TLS with `turns`.
    Tcp,
}

/// Why a text is no URI of a STUN or TURN server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// It begins with none of the four schemes.
    #[error("a server's URI begins with stun:, stuns:, turn: or turns:")]
    Scheme,
    /// `turn://host` is not how these URIs are written.
    #[error("no slashes follow the scheme of a server's URI")]
    Slashes,
    /// No host, or one with characters that a name has not.
    #[error("the URI names no valid host")]
    Host,
    /// No number from 1 to 65535.
    #[error("the port of a URI is a number from 1 to 65535")]
    Port,
    /// Only TURN URIs have parameters, and only `?transport=udp` and `?transport=tcp` are known.
    #[error(
        "the only parameter of a URI is ?transport=udp or ?transport=tcp, after turn: and turns:"
    )]
    Parameter,
}

impl Scheme {
    /// Whether the transport is TLS or DTLS.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Stuns | Self::Turns)
    }

    /// Whether the server is a TURN server.
    #[must_use]
    pub const fn is_turn(self) -> bool {
        matches!(self, Self::Turn | Self::Turns)
    }

    /// 3478, or 5349 over TLS and DTLS (RFC 8489 §8.1).
    #[must_use]
    pub const fn default_port(self) -> u16 {
        if self.is_secure() { 5349 } else { 3478 }
    }

    /// The scheme's name, which is the name of the SRV service, too.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stun => "stun",
            Self::Stuns => "stuns",
            Self::Turn => "turn",
            Self::Turns => "turns",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Stun, Self::Stuns, Self::Turn, Self::Turns]
            .into_iter()
            .find(|scheme| scheme.name().eq_ignore_ascii_case(text))
    }
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let (scheme, rest) = text.split_once(':').ok_or(UriError::Scheme)?;
        let scheme = Scheme::parse(scheme).ok_or(UriError::Scheme)?;
        if rest.starts_with("//") {
            return Err(UriError::Slashes);
        }
        let (authority, parameter) = match rest.split_once('?') {
            Some((authority, parameter)) => (authority, Some(parameter)),
            None => (rest, None),
        };
        let transport = match parameter {
            None => None,
            Some("transport=udp") if scheme.is_turn() => Some(UriTransport::Udp),
            Some("transport=tcp") if scheme.is_turn() => Some(UriTransport::Tcp),
            Some(_) => return Err(UriError::Parameter),
        };
        let (host, port) = split_port(authority)?;
        Ok(Self { scheme, host: host.parse()?, port, transport })
    }
}

impl FromStr for Host {
    type Err = UriError;

    /// A name, an IPv4 address, or an IPv6 address in brackets.
    fn from_str(text: &str) -> Result<Self, UriError> {
        if let Some(address) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            return address.parse().map(IpAddr::V6).map(Self::Ip).map_err(|_| UriError::Host);
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(IpAddr::V4(address)));
        }
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let is_name = (1..=255).contains(&text.len()) && text.bytes().all(is_letter);
        if is_name { Ok(Self::Name(text.into())) } else { Err(UriError::Host) }
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.scheme.name(), self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        match self.transport {
            Some(UriTransport::Udp) => f.write_str("?transport=udp"),
            Some(UriTransport::Tcp) => f.write_str("?transport=tcp"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Ip(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Host and port; the colons within brackets are no separators.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), UriError> {
    if authority.starts_with('[') && !authority.contains(']') {
        return Err(UriError::Host);
    }
    let after_brackets = authority.rfind(']').map_or(0, |at| at + 1);
    let (brackets, rest) = authority.split_at(after_brackets);
    let Some((name, port)) = rest.split_once(':') else { return Ok((authority, None)) };
    let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port| is_number && *port > 0).ok_or(UriError::Port)?;
    let (host, _) = authority.split_at(brackets.len() + name.len());
    Ok((host, Some(port)))
}
