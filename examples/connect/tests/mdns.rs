//! Two programs on one link that tell each other names alone: the path is found by multicast DNS.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::process::{self, Command};

use serde_json::json;
use support::Program;

#[tokio::test]
async fn two_programs_that_hide_their_addresses_find_each_other_on_the_link() {
    let Some(link) = Link::make() else { return };
    for trickle in [true, false] {
        let way = if trickle { &["--trickle"][..] } else { &[] };
        let [mut a, mut b] = [(0, "offerer"), (1, "answerer")].map(|(host, role)| {
            link.start(host, &[&["--stdio", "--role", role, "--mdns"], way].concat())
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
                    assert!(!text.contains("192.168.77."), "{text}");
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

/// Two hosts with a cable between them, and no more; they go when this is dropped.
struct Link([String; 2]);

impl Link {
    /// Prints why there is none.
    fn make() -> Option<Self> {
        let link = Self(["a", "b"].map(|host| format!("mdns-{}-{host}", process::id())));
        let [a, b] = &link.0;
        if !ip(&["netns", "add", a]) || !ip(&["netns", "add", b]) {
            println!("skipped: no right to make a network namespace, or ip is missing");
            return None;
        }
        assert!(ip(&[
            "-n", a, "link", "add", "cable", "type", "veth", "peer", "cable", "netns", b
        ]));
        for (host, address) in link.0.iter().zip(["192.168.77.1/24", "192.168.77.2/24"]) {
            assert!(ip(&["-n", host, "address", "add", address, "dev", "cable"]));
            assert!(ip(&["-n", host, "link", "set", "cable", "up"]));
        }
        Some(link)
    }

    fn start(&self, host: usize, arguments: &[&str]) -> Program {
        Program::start_by(&["ip", "netns", "exec", &self.0[host]], arguments)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        for host in &self.0 {
            ip(&["netns", "del", host]);
        }
    }
}

fn ip(arguments: &[&str]) -> bool {
    let output = Command::new("ip").args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}
