//! A second reading of streams: where one message ends and the next begins (RFC 8656 §12.5).

use std::collections::BTreeMap;

use pinhole_sansio::FiveTuple;

/// What has come on each stream and is no whole message yet.
#[derive(Debug, Default)]
pub(super) struct Frames(BTreeMap<FiveTuple, Vec<u8>>);

impl Frames {
    /// The messages that are whole with these bytes.
    pub(super) fn read(&mut self, stream: FiveTuple, bytes: &[u8]) -> Vec<Vec<u8>> {
        let rest = self.0.entry(stream).or_default();
        rest.extend(bytes);
        let mut frames = Vec::new();
        while let Some(length) = length(rest).filter(|length| *length <= rest.len()) {
            frames.push(rest.drain(..length).collect());
        }
        frames
    }

    pub(super) fn forget(&mut self, stream: FiveTuple) {
        self.0.remove(&stream);
    }
}

/// How long the message is that begins with these bytes; `None` as long as it cannot be told, or where none begins.
fn length(bytes: &[u8]) -> Option<usize> {
    let [first, _, high, low, ..] = *bytes else { return None };
    let length = usize::from(u16::from_be_bytes([high, low]));
    match first {
        0..=3 => Some(20 + length),
        0x40..=0x4f => Some(4 + length.next_multiple_of(4)),
        _ => None,
    }
}
