#![allow(clippy::unwrap_used)]

use super::*;

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().expect("an address")).collect()
}

/// An address on an interface, in a network of 64 or 24 bits.
fn found(interface: &str, ip: &str, flags: Flags) -> Found {
    let ip: IpAddr = ip.parse().expect("an address");
    let prefix = if ip.is_ipv6() { 64 } else { 24 };
    Found { interface: interface.to_owned(), ip, network: Range::new(ip, prefix).ok(), flags }
}

const PLAIN: Flags = Flags { is_temporary: false, is_deprecated: false, is_tentative: false };
const TEMPORARY: Flags = Flags { is_temporary: true, ..PLAIN };
const DEPRECATED: Flags = Flags { is_deprecated: true, ..PLAIN };

#[test]
fn families_alternate_and_loopback_comes_last() {
    let addresses = ips(&["127.0.0.1", "192.0.2.1", "192.0.2.2", "2001:db8::1"]);
    assert_eq!(in_order(addresses), ips(&["2001:db8::1", "192.0.2.1", "192.0.2.2", "127.0.0.1"]));
}

#[test]
fn addresses_that_must_not_be_offered_are_left_out() {
    // CHECKLIST 47, RFC 8445 §5.1.1.1.
    let all = AddressFilter::default();
    for ip in [
        "127.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fec0::1",
        "::ffff:192.0.2.1",
        "::192.0.2.1",
        "ff02::1",
    ] {
        assert_eq!(all.choose(&[found("eth0", ip, PLAIN)]), [] as [IpAddr; 0], "{ip}");
    }
    for ip in ["192.0.2.1", "169.254.3.4", "2001:db8::1", "fd00::1"] {
        assert_eq!(all.choose(&[found("eth0", ip, PLAIN)]), ips(&[ip]));
    }
}

#[test]
fn filters_go_by_family_interface_and_network() {
    let machine = [
        found("eth0", "192.0.2.1", PLAIN),
        found("eth0", "2001:db8::1", PLAIN),
        found("docker0", "172.17.0.1", PLAIN),
        found("lo", "127.0.0.1", PLAIN),
    ];
    let all = AddressFilter::default;
    let docker = || vec!["docker0".to_owned()];
    for (filter, expected) in [
        (AddressFilter { ipv6: false, ..all() }, &["172.17.0.1", "192.0.2.1"][..]),
        (AddressFilter { ipv4: false, ..all() }, &["2001:db8::1"]),
        (AddressFilter { interfaces: docker(), ..all() }, &["172.17.0.1"]),
        (AddressFilter { without_interfaces: docker(), ..all() }, &["192.0.2.1", "2001:db8::1"]),
        (
            AddressFilter { networks: vec!["192.0.2.0/24".parse().unwrap()], ..all() },
            &["192.0.2.1"],
        ),
        (
            AddressFilter {
                loopback: true,
                ipv6: false,
                interfaces: vec!["lo".to_owned()],
                ..all()
            },
            &["127.0.0.1"],
        ),
    ] {
        assert_eq!(filter.choose(&machine), ips(expected), "{filter:?}");
    }
}

#[test]
fn a_temporary_address_hides_the_others_of_its_prefix() {
    // RFC 8445 §5.1.1.1: those that allow tracking "MUST NOT be gathered".
    let mut machine = vec![
        found("eth0", "2001:db8:0:1::a", PLAIN),
        found("eth0", "2001:db8:0:1::b", TEMPORARY),
        found("eth0", "2001:db8:0:2::a", PLAIN),
        found("wlan0", "2001:db8:0:1::c", PLAIN),
        found("eth0", "192.0.2.1", PLAIN),
    ];
    let chosen = AddressFilter::default().choose(&machine);
    let expected = ["192.0.2.1", "2001:db8:0:1::b", "2001:db8:0:1::c", "2001:db8:0:2::a"];
    assert_eq!(chosen, ips(&expected));
    // One whose time is over hides nothing.
    machine[1].flags.is_deprecated = true;
    assert!(AddressFilter::default().choose(&machine).contains(&machine[0].ip));
}

#[test]
fn deprecated_addresses_are_left_out_unless_wanted_and_tentative_ones_always() {
    let machine = [
        found("eth0", "2001:db8::1", DEPRECATED),
        found("eth0", "2001:db8::2", Flags { is_tentative: true, ..PLAIN }),
    ];
    assert!(AddressFilter::default().choose(&machine).is_empty());
    let filter = AddressFilter { deprecated: true, ..AddressFilter::default() };
    assert_eq!(filter.choose(&machine), ips(&["2001:db8::1"]));
}
