//! The addresses to gather host candidates from (RFC 8445 §5.1.1.1).

mod flags;
mod source;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv6Addr};

use if_addrs::{IfAddr, Interface};
use pinhole_turn::policy::Range;

use flags::Flags;
pub(crate) use source::{AddressSource, Choice, DefaultRoute};

/// Which of the machine's addresses to use: all but loopback and deprecated ones, by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressFilter {
    /// Loopback addresses too. RFC 8445 forbids to offer them to others; two agents on one machine can.
    pub loopback: bool,
    /// IPv4 addresses.
    pub ipv4: bool,
    /// IPv6 addresses.
    pub ipv6: bool,
    /// IPv6 addresses too whose preferred lifetime is over (RFC 4862 §5.5.4), as far as the system tells; Linux does.
    pub deprecated: bool,
    /// Only the interfaces with these names, unless there are none.
    pub interfaces: Vec<String>,
    /// Not the interfaces with these names.
    pub without_interfaces: Vec<String>,
    /// Only addresses in these networks, unless there are none.
    pub networks: Vec<Range>,
}

impl Default for AddressFilter {
    fn default() -> Self {
        Self {
            loopback: false,
            ipv4: true,
            ipv6: true,
            deprecated: false,
            interfaces: Vec::new(),
            without_interfaces: Vec::new(),
            networks: Vec::new(),
        }
    }
}

/// The machine's usable addresses, the preferred ones first: IPv6 and IPv4 in turn (RFC 8421 §4), loopback last.
///
/// Where an interface has temporary IPv6 addresses, the others of the same prefix, by which its owner could be
/// tracked, are left out (RFC 8445 §5.1.1.1), as far as the system tells which they are; Linux does.
///
/// # Errors
/// What the operating system says when it does not tell its interfaces.
pub fn usable_addresses(filter: &AddressFilter) -> io::Result<Vec<IpAddr>> {
    AddressSource { filter: filter.clone(), choice: Choice::All }.usable()
}

fn find() -> io::Result<Vec<Found>> {
    let flags = flags::of_ipv6_addresses();
    let found = if_addrs::get_if_addrs()?;
    Ok(found.into_iter().map(|interface| Found::new(interface, &flags)).collect())
}

/// All addresses that the machine has, usable for what begins now or not.
pub(crate) fn present_addresses() -> io::Result<Vec<IpAddr>> {
    Ok(if_addrs::get_if_addrs()?.iter().map(Interface::ip).collect())
}

/// What an address of this machine's is attached to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    /// Its addresses.
    pub(crate) network: Range,
    /// The interface's number; 0, for any, where the system does not tell.
    pub(crate) index: u32,
}

/// The link that this address is on; `None` when it is gone.
pub(crate) fn link_of(ip: IpAddr) -> io::Result<Option<Link>> {
    let found = if_addrs::get_if_addrs()?.into_iter().find(|interface| interface.ip() == ip);
    Ok(found.and_then(|interface| {
        let index = interface.index.unwrap_or(0);
        Some(Link { network: Found::new(interface, &[]).network?, index })
    }))
}

/// An address of one interface.
#[derive(Clone, Debug)]
struct Found {
    interface: String,
    ip: IpAddr,
    /// The addresses of the same link.
    network: Option<Range>,
    flags: Flags,
}

impl Found {
    fn new(interface: Interface, flags: &[(Ipv6Addr, Flags)]) -> Self {
        let prefix = match &interface.addr {
            IfAddr::V4(address) => address.prefixlen,
            IfAddr::V6(address) => address.prefixlen,
        };
        let ip = interface.ip();
        let known = flags.iter().find(|(address, _)| IpAddr::V6(*address) == ip);
        Self {
            interface: interface.name,
            ip,
            network: Range::new(ip, prefix).ok(),
            flags: known.map_or_else(Flags::default, |(_, flags)| *flags),
        }
    }
}

impl AddressFilter {
    /// What may be used, in no particular order.
    fn choose(&self, found: &[Found]) -> Vec<IpAddr> {
        let usable: Vec<&Found> = found.iter().filter(|found| self.takes(found)).collect();
        let is_traceable = |one: &&&Found| {
            let hides = |other: &&Found| {
                let is_same = other.interface == one.interface && other.network == one.network;
                is_same && other.flags.is_temporary && !other.flags.is_deprecated
            };
            one.ip.is_ipv6() && !one.flags.is_temporary && usable.iter().any(hides)
        };
        let mut chosen: Vec<IpAddr> =
            usable.iter().filter(|one| !is_traceable(one)).map(|one| one.ip).collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }

    fn takes(&self, found: &Found) -> bool {
        let Found { interface, ip, flags, .. } = found;
        let is_named = self.interfaces.is_empty() || self.interfaces.contains(interface);
        let in_network =
            self.networks.is_empty() || self.networks.iter().any(|network| network.contains(*ip));
        is_named
            && in_network
            && !self.without_interfaces.contains(interface)
            && (self.deprecated || !flags.is_deprecated)
            && !flags.is_tentative
            && self.takes_address(*ip)
    }

    fn takes_address(&self, ip: IpAddr) -> bool {
        let is_of_family = if ip.is_ipv4() { self.ipv4 } else { self.ipv6 };
        if ip.is_loopback() {
            return self.loopback && is_of_family;
        }
        is_of_family
            && match ip {
                IpAddr::V4(ip) => !ip.is_unspecified(),
                IpAddr::V6(ip) => is_offered(ip),
            }
    }
}

/// RFC 8445 §5.1.1.1: no IPv4-compatible, IPv4-mapped or site-local addresses. Link-local ones are left out
/// too: they need a zone, which no candidate carries.
fn is_offered(ip: Ipv6Addr) -> bool {
    let [first, ..] = ip.segments();
    let is_site_local = first & 0xffc0 == 0xfec0;
    let is_v4_in_v6 = ip.to_ipv4().is_some();
    !(ip.is_unspecified()
        || ip.is_unicast_link_local()
        || ip.is_multicast()
        || is_site_local
        || is_v4_in_v6)
}

/// Alternates the families, IPv6 first, so that one that is broken does not hold the other up; loopback last.
fn in_order(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let (loopback, real): (Vec<_>, Vec<_>) = addresses.into_iter().partition(IpAddr::is_loopback);
    let (v6, v4): (Vec<_>, Vec<_>) = real.into_iter().partition(IpAddr::is_ipv6);
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    let mut ordered = Vec::new();
    loop {
        let turn = [v6.next(), v4.next()];
        if turn == [None, None] {
            break;
        }
        ordered.extend(turn.into_iter().flatten());
    }
    ordered.extend(loopback);
    ordered
}
