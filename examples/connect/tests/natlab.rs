//! This program and aioice connect through NATs of a real kernel, in both roles.
//!
//! The laboratory is not part of the project: `PINHOLE_SHARED` names the folder that has it as `natlab/`, and its
//! `setup.sh` has been run.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs, process};

use serde_json::Value;

/// Address translation on one side, in the laboratory's words.
const NATS: [&str; 3] = ["none", "fullcone", "portrestr"];

#[test]
fn we_connect_with_aioice_through_every_pair_of_nats_in_both_roles() {
    let Some(folder) = installed() else { return };
    let ours = format!("{} --stdio", env!("CARGO_BIN_EXE_connect"));
    for (nat_a, nat_b) in NATS.iter().flat_map(|a| NATS.iter().map(move |b| (*a, *b))) {
        let lab = Lab::up("pc-", folder.clone(), nat_a, nat_b);
        for (a, b) in [(ours.as_str(), "aioice"), ("aioice", ours.as_str())] {
            let result = lab.connect(a, b, &[]);
            assert_eq!(result["ok"], true, "{nat_a} {nat_b} {a} {b}: {result:#}");
            let (pair_a, pair_b) = (&result["A"]["pair"], &result["B"]["pair"]);
            println!("{nat_a} - {nat_b}: {pair_a} {pair_b} after {} ms", result["setup_ms"]);
        }
    }
}

#[test]
fn where_there_is_no_direct_path_we_connect_through_relays_of_every_kind() {
    let Some(folder) = installed() else { return };
    let ours = format!("{} --stdio", env!("CARGO_BIN_EXE_connect"));
    let ours = ours.as_str();
    let lab = Lab::up("pd-", folder.clone(), "symmetric", "symmetric");
    for transport in ["udp", "tcp", "tls", "tcp443", "tls443"] {
        lab.connects_relayed(ours, ours, &["--turn", transport, "--relay-only", "both"]);
    }
    lab.connects_relayed(ours, "aioice", &["--turn", "udp"]);
    lab.connects_relayed("aioice", ours, &["--turn", "udp"]);
    lab.connects_relayed(ours, "chromium", &["--turn", "udp", "--ice-only"]);
    lab.connects_relayed("chromium", ours, &["--turn", "udp", "--ice-only", "--trickle"]);
    drop(lab);
    let lab = Lab::up("pd-", folder, "blocked", "portrestr");
    for transport in ["tcp", "tls443", "all"] {
        lab.connects_relayed(ours, ours, &["--turn", transport]);
    }
    lab.connects_relayed(ours, "aioice", &["--turn-a", "tcp", "--turn-b", "udp"]);
}

/// The laboratory's folder; prints why there is none.
fn installed() -> Option<PathBuf> {
    let Some(shared) = env::var_os("PINHOLE_SHARED") else {
        println!("skipped: PINHOLE_SHARED does not name a folder with a natlab");
        return None;
    };
    let base = env::var_os("NATLAB_BASE").unwrap_or_else(|| "/tmp/natlab".into());
    if !PathBuf::from(base).join("venv").is_dir() {
        println!("skipped: natlab/setup.sh has not been run");
        return None;
    }
    if !Command::new("unshare")
        .args(["--net", "true"])
        .status()
        .is_ok_and(|status| status.success())
    {
        println!("skipped: no right to make a network namespace");
        return None;
    }
    Some(PathBuf::from(shared).join("natlab"))
}

/// Two networks behind NATs; they go when this is dropped.
struct Lab {
    /// The namespaces' names begin with it, so that other laboratories may run beside this one.
    prefix: &'static str,
    folder: PathBuf,
    state: PathBuf,
}

impl Lab {
    fn up(prefix: &'static str, folder: PathBuf, nat_a: &str, nat_b: &str) -> Self {
        let state = env::temp_dir().join(format!("connect-natlab-{prefix}{}", process::id()));
        let lab = Self { prefix, folder, state };
        // What an interrupted run has left behind.
        let _ = lab.tool("natlab").arg("down").output();
        let output = lab.tool("natlab").args(["up", "--a", nat_a, "--b", nat_b]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        lab
    }

    /// Connects two drivers; what each did.
    fn connect(&self, a: &str, b: &str, more: &[&str]) -> Value {
        let mut command = self.tool("icepair.py");
        command.args(["--a", a, "--b", b, "--timeout", "45"]).args(more);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{errors}"))
    }

    fn connects_relayed(&self, a: &str, b: &str, more: &[&str]) {
        let result = self.connect(a, b, more);
        assert_eq!(result["ok"], true, "{a} {b} {more:?}: {result:#}");
        let pairs = [&result["A"]["pair"], &result["B"]["pair"]];
        let is_relayed = pairs.iter().any(|pair| pair.as_str().unwrap_or("").contains("relay"));
        assert!(is_relayed, "{a} {b} {more:?}: {pairs:?}");
        println!("{more:?}: {pairs:?} after {} ms", result["setup_ms"]);
    }

    fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(self.folder.join(name));
        command.env("NATLAB_PREFIX", self.prefix).env("NATLAB_STATE", &self.state);
        command
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.tool("natlab").arg("down").output();
        let _ = fs::remove_dir_all(&self.state);
    }
}
