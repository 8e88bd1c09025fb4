//! What a client that misbehaves meets. Tests called `line_57_` prove that line of the security checklist.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use signaling_server::{Config, Limits, Origins, Server};
use support::raw::{Raw, masked_frame, upgrade_request};
use support::{Client, server, server_with, soon};
use tokio_tungstenite::tungstenite::Message;

const TEXT: u8 = 0x81;
const TEXT_TO_BE_CONTINUED: u8 = 0x01;
const CONTINUED: u8 = 0x00;
const CONTINUED_AND_LAST: u8 = 0x80;
const PING: u8 = 0x89;

const JOIN: &[u8] = br#"{"type":"join"}"#;

#[tokio::test]
async fn line_57_a_request_head_of_16_kib_is_the_most() {
    let running = server(Limits::default()).await;
    let pad = |bytes: usize| format!("X-Pad: {}\r\n", "x".repeat(bytes));
    let mut modest = Raw::connect(running.address).await;
    assert_eq!(modest.upgrade(running.address, &pad(8_000)).await, 101);
    let mut long = Raw::connect(running.address).await;
    long.write(upgrade_request(running.address, &pad(17_000)).as_bytes()).await;
    assert_eq!(long.status().await, 431);
    // It is the sum that counts, and that of an unfinished head as well.
    let mut many = Raw::connect(running.address).await;
    many.write(upgrade_request(running.address, &pad(1_000).repeat(17)).as_bytes()).await;
    assert_eq!(many.status().await, 431);
    let mut endless = Raw::connect(running.address).await;
    endless.write(format!("GET /ws HTTP/1.1\r\n{}X-", pad(1_000).repeat(17)).as_bytes()).await;
    assert_eq!(endless.status().await, 431);
}

