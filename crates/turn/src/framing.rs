//! STUN and ChannelData on one stream: where one message ends and the next begins (RFC 8656 §12.5).

use pinhole_stun::{FramingError, PacketKind, Reader, StreamBuffer, classify};

use crate::CHANNEL_HEADER_LENGTH;

/// A buffer that cuts the bytes of a stream between a client and a server into messages of at most
/// `limit` bytes, header and padding included: STUN, and ChannelData with its padding. After a
/// ConnectionBind, [`StreamBuffer::into_rest`] is the first of the data (RFC 6062 §4.4).
///
/// ```
/// let mut stream = pinhole_turn::stream_buffer(1500);
/// stream.push(&[0x40, 0, 0, 5, 1, 2, 3]);
/// assert_eq!(stream.next_message(), Ok(None));
/// stream.push(&[4, 5, 0, 0, 0]);
/// assert_eq!(stream.next_message(), Ok(Some(&[0x40, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0][..])));
/// assert_eq!(stream.next_message(), Ok(None));
/// ```
#[must_use]
pub const fn stream_buffer(limit: usize) -> StreamBuffer {
    StreamBuffer::of_frames(limit, frame_length)
}

/// The length of the message that begins with these bytes, padding included; `None` if too few are
/// known.
///
/// # Errors
/// [`FramingError`] as soon as the bytes cannot begin a message: at the first one, if it can be told.
pub fn frame_length(bytes: &[u8]) -> Result<Option<usize>, FramingError> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    if classify(first) != PacketKind::Channel {
        return pinhole_stun::frame_length(bytes);
    }
    let mut reader = Reader::new(bytes);
    let (Some(_), Some(length)) = (reader.u16(), reader.u16()) else { return Ok(None) };
    Ok(Some(CHANNEL_HEADER_LENGTH + usize::from(length).next_multiple_of(4)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    const BINDING: [u8; 20] =
        [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7];

    fn messages() -> Vec<Vec<u8>> {
        let data = |length: u8| {
            let mut bytes = vec![0x4f, 0xff, 0, length];
            bytes.resize(4 + usize::from(length).next_multiple_of(4), 0x40);
            bytes
        };
        vec![BINDING.to_vec(), data(0), data(1), BINDING.to_vec(), data(4), data(7), data(200)]
    }

    /// T19: any split of the same bytes gives the same messages.
    #[test]
    fn any_split_gives_the_same_messages() {
        let bytes = messages().concat();
        for chunk in 1..=bytes.len() {
            let mut stream = stream_buffer(300);
            let mut found = vec![];
            for mut piece in bytes.chunks(chunk) {
                while !piece.is_empty() {
                    piece = &piece[stream.push(piece)..];
                    while let Some(message) = stream.next_message().unwrap() {
                        found.push(message.to_vec());
                    }
                }
            }
            assert_eq!(found, messages(), "in pieces of {chunk}");
            assert!(stream.into_rest().is_empty());
        }
    }

    #[test]
    fn what_begins_no_message_ends_the_stream() {
        for first in [0x04, 0x16, 0x50, 0x80, 0xff] {
            let mut stream = stream_buffer(300);
            stream.push(&[first]);
            assert_eq!(stream.next_message(), Err(FramingError::FirstByte(first)));
        }
        let mut stream = stream_buffer(300);
        stream.push(&[0x40, 0, 0xff, 0xff]);
        let error = FramingError::TooLong { length: 65_540, limit: 300 };
        assert_eq!(stream.next_message(), Err(error));
    }

    #[test]
    fn what_comes_after_the_last_message_is_not_lost() {
        let mut stream = stream_buffer(300);
        stream.push(&BINDING);
        stream.push(b"GET /");
        assert_eq!(stream.next_message(), Ok(Some(&BINDING[..])));
        assert_eq!(stream.into_rest(), b"GET /");
    }
}
