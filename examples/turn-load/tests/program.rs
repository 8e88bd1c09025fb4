//! The program, and an installed coturn.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_types)]

mod support;

use std::net::UdpSocket;
use std::process::{Command, Output, Stdio};

use pinhole_sansio::Transport;
use serde_json::Value;

use support::coturn::{Coturn, LOOPBACK};

/// Runs the program for a second, with ten allocations unless told otherwise.
fn turn_load(server: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turn-load"));
    command.args(["--server", server, "--seconds", "1"]);
    if !arguments.contains(&"--allocations") {
        command.args(["--allocations", "10", "--rate", "1000"]);
    }
    command.args(arguments).output().unwrap()
}

const LOAD: [&str; 2] = ["--user", "load:secret"];

fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn assert_all_relayed(result: &Value) {
    let traffic = &result["traffic"];
    // A busy machine may miss some; less a hundredth, and two rows of 32, that is what there was to send.
    let due = traffic["sent"].as_u64().unwrap() + traffic["missed"].as_u64().unwrap();
    assert!(due >= 926 && traffic["sent"].as_u64() > Some(0), "{result}");
    assert_eq!(traffic["relayed"], traffic["sent"], "{result}");
    assert_eq!((&traffic["lost"], &traffic["mangled"]), (&0.into(), &0.into()), "{result}");
    let latency = &traffic["latency_us"];
    assert!(
        latency["p50"].as_f64() > Some(0.0) && latency["p99"].as_f64() >= latency["p50"].as_f64()
    );
}

#[test]
fn nothing_is_lost_over_any_transport() {
    let Some(server) = Coturn::start("127.0.0.1", &[LOOPBACK]) else { return };
    let udp = server.address(Transport::Udp).address;
    let tls = server.address(Transport::Tls).address;
    let pid = server.pid().to_string();
    let trust = server.file("certificate.pem");
    for (uri, more) in [
        (format!("turn:{udp}"), &["--pid", &pid][..]),
        (format!("turn:{udp}"), &["--gso", "--threads", "2"]),
        (format!("turn:{udp}"), &["--indications", "--size", "999"]),
        (format!("turn:{udp}?transport=tcp"), &["--size", "171", "--source-ips", "127.0.9.0/29"]),
        (format!("turn:{udp}?transport=tcp"), &["--gso", "--indications"]),
        (format!("turn:{udp}"), &["--between-clients"]),
        (format!("turns:{tls}"), &["--trust", &trust]),
    ] {
        let result = json(&turn_load(&uri, &[&LOAD, &["--json"][..], more].concat()));
        assert_all_relayed(&result);
        assert_eq!(result["allocations"], 10);
        assert!(result["allocations_per_second"].as_f64() > Some(1.0));
        assert_eq!(result["server"].is_object(), more.contains(&"--pid"));
        if result["server"].is_object() {
            assert!(result["server"]["cpu_seconds_per_million"].as_f64() > Some(0.1), "{result}");
        }
    }
}

#[test]
fn nothing_is_lost_over_ipv6() {
    let Some(server) = Coturn::start("::1", &[LOOPBACK]) else { return };
    let uri = format!("turn:{}", server.address(Transport::Udp).address);
    assert_all_relayed(&json(&turn_load(&uri, &[&LOAD, &["--json"][..]].concat())));
}

#[test]
fn time_limited_credentials_are_made() {
    let options = [LOOPBACK, "--use-auth-secret", "--static-auth-secret=north"];
    let Some(server) = Coturn::start("127.0.0.1", &options) else { return };
    let uri = format!("turn:{}", server.address(Transport::Udp).address);
    assert_all_relayed(&json(&turn_load(&uri, &["--secret", "north", "--json"])));
    assert!(complaint(&turn_load(&uri, &["--secret", "south"])).contains("(401)"));
}

