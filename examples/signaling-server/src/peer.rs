//! One client's WebSocket, from its first message to its close.

use std::sync::Arc;

use axum::Error;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Duration, Instant, interval_at, timeout, timeout_at};
use tokio_tungstenite::tungstenite;
use tracing::{debug, info};

use crate::message::{ClientMessage, ErrorCode, PeerId, ServerMessage};
use crate::room::{Mailbox, is_valid_name, random_name};
use crate::server::{Visitor, told_to_stop};

/// Serves a client until it leaves, misbehaves, or the server stops, and tells the others.
pub(crate) async fn serve(socket: WebSocket, visitor: Visitor) {
    let limits = &visitor.shared.config.limits;
    let (queue, outgoing) = mpsc::channel(limits.queue.max(1));
    let ping_every = limits.idle / 3;
    let evicted = Arc::new(Notify::new());
    let mailbox = Mailbox { queue, evict: Arc::clone(&evicted) };
    let mut peer = Peer { id: PeerId::random(), room: None, mailbox, visitor: visitor.clone() };
    let mut stop = visitor.stop.clone();
    let (mut sink, mut stream) = socket.split();
    let end = tokio::select! {
        end = peer.read(&mut stream) => end,
        () = write(&mut sink, outgoing, ping_every) => End::Gone,
        () = evicted.notified() => End::Close(close_code::POLICY, "reads too slowly"),
        () = told_to_stop(&mut stop) => End::Close(close_code::AWAY, "the server stops"),
    };
    debug!(peer = %peer.id, ?end, "connection ends");
    peer.leave().await;
    let farewell = async {
        if let End::Close(code, reason) = end {
            let _ =
                sink.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
        }
        let _ = sink.close().await;
        drop((sink, stream));
        visitor.linger().await;
    };
    let _ = timeout(FAREWELL, farewell).await;
}

/// A client, as its own task sees it.
struct Peer {
    id: PeerId,
    room: Option<String>,
    mailbox: Mailbox,
    visitor: Visitor,
}

/// How a connection ends.
#[derive(Debug)]
enum End {
    /// By the client, or by the network.
    Gone,
    /// By the server, with this code and reason.
    Close(u16, &'static str),
}

impl Peer {
    /// Acts on the client's messages until it has to go.
    async fn read(&mut self, stream: &mut SplitStream<WebSocket>) -> End {
        let limits = self.visitor.shared.config.limits.clone();
        let join_by = Instant::now() + limits.handshake;
        loop {
            let idle_at = Instant::now() + limits.idle;
            let (deadline, late) = match self.room {
                None if join_by < idle_at => (join_by, "joined no room in time"),
                _ => (idle_at, "silent for too long"),
            };
            let text = match timeout_at(deadline, stream.next()).await {
                Err(_) => return End::Close(close_code::POLICY, late),
                Ok(None | Some(Ok(Message::Close(_)))) => return End::Gone,
                Ok(Some(Err(error))) => return end_by(error),
                Ok(Some(Ok(Message::Binary(_)))) => {
                    return End::Close(close_code::UNSUPPORTED, "messages are text");
                }
                Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => continue,
                Ok(Some(Ok(Message::Text(text)))) => text,
            };
            match serde_json::from_str(&text) {
                Ok(message) => self.act_on(message).await,
                Err(error) => self.refuse(ErrorCode::Malformed, error.to_string()).await,
            }
        }
    }

    async fn act_on(&mut self, message: ClientMessage) {
        if let ClientMessage::Join { room, create } = message {
            return self.join(room, create).await;
        }
        let Some(room) = &self.room else {
            return self.refuse(ErrorCode::NotJoined, "join a room first".to_owned()).await;
        };
        let Some((to, message)) = message.into_relayed(self.id.clone()) else {
            return;
        };
        let recipients =
            self.visitor.shared.with_rooms(|rooms| rooms.recipients(room, &self.id, to.as_ref()));
        if let (true, Some(to)) = (recipients.is_empty(), to) {
            return self.refuse(ErrorCode::UnknownPeer, format!("{to} is not in the room")).await;
        }
        for mailbox in recipients {
            self.deliver(&mailbox, message.clone()).await;
        }
    }

