//! Through TURN servers on loopback alone: our own, and coturn.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::disallowed_types, reason = "ports are asked for where coturn will listen")]

mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{fs, net, thread};

use pinhole_relay::{Config, Server, Settings};
use serde_json::{Value, json};
use support::{PATIENCE, call};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

#[tokio::test]
async fn two_programs_connect_through_our_relay_alone() {
    let files = Files::new("ours");
    let relay = Server::start(&settings(&files)).unwrap();
    let port = relay.addresses()[0].port();
    connect_over_every_transport(&files, port, port).await;
    relay.stop().unwrap();
}

#[tokio::test]
async fn two_programs_connect_through_coturn_alone() {
    let files = Files::new("coturn");
    let [plain, tls] = free_ports();
    let Some(_coturn) = Coturn::start(&files, plain, tls) else { return };
    connect_over_every_transport(&files, plain, tls).await;
}

#[tokio::test]
async fn where_everything_is_to_go_through_a_proxy_it_does() {
    let files = Files::new("proxied");
    let relay = Server::start(&settings(&files)).unwrap();
    let at = relay.addresses()[0];
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy_address = proxy.local_addr().unwrap().to_string();
    let tunnels = Arc::new(AtomicU32::new(0));
    let task = tokio::spawn(serve_proxy(proxy, at, Arc::clone(&tunnels)));
    let trust = [("SSL_CERT_FILE", files.certificate.to_str().unwrap())];
    for uri in [format!("turn:{at}?transport=tcp"), format!("turns:{at}")] {
        let server = ["--turn", &uri, "--user", "alice", "--pass", "secret"];
        let way = ["--proxy", &proxy_address, "--stun", "stun:127.0.0.1:9"];
        call::connect("relay", &[&server[..], &way].concat(), &trust).await;
    }
    assert_eq!(tunnels.load(Ordering::Relaxed), 4, "one for each of the two sides");
    task.abort();
    // Without it, and with a server that is asked over UDP, there is no way.
    let server = ["--turn", &format!("turn:{at}"), "--user", "alice", "--pass", "secret"];
    let mut alone =
        call::start("offerer", &[&server[..], &["--proxy", "127.0.0.1:9"]].concat(), &[]);
    let local = alone.json().await;
    assert_eq!(local["candidates"].as_array().unwrap().len(), 0, "{local}");
    relay.stop().unwrap();
}

#[tokio::test]
async fn why_a_server_is_not_reached_is_told() {
    let (files, others) = (Files::new("untrusted"), Files::new("trusted"));
    let relay = Server::start(&settings(&files)).unwrap();
    let at = relay.addresses()[0];
    let trust = [("SSL_CERT_FILE", others.certificate.to_str().unwrap())];
    let [closed, _] = free_ports();
    for (uri, reason) in [
        (format!("turns:{at}"), "certificate"),
        (format!("turn:127.0.0.1:{closed}?transport=tcp"), "refused"),
    ] {
        let server = ["--turn", &uri, "--user", "alice", "--pass", "secret"];
        let mut program = call::start("offerer", &server, &trust);
        assert_eq!(program.json().await["ev"], "local");
        program.hang_up();
        let errors = program.end().await.errors;
        assert!(errors.contains(reason), "{errors}");
    }
    relay.stop().unwrap();
}

