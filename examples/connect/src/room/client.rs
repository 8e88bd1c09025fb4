//! The client side of the signaling server's WebSocket.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use signaling_server::{ClientMessage, PeerId, ServerMessage};
use tokio::net::TcpStream;
use tokio_rustls::rustls;
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// A connection to the server, in a room.
pub(crate) struct RoomClient {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Who was there before.
    pub(crate) present: Vec<PeerId>,
    pub(crate) room: String,
}

impl RoomClient {
    /// Connects and enters the room.
    pub(crate) async fn join(url: &str, room: &str, create: bool) -> Result<Self> {
        let uri = websocket_uri(url)?;
        let connecting =
            tokio::time::timeout(PATIENCE, connect_async_with_config(&uri, None, NO_DELAY)).await;
        let (socket, _) = connecting
            .with_context(|| format!("{uri} does not answer"))?
            .map_err(|error| explain(&uri, error))?;
        let mut client = Self { socket, present: Vec::new(), room: room.to_owned() };
        client.send(&ClientMessage::Join { room: Some(room.to_owned()), create }).await?;
        let answer = tokio::time::timeout(PATIENCE, client.next()).await;
        match answer
            .context("the server does not answer")?
            .with_context(|| format!("room {room:?}"))?
        {
            ServerMessage::Joined { peers, .. } => client.present = peers,
            other => bail!("the server answered the join with {other:?}"),
        }
        Ok(client)
    }

    pub(crate) async fn send(&mut self, message: &ClientMessage) -> Result<()> {
        let text = serde_json::to_string(message)?;
        self.socket.send(Message::text(text)).await.context("the signaling server is gone")
    }

    /// The next message. An error that the server reports is an error here. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<ServerMessage> {
        loop {
            let frame =
                self.socket.next().await.context("the signaling server closed the connection")?;
            let text = match frame.context("the signaling server is gone")? {
                Message::Text(text) => text,
                Message::Close(Some(close)) => {
                    bail!(
                        "the signaling server closed the connection: {} {}",
                        close.code,
                        close.reason
                    )
                }
                Message::Close(None) => bail!("the signaling server closed the connection"),
                Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_) => {
                    continue;
                }
            };
            let message =
                serde_json::from_str(&text).context("the signaling server sent malformed JSON")?;
            match message {
                ServerMessage::Error { message, .. } => {
                    bail!("the signaling server refused: {message}")
                }
                message => return Ok(message),
            }
        }
    }
}

/// `ws://HOST:PORT/` stands for the server's `/ws`; `wss://` for the same behind TLS.
fn websocket_uri(url: &str) -> Result<Uri> {
    let uri: Uri = url.parse().with_context(|| format!("{url:?} is not a URL"))?;
    let (Some(scheme @ ("ws" | "wss")), Some(authority)) = (uri.scheme_str(), uri.authority())
    else {
        bail!("{url:?} is not of the form ws://HOST:PORT/ or wss://HOST:PORT/");
    };
    match uri.path() {
        "" | "/" => Ok(format!("{scheme}://{authority}/ws").parse()?),
        _ => Ok(uri),
    }
}

fn explain(uri: &Uri, error: WsError) -> anyhow::Error {
    let what = match &error {
        WsError::Tls(_) => "TLS cannot be set up with the server there",
        WsError::Io(error) if error.get_ref().is_some_and(|cause| cause.is::<rustls::Error>()) => {
            "the server's certificate is not trusted here, or TLS fails otherwise"
        }
        WsError::Io(_) => "no signaling server can be reached there",
        WsError::Http(_) => "the server there has no signaling at this path",
        _ => "what answers there is not a signaling server",
    };
    // Each error tells its cause, too, so that the innermost one suffices.
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    anyhow::anyhow!("{uri}: {what}: {cause}")
}

/// Messages are small and somebody waits for each of them.
const NO_DELAY: bool = true;
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_stands_for_the_servers_websocket() {
        for url in ["ws://127.0.0.1:8080", "ws://127.0.0.1:8080/", "ws://127.0.0.1:8080/ws"] {
            assert_eq!(websocket_uri(url).unwrap().to_string(), "ws://127.0.0.1:8080/ws");
        }
        assert_eq!(websocket_uri("wss://host/").unwrap().to_string(), "wss://host/ws");
        assert_eq!(websocket_uri("ws://host/elsewhere").unwrap().path(), "/elsewhere");
        for url in ["127.0.0.1:8080", "http://host/", "ws:///ws", "not a url"] {
            assert!(websocket_uri(url).is_err(), "{url}");
        }
    }
}
