//! The program without arguments.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use support::Program;

#[tokio::test]
async fn without_arguments_two_peers_connect_and_measure_their_path() {
    let ended = Program::start(&[]).end().await;
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    let output = ended.output.join("\n");
    for name in ["alice", "bob"] {
        let lines: Vec<_> = ended.output.iter().filter(|line| line.contains(name)).collect();
        for part in [
            "candidate   host 127.0.0.1",
            "sees",
            "gathered all",
            "check",
            "round trip",
            "selected    pair",
        ] {
            assert!(
                lines.iter().any(|line| line.contains(part)),
                "{name}: no {part:?} in\n{output}"
            );
        }
        let result =
            lines.iter().find(|line| line.contains("sent 1000 datagrams")).expect("a result");
        for part in ["came back", "% lost", "Mbit/s", "RTT p50", "p99"] {
            assert!(result.contains(part), "{result}");
        }
    }
    assert!(output.contains("type  address") && output.contains("foundation"), "{output}");
}
