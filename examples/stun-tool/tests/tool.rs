//! The commands as a user runs them, against our own server and against tools of others.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_types, missing_docs)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

const TOOL: &str = env!("CARGO_BIN_EXE_stun-tool");

/// RFC 5769 §2.1.
const SAMPLE: &str = "000100582112a442b7e7a701bc34d686fa87dfae80220010535455\
    4e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36000600096576746a3a6836\
    7659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";

fn run(arguments: &[&str]) -> Output {
    Command::new(TOOL).args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A running `stun-tool serve`, ended with the test.
struct Server {
    child: Child,
    port: u16,
    /// Kept open, so that the server can go on writing.
    _output: BufReader<ChildStdout>,
}

impl Server {
    /// On 127.0.0.1, at a free port, with these further options.
    fn start(options: &[&str]) -> Self {
        Self::try_start(options).expect("the server listens")
    }

    /// `None` if an address that the options name is taken.
    fn try_start(options: &[&str]) -> Option<Self> {
        let mut child = Command::new(TOOL)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        if output.read_line(&mut line).unwrap() == 0 {
            child.wait().unwrap();
            return None;
        }
        let port = line.trim().rsplit(':').next().unwrap().parse().unwrap();
        Some(Self { child, port, _output: output })
    }

    fn uri(&self) -> String {
        format!("stun:127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn binding_tells_the_mapped_address_and_the_round_trip() {
    let server = Server::start(&[]);
    let output = run(&["binding", &server.uri(), "--count", "2", "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let lines: Vec<serde_json::Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    for line in lines {
        assert!(line["mapped"].as_str().unwrap().starts_with("127.0.0.1:"));
        assert!(line["rtt_ms"].as_f64().unwrap() > 0.0);
        assert_eq!(line["transmissions"], 1);
    }
}

#[test]
fn a_port_where_nobody_listens_is_refused_with_exit_code_1() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = run(&["binding", &format!("stun:{free}")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("connection refused"), "{}", stderr(&output));
    assert_eq!(stderr(&output).lines().count(), 1);
}

#[test]
fn a_server_that_does_not_answer_in_time_is_given_up() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let uri = format!("stun:{}", silent.local_addr().unwrap());
    let output = run(&["binding", &uri, "--timeout", "0.7"]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(stderr(&output).contains("has not answered 2 requests"), "{}", stderr(&output));
}

#[test]
fn a_bad_uri_is_exit_code_2_and_says_why() {
    for (uri, reason) in [
        ("http://example.org", "begins with stun:"),
        ("stun://example.org", "no slashes"),
        ("stun:example.org:99999", "1 to 65535"),
        ("stun:example.org?transport=udp", "parameter"),
        ("stuns:192.0.2.1", "certificate"),
        ("turns:example.org", "no transport"),
    ] {
        for command in ["binding", "nat"] {
            let output = run(&[command, uri]);
            assert_eq!(output.status.code(), Some(2), "{uri}");
            assert!(stderr(&output).contains(reason), "{uri}: {}", stderr(&output));
        }
    }
}

#[test]
fn a_name_that_does_not_exist_is_exit_code_3() {
    let output = run(&["binding", "stun:no-such-host.invalid"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("no-such-host.invalid"));
}

#[test]
fn a_host_without_a_nat_is_described_against_our_server() {
    let server = discovery_server();
    let output = run(&["nat", &server.uri(), "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["nat"], false);
    assert_eq!(report["filtering"], "endpoint-independent");
    assert_eq!(report["verdict"], "no NAT: peers can reach this host directly");
}

#[test]
fn an_alternate_that_is_none_is_a_mistake_of_the_user() {
    let output = run(&["serve", "--listen", "127.0.0.1:0", "--alternate", "127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn decode_prints_the_sample_of_the_rfc() {
    let output = run(&["decode", SAMPLE, "--password", "VOkJxbRl1RmTxUk/WvJxBt"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    for part in [
        "Binding Request",
        "b7e7a701bc34d686fa87dfae",
        "SOFTWARE [16]  \"STUN test client\"",
        "PRIORITY [4]  1845494271",
        "ICE-CONTROLLED [8]  tie-breaker 0x932ff9b151263b36",
        "USERNAME [9]  \"evtj:h6vY\"",
        "fingerprint  right",
        "integrity    right",
        "well-formed, 108 bytes",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

#[test]
fn decode_says_what_is_wrong_and_where() {
    let broken = |from: &str, to: &str| run(&["decode", &SAMPLE.replacen(from, to, 1)]);
    for (from, to, expected) in [
        ("2112a442", "2112a443", "at byte 4: magic cookie 0x2112a443"),
        ("00010058", "0001005c", "at byte 2: message length 92 differs"),
        ("002400046e0001ff", "002500046e0001ff", "at byte 40: USE-CANDIDATE cannot have 4 bytes"),
        ("e57a3bcf", "e57a3bce", "FINGERPRINT 0xe57a3bce should be 0xe57a3bcf"),
    ] {
        let output = broken(from, to);
        assert_eq!(output.status.code(), Some(1));
        assert!(stdout(&output).contains(expected), "{expected}: {}", stdout(&output));
    }
    assert_eq!(run(&["decode", "no digits"]).status.code(), Some(2));
}

#[test]
fn decode_reads_bytes_and_digits_from_standard_input() {
    let digits = SAMPLE.as_bytes().to_vec();
    let bytes: Vec<u8> = (0..SAMPLE.len() / 2)
        .map(|at| u8::from_str_radix(&SAMPLE[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    for input in [digits, bytes] {
        let mut child = Command::new(TOOL)
            .args(["decode", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&input).unwrap();
        assert!(child.wait_with_output().unwrap().status.success());
    }
}

/// A server on 127.0.0.1 and 127.0.0.2, at two ports that were free.
fn discovery_server() -> Server {
    (40_000..41_000)
        .find_map(|other| {
            let alternate = format!("127.0.0.2:{other}");
            Server::try_start(&["--alternate", &alternate, "--legacy"])
        })
        .expect("a free port")
}

/// Runs a tool of others; `None`, and a line that says so, if it is not on this machine.
fn others(tool: &str, arguments: &[&str]) -> Option<String> {
    let result = Command::new("timeout").arg("20").arg(tool).args(arguments).output().unwrap();
    if result.status.code() == Some(127) {
        eprintln!("skipped: {tool} is not installed");
        return None;
    }
    Some(stdout(&result) + &stderr(&result))
}

#[test]
fn the_client_of_coturn_gets_a_right_answer() {
    let server = Server::start(&[]);
    let port = server.port.to_string();
    if let Some(text) = others("turnutils_stunclient", &["-p", &port, "127.0.0.1"]) {
        assert!(text.contains("UDP reflexive addr: 127.0.0.1:"), "{text}");
    }
}

#[test]
fn the_discovery_client_of_coturn_gets_right_answers() {
    let server = discovery_server();
    let port = server.port.to_string();
    let arguments = ["-m", "-f", "-p", &port, "127.0.0.1"];
    if let Some(text) = others("turnutils_natdiscovery", &arguments) {
        assert!(text.contains("NAT with Endpoint Independent Filtering"), "{text}");
    }
}

#[test]
fn the_classic_client_gets_a_right_answer() {
    let server = discovery_server();
    let address = format!("127.0.0.1:{}", server.port);
    if let Some(text) = others("stun", &[&address]) {
        assert!(text.contains("Open"), "{text}");
    }
}

/// RFC 8489 §6.2.2, over a real connection.
#[test]
fn over_tcp_pieces_are_put_together_and_other_protocols_are_cut_off() {
    let server = Server::start(&[]);
    let connect = || {
        let stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    };
    let request = [[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2].as_slice(), &[7; 10]].concat();

    let mut stream = connect();
    for byte in &request {
        stream.write_all(&[*byte]).unwrap();
    }
    stream.write_all(&request.repeat(2)).unwrap();
    let mut answers = [0; 3 * 32];
    stream.read_exact(&mut answers).unwrap();
    for answer in answers.chunks(32) {
        assert_eq!(answer[..2], [0x01, 0x01]);
        assert_eq!(answer[8..20], request[8..20]);
    }

    let mut stream = connect();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let closed = stream.read(&mut answers);
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
}
