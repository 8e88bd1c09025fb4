//! The laboratory: networks behind NATs of a real kernel, on one machine.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs, process};

use serde_json::Value;

use super::Program;

/// The laboratory's folder; prints why there is none.
pub fn installed() -> Option<PathBuf> {
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
pub struct Lab {
    /// The namespaces' names begin with it, so that other laboratories may run beside this one.
    prefix: &'static str,
    folder: PathBuf,
    state: PathBuf,
}

impl Lab {
    pub fn up(prefix: &'static str, folder: PathBuf, nat_a: &str, nat_b: &str) -> Self {
        let state = env::temp_dir().join(format!("connect-natlab-{prefix}{}", process::id()));
        let lab = Self { prefix, folder, state };
        // What an interrupted run has left behind.
        let _ = lab.tool("natlab").arg("down").output();
        let output = lab.tool("natlab").args(["up", "--a", nat_a, "--b", nat_b]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        lab
    }

    /// Connects two drivers; what each did.
    pub fn connect(&self, a: &str, b: &str, more: &[&str]) -> Value {
        let mut command = self.tool("icepair.py");
        command.args(["--a", a, "--b", b, "--timeout", "45"]).args(more);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{errors}"))
    }

    pub fn connects_relayed(&self, a: &str, b: &str, more: &[&str]) {
        let result = self.connect(a, b, more);
        assert_eq!(result["ok"], true, "{a} {b} {more:?}: {result:#}");
        let pairs = [&result["A"]["pair"], &result["B"]["pair"]];
        let is_relayed = pairs.iter().any(|pair| pair.as_str().unwrap_or("").contains("relay"));
        assert!(is_relayed, "{a} {b} {more:?}: {pairs:?}");
        println!("{more:?}: {pairs:?} after {} ms", result["setup_ms"]);
    }

    /// Starts `connect` on one of the networks.
    pub fn start(&self, network: &str, arguments: &[&str]) -> Program {
        Program::start_by(&["ip", "netns", "exec", &self.namespace(network)], arguments)
    }

    /// The NAT forgets all that it knew.
    pub fn reboot(&self, nat: &str) {
        run(self.tool("natlab").args(["reboot", nat]));
    }

    /// The host of a network has another address from now on, and no more the one that it had.
    pub fn renumber(&self, network: &str, old: &str, new: &str, gateway: &str) {
        let namespace = self.namespace(network);
        for change in [
            ["address", "del", old, "dev", "eth0"],
            ["address", "add", new, "dev", "eth0"],
            ["route", "add", "default", "via", gateway],
        ] {
            run(Command::new("ip").args(["-n", &namespace]).args(change));
        }
    }

    fn namespace(&self, network: &str) -> String {
        format!("{}{network}", self.prefix)
    }

    pub fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(self.folder.join(name));
        command.env("NATLAB_PREFIX", self.prefix).env("NATLAB_STATE", &self.state);
        command
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.tool("natlab").arg("down").output();
        let _ = fs::remove_dir_all(&self.state);
    }
}
