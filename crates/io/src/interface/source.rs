//! Where a connection's addresses come from.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use super::{AddressFilter, Found, find, in_order};

/// The machine's addresses that pass a filter, or some of them.
#[derive(Clone, Debug)]
pub(crate) struct AddressSource {
    pub(crate) filter: AddressFilter,
    pub(crate) choice: Choice,
}

/// Which of the addresses that may be used are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    All,
    /// Those of the way out.
    OnRoute(DefaultRoute),
    /// The preferred one of each family.
    OneOfEach,
}

/// Destinations, one of each family, that packets take the way to that all others take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DefaultRoute([IpAddr; 2]);

impl AddressSource {
    /// The usable ones, the preferred ones first.
    pub(crate) fn usable(&self) -> io::Result<Vec<IpAddr>> {
        let found = find()?;
        let mut chosen = in_order(self.filter.choose(&found));
        match self.choice {
            Choice::All => {}
            Choice::OnRoute(route) => chosen = on_links_of(&route.sources(), &found, chosen),
            Choice::OneOfEach => {
                let v6 = chosen.iter().copied().find(IpAddr::is_ipv6);
                let v4 = chosen.iter().copied().find(IpAddr::is_ipv4);
                chosen = v6.into_iter().chain(v4).collect();
            }
        }
        Ok(chosen)
    }
}

impl DefaultRoute {
    /// To the first of these servers of each family, as far as they are elsewhere; else to anywhere in the Internet.
    pub(crate) fn towards(servers: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut to = ANYWHERE;
        let elsewhere = |ip: &IpAddr| !ip.is_loopback() && !ip.is_unspecified();
        let mut servers: Vec<IpAddr> = servers.into_iter().filter(elsewhere).collect();
        servers.reverse();
        for server in servers {
            to.iter_mut().filter(|ip| ip.is_ipv4() == server.is_ipv4()).for_each(|ip| *ip = server);
        }
        Self(to)
    }

    /// The addresses that packets there leave from.
    fn sources(self) -> Vec<IpAddr> {
        self.0.into_iter().filter_map(source_of).collect()
    }
}

/// RFC 8828 §6.2: connecting a UDP socket lets the kernel choose the address "without sending any packets". `None`
/// where there is no route.
fn source_of(destination: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match destination {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(SocketAddr::new(destination, DISCARD)).ok()?;
    let source = socket.local_addr().ok()?.ip();
    (!source.is_unspecified()).then_some(source)
}

/// Those chosen that are on the link of a source: where that one can be traced, the filter has chosen its temporary
/// neighbour.
fn on_links_of(sources: &[IpAddr], found: &[Found], chosen: Vec<IpAddr>) -> Vec<IpAddr> {
    let link_of = |ip: &IpAddr| {
        let at = found.iter().find(|found| found.ip == *ip)?;
        Some((&at.interface, at.network?))
    };
    let links: Vec<_> = sources.iter().filter_map(link_of).collect();
    // Where the source itself may be used, no other of its link is.
    let is_wanted = |ip: &IpAddr| {
        let has_source = sources.iter().any(|source| {
            chosen.contains(source) && link_of(source).is_some() && link_of(source) == link_of(ip)
        });
        sources.contains(ip) || !has_source && link_of(ip).is_some_and(|at| links.contains(&at))
    };
    chosen.iter().copied().filter(is_wanted).collect()
}

/// A root server of the DNS: it is far away, and nothing is sent to it.
const ANYWHERE: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30)),
    IpAddr::V4(Ipv4Addr::new(198, 41, 0, 4)),
];
const DISCARD: u16 = 9;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::flags::Flags;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn found(interface: &str, ip: &str) -> Found {
        let ip: IpAddr = ip.parse().unwrap();
        let prefix = if ip.is_ipv6() { 64 } else { 24 };
        let network = pinhole_turn::policy::Range::new(ip, prefix).ok();
        Found { interface: interface.to_owned(), ip, network, flags: Flags::default() }
    }

    #[test]
    fn the_first_server_of_each_family_that_is_elsewhere_shows_the_way() {
        let none = DefaultRoute::towards([]);
        assert_eq!(none, DefaultRoute::towards(ips(&["127.0.0.1", "::1", "0.0.0.0"])));
        let servers = ["127.0.0.1", "192.0.2.1", "192.0.2.2", "2001:db8::1"];
        assert_eq!(
            DefaultRoute::towards(ips(&servers)).0.to_vec(),
            ips(&["2001:db8::1", "192.0.2.1"])
        );
    }

    #[test]
    fn loopback_leaves_from_loopback() {
        assert_eq!(source_of([127, 0, 0, 1].into()), Some([127, 0, 0, 1].into()));
    }

    #[test]
    fn of_the_chosen_addresses_those_of_the_way_out_are_used() {
        let machine = [
            found("eth0", "192.0.2.1"),
            found("eth0", "192.0.2.2"),
            found("eth0", "2001:db8:1::a"),
            found("eth0", "2001:db8:1::b"),
            found("wlan0", "198.51.100.1"),
            found("wlan0", "2001:db8:2::a"),
        ];
        let all: Vec<IpAddr> = machine.iter().map(|found| found.ip).collect();
        let sources = ips(&["192.0.2.2", "2001:db8:1::a"]);
        assert_eq!(on_links_of(&sources, &machine, all.clone()), sources);
        // The source is left out, as one that can be traced: its neighbour is used.
        let untraced: Vec<IpAddr> = all.iter().copied().filter(|ip| *ip != sources[1]).collect();
        assert_eq!(on_links_of(&sources, &machine, untraced), ips(&["192.0.2.2", "2001:db8:1::b"]));
        assert_eq!(on_links_of(&[], &machine, all), ips(&[]));
    }
}
