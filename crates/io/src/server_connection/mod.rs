//! A connection to a STUN or TURN server: whole messages in and out, over UDP, TCP or TLS.

mod outgoing;
mod proxy;
mod stream;
mod trust;
mod verifier;

pub use stream::ServerStream;
pub use trust::{Trust, TrustError};

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pinhole_sansio::{FiveTuple, Transport};
use pinhole_stun::resolve::ServerAddress;
use pinhole_stun::{Host, StreamBuffer};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, ReadHalf};
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;

use crate::socket;
use outgoing::Outgoing;

/// Opens connections to servers, all with the same trust.
///
/// ```no_run
/// use pinhole_io::{ServerConnector, resolve_numeric};
/// use pinhole_sansio::Transport;
/// use pinhole_stun::{Class, MessageWriter, Method, TransactionId, Uri};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let uri: Uri = "turn:192.0.2.10?transport=tcp".parse()?;
/// for server in resolve_numeric(&uri, &[Transport::Udp, Transport::Tcp, Transport::Tls])? {
///     let connection = ServerConnector::default().connect(&server, &uri.host).await?;
///     let id = TransactionId::new([7; 12]); // from a strong generator, outside of an example
///     let mut buffer = [0; 1500];
///     let request = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id)?.finish();
///     connection.send(&[request])?;
///     let length = connection.recv(&mut buffer).await?;
///     println!("{} bytes over {}", length, connection.five_tuple());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ServerConnector {
    trust: Trust,
    local: Option<IpAddr>,
    proxy: Option<SocketAddr>,
    /// Made when TLS is first wanted, since the system's roots take some milliseconds to read.
    tls: Arc<OnceLock<Arc<ClientConfig>>>,
}

/// An open connection: STUN and ChannelData, one message at a time.
///
/// All methods take `&self`: one task may receive while others send. On streams a task of its own writes what
/// was sent; dropping the connection lets it finish within a second, and closes.
#[derive(Debug)]
pub struct ServerConnection {
    five_tuple: FiveTuple,
    link: Link,
}

#[derive(Debug)]
enum Link {
    Udp(UdpSocket),
    Stream { incoming: tokio::sync::Mutex<Incoming>, outgoing: Outgoing },
}

#[derive(Debug)]
struct Incoming {
    stream: ReadHalf<ServerStream>,
    frames: StreamBuffer,
    chunk: Box<[u8]>,
}

impl ServerConnector {
    /// Believes the certificates that `trust` vouches for, instead of those of the system's roots.
    #[must_use]
    pub fn trusting(self, trust: Trust) -> Self {
        Self { trust, tls: Arc::default(), ..self }
    }

    /// Connects from this address of the machine, instead of the one that the system chooses.
    #[must_use]
    pub fn from_address(self, local: IpAddr) -> Self {
        Self { local: Some(local), ..self }
    }

    /// Opens streams through this HTTP proxy (CONNECT, RFC 9110 §9.3.6), from an address that the system chooses, and
    /// nothing over UDP.
    #[must_use]
    pub fn through_proxy(self, proxy: SocketAddr) -> Self {
        Self { proxy: Some(proxy), ..self }
    }

    pub(crate) const fn speaks_udp(&self) -> bool {
        self.proxy.is_none()
    }

    /// Opens a connection; over TLS, the server's certificate must be for `host`. Cancel-safe.
    ///
    /// # Errors
    /// What the operating system, the proxy or TLS says; [`io::ErrorKind::TimedOut`] after 10 s;
    /// [`io::ErrorKind::Unsupported`] for DTLS, and for UDP through a proxy.
    pub async fn connect(
        &self,
        server: &ServerAddress,
        host: &Host,
    ) -> io::Result<ServerConnection> {
        if server.transport == Transport::Udp && self.speaks_udp() {
            return self.open_udp(server.address).await;
        }
        let (five_tuple, stream) = self.connect_stream(server, host).await?;
        Ok(ServerConnection::over(five_tuple, stream))
    }

    /// Opens a stream to a server, whose bytes the caller cuts into messages, as the data connections of RFC 6062
    /// need it. Cancel-safe.
    ///
    /// # Errors
    /// As [`connect`](Self::connect); [`io::ErrorKind::Unsupported`] for UDP.
    pub async fn connect_stream(
        &self,
        server: &ServerAddress,
        host: &Host,
    ) -> io::Result<(FiveTuple, ServerStream)> {
        let opening = async {
            match server.transport {
                Transport::Tcp => stream::tcp(self.open_tcp(server.address).await?),
                Transport::Tls => {
                    let connector = TlsConnector::from(self.tls_config()?);
                    stream::tls(self.open_tcp(server.address).await?, &connector, host).await
                }
                transport @ (Transport::Udp | Transport::Dtls) => Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    format!("{transport} is not spoken here"),
                )),
            }
        };
        let (local, stream) = tokio::time::timeout(PATIENCE, opening).await.map_err(|_| {
            let seconds = PATIENCE.as_secs();
            let text = format!("{} does not answer within {seconds} s", server.address);
            io::Error::new(io::ErrorKind::TimedOut, text)
        })??;
        let five_tuple = FiveTuple { transport: server.transport, local, remote: server.address };
        Ok((five_tuple, stream))
    }

    async fn open_tcp(&self, server: SocketAddr) -> io::Result<TcpStream> {
        let Some(proxy) = self.proxy else { return stream::connect(self.local, server).await };
        let mut stream = stream::connect(None, proxy).await?;
        proxy::tunnel(&mut stream, server).await?;
        Ok(stream)
    }

    async fn open_udp(&self, remote: SocketAddr) -> io::Result<ServerConnection> {
        let socket = socket::bind(self.local.unwrap_or_else(|| stream::unspecified(remote)))?;
        socket.connect(remote).await?;
        let five_tuple = FiveTuple::udp(socket.local_addr()?, remote);
        Ok(ServerConnection { five_tuple, link: Link::Udp(socket) })
    }

    fn tls_config(&self) -> io::Result<Arc<ClientConfig>> {
        if let Some(config) = self.tls.get() {
            return Ok(Arc::clone(config));
        }
        let made = self.trust.client_config().map_err(io::Error::other)?;
        Ok(Arc::clone(self.tls.get_or_init(|| made)))
    }
}

