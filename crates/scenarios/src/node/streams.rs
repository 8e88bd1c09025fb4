//! The frames of a node's TCP connections.

use std::collections::BTreeMap;

use pinhole_sansio::FiveTuple;
use pinhole_stun::StreamBuffer;
use pinhole_turn::stream_buffer;

/// What has come on each connection and is no whole frame yet.
#[derive(Debug, Default)]
pub(crate) struct Streams(BTreeMap<FiveTuple, StreamBuffer>);

impl Streams {
    pub(crate) fn open(&mut self, five_tuple: FiveTuple) {
        self.0.insert(five_tuple, stream_buffer(MAX_FRAME));
    }

    /// Whether the connection was open.
    pub(crate) fn forget(&mut self, five_tuple: FiveTuple) -> bool {
        self.0.remove(&five_tuple).is_some()
    }

    /// The frames that are whole now. After bytes that begin no frame, none is.
    pub(crate) fn frames(&mut self, five_tuple: FiveTuple, mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        let Some(buffer) = self.0.get_mut(&five_tuple) else { return frames };
        while !bytes.is_empty() {
            let taken = buffer.push(bytes);
            bytes = &bytes[taken..];
            while let Ok(Some(frame)) = buffer.next_message() {
                frames.push(frame.to_vec());
            }
            if taken == 0 {
                break;
            }
        }
        frames
    }
}

const MAX_FRAME: usize = 4_096;
