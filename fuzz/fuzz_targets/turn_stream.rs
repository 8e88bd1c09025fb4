//! STUN and ChannelData on one stream: the first byte says how long the chunks are, and the messages do
//! not depend on it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pinhole_stun::FramingError;
use pinhole_turn::{ChannelData, channel_header, stream_buffer};

fuzz_target!(|bytes: &[u8]| {
    let Some((size, bytes)) = bytes.split_first() else { return };
    let (pieces, piecewise) = cut(bytes, usize::from(*size).max(1));
    let (whole, at_once) = cut(bytes, bytes.len().max(1));
    assert_eq!((&pieces, piecewise.is_ok()), (&whole, at_once.is_ok()));
    for message in pieces {
        let Some(ChannelData { number, data }) = ChannelData::parse(&message) else { continue };
        assert_eq!(message.len(), 4 + data.len().next_multiple_of(4));
        assert_eq!(channel_header(number, data.len()).as_ref(), message.first_chunk());
    }
});

/// The messages in the stream when it comes in chunks of this size, and how it ended.
fn cut(bytes: &[u8], size: usize) -> (Vec<Vec<u8>>, Result<(), FramingError>) {
    let (mut stream, mut messages) = (stream_buffer(512), Vec::new());
    for mut chunk in bytes.chunks(size) {
        while !chunk.is_empty() {
            chunk = &chunk[stream.push(chunk)..];
            loop {
                match stream.next_message() {
                    Ok(Some(message)) => messages.push(message.to_vec()),
                    Ok(None) => break,
                    Err(error) => return (messages, Err(error)),
                }
            }
        }
    }
    (messages, Ok(()))
}
