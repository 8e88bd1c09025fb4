//! The program: its arguments, its output, its end.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use support::Client;

/// The program; killed if the test fails before it ended.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signaling-server"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[tokio::test]
async fn it_prints_where_to_go_serves_and_stops_on_either_signal() {
    for signal in ["-INT", "-TERM"] {
        let mut program = Program(program(&["--listen", "127.0.0.1:0"]).spawn().unwrap());
        let mut line = String::new();
        BufReader::new(program.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap();
        let (mut client, _) = Client::joined(address.parse().unwrap(), "blue").await;
        let id = program.0.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        assert_eq!(client.close_code().await, 1001);
        drop(client);
        assert!(program.0.wait().unwrap().success(), "{signal}");
    }
}

#[test]
fn an_address_that_is_taken_or_foreign_is_a_clear_error() {
    let mut program = program(&["--listen", "192.0.2.1:80"]).spawn().unwrap();
    let mut said = String::new();
    program.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!program.wait().unwrap().success());
    assert!(said.contains("cannot serve on 192.0.2.1:80"), "{said}");
}

#[test]
fn a_certificate_without_a_key_is_a_clear_error() {
    let output = program(&["--tls-cert", "certificate.pem"]).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("--tls-key"), "{said}");
}
