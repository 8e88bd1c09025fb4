//! A network that changes in the midst of a session, behind NATs of a real kernel: see `natlab.rs`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use serde_json::{Value, json};
use support::Program;
use support::lab::Lab;
use support::natlab::installed;

const SERVER: [&str; 2] = ["--stun", "stun:203.0.113.10:3478"];

#[tokio::test]
async fn a_nat_that_is_rebooted_is_crossed_anew() {
    let Some(folder) = installed() else { return };
    // With ports at random, so that no mapping comes back as it was.
    let lab = Lab::up(folder, "portrestr-rnd", "portrestr-rnd");
    for trickle in [true, false] {
        let mut call = Call::start(&lab, trickle).await;
        for nat in ["natA", "natB"] {
            lab.reboot(nat);
            println!("{nat} rebooted, trickle {trickle}: {}", call.wait_for_another_path().await);
        }
        call.end().await;
    }
}

#[tokio::test]
async fn a_host_that_gets_another_address_is_found_there() {
    let Some(folder) = installed() else { return };
    let lab = Lab::up(folder, "portrestr", "fullcone");
    let mut hosts = [("lanA", 10, "1"), ("lanB", 10, "2")];
    for trickle in [true, false] {
        let mut call = Call::start(&lab, trickle).await;
        for (network, last, link) in &mut hosts {
            let address = |last: i32| format!("192.168.{link}.{last}/24");
            lab.renumber(
                network,
                &address(*last),
                &address(*last + 1),
                &format!("192.168.{link}.1"),
            );
            *last += 1;
            let found = call.wait_for_another_path().await;
            println!("{network} renumbered, trickle {trickle}: {found}");
        }
        call.end().await;
    }
}

/// Two programs, and somebody who carries their lines for as long as it takes.
struct Call([Program; 2]);

impl Call {
    /// Connects them, and waits until their pings have come back.
    async fn start(lab: &Lab, trickle: bool) -> Self {
        let [a, b] = [("lanA", "offerer"), ("lanB", "answerer")].map(|(network, role)| {
            let way = if trickle { &["--trickle"][..] } else { &[] };
            lab.start(network, &[&["--stdio", "--role", role], &SERVER[..], way].concat())
        });
        let mut call = Self([a, b]);
        call.carry_until_data("connected").await;
        call
    }

    /// Waits until each side has another path, and pings over it have come back; how long the sides took.
    async fn wait_for_another_path(&mut self) -> String {
        let [a, b] = self.carry_until_data("reconnected").await;
        format!("{} ms and {} ms after the restart began", a["ms"], b["ms"])
    }

    /// Gives what each side said of its path.
    async fn carry_until_data(&mut self, path: &str) -> [Value; 2] {
        let (mut paths, mut data) = ([Value::Null, Value::Null], [false, false]);
        while data != [true, true] {
            let Self([a, b]) = self;
            let (side, line) = tokio::select! {
                line = a.json() => (0, line),
                line = b.json() => (1, line),
            };
            match line["ev"].as_str().unwrap() {
                "local" => self.0[1 - side].say(&remote(line)).await,
                "candidate" => self.0[1 - side].say(&line.to_string()).await,
                told if told == path => paths[side] = line,
                "data" => {
                    assert!(line["echo"].as_u64() > Some(0), "{line}");
                    data[side] = !paths[side].is_null();
                }
                _ => panic!("{line}"),
            }
        }
        paths
    }

    async fn end(self) {
        for mut program in self.0 {
            program.say(r#"{"ev":"bye"}"#).await;
            assert_eq!(program.end().await.code, Some(0));
        }
    }
}

/// What one side said of itself, as the other side is told.
fn remote(mut local: Value) -> String {
    local["ev"] = json!("remote");
    local.to_string()
}
