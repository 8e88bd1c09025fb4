use std::fmt;

use pinhole_netsim::{Behavior, Family, FirewallConfig, NatConfig, NetworkId, Site, World};

/// Where an agent sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// On the Internet itself, with a public IPv4 address.
    Public,
    /// Behind a NAT at home.
    Home(HomeNat),
    /// Behind a NAT at home, behind a carrier's NAT.
    Carrier(HomeNat),
    /// Behind a NAT and a firewall that drops all UDP.
    UdpBlocked,
    /// Behind a NAT and a firewall that lets only TCP to port 443 leave.
    OnlyTcp443,
    /// With an IPv6 address only, behind a stateful firewall.
    Ipv6Only,
    /// With both families: IPv4 behind a port-restricted NAT, IPv6 behind a stateful firewall.
    DualStack,
}

/// The five kinds of NAT that people have names for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HomeNat {
    /// Endpoint-independent mapping and filtering.
    FullCone,
    /// Endpoint-independent mapping, address-dependent filtering.
    AddressRestricted,
    /// Endpoint-independent mapping, address- and port-dependent filtering.
    PortRestricted,
    /// Mapping and filtering that depend on address and port, random ports.
    Symmetric,
    /// The same with ports that count up.
    SymmetricSequential,
}

impl HomeNat {
    const ALL: [Self; 5] = [
        Self::FullCone,
        Self::AddressRestricted,
        Self::PortRestricted,
        Self::Symmetric,
        Self::SymmetricSequential,
    ];

    /// How such a NAT behaves.
    #[must_use]
    pub fn config(self) -> NatConfig {
        match self {
            Self::FullCone => NatConfig::full_cone(),
            Self::AddressRestricted => NatConfig::address_restricted(),
            Self::PortRestricted => NatConfig::port_restricted(),
            Self::Symmetric => NatConfig::symmetric(),
            Self::SymmetricSequential => NatConfig::symmetric_sequential(),
        }
    }
}

impl Place {
    /// All of them.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let homes = HomeNat::ALL.map(Self::Home);
        let carriers = HomeNat::ALL.map(Self::Carrier);
        let rest = [Self::UdpBlocked, Self::OnlyTcp443, Self::Ipv6Only, Self::DualStack];
        [&[Self::Public][..], &homes, &carriers, &rest].concat()
    }

    /// The address families of a host there.
    #[must_use]
    pub const fn family(self) -> Family {
        match self {
            Self::Ipv6Only => Family::V6,
            Self::DualStack => Family::Dual,
            _ => Family::V4,
        }
    }

    /// Whether UDP gets out at all.
    #[must_use]
    pub const fn has_udp(self) -> bool {
        !matches!(self, Self::UdpBlocked | Self::OnlyTcp443)
    }

    /// Mapping and filtering towards the Internet over IPv4; `None` where nothing translates.
    ///
    /// Of two NATs in a row, the mapping is that of the more dependent one, and so is the filtering.
    #[must_use]
    pub fn translation(self) -> Option<(Behavior, Behavior)> {
        let home = match self {
            Self::Home(home) | Self::Carrier(home) => home.config(),
            Self::UdpBlocked | Self::OnlyTcp443 | Self::DualStack => NatConfig::port_restricted(),
            Self::Public | Self::Ipv6Only => return None,
        };
        let carrier = match self {
            Self::Carrier(_) => NatConfig::carrier_grade(),
            _ => NatConfig::full_cone(),
        };
        let worse = |a: Behavior, b: Behavior| if rank(a) >= rank(b) { a } else { b };
        Some((worse(home.mapping, carrier.mapping), worse(home.filtering, carrier.filtering)))
    }

    /// Builds the place, and gives the network that its host is on, and where that meets the Internet.
    pub fn build(self, world: &mut World, name: &str) -> (NetworkId, Option<Site>) {
        let gateway = format!("{name}-router");
        let site = match self {
            Self::Public => return (world.core(), None),
            Self::Home(home) => world.nat(&gateway, home.config()),
            Self::Carrier(home) => {
                let carrier = world.carrier(&format!("{name}-carrier"), NatConfig::carrier_grade());
                let home = world.gateway(&gateway).outside(carrier).nat(home.config()).build();
                return (home.network, Some(carrier));
            }
            Self::UdpBlocked => restricted(world, &gateway, FirewallConfig::udp_blocked()),
            Self::OnlyTcp443 => restricted(world, &gateway, FirewallConfig::only_tcp_443()),
            Self::Ipv6Only => {
                world.gateway(&gateway).ipv6().firewall(FirewallConfig::stateful()).build()
            }
            Self::DualStack => {
                let firewall = FirewallConfig { guards: Family::V6, ..FirewallConfig::stateful() };
                world
                    .gateway(&gateway)
                    .nat(NatConfig::port_restricted())
                    .ipv6()
                    .firewall(firewall)
                    .build()
            }
        };
        (site.network, Some(site))
    }
}

fn restricted(world: &mut World, gateway: &str, firewall: FirewallConfig) -> Site {
    world.gateway(gateway).nat(NatConfig::port_restricted()).firewall(firewall).build()
}

const fn rank(behavior: Behavior) -> u8 {
    match behavior {
        Behavior::EndpointIndependent => 0,
        Behavior::AddressDependent => 1,
        Behavior::AddressAndPortDependent => 2,
    }
}

impl fmt::Display for HomeNat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::FullCone => "full cone",
            Self::AddressRestricted => "address-restr.",
            Self::PortRestricted => "port-restr.",
            Self::Symmetric => "symmetric",
            Self::SymmetricSequential => "symmetric seq.",
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.pad("public"),
            Self::Home(home) => fmt::Display::fmt(home, f),
            Self::Carrier(home) => f.pad(&format!("CGN+{home}")),
            Self::UdpBlocked => f.pad("UDP blocked"),
            Self::OnlyTcp443 => f.pad("only TCP 443"),
            Self::Ipv6Only => f.pad("IPv6 only"),
            Self::DualStack => f.pad("dual stack"),
        }
    }
}
