//! Two programs on one link that tell each other names alone: the path is found by multicast DNS.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use serde_json::json;
use support::link::Link;

#[tokio::test]
async fn two_programs_that_hide_their_addresses_find_each_other_on_the_link() {
    hide_and_find("mdns", ["192.168.77.1/24", "192.168.77.2/24"], "192.168.77.").await;
}

#[tokio::test]
async fn they_do_so_over_ipv6_alone() {
    hide_and_find("mdns6", ["fd00:77::1/64", "fd00:77::2/64"], "fd00:77:").await;
}

async fn hide_and_find(test: &str, addresses: [&str; 2], network: &str) {
    let Some(link) = Link::with(test, addresses) else { return };
    for trickle in [true, false] {
        let way = if trickle { &["--trickle"][..] } else { &[] };
        let [mut a, mut b] = [(0, "offerer"), (1, "answerer")].map(|(host, role)| {
            link.start(host, &[&["--stdio", "--role", role, "--mdns", "--v6"], way].concat())
        });
        let (mut data, mut names) = ([false, false], 0);
        while data != [true, true] {
            let (side, mut line) = tokio::select! {
                line = a.json() => (0, line),
                line = b.json() => (1, line),
            };
            let to = if side == 0 { &mut b } else { &mut a };
            match line["ev"].as_str().unwrap() {
                "local" | "candidate" => {
                    let text = line.to_string();
                    assert!(!text.contains(network), "{text}");
                    names += text.matches(".local").count();
                    if line["ev"] == "local" {
                        line["ev"] = json!("remote");
                    }
                    to.say(&line.to_string()).await;
                }
                "connected" => println!("trickle {trickle}: {line}"),
                "data" => data[side] = line["echo"].as_u64() > Some(0),
                _ => panic!("{line}"),
            }
        }
        assert_eq!(names, 2, "one address, one name");
        for mut program in [a, b] {
            program.say(r#"{"ev":"bye"}"#).await;
            assert_eq!(program.end().await.code, Some(0));
        }
    }
}
