//! Two programs on one link that lets no UDP through: the path is a TCP connection (RFC 6544).
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use support::call;
use support::link::Link;

#[tokio::test]
async fn where_udp_is_blocked_either_side_opens_the_connection_that_the_other_takes() {
    let Some(link) = Link::make("tcp") else { return };
    for closed in [0, 1] {
        // One host takes no connections, so that it is for the other one to listen.
        for host in [0, 1] {
            let no_connections = "tcp flags & (syn | ack) == syn drop";
            let rules = if host == closed { no_connections } else { "" };
            if !link.filter(host, &format!("meta l4proto udp drop\n{rules}")) {
                return;
            }
        }
        for way in [&[][..], &["--trickle"]] {
            let both = [(0, "offerer"), (1, "answerer")].map(|(host, role)| {
                link.start(host, &[&["--stdio", "--role", role, "--tcp"], way].concat())
            });
            call::connect_both(both, "host", "tcp").await;
        }
    }
}
