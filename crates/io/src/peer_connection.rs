//! TCP connections to the peer, whose datagrams are frames on a stream (RFC 6544 §7, RFC 4571).

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pinhole_ice::PairId;
use pinhole_sansio::{Datagram, FiveTuple, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::shared::Shared;

/// The open connections, by their five-tuples.
#[derive(Debug, Default)]
pub(crate) struct Peers(Mutex<HashMap<FiveTuple, Peer>>);

/// What is sent on a connection, a frame at a time. It is closed when what waits is written and this is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Peer(mpsc::Sender<Vec<u8>>);

impl Peers {
    pub(crate) fn get(&self, five_tuple: FiveTuple) -> Option<Peer> {
        if five_tuple.transport == Transport::Tcp {
            self.lock().get(&five_tuple).cloned()
        } else {
            None
        }
    }

    /// Closes a connection.
    pub(crate) fn close(&self, five_tuple: FiveTuple) {
        self.lock().remove(&five_tuple);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FiveTuple, Peer>> {
        // Nothing that is done under the lock leaves it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peer {
    /// Sends a datagram in parts, unless too much waits to be sent.
    pub(crate) fn send(&self, parts: &[&[u8]]) -> io::Result<()> {
        self.0.try_send(frame(parts)?).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => io::ErrorKind::WouldBlock.into(),
            mpsc::error::TrySendError::Closed(_) => io::ErrorKind::BrokenPipe.into(),
        })
    }

    /// The same, once there is room.
    pub(crate) async fn send_when_possible(&self, parts: &[&[u8]]) -> io::Result<()> {
        let frame = frame(parts)?;
        self.0.send(frame).await.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// What is listened for at a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    /// Connections.
    Passive,
    /// Connections, and others are opened from it.
    Simultaneous,
}

/// A socket that listens, and where.
pub(crate) fn bind(address: SocketAddr, port: Port) -> io::Result<(SocketAddr, TcpListener)> {
    let socket = socket_for(address)?;
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(address)?;
    // To a socket that is ready to share, the system may give a port that others share: it is chosen first.
    if port == Port::Simultaneous {
        share_port(&socket)?;
    }
    let listener = socket.listen(BACKLOG)?;
    Ok((listener.local_addr()?, listener))
}

fn socket_for(address: SocketAddr) -> io::Result<TcpSocket> {
    if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }
}

/// Lets other sockets of this process have the same port: one that listens, and those that connect (RFC 6544 Appendix B).
fn share_port(socket: &TcpSocket) -> io::Result<()> {
    socket.set_reuseaddr(true)?;
    #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
    socket.set_reuseport(true)?;
    Ok(())
}

/// Accepts connections, as many at once as a peer may have candidates.
pub(crate) async fn listen(shared: Arc<Shared>, listener: TcpListener) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if tasks.len() < MAX_ACCEPTED => match accepted {
                Ok((stream, _)) => _ = tasks.spawn(serve_accepted(Arc::clone(&shared), stream)),
                // No descriptor is left, or the peer has gone already.
                Err(error) => {
                    tracing::debug!(%error, "not accepted");
                    tokio::time::sleep(BREATHER).await;
                }
            },
            Some(_) = tasks.join_next() => {}
        }
    }
}

async fn serve_accepted(shared: Arc<Shared>, stream: TcpStream) {
    if let Ok(five_tuple) = five_tuple_of(&stream) {
        serve(&shared, stream, five_tuple, || {}).await;
    }
}

/// Opens the connection for a pair, and serves it to its end.
pub(crate) async fn connect(
    shared: Arc<Shared>,
    pair: PairId,
    local: SocketAddr,
    remote: SocketAddr,
) {
    let opened = match open(local, remote).await {
        Ok(stream) => five_tuple_of(&stream).map(|five_tuple| (stream, five_tuple)),
        Err(error) => Err(error),
    };
    match opened {
        Ok((stream, five_tuple)) => {
            let tell = || {
                let connected = Some(five_tuple);
                shared.with_agent(|agent, now| agent.peer_connected(pair, connected, now));
            };
            serve(&shared, stream, five_tuple, tell).await;
        }
        Err(error) => {
            tracing::debug!(%remote, %error, "no connection");
            shared.with_agent(|agent, now| agent.peer_connected(pair, None, now));
        }
    }
}

/// Receives until the connection ends or is closed; `tell` is called once frames can be sent.
async fn serve(shared: &Shared, stream: TcpStream, five_tuple: FiveTuple, tell: impl FnOnce()) {
    // Frames are mostly small and in a hurry.
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    let (sender, frames) = mpsc::channel(MAX_WAITING);
    shared.peers.lock().insert(five_tuple, Peer(sender));
    tell();
    tokio::select! {
        error = receive(shared, reader, five_tuple) => {
            tracing::debug!(%five_tuple, %error, "the connection has ended");
        }
        () = write(writer, frames) => {}
    }
    shared.peers.close(five_tuple);
    shared.with_agent(|agent, now| agent.peer_disconnected(five_tuple, now));
}

async fn open(local: SocketAddr, remote: SocketAddr) -> io::Result<TcpStream> {
    let socket = socket_for(remote)?;
    if local.port() != 0 {
        share_port(&socket)?;
    }
    socket.bind(local)?;
    socket.connect(remote).await
}

fn five_tuple_of(stream: &TcpStream) -> io::Result<FiveTuple> {
    let (local, remote) = (stream.local_addr()?, stream.peer_addr()?);
    Ok(FiveTuple { transport: Transport::Tcp, local, remote })
}

/// Hands in one frame after another; how that ended.
async fn receive(shared: &Shared, mut reader: OwnedReadHalf, five_tuple: FiveTuple) -> io::Error {
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let length = match timeout(IDLE, reader.read_u16()).await {
            Ok(Ok(length)) => usize::from(length),
            Ok(Err(error)) => return error,
            Err(_) => return io::ErrorKind::TimedOut.into(),
        };
        let payload = buffer.get_mut(..length).unwrap_or_default();
        if let Err(error) = reader.read_exact(payload).await {
            return error;
        }
        shared.receive([Datagram { five_tuple, payload }]);
    }
}

/// Writes what is to be sent until nobody sends any more, or the peer takes no more.
async fn write(mut writer: OwnedWriteHalf, mut frames: mpsc::Receiver<Vec<u8>>) {
    while let Some(frame) = frames.recv().await {
        if let Err(error) = writer.write_all(&frame).await {
            tracing::debug!(%error, "not sent");
            return;
        }
    }
    let _ = writer.shutdown().await;
}

/// RFC 4571 §2: the length in two bytes, then the datagram.
fn frame(parts: &[&[u8]]) -> io::Result<Vec<u8>> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let prefix = u16::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut frame = Vec::with_capacity(2 + length);
    frame.extend_from_slice(&prefix.to_be_bytes());
    parts.iter().for_each(|part| frame.extend_from_slice(part));
    Ok(frame)
}

/// Frames that wait to be written to one connection.
const MAX_WAITING: usize = 64;
/// Connections that a listener serves at once; further ones wait with the system.
const MAX_ACCEPTED: usize = 100;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 128;
/// A peer sends something at least every 6 s, for consent.
const IDLE: Duration = Duration::from_secs(60);
/// After a refusal by the system.
const BREATHER: Duration = Duration::from_millis(100);