    async fn join(&mut self, room: Option<String>, create: bool) {
        if let Some(room) = &self.room {
            let message = format!("this connection is in room {room} already");
            return self.refuse(ErrorCode::AlreadyJoined, message).await;
        }
        let room = room.unwrap_or_else(random_name);
        if !is_valid_name(&room) {
            let message = "a room's name has 1 to 64 letters, digits, or - . _ ~".to_owned();
            return self.refuse(ErrorCode::InvalidRoom, message).await;
        }
        let limits = &self.visitor.shared.config.limits;
        let entry = (self.id.clone(), self.mailbox.clone());
        let others = match self
            .visitor
            .shared
            .with_rooms(|rooms| rooms.join(&room, create, entry, limits))
        {
            Ok(others) => others,
            Err(error) => return self.refuse(error.code(), error.to_string()).await,
        };
        info!(peer = %self.id, others = others.len(), "joined");
        self.room = Some(room.clone());
        let peers = others.iter().map(|(id, _)| id.clone()).collect();
        self.answer(ServerMessage::Joined { room, peer: self.id.clone(), peers }).await;
        for (_, mailbox) in others {
            self.deliver(&mailbox, ServerMessage::PeerJoined { peer: self.id.clone() }).await;
        }
    }

    async fn leave(&mut self) {
        let Some(room) = self.room.take() else {
            return;
        };
        info!(peer = %self.id, "left");
        for mailbox in self.visitor.shared.with_rooms(|rooms| rooms.leave(&room, &self.id)) {
            self.deliver(&mailbox, ServerMessage::PeerLeft { peer: self.id.clone() }).await;
        }
    }

    async fn refuse(&self, code: ErrorCode, message: String) {
        debug!(peer = %self.id, ?code, "refused");
        self.answer(ServerMessage::Error { code, message }).await;
    }

    async fn answer(&self, message: ServerMessage) {
        self.deliver(&self.mailbox, message).await;
    }

    /// Queues a message. The sender waits for a slow reader, and after a while the reader has to go.
    async fn deliver(&self, mailbox: &Mailbox, message: ServerMessage) {
        let patience = self.visitor.shared.config.limits.slow_reader;
        if timeout(patience, mailbox.queue.send(message)).await.is_err() {
            mailbox.evict.notify_one();
        }
    }
}

/// Sends what is queued, and pings in between, until the connection breaks.
async fn write(
    sink: &mut SplitSink<WebSocket, Message>,
    mut outgoing: mpsc::Receiver<ServerMessage>,
    ping_every: Duration,
) {
    let mut ping = interval_at(Instant::now() + ping_every, ping_every);
    loop {
        let message = tokio::select! {
            message = outgoing.recv() => match message.map(|m| serde_json::to_string(&m)) {
                Some(Ok(text)) => Message::Text(text.into()),
                Some(Err(_)) | None => return,
            },
            _ = ping.tick() => Message::Ping(Vec::new().into()),
        };
        if sink.send(message).await.is_err() {
            return;
        }
    }
}

/// Which close code answers a breach of the WebSocket protocol (RFC 6455 §7.4.1).
fn end_by(error: Error) -> End {
    use tungstenite::Error as Ws;
    use tungstenite::error::ProtocolError;
    let error = error.into_inner();
    match error.downcast_ref::<Ws>() {
        Some(Ws::Capacity(_)) => End::Close(close_code::SIZE, "the message is too long"),
        Some(Ws::Utf8(_)) => End::Close(close_code::INVALID, "the message is not UTF-8"),
        Some(Ws::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => End::Gone,
        Some(Ws::Protocol(_)) => End::Close(close_code::PROTOCOL, "not the WebSocket protocol"),
        _ => End::Gone,
    }
}

/// How long a client that is told to go may take to hear it.
const FAREWELL: Duration = Duration::from_secs(1);
