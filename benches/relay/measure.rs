//! One figure of one server.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::subject::{Programs, Running, Subject};

/// What a run of `turn-load` says.
fn load(programs: &Programs, server: &Running, arguments: &str) -> Option<Value> {
    let output = Command::new(&programs.turn_load)
        .args(["--server", &format!("turn:127.0.0.1:{}", server.port), "--user", "load:secret"])
        .args(["--peer-ip", "127.0.0.1", "--json", "--pid", &server.pid().to_string()])
        .args(arguments.split_whitespace())
        .output()
        .ok()?;
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    serde_json::from_slice(&output.stdout).ok()
}

/// Servers limit what one address may do; the floor knows clients by their ports.
fn sources(subject: Subject) -> &'static str {
    if subject.is_server() { "--source-ips 127.0.64.0/18" } else { "" }
}

/// CPU microseconds for a relayed packet: of single packets, and of rows that their sender sends by GSO.
pub(crate) fn relaying(
    subject: Subject,
    programs: &Programs,
    rate: u64,
) -> (Option<f64>, Option<f64>) {
    let Some(server) = Running::start(subject, programs, &[]) else { return (None, None) };
    let each = |more: &str| {
        let text = format!("{} --allocations 50 --seconds 2 {more}", sources(subject));
        let result = load(programs, &server, &text)?;
        let loss = result["traffic"]["lost"].as_f64()? / result["traffic"]["sent"].as_f64()?;
        if loss > 0.01 {
            eprintln!("{}: {:.1} % lost, not counted", subject.name(), loss * 100.0);
            return None;
        }
        result["server"]["cpu_seconds_per_million"].as_f64()
    };
    (each(&format!("--rate {rate}")), each("--rate 100000 --gso"))
}

/// CPU microseconds and bytes for an allocation, of ten thousand that are held.
pub(crate) fn holding(subject: Subject, programs: &Programs) -> (Option<f64>, Option<f64>) {
    let Some(server) = Running::start(subject, programs, &[]) else { return (None, None) };
    let text = format!("{} --allocations 10000 --rate 0 --seconds 0", sources(subject));
    let Some(result) = load(programs, &server, &text) else { return (None, None) };
    let usage = &result["server"];
    (usage["cpu_us_per_allocation"].as_f64(), usage["bytes_per_allocation"].as_f64())
}

/// Instructions outside of the kernel for a relayed packet: what a longer run takes more than a shorter one.
pub(crate) fn instructions(subject: Subject, programs: &Programs, allocations: u32) -> Option<f64> {
    let (short, few) = callgrind(subject, programs, allocations, 1)?;
    let (long, many) = callgrind(subject, programs, allocations, 3)?;
    Some((long - short) / (many - few))
}

/// All instructions of a server's life, and the packets that it relayed.
fn callgrind(
    subject: Subject,
    programs: &Programs,
    allocations: u32,
    seconds: u32,
) -> Option<(f64, f64)> {
    let out = programs.folder.join("callgrind.out");
    let _ = fs::remove_file(&out);
    let under = ["valgrind", "--tool=callgrind", "--fair-sched=yes"].map(str::to_owned);
    let out_file = format!("--callgrind-out-file={}", out.display());
    let server = Running::start(subject, programs, &[&under[..], &[out_file]].concat())?;
    let text = format!("--allocations {allocations} --rate 20000 --seconds {seconds}");
    let result = load(programs, &server, &format!("{} {text}", sources(subject)))?;
    server.end();
    let profile = fs::read_to_string(&out).ok()?;
    let totals = profile.lines().find_map(|line| line.strip_prefix("totals: "))?;
    Some((totals.trim().parse().ok()?, result["traffic"]["relayed"].as_f64()?))
}
