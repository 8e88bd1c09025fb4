//! A server on loopback, and clients of it. Everything that waits gives up after [`PATIENCE`].
#![allow(dead_code, reason = "no test uses all of it")]

pub(crate) mod chromium;
pub(crate) mod namespace;
pub(crate) mod raw;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use signaling_server::{Config, Handle, Limits, Server};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long anything may take before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A server that serves in the background.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) handle: Handle,
    pub(crate) serving: JoinHandle<()>,
}

pub(crate) async fn server(limits: Limits) -> Running {
    server_with(Config { limits, ..Config::default() }).await
}

pub(crate) async fn server_with(config: Config) -> Running {
    let server = Server::bind(config).await.unwrap();
    let (address, handle) = (server.local_addr().unwrap(), server.handle());
    Running { address, handle, serving: tokio::spawn(server.serve()) }
}

/// What `future` gives, or a failed test.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = timeout(PATIENCE, future).await;
    outcome.unwrap_or_else(|_| panic!("{what} took more than {PATIENCE:?}"))
}

/// A WebSocket client that speaks JSON.
pub(crate) struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let url = format!("ws://{address}/ws");
        let (socket, _) = soon("connecting", connect_async(url)).await.unwrap();
        Self { socket }
    }

    /// Connects and joins; the answer as well.
    pub(crate) async fn joined(address: SocketAddr, room: &str) -> (Self, Value) {
        let mut client = Self::connect(address).await;
        let answer = client.ask(json!({"type": "join", "room": room})).await;
        assert_eq!(answer["type"], "joined", "{answer}");
        (client, answer)
    }

    pub(crate) async fn send(&mut self, message: Message) {
        soon("sending", self.socket.send(message)).await.unwrap();
    }

    /// As [`Client::send`], where the server may hang up meanwhile.
    pub(crate) async fn try_send(&mut self, message: Message) -> Result<(), Error> {
        soon("sending", self.socket.send(message)).await
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.send(Message::text(message.to_string())).await;
    }

    /// The next JSON message.
    pub(crate) async fn hear(&mut self) -> Value {
        loop {
            match soon("a message", self.socket.next()).await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("{other:?} came instead of a message"),
            }
        }
    }

    /// Says something and hears the answer.
    pub(crate) async fn ask(&mut self, message: Value) -> Value {
        self.say(message).await;
        self.hear().await
    }

    /// The code of the error that answers `message`.
    pub(crate) async fn error_code(&mut self, message: Value) -> String {
        let answer = self.ask(message).await;
        assert_eq!(answer["type"], "error", "{answer}");
        assert!(!answer["message"].as_str().unwrap().is_empty());
        answer["code"].as_str().unwrap().to_owned()
    }

    /// The code with which the server closes the connection.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            match soon("the close", self.socket.next()).await {
                Some(Ok(Message::Close(Some(CloseFrame { code, .. })))) => return code.into(),
                Some(Ok(_)) => {}
                other => panic!("{other:?} came instead of a close"),
            }
        }
    }

    pub(crate) async fn close(mut self) {
        soon("closing", self.socket.close(None)).await.unwrap();
    }
}