#[test]
fn allocations_are_held_without_traffic() {
    let Some(server) = Coturn::start("127.0.0.1", &[LOOPBACK]) else { return };
    let uri = format!("turn:{}", server.address(Transport::Udp).address);
    let pid = server.pid().to_string();
    let held = ["--allocations", "300", "--rate", "0", "--pid", &pid];
    let result = json(&turn_load(&uri, &[&LOAD, &held[..], &["--json"]].concat()));
    assert_eq!((&result["allocations"], &result["traffic"]), (&300.into(), &Value::Null));
    assert!(result["server"]["bytes_per_allocation"].as_f64() > Some(0.0), "{result}");
    let text = turn_load(&uri, &[&LOAD, &held[..]].concat()).stdout;
    assert!(String::from_utf8_lossy(&text).contains("server's memory"));
}

#[test]
fn the_operator_is_told_what_to_open() {
    let Some(server) = Coturn::start("127.0.0.1", &["--user-quota=5"]) else { return };
    let uri = format!("turn:{}", server.address(Transport::Udp).address);
    let wrong = complaint(&turn_load(&uri, &["--user", "load:guess"]));
    assert!(wrong.contains("(401): check name and password"), "{wrong}");
    let quota = complaint(&turn_load(&uri, &LOAD));
    assert!(quota.contains("486 (Allocation Quota Reached): raise the quota"), "{quota}");
    let Some(server) = Coturn::start("127.0.0.1", &[]) else { return };
    let uri = format!("turn:{}", server.address(Transport::Udp).address);
    let denied = complaint(&turn_load(&uri, &LOAD));
    assert!(denied.contains("127.0.0.1") && denied.contains("403 (Forbidden)"), "{denied}");
    assert!(denied.contains("--allow-peer"), "{denied}");
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_sent() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let uri = format!("turn:{silent}");
    let closed = complaint(&turn_load(&uri, &LOAD));
    assert!(closed.contains("nothing listens on"), "{closed}");
    assert!(complaint(&turn_load("stun:127.0.0.1", &LOAD)).contains("is no TURN server's URI"));
    assert!(complaint(&turn_load(&uri, &["--user", "load"])).contains("NAME:PASSWORD"));
    for (flag, value, address) in [
        ("--peer-ip", "198.51.100.7", "no socket at 198.51.100.7: "),
        ("--source-ips", "198.51.100.8/30", "no socket at 198.51.100.8: "),
        ("--source-ips", "::1/128", "--source-ips: 127.0.0.1:"),
    ] {
        let elsewhere = complaint(&turn_load(&uri, &[&LOAD[..], &[flag, value]].concat()));
        assert!(elsewhere.contains(address), "{elsewhere}");
        assert!(elsewhere.contains(flag), "{elsewhere}");
    }
    for arguments in [
        &["--user", "load:secret", "--size", "15"][..],
        &["--user", "load:secret", "--size", "65001"],
        &["--user", "load:secret", "--secret", "north"],
        &["--user", "load:secret", "--threads", "0"],
        &[],
    ] {
        let refused = turn_load(&uri, arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
    }
}

/// `turn-load | head -1`: whoever reads no further has no failure, and progress that nobody reads is none.
#[test]
fn a_report_that_nobody_reads_is_no_failure() {
    let Some(server) = Coturn::start("127.0.0.1", &[LOOPBACK]) else { return };
    let uri = format!("turn:{}", server.address(Transport::Udp).address);
    for form in [&[][..], &["--json"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_turn-load"));
        command.args(["--server", &uri, "--seconds", "1", "--allocations", "2", "--rate", "100"]);
        let status = command.args(LOAD).args(form).stdout(unread()).stderr(unread()).status();
        assert_eq!(status.unwrap().code(), Some(0));
    }
    let output = Command::new(env!("CARGO_BIN_EXE_turn-load"))
        .args(["--server", "turn:127.0.0.1", "--user", "load"])
        .stderr(unread())
        .status();
    assert_eq!(output.unwrap().code(), Some(1), "the complaint is in the code, too");
}

/// A pipe whose reader has gone.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}
