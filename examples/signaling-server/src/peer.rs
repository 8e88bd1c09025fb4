//! One client's WebSocket, from its first message to its close.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Error;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Duration, Instant, MissedTickBehavior, interval_at, timeout, timeout_at};
use tokio_tungstenite::tungstenite;
use tracing::{debug, info};

use crate::message::{ClientMessage, ErrorCode, PeerId, ServerMessage};
use crate::room::{Mailbox, is_valid_name, random_name};
use crate::server::{Visitor, told_to_stop};

/// Serves a client until it leaves, misbehaves, or the server stops, and tells the others.
pub(crate) async fn serve(socket: WebSocket, visitor: Visitor) {
    let limits = &visitor.shared.config.limits;
    let (queue, outgoing) = mpsc::channel(limits.queue.max(1));
    let evicted = Arc::new(Notify::new());
    let mailbox = Mailbox { queue, evict: Arc::clone(&evicted) };
    let mut peer = Peer { id: PeerId::random(), room: None, mailbox, visitor: visitor.clone() };
    let mut stop = visitor.stop.clone();
    let (mut sink, mut stream) = socket.split();
    let silence = Silence::default();
    let end = tokio::select! {
        end = peer.read(&mut stream, &silence) => end,
        end = write(&mut sink, outgoing, limits.idle, &silence) => end,
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
    async fn read(&mut self, stream: &mut SplitStream<WebSocket>, silence: &Silence) -> End {
        let join_by = Instant::now() + self.visitor.shared.config.limits.handshake;
        loop {
            let next = match self.room {
                Some(_) => stream.next().await,
                None => match timeout_at(join_by, stream.next()).await {
                    Ok(next) => next,
                    Err(_) => return End::Close(close_code::POLICY, "joined no room in time"),
                },
            };
            silence.ends();
            let text = match next {
                None | Some(Ok(Message::Close(_))) => return End::Gone,
                Some(Err(error)) => return end_by(error),
                Some(Ok(Message::Binary(_))) => {
                    return End::Close(close_code::UNSUPPORTED, "messages are text");
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Text(text))) => text,
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

/// How many pings a client has let pass. Time alone does not tell: where nothing ran for a while, the client was not
/// asked either.
#[derive(Default)]
struct Silence(AtomicU32);

impl Silence {
    /// Whether it is too long for another ping.
    fn lasts(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) >= PINGS
    }

    /// Something has come.
    fn ends(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// Sends what is queued, and pings in between, until the connection breaks or no ping is answered.
async fn write(
    sink: &mut SplitSink<WebSocket, Message>,
    mut outgoing: mpsc::Receiver<ServerMessage>,
    idle: Duration,
    silence: &Silence,
) -> End {
    let ping_every = idle / (PINGS + 1);
    let mut ping = interval_at(Instant::now() + ping_every, ping_every);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            message = outgoing.recv() => match message.map(|m| serde_json::to_string(&m)) {
                Some(Ok(text)) => Message::Text(text.into()),
                Some(Err(_)) | None => return End::Gone,
            },
            _ = ping.tick() => {
                if silence.lasts() {
                    return End::Close(close_code::POLICY, "silent for too long");
                }
                Message::Ping(Vec::new().into())
            }
        };
        match timeout(idle, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return End::Gone,
            Err(_) => return End::Close(close_code::POLICY, "reads too slowly"),
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
/// How many pings a client may leave without an answer.
const PINGS: u32 = 3;
