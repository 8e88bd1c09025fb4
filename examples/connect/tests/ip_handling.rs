//! The modes of RFC 8828 on a machine with two interfaces, of which one has the default route.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use support::call;
use support::link::Link;

#[tokio::test]
async fn each_mode_tells_as_many_addresses_as_it_says_and_all_of_them_connect() {
    let Some(link) = Link::make("modes") else { return };
    link.add_office(0, "10.7.7.1/24");
    link.route_by_cable(0);
    for (mode, told) in [
        ("all", &["10.7.7.1", "192.168.77.1"][..]),
        ("default-route", &["192.168.77.1"]),
        // The peer learns the address from the checks that come from it.
        ("default-route-only", &[]),
    ] {
        let ours = || link.start(0, &["--stdio", "--role", "offerer", "--ip-handling", mode]);
        let local = ours().json().await;
        let candidates = local["candidates"].as_array().unwrap();
        assert_eq!(candidates.len(), told.len(), "{mode}: {local}");
        for (candidate, address) in candidates.iter().zip(told) {
            assert!(candidate.as_str().unwrap().contains(address), "{mode}: {local}");
        }
        let theirs = link.start(1, &["--stdio", "--role", "answerer"]);
        call::connect_both([ours(), theirs], "host", "udp").await;
    }
}

#[tokio::test]
async fn where_there_is_no_way_out_there_is_no_address() {
    let Some(link) = Link::make("noway") else { return };
    let arguments = ["--stdio", "--role", "offerer", "--ip-handling", "default-route"];
    let ended = link.start(0, &arguments).end().await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.errors.contains("no usable network address"), "{}", ended.errors);
}
