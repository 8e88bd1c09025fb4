//! The laboratory: networks behind NATs of a real kernel, on one machine.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::Program;
use super::natlab::Natlab;

/// Two networks behind NATs; they go when this is dropped.
pub struct Lab {
    natlab: Natlab,
    /// Our own TURN server, where it stands in the place of the laboratory's.
    turn_server: Option<Child>,
}

impl Lab {
    pub fn up(folder: PathBuf, nat_a: &str, nat_b: &str) -> Self {
        Self::with(folder, &["--a", nat_a, "--b", nat_b])
    }

    /// With what `natlab up --help` tells.
    pub fn with(folder: PathBuf, options: &[&str]) -> Self {
        Self { natlab: Natlab::up(folder, options), turn_server: None }
    }

    /// With our own TURN server at the addresses and ports of the laboratory's coturn; prints why there is none.
    pub fn with_our_server(folder: PathBuf, [nat_a, nat_b]: [&str; 2]) -> Option<Self> {
        // Beside the program under test: all of the workspace's are built in one folder.
        let program = Path::new(env!("CARGO_BIN_EXE_connect")).with_file_name("turn-server");
        if !program.is_file() {
            println!("skipped: the turn-server is not built (cargo build -p turn-server)");
            return None;
        }
        let mut lab = Self::with(folder, &["--a", nat_a, "--b", nat_b, "--no-coturn"]);
        lab.turn_server = Some(lab.serve(&program));
        Some(lab)
    }

    /// Starts the server, and waits until it listens.
    fn serve(&self, program: &Path) -> Child {
        let [certificate, key] = ["cert.pem", "key.pem"].map(|name| self.natlab.state().join(name));
        let made = rcgen::generate_simple_self_signed([SERVER.to_owned()]).unwrap();
        fs::write(&certificate, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.natlab.namespace("pub")]).arg(program);
        for port in [3478, 5349, 443] {
            command.arg("--listen").arg(format!("{SERVER}:{port}"));
        }
        command.args(["--user", "lab:labpass", "--realm", "natlab.test", "--relay-ip", SERVER]);
        // What is reserved for documentation is public in the laboratory, and one server serves both peers.
        command.args(["--allow-peer", "203.0.113.0/24"]);
        command.arg("--certificate").arg(&certificate).arg("--key").arg(&key);
        let command = command.stdout(Stdio::piped()).env("RUST_LOG", "warn");
        let mut server = command.spawn().expect("the server starts");
        // It tells where it listens once it does; at its end there is no line.
        let mut line = String::new();
        let mut output = BufReader::new(server.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        assert!(line.contains("listening at"), "{line:?}");
        // It says more, and somebody has to be there for it.
        server.stdout = Some(output.into_inner());
        server
    }

    /// Connects two drivers; what each did.
    pub fn connect(&self, a: &str, b: &str, more: &[&str]) -> Value {
        let mut command = self.natlab.tool("icepair.py");
        command.args(["--a", a, "--b", b, "--timeout", "45"]).args(more);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{errors}"))
    }

    /// The same; our side, `a`, is behind the first NAT in both roles, and told first.
    pub fn connect_in_role(&self, a: &str, b: &str, is_offerer: bool, more: &[&str]) -> Value {
        if is_offerer {
            return self.connect(a, b, more);
        }
        // The offerer comes first on the command line, wherever it lives.
        let swapped = more.iter().map(|option| match *option {
            "--turn-a" => "--turn-b",
            "--turn-b" => "--turn-a",
            other => other,
        });
        let more: Vec<&str> = swapped.collect();
        self.connect(b, a, &[&["--nsa", "lanB", "--nsb", "lanA"], &more[..]].concat())
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
        Program::start_by(&["ip", "netns", "exec", &self.natlab.namespace(network)], arguments)
    }

    /// The NAT forgets all that it knew.
    pub fn reboot(&self, nat: &str) {
        run(self.natlab.tool("natlab").args(["reboot", nat]));
    }

    /// The host of a network has another address from now on, and no more the one that it had.
    pub fn renumber(&self, network: &str, old: &str, new: &str, gateway: &str) {
        let namespace = self.natlab.namespace(network);
        for change in [
            ["address", "del", old, "dev", "eth0"],
            ["address", "add", new, "dev", "eth0"],
            ["route", "add", "default", "via", gateway],
        ] {
            run(Command::new("ip").args(["-n", &namespace]).args(change));
        }
    }
}

/// Where the laboratory's STUN and TURN server is.
const SERVER: &str = "203.0.113.10";

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(server) = &mut self.turn_server {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}
