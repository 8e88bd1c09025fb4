//! Streams: any split and merge of the bytes gives the same messages.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod vectors;

use pinhole_stun::{FramingError, StreamBuffer};
use vectors::{REQUEST, REQUEST_LONG_TERM, RESPONSE_IPV4};

/// Feeds the chunks as they come, and collects all messages.
fn messages<'c>(chunks: impl IntoIterator<Item = &'c [u8]>) -> Result<Vec<Vec<u8>>, FramingError> {
    let mut stream = StreamBuffer::new(120);
    let mut messages = Vec::new();
    for mut chunk in chunks {
        while !chunk.is_empty() {
            let taken = stream.push(chunk);
            chunk = &chunk[taken..];
            while let Some(message) = stream.next_message()? {
                messages.push(message.to_vec());
            }
            assert!(stream.pending() <= 120);
        }
    }
    Ok(messages)
}

#[test]
fn every_split_in_two_and_every_chunk_size_gives_the_same_messages() {
    let expected = vec![REQUEST.to_vec(), RESPONSE_IPV4.to_vec(), REQUEST_LONG_TERM.to_vec()];
    let bytes = expected.concat();
    for split in 0..=bytes.len() {
        let (first, second) = bytes.split_at(split);
        assert_eq!(messages([first, second]).as_ref(), Ok(&expected), "split at {split}");
    }
    for size in 1..=bytes.len() {
        assert_eq!(messages(bytes.chunks(size)).as_ref(), Ok(&expected), "chunks of {size}");
    }
}

#[test]
fn a_first_byte_that_cannot_begin_a_message_is_refused_at_once() {
    for first in 4..=255 {
        assert_eq!(messages([&[first][..]]), Err(FramingError::FirstByte(first)));
    }
    let http = b"GET / HTTP/1.1\r\n";
    assert_eq!(messages([&http[..]]), Err(FramingError::FirstByte(b'G')));
}

#[test]
fn a_wrong_cookie_is_refused_at_its_first_wrong_byte() {
    let mut bytes = REQUEST;
    bytes[5] ^= 1;
    assert_eq!(messages([&bytes[..5]]), Ok(vec![]));
    assert_eq!(messages([&bytes[..6]]), Err(FramingError::Cookie));
}

#[test]
fn a_claim_of_64_kilobytes_is_refused_and_fills_no_buffer() {
    let error = FramingError::TooLong { length: 20 + 0xfffc, limit: 120 };
    assert_eq!(messages([&[0, 1, 0xff, 0xfc][..]]), Err(error));
    assert_eq!(messages([&[0, 1, 0xff, 0xff][..]]), Err(FramingError::Unaligned(0xffff)));
}

#[test]
fn a_refused_stream_stays_refused() {
    let mut stream = StreamBuffer::new(120);
    stream.push(&[0, 1, 0xff, 0xfc]);
    assert!(stream.next_message().is_err());
    stream.push(&REQUEST[..100]);
    assert!(stream.next_message().is_err(), "later bytes are never taken for a new message");
}
