//! The program under test, as a person or a script would run it. Everything that waits gives up after
//! [`PATIENCE`], so that a failing test fails.
#![allow(dead_code, unreachable_pub, reason = "no test uses all of it")]

pub mod call;
pub mod lab;
pub mod link;
pub mod natlab;

use std::future::Future;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use signaling_server::{Config, Handle, Server};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running `connect`; it ends when this is dropped.
pub struct Program {
    process: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    /// The lines that were read, for a failed test to show.
    seen: Vec<String>,
}

/// How a program ended.
pub struct Ended {
    pub code: Option<i32>,
    /// What it said on standard output after what the test had read.
    pub output: Vec<String>,
    pub errors: String,
}

impl Program {
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    /// The same with further environment variables.
    pub fn start_with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_connect"));
        command.envs(variables.iter().copied());
        Self::spawn(command.args(arguments))
    }

    /// The same by a program that starts others, which is to become what it starts.
    pub fn start_by(starter: &[&str], arguments: &[&str]) -> Self {
        let (first, rest) = starter.split_first().expect("a program");
        let mut command = Command::new(first);
        Self::spawn(command.args(rest).arg(env!("CARGO_BIN_EXE_connect")).args(arguments))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let output = BufReader::new(process.stdout.take().expect("stdout is piped")).lines();
        let input = process.stdin.take();
        Self { process, input, output, seen: Vec::new() }
    }

    /// The next line of standard output; `None` at its end.
    pub async fn line(&mut self) -> Option<String> {
        let line = soon("a line", self.output.next_line()).await.expect("the output is text");
        self.seen.extend(line.clone());
        line
    }

    /// Reads lines until one contains `text`.
    pub async fn wait_for(&mut self, text: &str) -> String {
        while let Some(line) = self.line().await {
            if line.contains(text) {
                return line;
            }
        }
        let ended = self.end().await;
        panic!("no line with {text:?} before the end:\n{}\n{}", self.seen.join("\n"), ended.errors);
    }

    /// The next line, as JSON.
    pub async fn json(&mut self) -> Value {
        let line = self.line().await.expect("the program goes on");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// Types a line.
    pub async fn say(&mut self, line: &str) {
        let input = self.input.as_mut().expect("standard input is open");
        input.write_all(format!("{line}\n").as_bytes()).await.expect("the program listens");
    }

    /// Ends standard input.
    pub fn hang_up(&mut self) {
        self.input = None;
    }

    /// Waits for the end.
    pub async fn end(&mut self) -> Ended {
        let mut output = Vec::new();
        while let Some(line) = self.line().await {
            output.push(line);
        }
        let mut errors = String::new();
        if let Some(mut stderr) = self.process.stderr.take() {
            soon("the errors", stderr.read_to_string(&mut errors)).await.expect("they are text");
        }
        let status = soon("the end", self.process.wait()).await.expect("it can be waited for");
        Ended { code: status.code(), output, errors }
    }
}

/// A signaling server that serves in the background.
pub async fn signaling() -> (SocketAddr, Handle) {
    let server = Server::bind(Config::default()).await.expect("loopback has a free port");
    let address = server.local_addr().expect("it is bound");
    let handle = server.handle();
    tokio::spawn(server.serve());
    (address, handle)
}

pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = timeout(PATIENCE, future).await;
    outcome.unwrap_or_else(|_| panic!("{what} took more than {PATIENCE:?}"))
}
