//! The program as an operator meets it: what it refuses, what it prints, how it begins and ends.

#![allow(clippy::disallowed_types, reason = "a test is a client")]

mod support;

use std::fs;
use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use support::{Folder, Process, Server, certificate, command};

/// What the program writes to standard output and to standard error, and how it ends.
fn run(arguments: &[&str]) -> (String, String, Option<i32>) {
    let output = command(arguments).output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (text(output.stdout), text(output.stderr), output.status.code())
}

#[test]
fn an_error_in_the_file_has_line_and_column() {
    let folder = Folder::new();
    let config = folder.file("wrong.toml", "realm = \"here\"\nrelay-ports = \"9-1\"\n");
    let (_, errors, code) = run(&["--config", &config, "--check"]);
    let place = format!("turn-server: {config}:2:15: ");
    assert_eq!(errors, format!("{place}the first port, 9, comes after the last, 1\n"));
    assert_eq!(code, Some(1));
}

/// A contradiction of the file has a place, too; one that a flag has made has none.
#[test]
fn a_contradiction_in_the_file_has_line_and_column() {
    let folder = Folder::new();
    let config = folder.file("zero.toml", "realm = \"here\"\nmax-allocations = 0\n");
    let (_, errors, code) = run(&["--config", &config, "--check"]);
    let message = "max-allocations is zero\n";
    assert_eq!(errors, format!("turn-server: {config}:2:19: {message}"));
    assert_eq!(code, Some(1));
    let config = folder.file("one.toml", "max-allocations = 1\n");
    let (_, errors, _) = run(&["--config", &config, "--check", "--max-allocations", "0"]);
    assert_eq!(errors, format!("turn-server: {message}"));
}

#[test]
fn check_reads_the_certificate() {
    let files = certificate("localhost");
    let check = |key: &str| run(&["--certificate", &files.certificate, "--key", key, "--check"]);
    let (output, _, code) = check(&files.key);
    assert!(output.starts_with("serves UDP, TCP and TLS at 127.0.0.1:3478\n"), "{output}");
    assert_eq!(code, Some(0));
    let (_, errors, code) = check(&files.certificate);
    assert!(errors.ends_with("certificate.pem: there is no private key in it (PEM)\n"), "{errors}");
    assert_eq!(code, Some(1));
    let (_, errors, code) = run(&["--certificate", &files.key, "--key", &files.key, "--check"]);
    assert!(errors.ends_with("key.pem: there is no certificate in it (PEM)\n"), "{errors}");
    assert_eq!(code, Some(1));
    let (output, errors, code) = check("/nowhere.pem");
    assert!(errors.contains("/nowhere.pem: "), "{errors}");
    assert_eq!((output.as_str(), code), ("", Some(1)));
}

#[test]
fn an_unknown_key_is_no_silence() {
    let folder = Folder::new();
    let config =
        folder.file("unknown.toml", "listen = [\"127.0.0.1:0\"]\nalow-peer = [\"10.0.0.0/8\"]\n");
    let (_, errors, code) = run(&["--config", &config]);
    assert!(errors.contains(":2:1: unknown field `alow-peer`"), "{errors}");
    assert_eq!(code, Some(1));
}

#[test]
fn check_prints_what_follows_and_no_password() {
    let folder = Folder::new();
    let config = folder.file(
        "good.toml",
        "listen = [\"192.0.2.1:3478\"]\nuser = [\"alice:north\"]\nsecret = [\"south\"]\n\
         allow-peer = [\"10.0.0.0/8\"]\ndeny-peer = [\"10.1.0.0/16\"]\nworkers = 2\n",
    );
    let (output, errors, code) = run(&["--config", &config, "--check", "--realm", "flag"]);
    assert_eq!((errors.as_str(), code), ("", Some(0)));
    for expected in [
        "realm                 flag\n",
        "users                 alice\n",
        "shared secrets        1\n",
        "  1. deny 10.1.0.0/16\n  2. allow 10.0.0.0/8\n  deny 192.0.2.1, the server's own\n",
    ] {
        assert!(output.contains(expected), "{expected:?} in\n{output}");
    }
    assert!(!output.contains("north") && !output.contains("south"), "{output}");
}

#[test]
fn the_error_of_a_flag_does_not_repeat_a_secret() {
    for (flag, value, reason) in [
        ("--user <NAME:PASSWORD>", "alice1234", "a user is written as name:password"),
        ("--user <NAME:PASSWORD>", "alice:1234\u{7}", "the name or the password has characters"),
        ("--token-key <NAME:KEY>", "kid:1234", "a key of tokens is written as name:key"),
        ("--secret <SECRET>", "", "a secret is not empty"),
    ] {
        let (name, _) = flag.split_once(' ').expect("a flag and its value");
        let (_, errors, code) = run(&[name, value, "--check"]);
        let expected = format!("error: invalid value for '{flag}': {reason}");
        assert!(errors.starts_with(&expected), "{errors}");
        assert!(!errors.contains("1234"), "{errors}");
        assert_eq!(code, Some(2));
    }
}

