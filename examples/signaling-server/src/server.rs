use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, info, warn};

use crate::admission::{Admission, Slot};
use crate::config::Config;
use crate::http;
use crate::room::Rooms;
use crate::tls;

/// A signaling server that listens, and serves once [`Server::serve`] runs.
pub struct Server {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    admission: Arc<Admission>,
    stop: watch::Sender<bool>,
}

/// Stops a [`Server`] from elsewhere.
#[derive(Clone, Debug)]
pub struct Handle {
    stop: watch::Sender<bool>,
}

/// What all connections have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    rooms: Mutex<Rooms>,
}

/// What one connection needs from the server. The server does not end before it is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) shared: Arc<Shared>,
    pub(crate) stop: watch::Receiver<bool>,
    /// The socket once more, to be drained at the end.
    twin: Arc<TcpStream>,
    _slot: Arc<Slot>,
}

impl Server {
    /// Listens on the configured address.
    ///
    /// # Errors
    /// When the address cannot be listened on, or the TLS files cannot be used.
    pub async fn bind(config: Config) -> io::Result<Self> {
        let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let listener = TcpListener::bind(config.listen).await?;
        Ok(Self {
            listener,
            tls,
            admission: Admission::new(config.limits.clone()),
            shared: Arc::new(Shared { config, rooms: Mutex::default() }),
            stop: watch::Sender::new(false),
        })
    }

    /// The address that the server listens on.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// A handle that stops the server.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle { stop: self.stop.clone() }
    }

    /// Serves until a [`Handle`] stops it. Then every client is told that the server goes away (1001),
    /// and connections that do not end within two seconds are left behind.
    pub async fn serve(self) {
        let mut stopped = self.stop.subscribe();
        loop {
            tokio::select! {
                () = told_to_stop(&mut stopped) => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((socket, from)) => self.admit(socket, from),
                    Err(error) => {
                        // Out of descriptors, most likely: connections that end will free some.
                        warn!("cannot accept: {error}");
                        sleep(Duration::from_millis(50)).await;
                    }
                },
            }
        }
        drop((self.listener, stopped));
        if timeout(Duration::from_secs(2), self.stop.closed()).await.is_err() {
            warn!("left {} connections behind", self.stop.receiver_count());
        }
    }

    fn admit(&self, socket: TcpStream, from: SocketAddr) {
        let Some(slot) = self.admission.admit(from.ip()) else {
            info!("refused a connection: too many");
            return;
        };
        // Messages are small and somebody waits for each of them.
        if let Err(error) = socket.set_nodelay(true) {
            debug!(%from, "TCP_NODELAY: {error}");
        }
        let (socket, twin) = match twins(socket) {
            Ok(twins) => twins,
            Err(error) => return warn!("cannot set up a connection: {error}"),
        };
        debug!(%from, "connection");
        let visitor = Visitor {
            shared: Arc::clone(&self.shared),
            stop: self.stop.subscribe(),
            twin: Arc::new(twin),
            _slot: Arc::new(slot),
        };
        let tls = self.tls.clone();
        tokio::spawn(async move {
            match tls {
                None => serve_http(socket, visitor).await,
                Some(tls) => {
                    let patience = visitor.shared.config.limits.handshake;
                    match timeout(patience, tls.accept(socket)).await {
                        Ok(Ok(stream)) => serve_http(stream, visitor).await,
                        Ok(Err(error)) => debug!(%from, "TLS handshake: {error}"),
                        Err(_) => debug!(%from, "TLS handshake took too long"),
                    }
                }
            }
        });
    }
}

impl Handle {
    /// Tells the server to stop; [`Server::serve`] returns when it has.
    pub fn shutdown(&self) {
        self.stop.send_replace(true);
    }
}

impl Shared {
    /// Looks at the rooms, or changes them. Nothing is awaited meanwhile.
    pub(crate) fn with_rooms<T>(&self, work: impl FnOnce(&mut Rooms) -> T) -> T {
        work(&mut self.rooms.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Visitor {
    /// Ends our side of the connection, and waits for the client to end its own. A socket that is
    /// closed with bytes unread resets the connection, and the client may never see what was sent last.
    pub(crate) async fn linger(&self) {
        let mut unread = [0; 4_096];
        let _ = SockRef::from(&*self.twin).shutdown(Shutdown::Write);
        while self.twin.readable().await.is_ok() {
            match self.twin.try_read(&mut unread) {
                Ok(0) => return,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
                Ok(_) | Err(_) => {}
            }
        }
    }
}

/// Returns when the server has been told to stop.
pub(crate) async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    // An error means that the server and its handles are gone, which is as good as told.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Two handles of one socket.
fn twins(socket: TcpStream) -> io::Result<(TcpStream, TcpStream)> {
    let socket = socket.into_std()?;
    let twin = socket.try_clone()?;
    Ok((TcpStream::from_std(socket)?, TcpStream::from_std(twin)?))
}

/// Answers one request, or hands the connection over to the WebSocket that it asks for.
async fn serve_http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    visitor: Visitor,
) {
    let limits = visitor.shared.config.limits.clone();
    let mut stop = visitor.stop.clone();
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.handshake)
        .max_buf_size(limits.header_bytes.max(SMALLEST_HTTP_BUFFER))
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(http::routes(visitor)))
        .with_upgrades();
    tokio::select! {
        result = connection => if let Err(error) = result {
            debug!("HTTP: {error}");
        },
        () = told_to_stop(&mut stop) => {}
    }
}

/// What the HTTP library insists on.
const SMALLEST_HTTP_BUFFER: usize = 8_192;
