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

#[test]
fn every_nat_of_the_laboratory_is_described_as_it_is() {
    let Some(folder) = installed() else { return };
    let (ei, ad, apd) = ("endpoint-independent", "address-dependent", "address-and-port-dependent");
    for (nat, mapping, filtering, hairpin) in [
        (&["none"][..], ei, ei, None),
        (&["fw"], ei, apd, None),
        (&["fullcone"], ei, ei, Some(false)),
        (&["fullcone-rnd"], ei, ei, Some(false)),
        (&["restricted"], ei, ad, Some(false)),
        (&["portrestr"], ei, apd, Some(false)),
        (&["portrestr-rnd"], ei, apd, Some(false)),
        (&["portrestr", "--hairpin"], ei, apd, Some(true)),
        (&["adsym"], ad, apd, Some(false)),
        (&["symmetric"], apd, apd, Some(false)),
        (&["sym-seq"], apd, apd, Some(false)),
        (&["sym-eif"], apd, ei, Some(false)),
        (&["nft"], ei, apd, Some(false)),
        (&["nft-rnd"], apd, apd, Some(false)),
        (&["cgn"], ei, apd, Some(false)),
    ] {
        let lab = Lab::up(&folder, nat);
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
    for nat in ["blocked", "blocked443"] {
        let lab = Lab::up(&folder, &[nat]);
        let output = lab.nat("stun:203.0.113.10:3478");
        assert_eq!(output.status.code(), Some(1), "{nat}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("does not answer over UDP"), "{nat}: {said}");
    }
}
