//! Signaling over standard input and output.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use pinhole_relay::{Server, Settings};
use serde_json::{Value, json};
use support::Program;

#[tokio::test]
async fn two_programs_connect_and_answer_each_others_pings() {
    connect(&[]).await;
}

#[tokio::test]
async fn two_programs_connect_with_candidates_one_by_one() {
    connect(&["--trickle"]).await;
}

#[tokio::test]
async fn two_programs_connect_through_our_relay_alone() {
    let settings = Settings::from_toml(
        "listen = [\"127.0.0.1:0\"]\nuser = [\"alice:secret\"]\nallow-peer = [\"127.0.0.0/8\"]\n",
    );
    let relay = Server::start(&settings.unwrap().resolve().unwrap()).unwrap();
    for transport in ["udp", "tcp"] {
        let uri = format!("turn:{}?transport={transport}", relay.addresses()[0]);
        connect_by(
            "relay",
            &["--turn", &uri, "--user", "alice", "--pass", "secret", "--relay-only"],
        )
        .await;
    }
    relay.stop().unwrap();
}

#[tokio::test]
async fn a_line_that_is_not_json_ends_the_program_with_a_message() {
    for line in ["not json", r#"{"ev":"unheard-of"}"#, r#"{"ev":"remote","ufrag":1}"#] {
        let mut program = start("answerer", &[]);
        program.wait_for("local").await;
        program.say(line).await;
        let ended = program.end().await;
        assert_eq!(ended.code, Some(2));
        assert!(ended.errors.contains("not a line of the protocol"), "{}", ended.errors);
    }
}

#[tokio::test]
async fn credentials_that_are_none_end_the_program_with_a_message() {
    let mut program = start("answerer", &[]);
    program.say(&json!({"ev": "remote", "ufrag": "abc", "pwd": "x"}).to_string()).await;
    let ended = program.end().await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.errors.contains("length 3 is outside 4..=256"), "{}", ended.errors);
}

#[tokio::test]
async fn a_candidate_that_is_none_is_left_out_and_reported() {
    let [mut a, mut b] = ["offerer", "answerer"].map(|role| start(role, &[]));
    let [mut from_a, from_b] = [a.json().await, b.json().await];
    from_a["candidates"].as_array_mut().unwrap().push(json!("candidate:nonsense"));
    a.say(&remote(from_b)).await;
    b.say(&remote(from_a)).await;
    b.wait_for("connected").await;
    b.say(r#"{"ev":"bye"}"#).await;
    let ended = b.end().await;
    assert_eq!(ended.code, Some(0));
    assert!(ended.errors.contains("component is missing: candidate:nonsense"), "{}", ended.errors);
}

#[tokio::test]
async fn a_failure_is_explained_on_request() {
    let mut program = start("offerer", &["--patience", "0.5", "--explain"]);
    program.wait_for("local").await;
    let nobody =
        json!({"ev": "remote", "ufrag": "nobody", "pwd": "x".repeat(22), "candidates": []});
    program.say(&nobody.to_string()).await;
    let ended = program.end().await;
    assert_eq!(ended.code, Some(1));
    for part in ["state: failed", "likely causes:", "does the other side run"] {
        assert!(ended.errors.contains(part), "{}", ended.errors);
    }
}

#[tokio::test]
async fn the_end_of_input_before_a_connection_is_a_failure() {
    let mut program = start("offerer", &[]);
    program.wait_for("local").await;
    program.hang_up();
    assert_eq!(program.end().await.code, Some(1));
}

#[tokio::test]
async fn a_wrong_command_line_is_explained() {
    for (arguments, message) in [
        (&["--stdio"][..], "--role"),
        (&["--stdio", "--role", "guest"], "guest"),
        (&["--stdio", "--role", "offerer", "--stun", "http:x"], "stun:"),
        (&["--signal", "ws://127.0.0.1:1/"], "--room"),
        (&["--turn", "turn:127.0.0.1"], "--signal"),
        (
            &[
                "--stdio",
                "--role",
                "offerer",
                "--loopback",
                "--turn",
                "turn:127.0.0.1",
                "--relay-only",
            ],
            "--user",
        ),
    ] {
        let ended = Program::start(arguments).end().await;
        assert_eq!(ended.code, Some(2), "{arguments:?}");
        assert!(ended.errors.contains(message), "{arguments:?}: {}", ended.errors);
    }
}

/// Carries the lines between two programs, both ways, until each has told what became of its pings.
async fn connect(more: &[&str]) {
    connect_by("host", more).await;
}

/// The same, with candidates of this type in use.
async fn connect_by(kind: &str, more: &[&str]) {
    let [mut a, mut b] = ["offerer", "answerer"].map(|role| start(role, more));
    let mut data = [None, None];
    while data.iter().any(Option::is_none) {
        tokio::select! {
            line = a.json(), if data[0].is_none() => data[0] = carry(kind, line, &mut b).await,
            line = b.json(), if data[1].is_none() => data[1] = carry(kind, line, &mut a).await,
        }
    }
    for data in data.into_iter().flatten() {
        assert_eq!(data["sent"], 10);
        // Loopback loses nothing unless the machine is swamped.
        assert!(data["ping"].as_u64() > Some(0) && data["echo"].as_u64() > Some(0), "{data}");
        assert_eq!(data["other"], 0);
        assert_eq!(data["pair_end"]["local"]["proto"], "udp");
    }
    for mut program in [a, b] {
        program.say(r#"{"ev":"bye"}"#).await;
        assert_eq!(program.end().await.code, Some(0));
    }
}

/// Passes on what is meant for the other side; gives what is said about the data.
async fn carry(kind: &str, line: Value, to: &mut Program) -> Option<Value> {
    match line["ev"].as_str() {
        Some("local") => to.say(&remote(line)).await,
        Some("candidate") => to.say(&line.to_string()).await,
        Some("connected") => {
            let found = line["pair"]["remote"]["type"].as_str().unwrap();
            // A check may come before the line with its candidate does.
            assert!(found == kind || kind == "host" && found == "prflx", "{line}");
        }
        Some("data") => return Some(line),
        _ => panic!("{line}"),
    }
    None
}

fn start(role: &str, more: &[&str]) -> Program {
    Program::start(&[&["--stdio", "--role", role, "--loopback"], more].concat())
}

/// What one side said of itself, as the other side is told.
fn remote(mut local: Value) -> String {
    assert_eq!(local["ev"], "local");
    local["ev"] = json!("remote");
    local.to_string()
}
