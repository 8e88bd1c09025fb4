//! The servers that are compared, and how each is started.

use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pinhole_stun::{Class, MessageWriter, Method, TransactionId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Ours,
    Coturn,
    TurnRs,
    WebrtcRs,
    Floor,
}

/// Where the programs are.
pub(crate) struct Programs {
    pub(crate) turn_load: PathBuf,
    pub(crate) turn_server: PathBuf,
    pub(crate) turn_rs: PathBuf,
    pub(crate) own: PathBuf,
    /// For configurations and profiles.
    pub(crate) folder: PathBuf,
}

impl Subject {
    pub(crate) const ALL: [Self; 5] =
        [Self::Ours, Self::Coturn, Self::TurnRs, Self::WebrtcRs, Self::Floor];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Coturn => "coturn",
            Self::TurnRs => "turn-rs 3.4",
            Self::WebrtcRs => "webrtc-rs 0.17",
            Self::Floor => "floor",
        }
    }

    /// turn-rs has no relayed sockets: the peers of its clients are its other clients.
    pub(crate) fn has_peers(self) -> bool {
        self != Self::TurnRs
    }

    /// The floor asks nobody for a password, and keeps nothing.
    pub(crate) fn is_server(self) -> bool {
        self != Self::Floor
    }

    fn program(self, programs: &Programs) -> PathBuf {
        match self {
            Self::Ours => programs.turn_server.clone(),
            Self::Coturn => "turnserver".into(),
            Self::TurnRs => programs.turn_rs.clone(),
            Self::WebrtcRs => programs.own.join("relay-webrtc"),
            Self::Floor => programs.own.join("relay-floor"),
        }
    }

    fn arguments(self, port: u16, programs: &Programs) -> Vec<String> {
        let folder = programs.folder.display();
        let text = match self {
            Self::Ours => format!(
                "--listen 127.0.0.1:{port} --relay-ip 127.0.0.1 --relay-ports 20000-60000 --user load:secret \
                 --realm example.org --allow-peer 127.0.0.0/8 --max-allocations-per-user 100000"
            ),
            Self::Coturn => format!(
                "-n --no-cli --lt-cred-mech --realm=example.org --user=load:secret --no-tls --no-dtls --no-rfc5780 \
                 --allow-loopback-peers --listening-ip=127.0.0.1 --relay-ip=127.0.0.1 --listening-port={port} \
                 --min-port=20000 --max-port=60000 --log-file=/dev/null --pidfile={folder}/coturn.pid \
                 --userdb={folder}/coturn.sqlite"
            ),
            Self::TurnRs => format!("--config {folder}/turn-rs.toml"),
            Self::WebrtcRs | Self::Floor => format!("127.0.0.1:{port}"),
        };
        text.split_whitespace().map(str::to_owned).collect()
    }
}

/// A server at work.
pub(crate) struct Running {
    child: Child,
    pub(crate) port: u16,
}

impl Running {
    /// Starts a server under another program or none, and waits until it answers; `None` if it cannot be started.
    pub(crate) fn start(subject: Subject, programs: &Programs, under: &[String]) -> Option<Self> {
        let port = UdpSocket::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        if subject == Subject::TurnRs {
            write_turn_rs(&programs.folder, port);
        }
        let mut words = under.to_vec();
        words.push(subject.program(programs).display().to_string());
        words.extend(subject.arguments(port, programs));
        let (program, arguments) = words.split_first()?;
        let quiet = || Stdio::null();
        let started = Command::new(program)
            .args(arguments)
            // As the configuration of turn-rs: no lines but of errors.
            .env("RUST_LOG", "error")
            .stdin(quiet())
            .stdout(quiet())
            .stderr(quiet())
            .spawn();
        let running = Self { child: started.ok()?, port };
        running.answers().then_some(running)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks for an allocation without a name until an answer of whatever kind comes.
    fn answers(&self) -> bool {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.connect(("127.0.0.1", self.port)).expect("loopback");
        socket.set_read_timeout(Some(Duration::from_millis(200))).expect("more than zero");
        let mut buffer = [0; 64];
        let id = TransactionId::new([7; 12]);
        let writer = MessageWriter::new(&mut buffer, Class::Request, Method::REFRESH, id);
        let mut writer = writer.expect("room for a header");
        writer
            .attribute(&pinhole_turn::attribute::Lifetime(Duration::ZERO))
            .expect("room for an attribute");
        let mut allocate = writer.finish().to_vec();
        // The floor answers to what it knows: an Allocate, whose port it keeps.
        allocate[1] = 3;
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(30) {
            let _ = socket.send(&allocate);
            match socket.recv(&mut [0; 512]) {
                Ok(_) => return true,
                // It is not there yet: a refused port answers at once.
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        }
        false
    }

    /// Ends the server, and waits until it has written what it writes at its end.
    pub(crate) fn end(mut self) {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(20) {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            // The standard library waits for a child without a limit only.
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write_turn_rs(folder: &Path, port: u16) {
    let text = format!(
        "[turn]\nrealm = \"example.org\"\n[[turn.interfaces]]\ntransport = \"udp\"\nbind = \"127.0.0.1:{port}\"\n\
         external = \"127.0.0.1:{port}\"\n[api]\nbind = \"127.0.0.1:0\"\n[log]\nlevel = \"error\"\n[auth]\n\
         [auth.static_credentials]\nload = \"secret\"\n"
    );
    fs::write(folder.join("turn-rs.toml"), text).expect("a folder to write to");
}
