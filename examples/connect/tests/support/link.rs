//! Two machines on one link: network namespaces of this machine's kernel.

use std::process::{self, Command};

use super::Program;

/// Two hosts with a cable between them, and no more; they go when this is dropped.
pub struct Link([String; 2]);

impl Link {
    /// Prints why there is none. The test's name keeps it apart from others.
    pub fn make(test: &str) -> Option<Self> {
        Self::with(test, ["192.168.77.1/24", "192.168.77.2/24"])
    }

    pub fn with(test: &str, addresses: [&str; 2]) -> Option<Self> {
        let link = Self(["a", "b"].map(|host| format!("{test}-{}-{host}", process::id())));
        let [a, b] = &link.0;
        if !ip(&["netns", "add", a]) || !ip(&["netns", "add", b]) {
            println!("skipped: no right to make a network namespace, or ip is missing");
            return None;
        }
        assert!(ip(&[
            "-n", a, "link", "add", "cable", "type", "veth", "peer", "cable", "netns", b
        ]));
        for (host, address) in link.0.iter().zip(addresses) {
            // It can be used at once: there is nobody else who could have it.
            let how = if address.contains(':') { &["nodad"][..] } else { &[] };
            let add = ["-n", host, "address", "add", address, "dev", "cable"];
            assert!(ip(&[&add, how].concat()));
            assert!(ip(&["-n", host, "link", "set", "cable", "up"]));
        }
        Some(link)
    }

    /// Gives a host a further interface, with a neighbour that nobody lives in.
    pub fn add_office(&self, host: usize, address: &str) {
        let own = &self.0[host];
        assert!(ip(&["-n", own, "link", "add", "office", "type", "veth", "peer", "name", "desk"]));
        assert!(ip(&["-n", own, "address", "add", address, "dev", "office"]));
        for interface in ["office", "desk"] {
            assert!(ip(&["-n", own, "link", "set", interface, "up"]));
        }
    }

    /// Sends what is for no link over the cable.
    pub fn route_by_cable(&self, host: usize) {
        assert!(ip(&["-n", &self.0[host], "route", "add", "default", "dev", "cable"]));
    }

    pub fn start(&self, host: usize, arguments: &[&str]) -> Program {
        Program::start_by(&["ip", "netns", "exec", &self.0[host]], arguments)
    }

    /// Applies rules of nftables to what comes to a host; prints why that cannot be.
    pub fn filter(&self, host: usize, rules: &str) -> bool {
        if Command::new("nft").arg("--version").output().is_err() {
            println!("skipped: nft is missing");
            return false;
        }
        let ruleset = format!(
            "flush ruleset\ntable inet filter {{\nchain input {{\n\
             type filter hook input priority 0; policy accept;\n{rules}\n}}\n}}\n"
        );
        assert!(ip(&["netns", "exec", &self.0[host], "nft", &ruleset]), "{ruleset}");
        true
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
