//! What peers in a room hear of each other.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use serde_json::{Value, json};
use signaling_server::{ErrorCode, Limits, ServerMessage};
use support::{Client, Running, server};
use tokio_tungstenite::tungstenite::Message;

/// A room with two peers in it, and the names of the two.
async fn couple(running: &Running) -> [(Client, Value); 2] {
    let (mut first, answer) = Client::joined(running.address, "blue").await;
    let first_name = answer["peer"].clone();
    let (second, answer) = Client::joined(running.address, "blue").await;
    let second_name = answer["peer"].clone();
    assert_eq!(answer["peers"], json!([first_name]));
    assert_eq!(first.hear().await, json!({"type": "peer-joined", "peer": second_name}));
    [(first, first_name), (second, second_name)]
}

#[tokio::test]
async fn offer_answer_candidates_and_bye_reach_the_other_peer_in_order() {
    let running = server(Limits::default()).await;
    let [(mut first, first_name), (mut second, second_name)] = couple(&running).await;

    second.say(json!({"type": "offer", "sdp": "v=0\r\n"})).await;
    let line = "candidate:1 1 udp 2130706431 192.0.2.1 9 typ host";
    second
        .say(json!({"type": "candidate", "candidate": line, "sdpMid": "0", "sdpMLineIndex": 0,
            "usernameFragment": "8hhY", "future": true}))
        .await;
    second.say(json!({"type": "candidate", "candidate": ""})).await;
    let from = &second_name;
    assert_eq!(first.hear().await, json!({"type": "offer", "from": from, "sdp": "v=0\r\n"}));
    let candidate = json!({"type": "candidate", "from": from, "candidate": line, "sdpMid": "0",
        "sdpMLineIndex": 0, "usernameFragment": "8hhY"});
    assert_eq!(first.hear().await, candidate);
    assert_eq!(first.hear().await, json!({"type": "candidate", "from": from, "candidate": ""}));

    first.say(json!({"type": "answer", "to": second_name, "sdp": "v=0\n"})).await;
    first.say(json!({"type": "bye"})).await;
    let from = &first_name;
    assert_eq!(second.hear().await, json!({"type": "answer", "from": from, "sdp": "v=0\n"}));
    assert_eq!(second.hear().await, json!({"type": "bye", "from": from}));
}

#[tokio::test]
async fn a_message_to_one_peer_reaches_that_one_only() {
    let running = server(Limits { room_size: 3, ..Limits::default() }).await;
    let [(mut first, first_name), (mut second, _)] = couple(&running).await;
    let (mut third, answer) = Client::joined(running.address, "blue").await;
    assert_eq!(answer["peers"].as_array().unwrap().len(), 2);
    assert_eq!(first.hear().await["type"], "peer-joined");
    assert_eq!(second.hear().await["type"], "peer-joined");

    third.say(json!({"type": "offer", "to": first_name, "sdp": "to the first"})).await;
    third.say(json!({"type": "offer", "sdp": "to both"})).await;
    assert_eq!(first.hear().await["sdp"], "to the first");
    assert_eq!(first.hear().await["sdp"], "to both");
    assert_eq!(second.hear().await["sdp"], "to both");
    let stranger = json!({"type": "bye", "to": "0123456789abcdef"});
    assert_eq!(third.error_code(stranger).await, "unknown-peer");
}

#[tokio::test]
async fn whoever_leaves_is_reported_however_it_leaves() {
    let running = server(Limits::default()).await;
    let [(mut first, _), (second, second_name)] = couple(&running).await;
    second.close().await;
    assert_eq!(first.hear().await, json!({"type": "peer-left", "peer": second_name}));

    let (third, answer) = Client::joined(running.address, "blue").await;
    assert_eq!(first.hear().await["type"], "peer-joined");
    drop(third);
    assert_eq!(first.hear().await, json!({"type": "peer-left", "peer": answer["peer"]}));
}

#[tokio::test]
async fn each_mistake_has_its_code_and_the_connection_goes_on() {
    let limits = Limits { rooms: 2, ..Limits::default() };
    let running = server(limits).await;
    let [(mut inside, _), _other] = couple(&running).await;
    let again = json!({"type": "join", "room": "red"});
    assert_eq!(inside.error_code(again).await, "already-joined");

    let mut outside = Client::connect(running.address).await;
    for (code, mistake) in [
        ("malformed", json!({"type": "dance"})),
        ("malformed", json!({"type": "offer"})),
        ("malformed", json!({"type": "offer", "sdp": 7})),
        ("malformed", json!([])),
        ("not-joined", json!({"type": "offer", "sdp": "v=0"})),
        ("invalid-room", json!({"type": "join", "room": ""})),
        ("invalid-room", json!({"type": "join", "room": "a/b"})),
        ("invalid-room", json!({"type": "join", "room": "x".repeat(65)})),
        ("unknown-room", json!({"type": "join", "room": "green", "create": false})),
        ("room-full", json!({"type": "join", "room": "blue"})),
    ] {
        assert_eq!(outside.error_code(mistake.clone()).await, code, "{mistake}");
    }
    outside.send(Message::text("{\"type\":")).await;
    assert_eq!(outside.hear().await["code"], "malformed");

    let (_red, _) = Client::joined(running.address, "red").await;
    let third_room = json!({"type": "join", "room": "green"});
    assert_eq!(outside.error_code(third_room).await, "too-many-rooms");
}

#[tokio::test]
async fn a_room_is_gone_with_its_last_peer() {
    let running = server(Limits { rooms: 1, ..Limits::default() }).await;
    let [(mut first, _), (second, _)] = couple(&running).await;
    second.close().await;
    assert_eq!(first.hear().await["type"], "peer-left");
    let mut watcher = Client::connect(running.address).await;
    let join = json!({"type": "join", "room": "blue", "create": false});
    first.close().await;
    // The close handshake is over before the server has cleared the room, so that one is asked for
    // until it is gone: a peer that got in leaves again by closing.
    loop {
        let answer = watcher.ask(join.clone()).await;
        if answer["code"] == "unknown-room" {
            break;
        }
        watcher.close().await;
        watcher = Client::connect(running.address).await;
    }
}

#[tokio::test]
async fn a_room_without_a_name_gets_one_that_is_not_guessed() {
    let running = server(Limits::default()).await;
    let mut names = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(running.address).await;
        let answer = client.ask(json!({"type": "join"})).await;
        names.push(answer["room"].as_str().unwrap().to_owned());
    }
    assert!(names.iter().all(|name| name.len() == 32), "128 bits in {names:?}");
    assert_ne!(names[0], names[1]);
}

#[test]
fn the_types_read_what_the_documentation_shows() {
    let error = r#"{"type":"error","code":"unknown-room","message":"there is no such room"}"#;
    let message: ServerMessage = serde_json::from_str(error).unwrap();
    let ServerMessage::Error { code, .. } = &message else { panic!("{message:?}") };
    assert_eq!(*code, ErrorCode::UnknownRoom);
    assert_eq!(serde_json::to_string(&message).unwrap(), error);
}
