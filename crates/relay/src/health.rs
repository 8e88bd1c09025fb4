//! Metrics and health over HTTP, on an address of their own.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::metrics::Metrics;

/// An HTTP server for `/metrics` and `/healthz`.
#[derive(Debug)]
pub struct Health {
    listener: TcpListener,
    metrics: Metrics,
}

impl Health {
    /// Binds the address.
    ///
    /// # Errors
    /// What the system says against it.
    pub async fn bind(address: SocketAddr, metrics: Metrics) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, metrics })
    }

    /// The address that is bound.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until the future is dropped.
    ///
    /// # Errors
    /// None that one client can cause.
    pub async fn serve(self) -> io::Result<()> {
        let router = Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(health))
            .with_state(self.metrics);
        axum::serve(self.listener, router).await
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
