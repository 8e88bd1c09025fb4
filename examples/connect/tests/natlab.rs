//! This program and aioice connect through NATs of a real kernel, in both roles.
//!
//! The laboratory is not part of the project: `PINHOLE_SHARED` names the folder that has it as `natlab/`, and its
//! `setup.sh` has been run.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use support::lab::Lab;
use support::natlab::installed;

/// Address translation on one side, in the laboratory's words.
const NATS: [&str; 3] = ["none", "fullcone", "portrestr"];

#[test]
fn we_connect_with_aioice_through_every_pair_of_nats_in_both_roles() {
    let Some(folder) = installed() else { return };
    let ours = format!("{} --stdio", env!("CARGO_BIN_EXE_connect"));
    for (nat_a, nat_b) in NATS.iter().flat_map(|a| NATS.iter().map(move |b| (*a, *b))) {
        let lab = Lab::up(folder.clone(), nat_a, nat_b);
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
    let lab = Lab::up(folder.clone(), "symmetric", "symmetric");
    for transport in ["udp", "tcp", "tls", "tcp443", "tls443"] {
        lab.connects_relayed(ours, ours, &["--turn", transport, "--relay-only", "both"]);
    }
    lab.connects_relayed(ours, "aioice", &["--turn", "udp"]);
    lab.connects_relayed("aioice", ours, &["--turn", "udp"]);
    lab.connects_relayed(ours, "chromium", &["--turn", "udp", "--ice-only"]);
    lab.connects_relayed("chromium", ours, &["--turn", "udp", "--ice-only", "--trickle"]);
    drop(lab);
    let lab = Lab::up(folder, "blocked", "portrestr");
    for transport in ["tcp", "tls443", "all"] {
        lab.connects_relayed(ours, ours, &["--turn", transport]);
    }
    lab.connects_relayed(ours, "aioice", &["--turn-a", "tcp", "--turn-b", "udp"]);
}

#[test]
fn our_own_server_relays_over_every_transport() {
    let Some(folder) = installed() else { return };
    let ours = format!("{} --stdio", env!("CARGO_BIN_EXE_connect"));
    let ours = ours.as_str();
    let nats = ["symmetric", "symmetric"];
    let Some(lab) = Lab::with_our_server(folder.clone(), nats) else { return };
    for transport in ["udp", "tcp", "tls", "tcp443", "tls443"] {
        lab.connects_relayed(ours, ours, &["--turn", transport, "--relay-only", "both"]);
    }
    lab.connects_relayed(ours, ours, &["--turn", "tls443", "--relay-only", "both", "--trickle"]);
    lab.connects_relayed(ours, "aioice", &["--turn", "udp"]);
    lab.connects_relayed("aioice", ours, &["--turn", "tcp"]);
    lab.connects_relayed("chromium", ours, &["--turn", "tls443", "--ice-only", "--trickle"]);
    drop(lab);
    for (nat, transports) in [("blocked", &["tcp", "tls"][..]), ("blocked443", &["tls443"])] {
        let nats = [nat, "portrestr"];
        let Some(lab) = Lab::with_our_server(folder.clone(), nats) else { return };
        for transport in transports {
            lab.connects_relayed(ours, ours, &["--turn-a", transport, "--turn-b", "udp"]);
        }
        let transport = transports[0];
        lab.connects_relayed("aioice", ours, &["--turn-a", transport, "--turn-b", "udp"]);
    }
}
