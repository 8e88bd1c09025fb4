//! The first byte says how long the chunks are: the messages do not depend on it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pinhole_stun::{FramingError, StreamBuffer};

fuzz_target!(|bytes: &[u8]| {
    let Some((size, bytes)) = bytes.split_first() else { return };
    let (pieces, piecewise) = cut(bytes, usize::from(*size).max(1));
    let (whole, at_once) = cut(bytes, bytes.len().max(1));
    assert_eq!((pieces, piecewise.is_ok()), (whole, at_once.is_ok()));
});

/// The messages in the stream when it comes in chunks of this size, and how it ended.
fn cut(bytes: &[u8], size: usize) -> (Vec<Vec<u8>>, Result<(), FramingError>) {
    let (mut stream, mut messages) = (StreamBuffer::new(512), Vec::new());
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
            assert!(stream.pending() < 512);
        }
    }
    (messages, Ok(()))
}
