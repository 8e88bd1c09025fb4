//! Parse, print, parse: a candidate line means the same when it is told again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pinhole_ice::Candidate;

fuzz_target!(|text: &str| {
    if text.len() > 900 {
        return; // what stands in front of the line may make it too long
    }
    let Ok(candidate) = text.parse::<Candidate>() else { return };
    let printed = candidate.to_string();
    assert!(!printed.contains(char::is_control), "a line was broken: {printed:?}");
    assert_eq!(printed.parse(), Ok(candidate), "{printed}");
    let attribute = format!("a={printed}");
    assert_eq!(attribute.parse::<Candidate>().map(|again| again.to_string()), Ok(printed));
});
