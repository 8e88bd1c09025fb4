//! `stun-tool nat` behind real NATs, against coturn and against `stun-tool serve`.
//!
//! The laboratory makes network namespaces and takes a minute. The test runs where `PINHOLE_SHARED` names the folder
//! that holds `natlab/`, its `setup.sh` has been run, and the user may make namespaces.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

const TOOL: &str = env!("CARGO_BIN_EXE_stun-tool");

/// A laboratory with one NAT, taken down with the test.
struct Lab(PathBuf);

impl Lab {
    fn up(script: PathBuf, nat: &[&str]) -> Self {
        let lab = Self(script);
        let up = lab.command(&["up", "--b", "none", "--a"]).args(nat).output().unwrap();
        assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
        lab
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("timeout");
        command.arg("60").arg(&self.0).args(arguments);
        command.env("NATLAB_PREFIX", "stt-").env("NATLAB_STATE", "/tmp/natlab-stun-tool");
        command.stdin(Stdio::null());
        command
    }

    /// The report of `stun-tool nat` from behind the NAT.
    fn report(&self, server: &str) -> serde_json::Value {
        let output = self.nat(server);
        let text = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{server}: {text}"))
    }

    fn nat(&self, server: &str) -> Output {
        self.command(&["exec", "lanA", "--", TOOL, "nat", server, "--json"]).output().unwrap()
    }

    /// `stun-tool serve` beside coturn, on ports of its own.
    fn serve(&self) -> Child {
        let arguments = ["--listen", "203.0.113.10:4478", "--alternate", "198.51.100.10:4479"];
        let mut server = self.command(&["exec", "pub", "--", TOOL, "serve"]);
        server.args(arguments).stdout(Stdio::null()).spawn().unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.command(&["down"]).output().unwrap();
    }
}

#[test]
fn every_nat_of_the_laboratory_is_described_as_it_is() {
    let Some(shared) = std::env::var_os("PINHOLE_SHARED") else {
        println!("skipped: PINHOLE_SHARED does not name a folder with a natlab");
        return;
    };
    let base = std::env::var_os("NATLAB_BASE").unwrap_or_else(|| "/tmp/natlab".into());
    let unshare = Command::new("unshare").args(["--net", "true"]).status();
    if !PathBuf::from(base).join("venv").is_dir() || !unshare.is_ok_and(|status| status.success()) {
        println!(
            "skipped: natlab/setup.sh has not been run, or there is no right to make a namespace"
        );
        return;
    }
    let script = PathBuf::from(shared).join("natlab/natlab");
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
        let lab = Lab::up(script.clone(), nat);
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
        let lab = Lab::up(script.clone(), &[nat]);
        let output = lab.nat("stun:203.0.113.10:3478");
        assert_eq!(output.status.code(), Some(1), "{nat}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("does not answer over UDP"), "{nat}: {said}");
    }
}
