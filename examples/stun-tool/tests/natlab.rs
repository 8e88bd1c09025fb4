//! `stun-tool nat` behind real NATs, against coturn and against `stun-tool serve`.
//!
//! The laboratory makes network namespaces and takes a minute. The test runs where `PINHOLE_SHARED` names the folder
//! that holds `natlab/`, its `setup.sh` has been run, and the user may make namespaces.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "../../connect/tests/support/natlab.rs"]
#[allow(dead_code, unreachable_pub, reason = "not all of it is used here")]
mod natlab;

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use natlab::{Natlab, installed};

const TOOL: &str = env!("CARGO_BIN_EXE_stun-tool");

/// A laboratory with one NAT.
struct Lab(Natlab);

impl Lab {
    fn up(folder: &Path, nat: &[&str]) -> Self {
        Self(Natlab::up(folder.to_owned(), &[&["--b", "none", "--a"], nat].concat()))
    }

    /// A command on one of its networks.
    fn exec(&self, network: &str, arguments: &[&str]) -> Command {
        let mut command = self.0.tool("natlab");
        command.args(["exec", network, "--", TOOL]).args(arguments).stdin(Stdio::null());
        command
    }

    /// The report of `stun-tool nat` from behind the NAT.
    fn report(&self, server: &str) -> serde_json::Value {
        let output = self.nat(server);
        let text = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{server}: {text}"))
    }

    fn nat(&self, server: &str) -> Output {
        self.exec("lanA", &["nat", server, "--json"]).output().unwrap()
    }

    /// `stun-tool serve` beside coturn, on ports of its own.
    fn serve(&self) -> Child {
        let arguments = ["--listen", "203.0.113.10:4478", "--alternate", "198.51.100.10:4479"];
        let mut server = self.exec("pub", &["serve"]);
        server.args(arguments).stdout(Stdio::null()).spawn().unwrap()
    }
}

/// Options of the laboratory, and what is to be found there: mapping, filtering, hairpinning.
type Nat = (&'static [&'static str], &'static str, &'static str, Option<bool>);

const EI: &str = "endpoint-independent";
const AD: &str = "address-dependent";
const APD: &str = "address-and-port-dependent";
const NATS: [Nat; 15] = [
    (&["none"], EI, EI, None),
    (&["fw"], EI, APD, None),
    (&["fullcone"], EI, EI, Some(false)),
    (&["fullcone-rnd"], EI, EI, Some(false)),
    (&["restricted"], EI, AD, Some(false)),
    (&["portrestr"], EI, APD, Some(false)),
    (&["portrestr-rnd"], EI, APD, Some(false)),
    (&["portrestr", "--hairpin"], EI, APD, Some(true)),
    (&["adsym"], AD, APD, Some(false)),
    (&["symmetric"], APD, APD, Some(false)),
    (&["sym-seq"], APD, APD, Some(false)),
    (&["sym-eif"], APD, EI, Some(false)),
    (&["nft"], EI, APD, Some(false)),
    (&["nft-rnd"], APD, APD, Some(false)),
    (&["cgn"], EI, APD, Some(false)),
];

/// How many laboratories stand at a time: nearly all of a discovery is waiting for what does not come.
const AT_A_TIME: usize = 4;

#[test]
fn every_nat_of_the_laboratory_is_described_as_it_is() {
    let Some(folder) = installed() else { return };
    let folder = &folder;
    thread::scope(|scope| {
        for share in NATS.chunks(NATS.len().div_ceil(AT_A_TIME)) {
            scope.spawn(move || share.iter().for_each(|nat| assert_described(folder, nat)));
        }
    });
}

fn assert_described(folder: &Path, &(nat, mapping, filtering, hairpin): &Nat) {
    let lab = Lab::up(folder, nat);
    let mut server = lab.serve();
    for uri in ["stun:203.0.113.10:3478", "stun:203.0.113.10:4478"] {
        let report = lab.report(uri);
        assert_eq!(report["mapping"], mapping, "{nat:?} {uri}");
        assert_eq!(report["filtering"], filtering, "{nat:?} {uri}");
        assert_eq!(report["hairpin"].as_bool(), hairpin, "{nat:?} {uri}");
    }
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn a_firewall_that_lets_no_udp_pass_is_told() {
    let Some(folder) = installed() else { return };
    for nat in ["blocked", "blocked443"] {
        let lab = Lab::up(&folder, &[nat]);
        let output = lab.nat("stun:203.0.113.10:3478");
        assert_eq!(output.status.code(), Some(1), "{nat}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("does not answer over UDP"), "{nat}: {said}");
    }
}
