//! Meeting in a room, and all that can go wrong on the way.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use support::{Ended, Program, signaling, soon};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, accept_async, connect_async};

#[tokio::test]
async fn lines_typed_on_one_side_appear_on_the_other() {
    let (server, _handle) = signaling().await;
    let mut first = join(server, &[]);
    first.wait_for("waiting for another peer").await;
    let mut second = join(server, &["--join-only"]);
    first.wait_for("connected: ").await;
    second.wait_for("connected: ").await;
    first.say("good morning").await;
    second.wait_for("< good morning").await;
    second.say("grüezi").await;
    first.wait_for("< grüezi").await;
    second.hang_up();
    assert_eq!(second.end().await.code, Some(0));
    let ended = first.end().await;
    assert_eq!(ended.code, Some(0));
    assert!(
        ended.output.iter().any(|line| line.contains("the other peer ended the call")),
        "{:?}",
        ended.output
    );
}

#[tokio::test]
async fn a_connection_outlives_its_signaling_server() {
    let (server, handle) = signaling().await;
    let [mut first, mut second] = [join(server, &[]), join(server, &[])];
    first.wait_for("connected: ").await;
    second.wait_for("connected: ").await;
    handle.shutdown();
    first.say("still here").await;
    second.wait_for("< still here").await;
}

#[tokio::test]
async fn a_signaling_server_that_ends_before_the_peers_meet_is_reported() {
    let (server, handle) = signaling().await;
    let mut program = join(server, &[]);
    program.wait_for("waiting for another peer").await;
    handle.shutdown();
    refused(&program.end().await, "the signaling server closed the connection");
}

#[tokio::test]
async fn a_wrong_address_is_reported() {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let ended = join(unused, &[]).end().await;
    refused(&ended, "no signaling server can be reached there");
    assert_eq!(ended.errors.matches("refused").count(), 1, "the cause, once: {}", ended.errors);

    let (server, _handle) = signaling().await;
    let elsewhere = format!("ws://{server}/elsewhere");
    let ended =
        Program::start(&["--signal", &elsewhere, "--room", "blue", "--loopback"]).end().await;
    refused(&ended, "the server there has no signaling at this path");

    let ended = Program::start(&["--signal", "http://127.0.0.1/", "--room", "blue"]).end().await;
    refused(&ended, "is not of the form ws://HOST:PORT/");
}

#[tokio::test]
async fn an_unknown_room_is_reported() {
    let (server, _handle) = signaling().await;
    let ended = join(server, &["--join-only"]).end().await;
    refused(&ended, "room \"blue\": the signaling server refused: there is no such room");
}

#[tokio::test]
async fn a_full_room_is_reported() {
    let (server, _handle) = signaling().await;
    let _present = [Peer::join(server).await, Peer::join(server).await];
    refused(&join(server, &[]).end().await, "the signaling server refused: ");
}

#[tokio::test]
async fn a_malformed_description_is_shown_and_the_other_side_is_told() {
    let (server, _handle) = signaling().await;
    let mut program = join(server, &[]);
    program.wait_for("waiting for another peer").await;
    let mut peer = Peer::join(server).await;
    peer.say(&json!({"type": "offer", "sdp": "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=application none\r\n"}))
        .await;
    let bye = peer.hear("bye").await;
    assert!(bye["reason"].as_str().unwrap().contains("malformed"), "{bye}");
    let ended = program.end().await;
    refused(&ended, "the other side's session description is malformed");
    assert!(ended.errors.contains("m=application none"), "the place is shown: {}", ended.errors);
}

#[tokio::test]
async fn a_peer_that_says_why_it_leaves_is_quoted() {
    let (server, _handle) = signaling().await;
    let mut program = join(server, &[]);
    program.wait_for("waiting for another peer").await;
    let mut peer = Peer::join(server).await;
    peer.say(&json!({"type": "bye", "reason": "your description is malformed"})).await;
    refused(&program.end().await, "the other peer ended the call: your description is malformed");
}

#[tokio::test]
async fn a_peer_that_vanishes_before_it_answers_is_reported() {
    let (server, _handle) = signaling().await;
    let mut peer = Peer::join(server).await;
    let mut program = join(server, &[]);
    peer.hear("offer").await;
    drop(peer);
    refused(&program.end().await, "the other peer left the room before a path was found");
}

#[tokio::test]
async fn without_a_path_the_program_explains_and_exits_with_1() {
    let (server, _handle) = signaling().await;
    let mut peer = Peer::join(server).await;
    let mut program = join(server, &["--patience", "0.5"]);
    let offer = peer.hear("offer").await;
    // A peer that understands the offer, and cannot be reached.
    peer.say(&json!({"type": "answer", "sdp": offer["sdp"]})).await;
    peer.say(&json!({"type": "candidate", "candidate": "", "sdpMid": "0"})).await;
    let ended = program.end().await;
    assert_eq!(ended.code, Some(1), "{}", ended.errors);
    let output = ended.output.join("\n");
    for part in ["no usable candidate", "likely causes:", "does the other side run"] {
        assert!(output.contains(part), "{output}");
    }
    assert_eq!(peer.hear("bye").await["reason"], "no path was found");
}

