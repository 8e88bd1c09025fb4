//! STUN and ChannelData on one stream: where one message ends and the next begins (RFC 8656 §12.5).

use alloc::vec::Vec;

use pinhole_stun::{FramingError, PacketKind, Reader, classify};

use crate::CHANNEL_HEADER_LENGTH;

/// Cuts the bytes of a stream between a client and a server into messages, however they were split or
/// merged on the way: STUN, and ChannelData with its padding.
///
/// ```
/// use pinhole_turn::StreamBuffer;
///
/// let mut stream = StreamBuffer::new(1500);
/// stream.push(&[0x40, 0, 0, 5, 1, 2, 3]);
/// assert_eq!(stream.next_message(), Ok(None));
/// stream.push(&[4, 5, 0, 0, 0]);
/// assert_eq!(stream.next_message(), Ok(Some(&[0x40, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0][..])));
/// assert_eq!(stream.next_message(), Ok(None));
/// ```
///
/// The buffer is bounded by the longest message that is accepted. Bytes that cannot begin a message end
/// the stream: after them, nobody knows where the next message would begin.
#[derive(Clone, Debug)]
pub struct StreamBuffer {
    bytes: Vec<u8>,
    /// How many of the bytes have been given out.
    consumed: usize,
    limit: usize,
}

impl StreamBuffer {
    /// A buffer that takes messages of at most `limit` bytes, header and padding included.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), consumed: 0, limit }
    }

    /// Takes bytes from the stream; how many were taken. Fewer than all were when the buffer is full:
    /// ask for the messages in it, then push the rest.
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        self.bytes.drain(..self.consumed);
        self.consumed = 0;
        let room = self.limit.saturating_sub(self.bytes.len());
        let (taken, _) = bytes.split_at(room.min(bytes.len()));
        self.bytes.extend_from_slice(taken);
        taken.len()
    }

    /// The next whole message, or `None` until more bytes have come.
    ///
    /// # Errors
    /// [`FramingError`]: close the stream.
    pub fn next_message(&mut self) -> Result<Option<&[u8]>, FramingError> {
        let (_, rest) = self.bytes.split_at(self.consumed);
        let Some(length) = frame_length(rest)? else { return Ok(None) };
        if length > self.limit {
            return Err(FramingError::TooLong { length, limit: self.limit });
        }
        let Some((message, _)) = rest.split_at_checked(length) else { return Ok(None) };
        self.consumed += length;
        Ok(Some(message))
    }

    /// What has come after the last message: after a ConnectionBind, the first bytes of the data (RFC
    /// 6062 §4.4).
    #[must_use]
    pub fn into_rest(mut self) -> Vec<u8> {
        self.bytes.drain(..self.consumed);
        self.bytes
    }
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
            let mut stream = StreamBuffer::new(300);
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
            let mut stream = StreamBuffer::new(300);
            stream.push(&[first]);
            assert_eq!(stream.next_message(), Err(FramingError::FirstByte(first)));
        }
        let mut stream = StreamBuffer::new(300);
        stream.push(&[0x40, 0, 0xff, 0xff]);
        let error = FramingError::TooLong { length: 65_540, limit: 300 };
        assert_eq!(stream.next_message(), Err(error));
    }

    #[test]
    fn what_comes_after_the_last_message_is_not_lost() {
        let mut stream = StreamBuffer::new(300);
        stream.push(&BINDING);
        stream.push(b"GET /");
        assert_eq!(stream.next_message(), Ok(Some(&BINDING[..])));
        assert_eq!(stream.into_rest(), b"GET /");
    }
}
