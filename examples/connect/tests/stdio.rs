//! Signaling over standard input and output.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use serde_json::json;
use support::Program;
use support::call::{self, remote};

#[tokio::test]
async fn two_programs_connect_and_answer_each_others_pings() {
    connect(&[]).await;
}

#[tokio::test]
async fn two_programs_connect_with_candidates_one_by_one() {
    connect(&["--trickle"]).await;
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

/// With candidates of the machine's own addresses.
async fn connect(more: &[&str]) {
    call::connect("host", more, &[]).await;
}

fn start(role: &str, more: &[&str]) -> Program {
    call::start(role, more, &[])
}
