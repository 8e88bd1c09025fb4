//! Debian's coturn, started for one test and ended with it.

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::time::Duration;
use std::{fs, process};

use pinhole_sansio::Transport;
use pinhole_stun::resolve::ServerAddress;
use pinhole_stun::{Class, MessageWriter, Method, TransactionId};

/// A running server. The user is `load` with the password `secret`.
pub(crate) struct Coturn {
    child: Child,
    folder: Folder,
    plain: SocketAddr,
    tls: SocketAddr,
    /// The server's own certificate.
    pub(crate) certificate: String,
}

pub(crate) const USER: (&str, &str) = ("load", "secret");
/// What lets a server relay to where the tests have their peers.
pub(crate) const LOOPBACK: &str = "--allow-loopback-peers";

impl Coturn {
    /// Starts a server on loopback with these options, too; `None` with a printed line if there is none to start.
    pub(crate) fn start(ip: &str, options: &[&str]) -> Option<Self> {
        let ip: IpAddr = ip.parse().unwrap();
        let (Some(plain), Some(tls)) = (free(ip), free(ip)) else {
            println!("skipped: this machine has no {ip}");
            return None;
        };
        let folder = Folder::new();
        let certificate = identity(&folder.0);
        let mut command = Command::new("turnserver");
        let path = |name: &str| folder.file(name);
        command
            .args(["-n", "--no-cli", "--lt-cred-mech", "--realm=example.org", "--no-dtls"])
            .args(["--no-rfc5780", "--log-file=stdout", "--simple-log"])
            .arg(format!("--user={}:{}", USER.0, USER.1))
            .arg(format!("--listening-ip={ip}"))
            .arg(format!("--relay-ip={ip}"))
            .arg(format!("--listening-port={}", plain.port()))
            .arg(format!("--tls-listening-port={}", tls.port()))
            .arg(format!("--cert={}", path("certificate.pem")))
            .arg(format!("--pkey={}", path("key.pem")))
            .arg(format!("--userdb={}", path("users.sqlite")))
            .arg(format!("--pidfile={}", path("pid")))
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let Ok(child) = command.spawn() else {
            println!("skipped: coturn (turnserver) is not installed");
            return None;
        };
        let server = Self { child, folder, plain, tls, certificate };
        server.await_start();
        Some(server)
    }

    pub(crate) fn address(&self, transport: Transport) -> ServerAddress {
        let address = if transport == Transport::Tls { self.tls } else { self.plain };
        ServerAddress { address, transport }
    }

    /// Where it has its files: its key, its certificate.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.file(name)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks until it answers.
    fn await_start(&self) {
        let socket = UdpSocket::bind(SocketAddr::new(self.plain.ip(), 0)).unwrap();
        socket.connect(self.plain).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let mut buffer = [0; 512];
        let id = TransactionId::new([7; 12]);
        let writer = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id).unwrap();
        let request = writer.finish().to_vec();
        let answers = |_: &u32| {
            // Refused, while nothing listens.
            let _ = socket.send(&request);
            let answered = socket.recv(&mut [0; 512]).is_ok();
            if !answered {
                std::thread::park_timeout(Duration::from_millis(20));
            }
            answered
        };
        assert!((0..400).find(answers).is_some(), "coturn does not start");
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder for the files of one server, and its end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("turn-load-{}-{number}", process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

/// A port that nobody has. It is below those that the system and coturn choose from: in the second that coturn takes to
/// start, nobody else gets it.
fn free(ip: IpAddr) -> Option<SocketAddr> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + u16::try_from(process::id() % 8_000).unwrap_or_default();
    let candidates = (0..2_000).map(|_| first + NEXT.fetch_add(1, Ordering::Relaxed));
    candidates
        .map(|port| SocketAddr::new(ip, port))
        .find(|address| UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok())
}

fn identity(folder: &Path) -> String {
    let names = ["turn.example.org", "127.0.0.1", "::1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names.to_vec()).unwrap();
    fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    fs::write(folder.join("certificate.pem"), made.cert.pem()).unwrap();
    made.cert.pem()
}