#[tokio::test]
async fn statistics_have_the_names_of_the_w3c() {
    let files = Files::new("statistics");
    let relay = Server::start(&settings(&files)).unwrap();
    let at = relay.addresses()[0];
    let uri = format!("turn:{at}?transport=tcp");
    let server = ["--turn", &uri, "--user", "alice", "--pass", "secret", "--relay-only"];
    let [mut a, mut b] = ["offerer", "answerer"].map(|role| call::start(role, &server, &[]));
    let [from_a, from_b] = [a.json().await, b.json().await];
    let ufrags = [&from_a, &from_b].map(|local| local["ufrag"].clone());
    a.say(&call::remote(from_b)).await;
    b.say(&call::remote(from_a)).await;
    a.wait_for("\"data\"").await;
    a.say(r#"{"ev":"stats"}"#).await;
    let stats = a.json().await;
    let candidates = stats["candidates"].as_array().unwrap();
    let of_id = |id: &Value| candidates.iter().find(|candidate| candidate["id"] == *id).unwrap();
    let pair = stats["pairs"].as_array().unwrap().iter().find(|pair| pair["nominated"] == true);
    let pair = pair.unwrap_or_else(|| panic!("{stats}"));
    assert_eq!(pair["state"], "succeeded");
    // Its ten pings, and echoes of those of the other side that have come.
    let packets = pair["packetsSent"].as_u64().unwrap();
    assert!((10..=20).contains(&packets), "{pair}");
    assert_eq!(pair["bytesSent"], 6 * packets, "{pair}");
    assert!(pair["currentRoundTripTime"].as_f64() > Some(0.0), "{pair}");
    assert!(pair["lastPacketSentTimestamp"].as_f64() > Some(0.0), "{pair}");
    let (local, remote) = (of_id(&pair["localCandidateId"]), of_id(&pair["remoteCandidateId"]));
    assert_eq!(
        (&local["type"], &remote["type"]),
        (&json!("local-candidate"), &json!("remote-candidate"))
    );
    assert_eq!([&local["usernameFragment"], &remote["usernameFragment"]], [&ufrags[0], &ufrags[1]]);
    assert_eq!(
        (&local["candidateType"], &local["relayProtocol"]),
        (&json!("relay"), &json!("tcp"))
    );
    assert_eq!((&local["address"], &local["protocol"]), (&json!("127.0.0.1"), &json!("udp")));
    assert_eq!(local["url"], uri);
    relay.stop().unwrap();
}

/// Does what is asked for, and nothing but that.
async fn serve_proxy(listener: TcpListener, server: SocketAddr, tunnels: Arc<AtomicU32>) {
    let expected = format!("CONNECT {server} HTTP/1.1\r\nHost: {server}\r\n\r\n");
    let mut tasks = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let (expected, tunnels) = (expected.clone(), Arc::clone(&tunnels));
        tasks.spawn(async move {
            let mut request = vec![0; expected.len()];
            client.read_exact(&mut request).await.unwrap();
            assert_eq!(String::from_utf8_lossy(&request), expected);
            let mut server = TcpStream::connect(server).await.unwrap();
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
            tunnels.fetch_add(1, Ordering::Relaxed);
            let _ = copy_bidirectional(&mut client, &mut server).await;
        });
    }
}

fn settings(files: &Files) -> Config {
    let settings = format!(
        "listen = [\"127.0.0.1:0\"]\nuser = [\"alice:secret\"]\nallow-peer = [\"127.0.0.0/8\"]\n\
         certificate = {:?}\nkey = {:?}\n",
        files.certificate, files.key
    );
    Settings::from_toml(&settings).unwrap().resolve().unwrap()
}

async fn connect_over_every_transport(files: &Files, plain: u16, tls: u16) {
    let trust = [("SSL_CERT_FILE", files.certificate.to_str().unwrap())];
    for uri in [
        format!("turn:127.0.0.1:{plain}?transport=udp"),
        format!("turn:127.0.0.1:{plain}?transport=tcp"),
        format!("turns:127.0.0.1:{tls}"),
    ] {
        for way in [&[][..], &["--trickle"]] {
            let server = ["--turn", &uri, "--user", "alice", "--pass", "secret", "--relay-only"];
            call::connect("relay", &[&server, way].concat(), &trust).await;
        }
    }
}

/// A server's identity.
struct Files {
    folder: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn new(name: &str) -> Self {
        let name = format!("relayed-{name}-{}", process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        fs::write(&certificate, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        Self { folder, certificate, key }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// It ends when this is dropped.
struct Coturn(Child);

impl Coturn {
    /// Waits until it listens; prints why there is none.
    fn start(files: &Files, plain: u16, tls: u16) -> Option<Self> {
        let path = |name: &str| files.folder.join(name).display().to_string();
        let mut command = Command::new("turnserver");
        command
            .args(["-n", "--no-cli", "--lt-cred-mech", "--realm=example.org", "--no-dtls"])
            .args(["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--allow-loopback-peers"])
            .args(["--user=alice:secret", "--log-file=stdout", "--simple-log"])
            .arg(format!("--listening-port={plain}"))
            .arg(format!("--tls-listening-port={tls}"))
            .arg(format!("--cert={}", files.certificate.display()))
            .arg(format!("--pkey={}", files.key.display()))
            .arg(format!("--userdb={}", path("users.sqlite")))
            .arg(format!("--pidfile={}", path("pid")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let Ok(child) = command.spawn() else {
            println!("skipped: coturn (turnserver) is not installed");
            return None;
        };
        let coturn = Self(child);
        let listens = |port: u16| net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        let is_ready = (0..PATIENCE.as_millis() / LOOK.as_millis()).any(|_| {
            let is_ready = listens(plain) && listens(tls);
            if !is_ready {
                thread::park_timeout(LOOK);
            }
            is_ready
        });
        assert!(is_ready, "coturn does not start");
        Some(coturn)
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Two ports that nobody has at the moment.
fn free_ports() -> [u16; 2] {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let taken = [any, any].map(|any| net::TcpListener::bind(any).unwrap());
    taken.map(|listener| listener.local_addr().unwrap().port())
}

/// How long to wait before another look whether coturn listens.
const LOOK: Duration = Duration::from_millis(20);
