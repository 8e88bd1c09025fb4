//! DONT-FRAGMENT on the wire, in a network whose frames are short: this process sees none but it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_types, missing_docs)]

mod support;

use std::process::Command;

use nix::sched::{CloneFlags, unshare};
use support::{LOOPBACK, UdpClient, address, received, settings, socket, start};

/// A network for this thread and those that it starts, where a frame carries 1,280 bytes; false if there is
/// no right to make one.
fn enter_network() -> bool {
    let link = |arguments: &[&str]| {
        Command::new("ip").args(["link", "set", "lo"]).args(arguments).status()
    };
    unshare(CloneFlags::CLONE_NEWNET).is_ok()
        && link(&["mtu", "1280"]).is_ok_and(|status| status.success())
        && link(&["up"]).is_ok_and(|status| status.success())
}

/// RFC 8656 §14: what asks for DF leaves with it, and is too long for a frame then; the rest leaves in
/// fragments.
#[test]
fn dont_fragment_sets_df_for_its_own_datagram() {
    if !enter_network() {
        println!("skipped: no right to make a network namespace, or ip is missing");
        return;
    }
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
