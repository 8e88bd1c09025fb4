use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use pinhole_sansio::Instant;

use super::opening::Opening;
use crate::packet::Protocol;

/// On what of the remote endpoint a mapping or a filter depends (RFC 4787 §4.1 and §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Behavior {
    /// On nothing.
    EndpointIndependent,
    /// On its address.
    AddressDependent,
    /// On its address and port.
    AddressAndPortDependent,
}

impl Behavior {
    /// All remote endpoints that are the same to this behaviour.
    pub(crate) const fn scope(self, remote: SocketAddr) -> Scope {
        match self {
            Self::EndpointIndependent => Scope::Any,
            Self::AddressDependent => Scope::Address(remote.ip()),
            Self::AddressAndPortDependent => Scope::Endpoint(remote),
        }
    }
}

/// A set of remote endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    Any,
    Address(IpAddr),
    Endpoint(SocketAddr),
}

/// What shares one mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Inside {
    pub(super) protocol: Protocol,
    pub(super) address: SocketAddr,
    pub(super) scope: Scope,
}

/// How the outside names a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Outside {
    pub(super) protocol: Protocol,
    pub(super) address: SocketAddr,
}

/// An internal endpoint that is known outside under another name.
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    pub(super) inside: Inside,
    pub(super) opening: Opening,
}

/// All mappings, found from both sides. An expired one is there for nobody.
#[derive(Default)]
pub(super) struct Table {
    outside_of: BTreeMap<Inside, Outside>,
    mappings: BTreeMap<Outside, Mapping>,
}

impl Table {
    /// The external name of `inside`.
    pub(super) fn outside_of(&self, inside: Inside, now: Instant) -> Option<Outside> {
        let outside = *self.outside_of.get(&inside)?;
        self.mappings.get(&outside).filter(|mapping| mapping.opening.is_live(now)).map(|_| outside)
    }

    pub(super) fn get(&self, outside: Outside, now: Instant) -> Option<&Mapping> {
        self.mappings.get(&outside).filter(|mapping| mapping.opening.is_live(now))
    }

    pub(super) fn get_mut(&mut self, outside: Outside, now: Instant) -> Option<&mut Mapping> {
        self.mappings.get_mut(&outside).filter(|mapping| mapping.opening.is_live(now))
    }

    /// The mapping under `outside`, also one that has just been made and lives for nobody yet.
    pub(super) fn entry(&mut self, outside: Outside) -> Option<&mut Mapping> {
        self.mappings.get_mut(&outside)
    }

    pub(super) fn is_free(&self, outside: Outside, now: Instant) -> bool {
        self.mappings.get(&outside).is_none_or(|mapping| !mapping.opening.is_live(now))
    }

    /// Adds a mapping in the place of an expired one, if there is one.
    pub(super) fn insert(&mut self, outside: Outside, mapping: Mapping) {
        let inside = mapping.inside;
        if let Some(expired) = self.mappings.insert(outside, mapping)
            && self.outside_of.get(&expired.inside) == Some(&outside)
        {
            self.outside_of.remove(&expired.inside);
        }
        self.outside_of.insert(inside, outside);
    }

    /// The external port of `address`, whatever remote it was mapped for.
    pub(super) fn port_of(
        &self,
        protocol: Protocol,
        address: SocketAddr,
        now: Instant,
    ) -> Option<u16> {
        let first = Inside { protocol, address, scope: Scope::Any };
        let (&inside, _) = self.outside_of.range(first..).next()?;
        let same = inside.protocol == protocol && inside.address == address;
        same.then(|| self.outside_of(inside, now)).flatten().map(|outside| outside.address.port())
    }

    pub(super) fn len(&self, now: Instant) -> usize {
        self.mappings.values().filter(|mapping| mapping.opening.is_live(now)).count()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::super::opening::{Lifetimes, Traffic};
    use super::*;

    #[test]
    fn a_port_that_is_used_again_leaves_its_former_owner_its_new_one() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let remote = address("203.0.113.9:80");
        let inside =
            |text| Inside { protocol: Protocol::Udp, address: address(text), scope: Scope::Any };
        let [first, second] = [inside("10.0.0.1:1"), inside("10.0.0.2:1")];
        let outside =
            |port| Outside { protocol: Protocol::Udp, address: SocketAddr::new(remote.ip(), port) };
        let [early, late] = [Instant::ZERO, Instant::from_millis(1_000_000)];
        let mut table = Table::default();
        for (port, inside, now) in [(1, first, early), (2, first, late), (1, second, late)] {
            assert!(table.is_free(outside(port), now));
            let mut opening = Opening::new(Behavior::EndpointIndependent);
            opening.outbound(remote, Traffic::Datagram, &Lifetimes::default(), now);
            table.insert(outside(port), Mapping { inside, opening });
        }
        assert_eq!(table.outside_of(first, late), Some(outside(2)));
        assert_eq!(table.outside_of(second, late), Some(outside(1)));
        assert_eq!(table.len(late), 2);
    }
}
