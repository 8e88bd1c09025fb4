//! Keys of a telephone (RFC 4733 §2.4.1, §2.5.1.1).

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::Codec;

/// The events that both know. Each side lists its own: 0 to 15, the keys, where it lists none.
pub(super) fn answer(own: &Codec, offered: &Codec) -> Option<String> {
    let common: Vec<u8> = events(own)?.intersection(&events(offered)?).copied().collect();
    if common.is_empty() { None } else { Some(written(&common)) }
}

/// Reads `0-15,66,70`; `None` where that is not what it is.
fn events(codec: &Codec) -> Option<BTreeSet<u8>> {
    let list = codec.parameter("events").unwrap_or(&codec.parameters).trim();
    if list.is_empty() {
        return Some((0..=15).collect());
    }
    let mut events = BTreeSet::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        events.extend(first.trim().parse::<u8>().ok()?..=last.trim().parse::<u8>().ok()?);
    }
    Some(events)
}

/// Writes runs of events as `first-last`.
fn written(events: &[u8]) -> String {
    let mut runs: Vec<(u8, u8)> = Vec::new();
    for event in events {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *event => *last = *event,
            _ => runs.push((*event, *event)),
        }
    }
    let runs: Vec<String> = runs
        .into_iter()
        .map(|(first, last)| {
            if first == last { alloc::format!("{first}") } else { alloc::format!("{first}-{last}") }
        })
        .collect();
    runs.join(",")
}
