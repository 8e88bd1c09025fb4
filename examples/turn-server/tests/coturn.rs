//! The program against the clients of Debian's coturn: every transport, and nothing lost.
//!
//! What the client does is set by its flags; how it ends is told by its last lines.

#![allow(clippy::disallowed_types, reason = "a port is asked for where the peer will listen")]

mod support;

use std::net::UdpSocket;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use support::{Peer, Server, certificate, is_installed, output_within};

const USER: &str = "alice:north";
/// The client waits for seconds where it could not go on.
const LIMIT: Duration = Duration::from_secs(60);
/// The client draws channel numbers from the range of RFC 5766, of which a quarter are RFC 8656's, and
/// the server refuses the others: it is run until it draws good ones. To need more runs than this has
/// a chance of one in four millions.
const RUNS: usize = 240;

struct Setup {
    _server: Server,
    _peer: Peer,
    arguments: Vec<String>,
}

/// A server and a peer on one address; `None` where the client is not installed.
fn setup(address: &str) -> Option<Setup> {
    if !is_installed("turnutils_uclient") || !is_installed("turnutils_peer") {
        return None;
    }
    let tls = certificate("localhost");
    let listen =
        if address.contains(':') { format!("[{address}]:0") } else { format!("{address}:0") };
    let server = Server::start(
        1,
        &[
            "--listen",
            &listen,
            "--user",
            USER,
            "--relay-ip",
            "127.0.0.1",
            "--relay-ip",
            "::1",
            "--allow-peer",
            "127.0.0.1",
            "--allow-peer",
            "::1",
            // Runs that fail leave their allocations behind.
            "--max-allocations-per-user",
            "5000",
            "--certificate",
            &tls.certificate,
            "--key",
            &tls.key,
            "--workers",
            "3",
        ],
    );
    let port = free_port(address);
    let peer = Peer::start(address, port);
    let arguments = ["-u", "alice", "-w", "north", "-n", "20", "-m", "2", "-l", "172"];
    let mut arguments = arguments.map(String::from).to_vec();
    let listener = server.addresses.first().expect("it listens").port();
    arguments.extend(["-p".into(), listener.to_string()]);
    arguments.extend(["-e".into(), address.into(), "-r".into(), port.to_string()]);
    Some(Setup { _server: server, _peer: peer, arguments })
}

/// A port at which nobody listens, nor at the next one: the peer answers at both. They are below those that the system
/// and our server choose from, so that nobody else takes them in a moment.
fn free_port(address: &str) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 5_000).unwrap_or_default();
    let is_free = |port| UdpSocket::bind((address, port)).is_ok();
    (0..2_000)
        .map(|_| first + 2 * NEXT.fetch_add(1, Ordering::Relaxed))
        .find(|port| is_free(*port) && is_free(port + 1))
        .expect("two ports")
}

impl Setup {
    fn run(&self, flags: &[&str], server: &str) -> String {
        let mut arguments = self.arguments.clone();
        arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
        arguments.push(server.into());
        output_within(LIMIT, "turnutils_uclient", &arguments)
    }
}

/// Runs the client; how many messages it sent, and how many came back.
fn relayed(address: &str, flags: &[&str]) -> Option<(u64, u64)> {
    let setup = setup(address)?;
    let output = setup.run(flags, address);
    Some(totals(&output).unwrap_or_else(|| panic!("{flags:?}: {output}")))
}

/// The last totals of a run that came to its end.
fn totals(output: &str) -> Option<(u64, u64)> {
    let line = output.lines().rev().find(|line| line.contains("start_mclient: tot_send_msgs="))?;
    let number = |name: &str| -> Option<u64> {
        let (_, rest) = line.split_once(name)?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    };
    Some((number("tot_send_msgs=")?, number("tot_recv_msgs=")?))
}

fn assert_nothing_lost(address: &str, flags: &[&str]) {
    let Some((sent, received)) = relayed(address, flags) else { return };
    assert_eq!((sent, received), (40, 40), "{flags:?}");
}

#[test]
fn udp_with_send_indications() {
    assert_nothing_lost("127.0.0.1", &["-s"]);
}

#[test]
fn udp_with_channels() {
    let Some(setup) = setup("127.0.0.1") else { return };
    let flags = ["-c", "-m", "1"];
    let good = (0..RUNS).find_map(|_| totals(&setup.run(&flags, "127.0.0.1")));
    assert_eq!(good, Some((20, 20)));
}

#[test]
fn tcp() {
    assert_nothing_lost("127.0.0.1", &["-s", "-t"]);
}

#[test]
fn tls() {
    assert_nothing_lost("127.0.0.1", &["-s", "-t", "-S"]);
}

#[test]
fn tcp_relay() {
    assert_nothing_lost("127.0.0.1", &["-T", "-t", "-y", "-c"]);
}

#[test]
fn tcp_relay_over_tls() {
    assert_nothing_lost("127.0.0.1", &["-T", "-t", "-S", "-y", "-c"]);
}

/// One side of each pair waits to be connected to, and does not answer: half comes back, as it does
/// with coturn's own server.
#[test]
fn passive_tcp_relay() {
    let Some((sent, received)) = relayed("127.0.0.1", &["-P", "-t"]) else { return };
    assert_eq!((sent, received), (40, 20));
}

#[test]
fn ipv6() {
    assert_nothing_lost("::1", &["-s", "-x"]);
}

#[test]
fn dual_allocation() {
    assert_nothing_lost("127.0.0.1", &["-s", "-Z"]);
}

#[test]
fn mobility() {
    assert_nothing_lost("127.0.0.1", &["-s", "-M"]);
}

#[test]
fn mobility_over_tcp() {
    assert_nothing_lost("127.0.0.1", &["-s", "-M", "-t"]);
}

#[test]
fn dont_fragment() {
    assert_nothing_lost("127.0.0.1", &["-s", "-g"]);
}

#[test]
fn negative_tests() {
    assert_nothing_lost("127.0.0.1", &["-s", "-N"]);
}

/// The client sends garbage for as long as it is let; afterwards the server serves as before.
#[test]
fn negative_protocol_tests() {
    let Some(setup) = setup("127.0.0.1") else { return };
    let mut garbage = setup.arguments.clone();
    garbage.extend(["-s", "-R", "127.0.0.1"].map(String::from));
    output_within(Duration::from_secs(4), "turnutils_uclient", &garbage);
    let output = setup.run(&["-s"], "127.0.0.1");
    assert_eq!(totals(&output), Some((40, 40)), "{output}");
}