/// How long a connection may take to open, certificates included.
const PATIENCE: Duration = Duration::from_secs(10);

impl ServerConnection {
    /// Takes a stream over that is open.
    fn over(five_tuple: FiveTuple, stream: ServerStream) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let incoming = Incoming {
            stream: reader,
            frames: pinhole_turn::stream_buffer(Self::MAX_MESSAGE),
            chunk: vec![0; CHUNK].into(),
        };
        let outgoing = Outgoing::spawn(writer);
        Self { five_tuple, link: Link::Stream { incoming: incoming.into(), outgoing } }
    }

    /// No message is longer: the largest that STUN's length field can tell, and a ChannelData message with its
    /// padding is shorter.
    pub const MAX_MESSAGE: usize = 20 + 65_532;

    /// How the messages travel; `local` is a concrete address.
    #[must_use]
    pub const fn five_tuple(&self) -> FiveTuple {
        self.five_tuple
    }

    /// Sends one message that lies in parts, such as a header and a payload; on a stream, padding to a multiple
    /// of four bytes is added (RFC 8656 §12.5). It never waits.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when the socket, or 256 KiB that wait for a stream, can take no more: the
    /// message is dropped, and [`writable`](Self::writable) waits for room. Otherwise, over UDP, what became of
    /// something that was sent earlier; on a stream, that it is broken.
    pub fn send(&self, parts: &[&[u8]]) -> io::Result<()> {
        match &self.link {
            Link::Udp(socket) => send_datagram(socket, parts),
            Link::Stream { outgoing, .. } => outgoing.push(parts),
        }
    }

    /// Waits until something can be sent, or sending tells why nothing can. Cancel-safe.
    ///
    /// # Errors
    /// What the operating system says.
    pub async fn writable(&self) -> io::Result<()> {
        match &self.link {
            Link::Udp(socket) => socket.writable().await,
            Link::Stream { outgoing, .. } => {
                outgoing.writable().await;
                Ok(())
            }
        }
    }

    /// Waits for the next message, and copies it into the buffer, as much as fits; tells how much that is.
    /// [`MAX_MESSAGE`](Self::MAX_MESSAGE) bytes always suffice. Cancel-safe.
    ///
    /// # Errors
    /// Over UDP, what became of something that was sent, such as [`io::ErrorKind::ConnectionRefused`]: one may go
    /// on. On a stream, the end: [`io::ErrorKind::UnexpectedEof`] when the server has closed it,
    /// [`io::ErrorKind::InvalidData`] when what comes is no sequence of messages, or what the system says.
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.link {
            Link::Udp(socket) => socket.recv(buffer).await,
            Link::Stream { incoming, .. } => incoming.lock().await.next(buffer).await,
        }
    }
}

/// The system is asked directly: tokio's `try_send` refuses until it has once seen the socket writable.
fn send_datagram(socket: &UdpSocket, parts: &[&[u8]]) -> io::Result<()> {
    match SockRef::from(socket).send_vectored(&socket::slices(parts)) {
        Ok(_) => Ok(()),
        // The reactor has to look again, or `writable` would return at once for ever.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            socket.try_io(tokio::io::Interest::WRITABLE, || Err(error))
        }
        Err(error) => Err(error),
    }
}

impl Incoming {
    async fn next(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let message = self
                .frames
                .next_message()
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if let Some(message) = message {
                let length = message.len().min(buffer.len());
                let (whole, _) = message.split_at(length);
                buffer.iter_mut().zip(whole).for_each(|(to, from)| *to = *from);
                return Ok(length);
            }
            let room = ServerConnection::MAX_MESSAGE - self.frames.pending();
            read_some(&mut self.stream, &mut self.chunk, room, &mut self.frames).await?;
        }
    }
}

/// Reads what there is, and no more than fits.
async fn read_some(
    stream: &mut (impl AsyncRead + Unpin),
    chunk: &mut [u8],
    room: usize,
    frames: &mut StreamBuffer,
) -> io::Result<()> {
    let (chunk, _) = chunk.split_at_mut(room.min(chunk.len()));
    let length = stream.read(chunk).await?;
    if length == 0 {
        let text = "the server has closed the connection";
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
    }
    frames.push(chunk.get(..length).unwrap_or_default());
    Ok(())
}

/// How much is read from a stream at once: a TLS record.
const CHUNK: usize = 16_384;