#[tokio::test]
async fn a_request_that_does_not_come_ends_the_connection() {
    let limits = Limits { handshake: Duration::from_millis(50), ..Limits::default() };
    let running = server(limits).await;
    let mut slow = Raw::connect(running.address).await;
    slow.write(b"GET /ws HTT").await;
    let answer = String::from_utf8(slow.rest().await).unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn line_57_a_frame_without_a_mask_is_a_protocol_error() {
    let running = server(Limits::default()).await;
    let mut raw = Raw::upgraded(running.address).await;
    raw.write(&[&[TEXT, JOIN.len() as u8], JOIN].concat()).await;
    assert_eq!(raw.close_code().await, 1002);
}

#[tokio::test]
async fn line_57_a_message_of_64_kib_is_the_longest() {
    let running = server(Limits::default()).await;
    let (mut client, _) = Client::joined(running.address, "blue").await;
    let frame = json!({"type": "offer", "sdp": ""}).to_string().len();
    let offer = |bytes: usize| json!({"type": "offer", "sdp": "x".repeat(bytes - frame)});
    client.say(offer(64 * 1024)).await;
    assert_eq!(client.error_code(json!({"type": "x"})).await, "malformed", "it goes on");
    client.say(offer(64 * 1024 + 1)).await;
    assert_eq!(client.close_code().await, 1009);
}

#[tokio::test]
async fn line_57_a_message_far_too_long_is_answered_before_it_is_read() {
    let running = server(Limits::default()).await;
    let mut client = Client::connect(running.address).await;
    let _ = client.try_send(Message::text("x".repeat(4 << 20))).await;
    assert_eq!(client.close_code().await, 1009);
}

#[tokio::test]
async fn line_57_many_tiny_fragments_add_up_to_a_message_that_is_too_long() {
    let running = server(Limits::default()).await;
    let mut raw = Raw::upgraded(running.address).await;
    let more = masked_frame(CONTINUED, b"x").repeat(100_000);
    raw.write(&masked_frame(TEXT_TO_BE_CONTINUED, b"x")).await;
    raw.write(&more).await;
    assert_eq!(raw.close_code().await, 1009);
}

#[tokio::test]
async fn line_57_empty_fragments_and_pings_cost_nothing_that_lasts() {
    let running = server(Limits::default()).await;
    for flood in [
        [masked_frame(TEXT_TO_BE_CONTINUED, JOIN), masked_frame(CONTINUED, b"").repeat(100_000)],
        [masked_frame(PING, b"ping").repeat(100_000), masked_frame(TEXT_TO_BE_CONTINUED, JOIN)],
    ] {
        let mut raw = Raw::upgraded(running.address).await;
        raw.flood(&flood.concat()).await;
        raw.write(&masked_frame(CONTINUED_AND_LAST, b"")).await;
        raw.read_past(br#"{"type":"joined""#).await;
    }
}

/// A pong that does not fit any more gives way to the next one; a message that does not fit ends the
/// connection.
#[tokio::test]
async fn line_57_no_queue_of_pongs_grows_for_a_client_that_reads_none() {
    let running = server(Limits::default()).await;
    let mut raw = Raw::upgraded_with_small_window(running.address).await;
    let ping = masked_frame(PING, &[b'p'; 125]);
    raw.write(&ping.repeat(250_000)).await;
    raw.write(&masked_frame(TEXT, JOIN)).await;
    let (kept, joined) = raw.read_to(br#"{"type":"joined""#).await;
    println!("{kept} bytes of pongs; joined: {joined}");
    assert!(kept < 20_000_000, "{kept} of 31,750,000 bytes of pongs were kept");
}

/// The server's own names have 128 random bits; nobody finds a room by counting.
#[tokio::test]
async fn line_57_a_room_without_a_name_gets_one_that_cannot_be_guessed() {
    let running = server(Limits { connections_per_ip: 64, ..Limits::default() }).await;
    let (mut names, mut clients) = (BTreeSet::new(), Vec::new());
    let mut differing = 0;
    for _ in 0..64 {
        let mut client = Client::connect(running.address).await;
        let answer = client.ask(json!({"type": "join"})).await;
        let name = answer["room"].as_str().unwrap().to_owned();
        assert_eq!(name.len(), 32, "{name}");
        let bits = u128::from_str_radix(&name, 16).unwrap();
        differing |= names.last().map_or(0, |last| bits ^ last);
        assert!(names.insert(bits), "{name} came twice");
        clients.push(client);
    }
    assert_eq!(differing, u128::MAX, "each bit is once so and once so");
}

#[tokio::test]
async fn a_message_that_is_not_text_ends_the_connection() {
    let running = server(Limits::default()).await;
    let mut client = Client::connect(running.address).await;
    client.send(Message::binary(JOIN)).await;
    assert_eq!(client.close_code().await, 1003);
    let mut raw = Raw::upgraded(running.address).await;
    raw.write(&masked_frame(TEXT, b"\xff\xfe")).await;
    assert_eq!(raw.close_code().await, 1007);
}

#[tokio::test]
async fn line_57_pages_of_other_origins_are_turned_away() {
    let listed = Origins::Listed(vec!["https://app.example".to_owned()]);
    let cases = [
        (Origins::Same, "http://{host}", 101),
        (Origins::Same, "http://evil.example", 403),
        (Origins::Same, "null", 403),
        (listed.clone(), "https://app.example", 101),
        (listed.clone(), "http://{host}", 403),
        (Origins::Any, "http://evil.example", 101),
    ];
    for (origins, origin, status) in cases {
        let running = server_with(Config { origins, ..Config::default() }).await;
        let origin = origin.replace("{host}", &running.address.to_string());
        let mut raw = Raw::connect(running.address).await;
        let header = format!("Origin: {origin}\r\n");
        assert_eq!(raw.upgrade(running.address, &header).await, status, "{origin}");
    }
    let running = server_with(Config { origins: listed, ..Config::default() }).await;
    Raw::upgraded(running.address).await;
}

#[tokio::test]
async fn line_57_a_reader_that_never_reads_has_to_go_and_the_others_hear_of_it() {
    let limits = Limits { slow_reader: Duration::from_millis(100), ..Limits::default() };
    let running = server(limits).await;
    let (mut writer, _) = Client::joined(running.address, "blue").await;
    let (_reader, answer) = Client::joined(running.address, "blue").await;
    assert_eq!(writer.hear().await["type"], "peer-joined");
    let offer = json!({"type": "offer", "sdp": "x".repeat(60_000)});
    let mut offers = 0;
    loop {
        // Nothing answers an offer, so a mistake is made after each: its answer shows where we are.
        writer.say(offer.clone()).await;
        offers += 1;
        let heard = writer.ask(json!({"type": "dance"})).await;
        if heard["type"] == "peer-left" {
            assert_eq!(heard["peer"], answer["peer"]);
            break;
        }
        assert!(offers < 1_000, "60 MB wait for the slow reader");
    }
}

#[tokio::test]
async fn line_57_one_address_has_only_so_many_connections() {
    let running = server(Limits { connections_per_ip: 2, ..Limits::default() }).await;
    let (first, _) = Client::joined(running.address, "blue").await;
    let (mut second, _) = Client::joined(running.address, "blue").await;
    let mut third = Raw::connect(running.address).await;
    assert!(third.rest().await.is_empty(), "the third is hung up on");
    first.close().await;
    assert_eq!(second.hear().await["type"], "peer-left");
    // The slot is free once the server has closed the connection, shortly after the others heard.
    loop {
        let mut next = Raw::connect(running.address).await;
        next.write(upgrade_request(running.address, "").as_bytes()).await;
        if next.try_status().await == Some(101) {
            break;
        }
    }
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_closed() {
    let limits = Limits { idle: Duration::from_millis(500), ..Limits::default() };
    let running = server(limits).await;
    let mut raw = Raw::upgraded(running.address).await;
    raw.write(&masked_frame(TEXT, JOIN)).await;
    let rest = raw.rest().await;
    let pings = rest.windows(2).filter(|frame| *frame == [PING, 0]).count();
    assert_eq!(pings, 3, "however slow the machine is: {rest:x?}");
    let close = rest.len() - "silent for too long".len() - 4;
    assert_eq!(rest[close..close + 4], [0x88, 21, 0x03, 0xf0], "1008: {rest:x?}");
}

#[tokio::test]
async fn a_client_that_joins_nothing_is_closed() {
    let limits = Limits { handshake: Duration::from_millis(300), ..Limits::default() };
    let running = server(limits).await;
    let mut client = Client::connect(running.address).await;
    assert_eq!(client.close_code().await, 1008);
}

#[tokio::test]
async fn a_server_that_stops_tells_its_clients_and_ends() {
    let running = server(Limits::default()).await;
    let (mut client, _) = Client::joined(running.address, "blue").await;
    running.handle.shutdown();
    assert_eq!(client.close_code().await, 1001);
    drop(client);
    soon("the end of the server", running.serving).await.unwrap();
    let again = Config { listen: running.address, ..Config::default() };
    assert!(Server::bind(again).await.is_ok(), "the address is free again");
}

#[tokio::test]
async fn the_page_and_its_script_are_served_and_nothing_else_is() {
    let running = server(Limits::default()).await;
    for (path, status, content) in [
        ("/?room=blue", 200, "<!doctype html>"),
        ("/page.js", 200, "RTCPeerConnection"),
        ("/../Cargo.toml", 404, "there is no"),
        ("/ws", 400, ""),
    ] {
        let mut raw = Raw::connect(running.address).await;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", running.address);
        raw.write(request.as_bytes()).await;
        assert_eq!(raw.status().await, status, "{path}");
        let body = String::from_utf8(raw.rest().await).unwrap();
        assert!(body.contains(content), "{path}: {body}");
    }
}
