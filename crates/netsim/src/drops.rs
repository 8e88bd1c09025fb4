use std::collections::BTreeMap;
use std::fmt;

use crate::icmp::IcmpKind;

/// Why a packet ended on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// A link lost it.
    Lost,
    /// A link carries nothing at the moment.
    Outage,
    /// A partition of the network lies between source and destination.
    Partitioned,
    /// The queue in front of a slow link was full.
    QueueFull,
    /// It exceeded a link's MTU.
    TooBig,
    /// No network on the way knows its destination.
    NoRoute,
    /// Its hop limit ran out.
    HopLimit,
    /// The sender does not own the source address.
    NoSuchSource,
    /// The NAT has no mapping for its destination.
    NoMapping,
    /// The NAT's filter does not know its source.
    Filtered,
    /// The NAT had no free port for a new mapping.
    PortsExhausted,
    /// The NAT does not hairpin.
    NoHairpin,
    /// A firewall refused it.
    Firewalled,
    /// The host was down, suspended or without network.
    HostDown,
    /// Nobody listens on its destination port.
    PortClosed,
    /// The node wrote to a stream that is not there.
    NoStream,
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "lost on the link",
            Self::Outage => "link outage",
            Self::Partitioned => "partitioned",
            Self::QueueFull => "queue full",
            Self::TooBig => "too big for the link",
            Self::NoRoute => "no route",
            Self::HopLimit => "hop limit exceeded",
            Self::NoSuchSource => "source address not owned",
            Self::NoMapping => "no mapping",
            Self::Filtered => "filtered by the nat",
            Self::PortsExhausted => "nat ports exhausted",
            Self::NoHairpin => "no hairpinning",
            Self::Firewalled => "refused by the firewall",
            Self::HostDown => "host down",
            Self::PortClosed => "port closed",
            Self::NoStream => "no such stream",
        })
    }
}

/// How many packets ended for each reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drops(BTreeMap<DropReason, u64>);

impl Drops {
    /// How many packets ended for `reason`.
    #[must_use]
    pub fn of(&self, reason: DropReason) -> u64 {
        self.0.get(&reason).copied().unwrap_or(0)
    }

    /// How many packets ended on their way.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// The reasons that occurred with their counts, in the order of [`DropReason`].
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        self.0.iter().map(|(&reason, &count)| (reason, count))
    }

    pub(crate) fn count(&mut self, reason: DropReason) {
        *self.0.entry(reason).or_default() += 1;
    }
}

/// A packet is not carried further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: DropReason,
    pub(crate) answer: Answer,
}

/// What the sender of a refused packet gets to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing.
    Silence,
    /// An ICMP error.
    Icmp(IcmpKind),
    /// An ICMP error, if six seconds later nobody inside wants the connection (RFC 5382 REQ-4).
    LateIcmp,
    /// A TCP reset.
    Reset,
}

impl Refusal {
    pub(crate) const fn silent(reason: DropReason) -> Self {
        Self { reason, answer: Answer::Silence }
    }

    pub(crate) const fn told(reason: DropReason, kind: IcmpKind) -> Self {
        Self { reason, answer: Answer::Icmp(kind) }
    }
}
