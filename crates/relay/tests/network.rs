//! What the network of the machine does: each test has one of its own, and sees no other.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_types, missing_docs)]
#![allow(clippy::wildcard_enum_match_arm)]

mod support;

use std::process::Command;

use nix::sched::{CloneFlags, unshare};
use pinhole_relay::Settings;
use pinhole_turn::client::{Event, Reason};
use support::{LOOPBACK, UdpClient, address, received, settings, socket, start};

/// A network for this thread and those that it starts, which has loopback; false if there is no right to make one.
fn enter_network() -> bool {
    let is_made = unshare(CloneFlags::CLONE_NEWNET).is_ok() && ip(&["link", "set", "lo", "up"]);
    if !is_made {
        println!("skipped: no right to make a network namespace, or ip is missing");
    }
    is_made
}

fn ip(arguments: &[&str]) -> bool {
    Command::new("ip").args(arguments).status().is_ok_and(|status| status.success())
}

/// RFC 8656 §14: where a frame carries 1,280 bytes, what asks for DF leaves with it, and is too long for a frame
/// then; the rest leaves in fragments.
#[test]
fn dont_fragment_sets_df_for_its_own_datagram() {
    if !enter_network() {
        return;
    }
    assert!(ip(&["link", "set", "lo", "mtu", "1280"]));
    let server = start(settings(1));
    let mut client = UdpClient::new(address(&server), |config| config.dont_fragment = true);
    client.event();
    client.permit(LOOPBACK);
    let peer = socket();
    let to = peer.local_addr().unwrap();
    for length in [1_000, 2_000, 1_001, 3_000] {
        client.send_unfragmented(to, &vec![7; length]);
    }
    client.send(to, &[8; 2_002]);
    let lengths: Vec<usize> = (0..3).map(|_| received(&peer).0.len()).collect();
    assert_eq!(lengths, [1_000, 1_001, 2_002]);
    // What an answered request shows has been counted before it.
    let (_next, _) = UdpClient::allocated(address(&server));
    assert_eq!(server.metrics().dropped("not_sent"), 2);
}

/// While the machine has not the address that is relayed from, whoever comes gets a 508; no port is to blame, so that
/// there are as many as before when it is back.
#[test]
fn a_relay_address_that_goes_and_comes_back() {
    if !enter_network() {
        return;
    }
    let address_of_lo = |action| ip(&["address", action, "192.0.2.9/32", "dev", "lo"]);
    assert!(address_of_lo("add"));
    let server = start(Settings {
        relay_ip: vec!["192.0.2.9".parse().unwrap()],
        relay_ports: Some("50000-50003".parse().unwrap()),
        ..settings(1)
    });
    let allocate = || UdpClient::new(address(&server), |_| {}).event();
    assert!(address_of_lo("delete"));
    for _ in 0..3 {
        assert_eq!(allocate(), Event::Lost { reason: Reason::Code(508) });
    }
    let text = server.metrics().render();
    assert!(text.contains("pinhole_exhausted_total 3\n"), "{text}");
    assert!(address_of_lo("add"));
    for _ in 0..4 {
        assert!(matches!(allocate(), Event::Allocated { .. }));
    }
}
