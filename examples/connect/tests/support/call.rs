//! Two programs on this machine, and somebody who carries their lines.

use serde_json::{Value, json};

use super::Program;

/// Connects two programs on loopback over UDP, by candidates of this type.
pub async fn connect(kind: &str, more: &[&str], variables: &[(&str, &str)]) {
    let both = ["offerer", "answerer"].map(|role| start(role, more, variables));
    connect_both(both, kind, "udp").await;
}

/// Carries the lines between two programs, both ways, until each has told what became of its pings over candidates of
/// this type and protocol.
pub async fn connect_both([mut a, mut b]: [Program; 2], kind: &str, protocol: &str) {
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
        assert_eq!(data["pair_end"]["local"]["proto"], protocol);
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

pub fn start(role: &str, more: &[&str], variables: &[(&str, &str)]) -> Program {
    let arguments = [&["--stdio", "--role", role, "--loopback"], more].concat();
    Program::start_with(&arguments, variables)
}

/// What one side said of itself, as the other side is told.
pub fn remote(mut local: Value) -> String {
    assert_eq!(local["ev"], "local");
    local["ev"] = json!("remote");
    local.to_string()
}
