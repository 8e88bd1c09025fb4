//! The text form of a candidate (RFC 8839 §5.1, RFC 6544 §4.5 for TCP).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::str::{FromStr, SplitAsciiWhitespace};

use super::{
    Candidate, CandidateAddress, CandidateKind, CandidateTransport, Component, Foundation,
    Priority, TcpType,
};

/// Why a text is not a candidate that can be used.
///
/// [`is_unsupported`](Self::is_unsupported) tells well-formed lines of kinds that are not known, which
/// must be ignored (RFC 8839 §5.1), from broken ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CandidateTextError {
    /// The text ends before this field.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The field is there and does not parse.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// A transport that is neither UDP nor TCP.
    #[error("the transport is neither UDP nor TCP")]
    UnknownTransport,
    /// A candidate type other than host, srflx, prflx and relay.
    #[error("the candidate type is not one of host, srflx, prflx, relay")]
    UnknownKind,
    /// More bytes than any real candidate has.
    #[error("{0} bytes exceed the {MAX_LENGTH} of a candidate line")]
    TooLong(usize),
}

impl CandidateTextError {
    /// Whether the line is well formed and merely of a kind that this crate does not know.
    #[must_use]
    pub const fn is_unsupported(self) -> bool {
        matches!(self, Self::UnknownTransport | Self::UnknownKind)
    }
}

impl FromStr for Candidate {
    type Err = CandidateTextError;

    /// Takes the value of the attribute with or without `candidate:` or `a=candidate:` in front.
    fn from_str(text: &str) -> Result<Self, CandidateTextError> {
        if text.len() > MAX_LENGTH {
            return Err(CandidateTextError::TooLong(text.len()));
        }
        // RFC 8839 §5.1: extensions are VCHARs; what is printed again must not carry control characters.
        if text.chars().any(|c| c.is_control() && !c.is_ascii_whitespace()) {
            return Err(CandidateTextError::Malformed("text"));
        }
        let text = text.trim_ascii();
        let text = text.strip_prefix("a=").unwrap_or(text);
        let mut fields =
            Fields(text.strip_prefix("candidate:").unwrap_or(text).split_ascii_whitespace());

        let foundation = fields.parsed("foundation", Foundation::new)?;
        let component = fields.parsed("component", |field| Component::new(field.parse().ok()?))?;
        let transport = fields.next("transport")?;
        let priority = fields.parsed("priority", |field| field.parse().ok().map(Priority))?;
        let host = fields.next("address")?;
        let port = fields.parsed("port", |field| field.parse().ok())?;
        if !fields.next("typ")?.eq_ignore_ascii_case("typ") {
            return Err(CandidateTextError::Malformed("typ"));
        }
        let kind = CandidateKind::from_token(fields.next("candidate type")?);
        let Trailer { related, tcp_type, extensions } = fields.trailer()?;

        Ok(Self {
            foundation,
            component,
            transport: parse_transport(transport, tcp_type)?,
            priority,
            address: parse_address(host, port)?,
            kind: kind.ok_or(CandidateTextError::UnknownKind)?,
            related,
            extensions,
        })
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = match self.transport {
            CandidateTransport::Udp => "udp",
            CandidateTransport::Tcp(_) => "tcp",
        };
        write!(
            f,
            "candidate:{} {} {transport} {} ",
            self.foundation, self.component, self.priority
        )?;
        match &self.address {
            CandidateAddress::Ip(address) => write!(f, "{} {}", address.ip(), address.port())?,
            CandidateAddress::Name { host, port } => write!(f, "{host} {port}")?,
        }
        write!(f, " typ {}", self.kind)?;
        if let Some(related) = self.related {
            write!(f, " raddr {} rport {}", related.ip(), related.port())?;
        }
        if let CandidateTransport::Tcp(tcp_type) = self.transport {
            write!(f, " tcptype {}", tcp_type.as_str())?;
        }
        self.extensions.iter().try_for_each(|(name, value)| write!(f, " {name} {value}"))
    }
}

impl TcpType {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::SimultaneousOpen => "so",
        }
    }
}

/// The fields of a line, front to back.
struct Fields<'a>(SplitAsciiWhitespace<'a>);

/// What may follow the candidate type.
#[derive(Default)]
struct Trailer<'a> {
    related: Option<SocketAddr>,
    tcp_type: Option<&'a str>,
    extensions: Vec<(String, String)>,
}

impl<'a> Fields<'a> {
    fn next(&mut self, name: &'static str) -> Result<&'a str, CandidateTextError> {
        self.0.next().ok_or(CandidateTextError::Missing(name))
    }

    fn parsed<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, CandidateTextError> {
        parse(self.next(name)?).ok_or(CandidateTextError::Malformed(name))
    }

    /// Name and value pairs. A last name without a value is taken as an empty one, as libwebrtc and others
    /// do, for `extension-att-value = *VCHAR` allows it.
    fn trailer(&mut self) -> Result<Trailer<'a>, CandidateTextError> {
        let mut trailer = Trailer::default();
        let mut related_ip = None;
        while let Some(name) = self.0.next() {
            let value = self.0.next().unwrap_or_default();
            match name {
                "raddr" => related_ip = parse_ip(value),
                "rport" => {
                    let port = value.parse().map_err(|_| CandidateTextError::Malformed("rport"))?;
                    trailer.related = related_ip.map(|ip| SocketAddr::new(ip, port));
                }
                "tcptype" => trailer.tcp_type = Some(value),
                _ => trailer.extensions.push((String::from(name), String::from(value))),
            }
        }
        Ok(trailer)
    }
}

fn parse_transport(
    transport: &str,
    tcp_type: Option<&str>,
) -> Result<CandidateTransport, CandidateTextError> {
    if transport.eq_ignore_ascii_case("udp") {
        return Ok(CandidateTransport::Udp);
    }
    if !transport.eq_ignore_ascii_case("tcp") {
        return Err(CandidateTextError::UnknownTransport);
    }
    // RFC 6544 §4.5 requires the type; without it nobody knows who connects.
    let tcp_type = tcp_type.ok_or(CandidateTextError::Missing("tcptype"))?;
    [TcpType::Active, TcpType::Passive, TcpType::SimultaneousOpen]
        .into_iter()
        .find(|known| known.as_str() == tcp_type)
        .map(CandidateTransport::Tcp)
        .ok_or(CandidateTextError::Malformed("tcptype"))
}

/// RFC 8839 §5.1: an IPv4 address, an IPv6 address (it has a colon), or a domain name.
fn parse_address(host: &str, port: u16) -> Result<CandidateAddress, CandidateTextError> {
    if let Some(ip) = parse_ip(host) {
        return Ok(CandidateAddress::Ip(SocketAddr::new(ip, port)));
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_name = !host.is_empty()
        && host.len() <= 253
        && host.split('.').all(|label| !label.is_empty())
        && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
        && host.chars().any(|c| c.is_ascii_alphabetic());
    if !is_name {
        return Err(CandidateTextError::Malformed("address"));
    }
    Ok(CandidateAddress::Name { host: String::from(host), port })
}

/// A zone (`fe80::1%eth0`) means something to its sender alone and is left out.
fn parse_ip(text: &str) -> Option<IpAddr> {
    text.split('%').next()?.parse().ok()
}

/// Room for a name of 253 characters and a dozen extensions.
const MAX_LENGTH: usize = 1024;

#[cfg(test)]
mod tests;
