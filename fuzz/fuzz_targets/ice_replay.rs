//! What somebody calls a recording: an error that names one of its lines, or an agent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pinhole_ice::{Config, Recorder, ReplayError, Role, replay};
use pinhole_sansio::Instant;

fuzz_target!(|text: &str| {
    // A first line that is right, and whatever follows.
    let config = Config::new(Role::Controlling);
    let first = Recorder::new(config.clone(), [7; 32], Instant::ZERO).take_recording();
    let recording = first + text;
    let lines = recording.lines().count();
    let line = match replay(config, &[], &recording) {
        Ok(replayed) => return assert_eq!(replayed.steps.len() + 1, lines),
        Err(ReplayError::Malformed { line, .. } | ReplayError::Diverged(line)) => line,
        Err(ReplayError::UnknownServer(line)) => line,
        Err(error) => unreachable!("{error}"),
    };
    assert!((2..=lines).contains(&line));
});
