use super::mapping::Behavior;
use super::opening::{Lifetimes, Traffic};
use super::port::{PortAllocation, PortPolicy};
use crate::drops::Answer;

/// How a NAT behaves, in the words of RFC 4787.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatConfig {
    /// Which remote endpoints see the same external port (RFC 4787 §4.1).
    pub mapping: Behavior,
    /// Which remote endpoints may answer through a mapping (RFC 4787 §5).
    pub filtering: Behavior,
    /// How external ports are chosen (RFC 4787 §4.2).
    pub ports: PortPolicy,
    /// How external addresses are chosen where there are several (RFC 4787 §4.1).
    pub pooling: Pooling,
    /// What happens to packets from the inside to an external address of the NAT (RFC 4787 §6).
    pub hairpin: Hairpin,
    /// How long mappings live (RFC 4787 REQ-5 and REQ-6, RFC 5382 REQ-5).
    pub lifetimes: Lifetimes,
    /// How a TCP connection from the outside that nobody asked for ends (RFC 5382 REQ-4).
    pub unsolicited_syn: UnsolicitedSyn,
}

/// What a NAT does about a SYN from the outside that it does not let in (RFC 5382 REQ-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsolicitedSyn {
    /// It drops it.
    Dropped,
    /// It reports an unreachable port, unless within six seconds the inside opens the same connection.
    ReportedLate,
    /// It resets the connection at once, against REQ-4: simultaneous open cannot succeed.
    Reset,
}

/// How external addresses are chosen where there are several (RFC 4787 §4.1, REQ-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// An internal address keeps one external address.
    Paired,
    /// Each mapping gets any of them.
    Arbitrary,
}

/// What happens to a packet from the inside to an external address of the same NAT (RFC 4787 §6, REQ-9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hairpin {
    /// It is dropped.
    Off,
    /// It arrives from the sender's external address and port.
    ExternalSource,
    /// It arrives from the sender's internal address and port, against REQ-9a.
    InternalSource,
}

impl NatConfig {
    /// Endpoint-independent mapping and filtering: anybody can answer.
    #[must_use]
    pub fn full_cone() -> Self {
        Self::cone(Behavior::EndpointIndependent)
    }

    /// Endpoint-independent mapping, address-dependent filtering.
    #[must_use]
    pub fn address_restricted() -> Self {
        Self::cone(Behavior::AddressDependent)
    }

    /// Endpoint-independent mapping, address- and port-dependent filtering: the usual home router.
    #[must_use]
    pub fn port_restricted() -> Self {
        Self::cone(Behavior::AddressAndPortDependent)
    }

    /// Mapping and filtering that both depend on address and port, with random ports.
    #[must_use]
    pub fn symmetric() -> Self {
        let dependent = Behavior::AddressAndPortDependent;
        let ports = PortPolicy {
            allocation: PortAllocation::Random,
            parity: false,
            ..PortPolicy::default()
        };
        Self { mapping: dependent, ports, ..Self::cone(dependent) }
    }

    /// The same with ports that count up, which a peer can guess.
    #[must_use]
    pub fn symmetric_sequential() -> Self {
        let mut config = Self::symmetric();
        config.ports.allocation = PortAllocation::Sequential;
        config
    }

    /// A carrier's NAT: endpoint-independent mapping and filtering, random ports, paired pooling (RFC 6888).
    #[must_use]
    pub fn carrier_grade() -> Self {
        let ports = PortPolicy {
            allocation: PortAllocation::Random,
            parity: false,
            ..PortPolicy::default()
        };
        Self { ports, ..Self::full_cone() }
    }

    /// The same without hairpinning.
    #[must_use]
    pub fn without_hairpin(self) -> Self {
        Self { hairpin: Hairpin::Off, ..self }
    }

    fn cone(filtering: Behavior) -> Self {
        Self {
            mapping: Behavior::EndpointIndependent,
            filtering,
            ports: PortPolicy::default(),
            pooling: Pooling::Paired,
            hairpin: Hairpin::ExternalSource,
            lifetimes: Lifetimes::default(),
            unsolicited_syn: UnsolicitedSyn::ReportedLate,
        }
    }
}

impl UnsolicitedSyn {
    pub(super) const fn answer(self, traffic: Traffic) -> Answer {
        match (self, traffic) {
            (Self::ReportedLate, Traffic::Segment(flags)) if flags.is_opening() => Answer::LateIcmp,
            (Self::Reset, Traffic::Segment(flags)) if flags.is_opening() => Answer::Reset,
            (Self::Dropped | Self::ReportedLate | Self::Reset, _) => Answer::Silence,
        }
    }
}
