//! The addresses to gather host candidates from (RFC 8445 §5.1.1.1).

use std::io;
use std::net::{IpAddr, Ipv6Addr};

/// Which of the machine's addresses to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressFilter {
    /// Loopback addresses too. RFC 8445 forbids to offer them to others; two agents on one machine can.
    pub loopback: bool,
    /// IPv6 addresses too.
    pub ipv6: bool,
}

impl Default for AddressFilter {
    fn default() -> Self {
        Self { loopback: false, ipv6: true }
    }
}

/// The machine's usable addresses, the preferred ones first: IPv6 and IPv4 in turn (RFC 8421 §4), loopback last.
///
/// # Errors
/// What the operating system says when it does not tell its interfaces.
pub fn usable_addresses(filter: AddressFilter) -> io::Result<Vec<IpAddr>> {
    let mut addresses: Vec<IpAddr> = if_addrs::get_if_addrs()?
        .iter()
        .map(|interface| interface.ip())
        .filter(|ip| filter.takes(*ip))
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    Ok(in_order(addresses))
}

impl AddressFilter {
    fn takes(self, ip: IpAddr) -> bool {
        if ip.is_loopback() {
            return self.loopback && (ip.is_ipv4() || self.ipv6);
        }
        match ip {
            IpAddr::V4(ip) => !ip.is_unspecified(),
            IpAddr::V6(ip) => self.ipv6 && is_offered(ip),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().expect("an address")).collect()
    }

    #[test]
    fn families_alternate_and_loopback_comes_last() {
        let addresses = ips(&["127.0.0.1", "192.0.2.1", "192.0.2.2", "2001:db8::1"]);
        assert_eq!(
            in_order(addresses),
            ips(&["2001:db8::1", "192.0.2.1", "192.0.2.2", "127.0.0.1"])
        );
    }

    #[test]
    fn addresses_that_must_not_be_offered_are_left_out() {
        // RFC 8445 §5.1.1.1.
        let all = AddressFilter { loopback: false, ipv6: true };
        for ip in ips(&[
            "127.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fec0::1",
            "::ffff:192.0.2.1",
            "::192.0.2.1",
            "ff02::1",
        ]) {
            assert!(!all.takes(ip), "{ip}");
        }
        for ip in ips(&["192.0.2.1", "169.254.3.4", "2001:db8::1", "fd00::1"]) {
            assert!(all.takes(ip), "{ip}");
        }
        let v4 = AddressFilter { ipv6: false, ..all };
        assert!(!v4.takes(ips(&["2001:db8::1"])[0]));
    }
}
