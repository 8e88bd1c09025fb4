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

#[tokio::test]
async fn where_udp_is_blocked_and_tcp_not_asked_for_the_explanation_says_so_soon() {
    let Some(link) = Link::make("notcp") else { return };
    if !(0..2).all(|host| link.filter(host, "meta l4proto udp drop")) {
        return;
    }
    let patience = ["--patience", "1", "--explain"];
    let [mut a, mut b] = [(0, "offerer"), (1, "answerer")].map(|(host, role)| {
        link.start(host, &[&["--stdio", "--role", role], &patience[..]].concat())
    });
    let [from_a, from_b] = [a.json().await, b.json().await];
    a.say(&call::remote(from_b)).await;
    b.say(&call::remote(from_a)).await;
    for program in [&mut a, &mut b] {
        let failed = program.json().await;
        // Without a bound of their own, checks go on for half a minute.
        assert!((1_000..20_000).contains(&failed["ms"].as_u64().unwrap()), "{failed}");
        let ended = program.end().await;
        assert_eq!(ended.code, Some(1));
        assert!(ended.errors.contains("is UDP blocked"), "{}", ended.errors);
    }
}
