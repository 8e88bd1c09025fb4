//! `stun-tool serve`: a STUN server over UDP and TCP.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use pinhole_sansio::{Datagram, FiveTuple, Transport};
use pinhole_stun::StreamBuffer;
use pinhole_stun::binding::{Config, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::Failure;
use pinhole_io::Clock;

use crate::net;

/// The options of `stun-tool serve`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The address and port to listen on.
    #[arg(long)]
    listen: SocketAddr,
    /// Another address with another port: makes it a server of RFC 5780, on all four combinations.
    #[arg(long)]
    alternate: Option<SocketAddr>,
    /// Also answer clients of RFC 3489.
    #[arg(long)]
    legacy: bool,
    /// Name this software in each answer.
    #[arg(long)]
    software: Option<String>,
}

/// How long a TCP connection may be silent.
const IDLE: Duration = Duration::from_secs(30);
/// How many TCP connections are served at once.
const MAX_CONNECTIONS: usize = 256;
/// The longest request over TCP: more than any of Binding.
const MAX_REQUEST: usize = 2_048;

/// What all tasks share.
struct Shared {
    server: Mutex<Server>,
    sockets: HashMap<SocketAddr, UdpSocket>,
    clock: Clock,
}

impl Shared {
    /// The answer, and its path.
    fn answer(&self, datagram: Datagram<'_>) -> Option<(FiveTuple, Vec<u8>)> {
        let mut buffer = [0; MAX_REQUEST + 256];
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = server.handle_datagram(datagram, self.clock.now(), &mut buffer)?;
        Some((answer.five_tuple, answer.payload.to_vec()))
    }
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let first = net::bind(arguments.listen).await?;
    let listen = net::local_address(&first)?;
    let listener = TcpListener::bind(listen).await.map_err(net::failure(listen))?;
    let mut sockets = HashMap::from([(listen, first)]);
    for address in others(listen, arguments.alternate)? {
        sockets.insert(address, net::bind(address).await?);
    }
    let config = Config {
        software: arguments.software,
        alternate: arguments.alternate.map(|alternate| (listen, alternate)),
        legacy: arguments.legacy,
        ..Config::default()
    };
    let server = Mutex::new(Server::new(config, net::seed()?));
    let shared = Arc::new(Shared { server, sockets, clock: Clock::start() });

    println!("listening on tcp {listen}");
    let mut tasks = JoinSet::new();
    for local in shared.sockets.keys().copied() {
        println!("listening on udp {local}");
        tasks.spawn(serve_udp(Arc::clone(&shared), local));
    }
    tasks.spawn(serve_tcp(shared, listener, listen));
    match tasks.join_next().await {
        Some(Ok(result)) => result,
        Some(Err(_)) | None => Err(Failure::Usage("a task has ended".into())),
    }
}

/// The other three of the four combinations of address and port.
fn others(listen: SocketAddr, alternate: Option<SocketAddr>) -> Result<Vec<SocketAddr>, Failure> {
    let Some(alternate) = alternate else { return Ok(Vec::new()) };
    if alternate.ip() == listen.ip() || alternate.port() == listen.port() {
        let line = "--alternate needs another address and another port than --listen";
        return Err(Failure::Usage(line.into()));
    }
    Ok(vec![
        SocketAddr::new(listen.ip(), alternate.port()),
        SocketAddr::new(alternate.ip(), listen.port()),
        alternate,
    ])
}

async fn serve_udp(shared: Arc<Shared>, local: SocketAddr) -> Result<(), Failure> {
    let Some(socket) = shared.sockets.get(&local) else { return Ok(()) };
    let mut buffer = vec![0; net::MAX_DATAGRAM];
    loop {
        // An error here is about an earlier answer that somebody did not want.
        let Ok((length, remote)) = socket.recv_from(&mut buffer).await else { continue };
        let payload = buffer.get(..length).unwrap_or_default();
        let five_tuple = FiveTuple::udp(local, remote);
        let Some((path, answer)) = shared.answer(Datagram { five_tuple, payload }) else {
            continue;
        };
        if let Some(socket) = shared.sockets.get(&path.local) {
            // A client that cannot be reached does not stop the server.
            let _ = socket.send_to(&answer, path.remote).await;
        }
    }
}

async fn serve_tcp(
    shared: Arc<Shared>,
    listener: TcpListener,
    local: SocketAddr,
) -> Result<(), Failure> {
    let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&free).acquire_owned().await else { return Ok(()) };
        let (stream, remote) = listener.accept().await.map_err(net::failure(local))?;
        let five_tuple = FiveTuple { transport: Transport::Tcp, local, remote };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // Whatever ends the connection, it is the client's affair.
            let _ = serve_connection(&shared, stream, five_tuple).await;
            drop(place);
        });
    }
}

async fn serve_connection(
    shared: &Shared,
    mut stream: TcpStream,
    five_tuple: FiveTuple,
) -> std::io::Result<()> {
    let mut messages = StreamBuffer::new(MAX_REQUEST);
    let mut buffer = [0; MAX_REQUEST];
    loop {
        let length = match tokio::time::timeout(IDLE, stream.read(&mut buffer)).await {
            Ok(Ok(length)) if length > 0 => length,
            Ok(Err(error)) => return Err(error),
            Ok(Ok(_)) | Err(_) => return Ok(()),
        };
        let mut rest = buffer.get(..length).unwrap_or_default();
        while !rest.is_empty() {
            let taken = messages.push(rest);
            rest = rest.get(taken..).unwrap_or_default();
            loop {
                let payload = match messages.next_message() {
                    Ok(Some(payload)) => payload,
                    Ok(None) => break,
                    Err(error) => return Err(std::io::Error::other(error)),
                };
                if let Some((_, answer)) = shared.answer(Datagram { five_tuple, payload }) {
                    stream.write_all(&answer).await?;
                }
            }
        }
    }
}
