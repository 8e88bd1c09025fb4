//! Metrics and health over HTTP, on an address of their own.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::debug;

use crate::metrics::Metrics;

/// An HTTP server for `/metrics` and `/healthz`.
///
/// A connection is for one answer, and has ten seconds. Whoever asks slowly, or not at all, holds 64 of the process's
/// descriptors at most; others wait with the kernel meanwhile.
#[derive(Debug)]
pub struct Health {
    listener: TcpListener,
    metrics: Metrics,
    patience: Duration,
}

/// Connections at a time.
const CONNECTIONS: usize = 64;
/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long nobody is accepted when there are no descriptors.
const PAUSE: Duration = Duration::from_millis(250);

impl Health {
    /// Binds the address.
    ///
    /// # Errors
    /// What the system says against it.
    pub async fn bind(address: SocketAddr, metrics: Metrics) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, metrics, patience: PATIENCE })
    }

    /// The address that is bound.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until the future is dropped.
    pub async fn serve(self) -> Infallible {
        let routes = Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(health))
            .with_state(self.metrics);
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let slot = Arc::clone(&slots).acquire_owned().await;
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let (routes, patience) = (routes.clone(), self.patience);
                    tokio::spawn(async move {
                        let _slot = slot;
                        answer(stream, routes, patience).await;
                    });
                }
                Err(error) => {
                    debug!(%error, "a connection for metrics could not be accepted");
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Answers one request, if it comes in time.
async fn answer(stream: TcpStream, routes: Router, patience: Duration) {
    let service = TowerToHyperService::new(routes);
    let connection =
        http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service);
    if !matches!(timeout(patience, connection).await, Ok(Ok(()))) {
        debug!("a client for metrics has not asked, or not read");
    }
}

async fn metrics(State(metrics): State<Metrics>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], metrics.render())
}

/// 200 as long as every worker runs.
async fn health(State(metrics): State<Metrics>) -> impl IntoResponse {
    if metrics.is_healthy() {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "a worker has ended\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Server, Settings};
    use std::io::{Read, Write};
    use std::net::TcpStream as Client;

    /// Connects, and writes this.
    fn ask(address: SocketAddr, text: &str) -> Client {
        let mut client = Client::connect(address).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // The server may have lost its patience.
        client.write_all(text.as_bytes()).unwrap_or_default();
        client
    }

    /// Twice as many clients as are served at a time ask half a question each, and one a whole one.
    fn visit(address: SocketAddr) {
        let half = "GET /healthz HTTP/1.1\r\nHost";
        let slow: Vec<_> = (0..2 * CONNECTIONS).map(|_| ask(address, half)).collect();
        for mut client in slow {
            match client.read(&mut [0]) {
                Ok(length) => assert_eq!(length, 0, "half a question has no answer"),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
            }
        }
        let is_answered = (0..100).any(|_| {
            let mut answer = String::new();
            let mut client = ask(address, "GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n");
            client.read_to_string(&mut answer).is_ok_and(|_| answer.ends_with("ok\n"))
        });
        assert!(is_answered);
    }

    #[test]
    fn whoever_does_not_ask_in_time_goes() {
        let settings = Settings::from_toml("listen = [\"127.0.0.1:0\"]").unwrap();
        let server = Server::start(&settings.resolve().unwrap()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let any = "127.0.0.1:0".parse().unwrap();
            let mut health = Health::bind(any, server.metrics().clone()).await.unwrap();
            health.patience = Duration::from_millis(20);
            let address = health.local_addr().unwrap();
            tokio::spawn(health.serve());
            tokio::task::spawn_blocking(move || visit(address)).await.unwrap();
        });
    }
}
