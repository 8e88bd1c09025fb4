use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

/// What a mapping or a filter depends on (RFC 4787 §4.1, §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Behaviour {
    /// Nothing: the same for all destinations.
    EndpointIndependent,
    /// The destination's address.
    AddressDependent,
    /// The destination's address and port.
    AddressAndPortDependent,
}

/// How long a binding lives without traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// It has lived this long.
    pub at_least: Duration,
    /// It has not lived this long; `None` if it always did.
    pub less_than: Option<Duration>,
}

/// What has been found out so far. `None` is: not known, for want of an answer or of a server that can
/// help to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The address that requests were sent from.
    pub local: SocketAddr,
    /// The address that the server saw them come from.
    pub mapped: SocketAddr,
    /// The server's other address; without one, only hairpinning can be tested.
    pub other: Option<SocketAddr>,
    /// What mappings depend on (RFC 5780 §4.3). Endpoint-independent if there is no NAT.
    pub mapping: Option<Behaviour>,
    /// What filters depend on (RFC 5780 §4.4), those of a NAT or of a firewall.
    pub filtering: Option<Behaviour>,
    /// Whether a datagram to the mapped address comes back (RFC 5780 §3.4). `None` without a NAT.
    pub hairpin: Option<bool>,
    /// How long a binding lives (RFC 5780 §4.6).
    pub lifetime: Option<Lifetime>,
}

impl Report {
    /// Whether a NAT stands between client and server.
    #[must_use]
    pub fn is_translated(&self) -> bool {
        self.local != self.mapped
    }

    /// What it means for a connection between peers, in a sentence.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        use Behaviour::{AddressAndPortDependent, EndpointIndependent};
        match (self.mapping, self.filtering) {
            _ if !self.is_translated() => match self.filtering {
                Some(EndpointIndependent) => "no NAT: peers can reach this host directly",
                Some(_) => {
                    "no NAT, but a firewall: peers can reach this host once it has sent to them"
                }
                None => "no NAT; whether a firewall filters is not known",
            },
            (None, _) => "a NAT whose mapping is not known: the server has no second address",
            (Some(EndpointIndependent), Some(EndpointIndependent)) => {
                "full cone: every peer can reach this host at its mapped address"
            }
            (Some(EndpointIndependent), Some(AddressAndPortDependent)) => {
                "port-restricted cone: direct paths work, except to peers behind symmetric NATs"
            }
            (Some(EndpointIndependent), _) => {
                "restricted cone: direct paths work with every kind of NAT on the other side"
            }
            (Some(_), Some(EndpointIndependent)) => {
                "symmetric, with an open filter: direct paths work if this side's new mapping is noticed"
            }
            (Some(_), _) => "symmetric: peers behind port-restricted NATs will need a relay",
        }
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndpointIndependent => "endpoint-independent",
            Self::AddressDependent => "address-dependent",
            Self::AddressAndPortDependent => "address-and-port-dependent",
        })
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.less_than {
            Some(less_than) => {
                write!(f, "{} s to {} s", self.at_least.as_secs(), less_than.as_secs())
            }
            None => write!(f, "{} s or more", self.at_least.as_secs()),
        }
    }
}

impl fmt::Display for Report {
    /// One line for each finding, and the verdict.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_known = |behaviour: Option<Behaviour>, f: &mut fmt::Formatter<'_>| match behaviour {
            Some(behaviour) => writeln!(f, "{behaviour}"),
            None => writeln!(f, "not known"),
        };
        writeln!(f, "local address    {}", self.local)?;
        writeln!(f, "mapped address   {}", self.mapped)?;
        f.write_str("mapping          ")?;
        is_known(self.mapping, f)?;
        f.write_str("filtering        ")?;
        is_known(self.filtering, f)?;
        if let Some(hairpin) = self.hairpin {
            writeln!(f, "hairpinning      {}", if hairpin { "yes" } else { "no" })?;
        }
        if let Some(lifetime) = self.lifetime {
            writeln!(f, "binding lifetime {lifetime}")?;
        }
        write!(f, "{}", self.verdict())
    }
}