#[test]
fn policy_explain_names_the_rule() {
    let explain = |address: &str| {
        let rules = ["--allow-peer", "10.0.0.0/8", "--deny-peer", "10.1.0.0/16"];
        let (output, _, code) = run(&[&["policy", "explain", address][..], &rules].concat());
        assert_eq!(code, Some(0));
        output
    };
    assert_eq!(explain("10.2.3.4"), "10.2.3.4 is allowed: rule 2, allow 10.0.0.0/8\n");
    assert_eq!(explain("::ffff:10.1.2.3"), "10.1.2.3 is refused: rule 1, deny 10.1.0.0/16\n");
    assert_eq!(explain("127.0.0.1"), "127.0.0.1 is refused: it is the server's own\n");
    assert_eq!(explain("9.9.9.9"), "9.9.9.9 is allowed: a global unicast address\n");
    assert_eq!(explain("10.2.3.4:9000"), explain("10.2.3.4"));
    assert_eq!(explain("[::ffff:10.1.2.3]:9000"), explain("10.1.2.3"));
    assert_eq!(explain("[fe80::1%7]:9000"), explain("[fe80::1]"));
    for text in ["127.1", "0x7f000001", "2130706433", "010.0.0.1", "localhost", "[10.0.0.1", ""] {
        assert_eq!(run(&["policy", "explain", text]).2, Some(2), "{text} is no address");
    }
    let metadata = explain("169.254.169.254");
    assert_eq!(metadata, "169.254.169.254 is refused: 169.254.0.0/16 is link local (RFC 3927)\n");
}

#[test]
fn an_open_relay_takes_words() {
    let everything = ["--allow-peer", "0.0.0.0/0", "--check"];
    let (_, errors, code) = run(&everything);
    assert!(errors.contains("say open-relay = \"relay to every address\""), "{errors}");
    assert_eq!(code, Some(1));
    let words = ["--open-relay", "relay to every address"];
    assert_eq!(run(&[&everything[..], &words].concat()).2, Some(0));
    let halves = ["--allow-peer", "0.0.0.0/1", "--allow-peer", "128.0.0.0/1", "--check"];
    assert_eq!(run(&halves).2, Some(1), "two halves are everything, too");
}

#[test]
fn nobody_is_served_by_accident() {
    let (_, errors, code) = run(&["--listen", "192.0.2.1:3478", "--check"]);
    assert!(errors.contains("there is neither a user nor a secret"), "{errors}");
    assert_eq!(code, Some(1));
    let (_, errors, _) = run(&["--listen", "0.0.0.0:3478", "--secret", "north", "--check"]);
    assert!(errors.contains("say with relay-ip"), "{errors}");
}

#[test]
fn a_server_without_configuration_prints_ice_servers_for_loopback() {
    let server = Server::start(4, &["--listen", "127.0.0.1:0"]);
    let listener = server.addresses.first().expect("it listens");
    assert!(listener.ip().is_loopback());
    let json = server.greeting.get(2).expect("a third line");
    let ice_servers: serde_json::Value = serde_json::from_str(json).expect("JSON");
    let entry = ice_servers.get(0).expect("one server");
    let url = format!("turn:{listener}?transport=udp");
    assert_eq!(entry.pointer("/urls/0").and_then(|url| url.as_str()), Some(url.as_str()));
    let username = entry.get("username").and_then(|name| name.as_str()).expect("a name");
    assert!(username.ends_with(":trial"), "{username}");
}

