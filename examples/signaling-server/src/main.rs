//! The signaling server as a program.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use signaling_server::{Config, Limits, Origins, Server, TlsFiles};
use tokio::signal;
use tracing_subscriber::EnvFilter;

/// Rooms over WebSocket in which peers exchange offers, answers and candidates. Open its page in two
/// browser tabs to try it.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Peers in one room
    #[arg(long, value_name = "N", default_value_t = Limits::default().room_size)]
    max_room_size: usize,
    /// Rooms at a time
    #[arg(long, value_name = "N", default_value_t = Limits::default().rooms)]
    max_rooms: usize,
    /// Connections at a time
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections)]
    max_connections: usize,
    /// Connections at a time from one IPv4 address or IPv6 /64; raise it behind a proxy
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections_per_ip)]
    max_connections_per_ip: usize,
    /// Origin whose pages may connect, `*` for any; repeatable. Only the server's own if not given
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
    /// PEM file with the certificate chain: serve HTTPS and WSS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM file with the private key of the certificate
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    let arguments = Arguments::parse();
    let listen = arguments.listen;
    match serve(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("signaling-server: cannot serve on {listen}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: Arguments) -> io::Result<()> {
    let scheme = if arguments.tls_cert.is_some() { "https" } else { "http" };
    let stop = asked_to_stop()?;
    let server = Server::bind(arguments.into_config()).await?;
    let address = server.local_addr()?;
    println!("signaling-server: open {scheme}://{address}/ in two browser tabs; stop with Ctrl-C");
    let handle = server.handle();
    tokio::spawn(async move {
        stop.await;
        handle.shutdown();
    });
    server.serve().await;
    Ok(())
}

impl Arguments {
    fn into_config(self) -> Config {
        let origins = match self.allow_origin {
            listed if listed.is_empty() => Origins::Same,
            listed if listed.iter().any(|origin| origin == "*") => Origins::Any,
            listed => Origins::Listed(listed),
        };
        let tls = self.tls_cert.zip(self.tls_key);
        Config {
            listen: self.listen,
            tls: tls.map(|(certificates, key)| TlsFiles { certificates, key }),
            origins,
            limits: Limits {
                room_size: self.max_room_size,
                rooms: self.max_rooms,
                connections: self.max_connections,
                connections_per_ip: self.max_connections_per_ip,
                ..Limits::default()
            },
        }
    }
}

/// Ends on SIGINT, and on SIGTERM where there is one; both are caught from the call on.
#[cfg(unix)]
fn asked_to_stop() -> io::Result<impl Future<Output = ()>> {
    use signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ends on Ctrl-C.
#[cfg(not(unix))]
fn asked_to_stop() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = signal::ctrl_c().await;
    })
}