#[tokio::test]
async fn a_server_that_speaks_no_json_is_reported() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut program = join(address, &[]);
    let (socket, _) = soon("the program", listener.accept()).await.unwrap();
    let mut socket = accept_async(socket).await.unwrap();
    socket.send(Message::text("{not json")).await.unwrap();
    refused(&program.end().await, "the signaling server sent malformed JSON");
}

#[tokio::test]
async fn a_malformed_candidate_is_reported() {
    let (server, _handle) = signaling().await;
    let mut peer = Peer::join(server).await;
    let mut program = join(server, &[]);
    peer.hear("offer").await;
    peer.say(
        &json!({"type": "candidate", "candidate": "candidate:1 1 udp nonsense", "sdpMid": "0"}),
    )
    .await;
    refused(&program.end().await, "priority is malformed");
}

#[tokio::test]
async fn a_restart_of_the_peers_is_answered_with_one_of_the_same_session() {
    let (server, _handle) = signaling().await;
    let mut program = join(server, &[]);
    program.wait_for("waiting for another peer").await;
    let mut peer = Peer::join(server).await;
    let mut answers = Vec::new();
    for ufrag in ["first", "second", "second"] {
        peer.say(&json!({"type": "offer", "sdp": description(ufrag)})).await;
        answers.push(peer.hear("answer").await["sdp"].as_str().unwrap().to_owned());
    }
    let line = |answer: usize, start: &str| {
        let mut lines = answers[answer].lines();
        lines.find(|line| line.starts_with(start)).unwrap().to_owned()
    };
    // RFC 8445 §9: new credentials for new ones, and no others for the same.
    for start in ["a=ice-ufrag:", "a=ice-pwd:"] {
        assert_ne!(line(0, start), line(1, start));
        assert_eq!(line(1, start), line(2, start));
    }
    // RFC 3264 §8: one session, and a version of its own for each description.
    let origins = [0, 1, 2].map(|answer| line(answer, "o="));
    let words = |origin: &str, place: usize| origin.split(' ').nth(place).unwrap().to_owned();
    assert_eq!(origins.each_ref().map(|origin| words(origin, 2)), ["1", "2", "3"]);
    assert!(origins.iter().all(|origin| words(origin, 1) == words(&origins[0], 1)));
    assert_eq!(line(0, "a=fingerprint:"), line(2, "a=fingerprint:"));
    peer.say(&json!({"type": "bye"})).await;
    refused(&program.end().await, "the other peer ended the call");
}

#[tokio::test]
async fn of_two_offers_that_cross_the_controlling_sides_counts() {
    let (server, _handle) = signaling().await;
    let mut peer = Peer::join(server).await;
    let mut program = join(server, &[]);
    peer.hear("offer").await;
    peer.say(&json!({"type": "offer", "sdp": description("theirs")})).await;
    peer.say(&json!({"type": "answer", "sdp": description("answer")})).await;
    peer.say(&json!({"type": "bye"})).await;
    refused(&program.end().await, "the other peer ended the call");
    assert_eq!(peer.hear_before("answer", "peer-left").await, 0);
}

/// A data channel with this user fragment, and no candidate.
fn description(ufrag: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n\
         a=ice-ufrag:{ufrag}\r\na=ice-pwd:{ufrag}-is-long-enough-a-word\r\na=setup:actpass\r\n"
    )
}

/// A program in the room `blue` of a server on loopback.
fn join(server: SocketAddr, more: &[&str]) -> Program {
    let url = format!("ws://{server}/");
    Program::start(&[&["--signal", &url, "--room", "blue", "--loopback"], more].concat())
}

fn refused(ended: &Ended, message: &str) {
    assert_eq!(ended.code, Some(2), "{}", ended.errors);
    assert!(ended.errors.contains(message), "{}", ended.errors);
}

/// Another client of the server, whose words the test chooses.
struct Peer(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Peer {
    async fn join(server: SocketAddr) -> Self {
        let (socket, _) = connect_async(format!("ws://{server}/ws")).await.unwrap();
        let mut peer = Self(socket);
        peer.say(&json!({"type": "join", "room": "blue"})).await;
        peer.hear("joined").await;
        peer
    }

    async fn say(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// Waits for a message of this type.
    async fn hear(&mut self, kind: &str) -> Value {
        loop {
            let message = soon(kind, self.0.next()).await.unwrap().unwrap();
            let Ok(text) = message.into_text() else { continue };
            let message: Value = serde_json::from_str(&text).unwrap_or_default();
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// How many messages of a type come before one of another.
    async fn hear_before(&mut self, kind: &str, last: &str) -> usize {
        let mut count = 0;
        loop {
            let message = soon(last, self.0.next()).await.unwrap().unwrap();
            let Ok(text) = message.into_text() else { continue };
            let message: Value = serde_json::from_str(&text).unwrap_or_default();
            count += usize::from(message["type"] == kind);
            if message["type"] == last {
                return count;
            }
        }
    }
}
