//! Every pair of the laboratory's NATs, with two peers of other makers: see `natlab.rs`, and `examples/README.md` for what
//! it says. It takes the better part of an hour:
//!
//! ```text
//! PINHOLE_SHARED=… cargo test --release -p connect --test matrix -- --ignored --nocapture
//! ```
//!
//! `NATS=none,symmetric` leaves it at these types, `PEERS=aioice` at this peer; `CONNECT=…` is another build to run.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::env;
use std::path::Path;

use support::lab::Lab;
use support::natlab::installed;

/// Those of the laboratory's own figures of others.
const NATS: &str = "none,fullcone,restricted,portrestr,symmetric,nft,nft-rnd,cgn,blocked";
const PEERS: &str = "aioice,chromium";
/// One way, in each of the two NATs: 50 ms to the servers and back, 100 ms to the peer and back.
const DELAY: &str = "25";

/// What the laboratory's figures of others call special: its options, after its own words for the two NATs.
const TOPOLOGIES: [(&str, &[&str]); 15] = [
    ("one LAN", &["--topo", "samelan"]),
    ("one NAT", &["--topo", "samenat"]),
    ("one NAT that hairpins", &["--topo", "samenat", "--hairpin"]),
    ("one NAT between LANs that reach each other", &["--topo", "samenat", "--lan-reach"]),
    ("one symmetric NAT that hairpins", &["--topo", "samenat", "--hairpin", "--a", "symmetric"]),
    ("one CGN", &["--topo", "samecgn", "--a", "cgn", "--b", "cgn"]),
    ("one CGN that hairpins", &["--topo", "samecgn", "--a", "cgn", "--b", "cgn", "--cgn-hairpin"]),
    ("equal private networks", &["--overlap"]),
    ("sym-seq - portrestr", &["--a", "sym-seq", "--b", "portrestr"]),
    ("sym-eif - symmetric", &["--a", "sym-eif", "--b", "symmetric"]),
    ("adsym - restricted", &["--a", "adsym", "--b", "restricted"]),
    ("adsym - portrestr", &["--a", "adsym", "--b", "portrestr"]),
    ("fw - symmetric", &["--a", "fw", "--b", "symmetric"]),
    ("5 % loss each way in each NAT", &["--loss-a", "5", "5", "--loss-b", "5", "5"]),
    ("10 % loss", &["--loss-a", "10", "10", "--loss-b", "10", "10"]),
];

#[test]
#[ignore = "takes the better part of an hour"]
fn we_connect_through_every_pair_of_nats_with_every_peer_in_every_way() {
    let Some(folder) = installed() else { return };
    let (nats, peers) = (wanted("NATS", NATS), wanted("PEERS", PEERS));
    let mut tables = vec![Vec::new(); peers.len()];
    for ours in &nats {
        let mut rows = vec![format!("| **{ours}** |"); peers.len()];
        for theirs in &nats {
            for ((peer, row), cell) in
                peers.iter().zip(&mut rows).zip(cells(&folder, ours, theirs, &peers))
            {
                println!("{peer}: {ours} - {theirs}: {cell:?}");
                row.push_str(&format!(" {} |", cell.short()));
            }
        }
        tables.iter_mut().zip(rows).for_each(|(table, row)| table.push(row));
    }
    for (peer, table) in peers.iter().zip(&tables) {
        println!("\n| ours \\ {peer} | {} |\n|{}", nats.join(" | "), "---|".repeat(nats.len() + 1));
        table.iter().for_each(|row| println!("{row}"));
    }
    let failed = tables.iter().flatten().filter(|row| row.contains("FAILED")).count();
    assert_eq!(failed, 0, "rows with a pair of NATs that was not crossed");
}

#[test]
#[ignore = "takes ten minutes"]
fn we_connect_in_every_topology_with_every_peer_in_every_way() {
    let Some(folder) = installed() else { return };
    let peers = wanted("PEERS", PEERS);
    let mut rows =
        vec![format!("| | {} |\n|{}", peers.join(" | "), "---|".repeat(peers.len() + 1))];
    for (name, topology) in TOPOLOGIES {
        let lab = Lab::with(folder.clone(), &[topology, &["--delay", DELAY]].concat());
        let cells = peers.iter().map(|peer| {
            let cell = cell(&lab, &["", ""], peer);
            println!("{peer}: {name}: {cell:?}");
            cell.short()
        });
        rows.push(format!("| {name} | {} |", cells.collect::<Vec<_>>().join(" | ")));
    }
    rows.iter().for_each(|row| println!("{row}"));
    // Where packets get lost, those of a test that repeats none may be among them.
    let mut certain = rows.iter().filter(|row| !row.contains("loss"));
    assert!(certain.all(|row| !row.contains("FAILED")));
}

/// One pair of NATs, crossed in each role, without trickle and with it.
#[derive(Debug, Default)]
struct Cell {
    is_relayed: bool,
    /// In milliseconds, with us offering and with the peer; without what failed.
    plain: Vec<u64>,
    trickled: Vec<u64>,
    failed: Vec<String>,
}

impl Cell {
    fn short(&self) -> String {
        if !self.failed.is_empty() {
            return format!("FAILED {}", self.failed.len());
        }
        let route = if self.is_relayed { "relay" } else { "direct" };
        let of = |times: &[u64]| times.iter().map(u64::to_string).collect::<Vec<_>>().join("/");
        format!("{route} {}; {}", of(&self.plain), of(&self.trickled))
    }
}

/// What each peer came to in a laboratory of this kind.
fn cells(folder: &Path, ours: &str, theirs: &str, peers: &[String]) -> Vec<Cell> {
    let options = ["--a", ours, "--b", theirs, "--delay", DELAY];
    let lab = Lab::with(folder.to_owned(), &options);
    peers.iter().map(|peer| cell(&lab, &[ours, theirs], peer)).collect()
}

fn cell(lab: &Lab, nats: &[&str; 2], peer: &str) -> Cell {
    let program = env::var("CONNECT").unwrap_or_else(|_| env!("CARGO_BIN_EXE_connect").to_owned());
    let program = format!("{program} --stdio");
    let mut cell = Cell::default();
    for (is_offerer, trickles) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut more = Vec::new();
        for (nat, option) in nats.iter().zip(["--turn-a", "--turn-b"]) {
            more.extend([option, if *nat == "blocked" { "tcp" } else { "udp" }]);
        }
        more.extend(trickles.then_some("--trickle"));
        // It speaks DTLS over the path, and we do not.
        more.extend((peer == "chromium").then_some("--ice-only"));
        let result = lab.connect_in_role(&program, peer, is_offerer, &more);
        if result["ok"] == true {
            // Where we choose the pair, it is the direct one if there is one.
            cell.is_relayed |= is_offerer && ends(&result["A"]).contains("relay");
            let times = if trickles { &mut cell.trickled } else { &mut cell.plain };
            times.push(result["setup_ms"].as_u64().unwrap());
        } else {
            cell.failed.push(format!("offerer {is_offerer}, trickle {trickles}: {result}"));
        }
    }
    cell
}

/// The pair of one side, at the end if it tells.
fn ends(side: &serde_json::Value) -> String {
    let pair = if side["pair_end"].is_string() { &side["pair_end"] } else { &side["pair"] };
    pair.to_string()
}

fn wanted(variable: &str, default: &str) -> Vec<String> {
    let text = env::var(variable).unwrap_or_else(|_| default.to_owned());
    text.split(',').map(str::to_owned).collect()
}