#[test]
fn sigterm_ends_it_cleanly() {
    let mut server = Server::start(1, &["--listen", "127.0.0.1:0", "--user", "alice:north"]);
    server.signal("-TERM");
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn sighup_takes_over_a_good_configuration_and_no_bad_one() {
    let folder = Folder::new();
    let config = folder.file("reload.toml", "user = [\"alice:north\"]\n");
    let mut server = Server::start(1, &["--listen", "127.0.0.1:0", "--config", &config]);
    let mut log = server.log().lines();
    let mut reload = |text: &str| {
        fs::write(&config, text).expect("a file");
        server.signal("-HUP");
        log.next().expect("a line").expect("text")
    };
    let line = reload("user = [\"alice:north\", \"bob:south\"]\n");
    assert!(line.contains("users, secrets and certificates are reloaded"), "{line}");
    let line = reload("user = [\"alice\"]\n");
    assert!(line.contains("the configuration is not reloaded"), "{line}");
    assert!(line.contains("1:8: value 1: a user is written as name:password"), "{line}");
}

#[test]
fn what_takes_a_new_start_is_told() {
    let folder = Folder::new();
    let config = folder.file("start.toml", "user = [\"alice:north\"]\n");
    let mut server = Server::start(1, &["--listen", "127.0.0.1:0", "--config", &config]);
    let mut log = server.log().lines();
    folder.file(
        "start.toml",
        "user = [\"alice:south\"]\ndeny-peer = [\"9.9.9.0/24\"]\nrelay-ports = \"50000-50999\"\n\
         bandwidth = 1000\n",
    );
    for _ in 0..2 {
        server.signal("-HUP");
        let mut line = || log.next().expect("a line").expect("text");
        assert!(line().contains("users, secrets and certificates are reloaded"));
        let told = line();
        let keys = "takes a new start: relay-ports, allow-peer or deny-peer, a limit";
        assert!(told.contains("WARN") && told.ends_with(keys), "{told}");
    }
}

#[test]
fn a_log_line_is_an_object_where_that_is_asked_for() {
    let folder = Folder::new();
    let config = folder.file("json.toml", "user = [\"alice:north\"]\nlog = \"json\"\n");
    let mut server = Server::start(1, &["--listen", "127.0.0.1:0", "--config", &config]);
    let mut log = server.log().lines();
    server.signal("-HUP");
    let line = log.next().expect("a line").expect("text");
    let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(line.get("level").and_then(|level| level.as_str()), Some("INFO"));
}

#[test]
fn an_address_that_is_not_here_is_named() {
    let (_, errors, code) = run(&["--listen", "198.51.100.77:0", "--user", "alice:north"]);
    assert!(errors.contains("198.51.100.77"), "{errors}");
    assert_eq!(code, Some(1));
    let here = ["--listen", "127.0.0.1:0", "--user", "alice:north"];
    let (_, errors, code) = run(&[&here[..], &["--metrics", "198.51.100.77:9641"]].concat());
    assert!(errors.contains("cannot listen at 198.51.100.77:9641: "), "{errors}");
    assert_eq!(code, Some(1));
    let (_, errors, code) = run(&[&here[..], &["--relay-ip", "198.51.100.77"]].concat());
    assert!(errors.contains("cannot open relayed addresses on 198.51.100.77: "), "{errors}");
    assert_eq!(code, Some(1));
}

/// A pipe whose reader has gone, as that of `head -1` has after a line.
fn unread() -> Stdio {
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

#[test]
fn answers_that_nobody_reads_are_no_failure() {
    let explain = ["policy", "explain", "10.0.0.1"];
    for arguments in [&["--check"][..], &explain, &["--help"], &["--version"]] {
        let output = command(arguments).stdout(unread()).output().expect("it runs");
        assert_eq!(output.stderr, b"", "{arguments:?}");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
    let wrong = ["--relay-ip", "0.0.0.0", "--check"];
    let output = command(&wrong).stderr(unread()).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "the answer is in the code, too");
}

#[test]
fn an_answer_that_cannot_be_written_is_a_failure() {
    let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") else {
        println!("skipped: there is no /dev/full");
        return;
    };
    let output = command(&["--check"]).stdout(full).output().expect("it runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.starts_with("turn-server: standard output: "), "{errors}");
    assert_eq!(output.status.code(), Some(1));
}

/// `turn-server | head -1`, and its log going nowhere either: it serves until a signal ends it.
#[test]
fn a_server_whose_output_nobody_reads_serves_on() {
    // It cannot say which port it has got, and so has an address that no other test has.
    let [.., high, low] = std::process::id().to_be_bytes();
    let [listen, metrics] = [3_478, 9_641].map(|port| format!("127.77.{high}.{low}:{port}"));
    let mut command = command(&["--listen", &listen, "--metrics", &metrics]);
    let mut server = Process::of(command.stdout(unread()).stderr(unread()));
    let is_up = |_: &u32| {
        std::thread::park_timeout(Duration::from_millis(20));
        TcpStream::connect(&metrics).is_ok()
    };
    assert!((0..500).find(is_up).is_some(), "it does not listen");
    for _ in 0..2 {
        server.signal("-HUP");
        let health = get(&format!("http://{metrics}/healthz"));
        assert!(health.starts_with("HTTP/1.1 200 OK\r\n"), "{health}");
    }
    server.signal("-TERM");
    assert_eq!(server.wait(), Some(0));
}

/// The answer to a GET request, head and body.
fn get(url: &str) -> String {
    let (address, path) =
        url.strip_prefix("http://").and_then(|url| url.split_once('/')).expect(url);
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
        .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    answer
}

#[test]
fn metrics_and_health_are_told_over_http() {
    let arguments =
        ["--listen", "127.0.0.1:0", "--user", "alice:north", "--metrics", "127.0.0.1:0"];
    let server = Server::start(2, &arguments);
    let line = server.greeting.first().expect("a line");
    let metrics = line.strip_prefix("turn-server: metrics at ").expect(line);
    let answer = get(metrics);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("text/plain; version=0.0.4"), "{answer}");
    assert!(answer.contains("\npinhole_allocations 0\n"), "{answer}");
    let health = get(&metrics.replace("/metrics", "/healthz"));
    assert!(health.starts_with("HTTP/1.1 200 OK\r\n") && health.ends_with("ok\n"), "{health}");
}
