//! The program, and the programs it is tried with; each is ended when its handle is dropped.

#![allow(dead_code, unreachable_pub, reason = "no test uses all of it")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

/// A running program, which ends with this handle.
pub struct Process(Child);

impl Process {
    pub fn of(command: &mut Command) -> Self {
        Self(command.spawn().expect("it starts"))
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Its exit code, once it has ended.
    pub fn wait(&mut self) -> Option<i32> {
        self.0.wait().expect("it has an end").code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().map(drop).unwrap_or_default();
    }
}

/// A running turn-server.
pub struct Server {
    process: Process,
    /// Where it says it listens.
    pub addresses: Vec<SocketAddr>,
    /// What it has said until it was ready.
    pub greeting: Vec<String>,
    stdout: BufReader<std::process::ChildStdout>,
    stderr: Option<ChildStderr>,
}

impl Server {
    /// Starts it, and waits until it has said where it listens: `lines` lines.
    pub fn start(lines: usize, arguments: &[&str]) -> Self {
        let mut command = command(arguments);
        let mut process = Process::of(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
        let child = &mut process.0;
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut greeting = vec![];
        for _ in 0..lines {
            let mut line = String::new();
            if stdout.read_line(&mut line).expect("text") == 0 {
                let mut errors = String::new();
                let stderr = child.stderr.as_mut().expect("a pipe");
                stderr.read_to_string(&mut errors).expect("text");
                panic!("turn-server has ended: {errors}");
            }
            greeting.push(line.trim_end().to_owned());
        }
        let addresses = greeting
            .iter()
            .filter_map(|line| line.strip_prefix("turn-server: listening at "))
            .filter_map(|line| line.split(' ').next()?.parse().ok())
            .collect();
        let stderr = child.stderr.take();
        Self { process, addresses, greeting, stdout, stderr }
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Another line of its standard output.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("text");
        line
    }

    /// What it writes to its log.
    pub fn log(&mut self) -> impl BufRead + use<> {
        BufReader::new(self.stderr.take().expect("the log is read once"))
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Its exit code, once it has ended.
    pub fn wait(&mut self) -> Option<i32> {
        self.process.wait()
    }
}

/// The program with these arguments.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turn-server"));
    command.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// A program of Debian's coturn that answers what it is sent.
pub struct Peer(Process);

impl Peer {
    /// Echoes at this address.
    pub fn start(address: &str, port: u16) -> Self {
        let mut command = Command::new("turnutils_peer");
        command.args(["-L", address, "-p", &port.to_string()]);
        Self(Process::of(command.stdout(Stdio::null()).stderr(Stdio::null())))
    }
}

/// What a command writes in this time, after which it is killed.
pub fn output_within(limit: Duration, program: &str, arguments: &[String]) -> String {
    let output = Command::new("timeout")
        .arg(limit.as_secs().to_string())
        .arg(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("timeout runs");
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// Whether a program is installed; a line says so if it is not.
pub fn is_installed(program: &str) -> bool {
    let is_there = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()));
    if !is_there {
        println!("skipped: {program} is not installed");
    }
    is_there
}

/// A folder for the files of one test, and its end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let within = Path::new(env!("CARGO_TARGET_TMPDIR"));
        // Tests in namespaces of their own may have the same process number.
        let made = (0..1_000).find_map(|number| {
            let path = within.join(format!("turn-server-{}-{number}", std::process::id()));
            fs::create_dir(&path).is_ok().then_some(path)
        });
        Self(made.expect("a folder"))
    }

    /// Writes a file; its path.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file");
        path.to_str().expect("a path in UTF-8").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

/// A certificate and its key, which go with their folder.
pub struct Files {
    pub certificate: String,
    pub key: String,
    folder: Folder,
}

/// A certificate that nobody has to trust.
pub fn certificate(name: &str) -> Files {
    let made = rcgen::generate_simple_self_signed([name.into()]).expect("a certificate");
    let folder = Folder::new();
    let certificate = folder.file("certificate.pem", &made.cert.pem());
    let key = folder.file("key.pem", &made.signing_key.serialize_pem());
    Files { certificate, key, folder }
}
