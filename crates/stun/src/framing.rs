//! STUN over streams: where one message ends and the next begins (RFC 8489 §6.2.2).

use alloc::vec::Vec;

use crate::demux::{PacketKind, classify};
use crate::header::{HEADER_LENGTH, MAGIC_COOKIE};
use crate::reader::Reader;

/// Cuts the bytes of a stream into STUN messages, however they were split or merged on the way.
///
/// The buffer is bounded by the longest message that is accepted. Bytes that cannot begin a message
/// end the stream: after them, nobody knows where the next message would begin.
///
/// ```
/// use pinhole_stun::StreamBuffer;
///
/// let mut stream = StreamBuffer::new(1500);
/// let binding_request = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7];
/// stream.push(&binding_request[..7]);
/// assert_eq!(stream.next_message(), Ok(None));
/// stream.push(&binding_request[7..]);
/// assert_eq!(stream.next_message(), Ok(Some(&binding_request[..])));
/// assert_eq!(stream.next_message(), Ok(None));
/// ```
#[derive(Clone, Debug)]
pub struct StreamBuffer {
    bytes: Vec<u8>,
    /// How many of the bytes have been given out.
    consumed: usize,
    limit: usize,
    frame_length: FrameLength,
}

/// Tells the length of the message that begins with some bytes, as [`frame_length`] does for STUN.
pub type FrameLength = fn(&[u8]) -> Result<Option<usize>, FramingError>;

impl StreamBuffer {
    /// A buffer that takes messages of at most `limit` bytes, header included.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self::of_frames(limit, frame_length)
    }

    /// The same for a stream on which other messages travel too, whose lengths `frame_length` knows.
    #[must_use]
    pub const fn of_frames(limit: usize, frame_length: FrameLength) -> Self {
        Self { bytes: Vec::new(), consumed: 0, limit, frame_length }
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
        let Some(length) = (self.frame_length)(rest)? else { return Ok(None) };
        if length > self.limit {
            return Err(FramingError::TooLong { length, limit: self.limit });
        }
        let Some((message, _)) = rest.split_at_checked(length) else { return Ok(None) };
        self.consumed += length;
        Ok(Some(message))
    }

    /// How many bytes wait for the rest of their message.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.bytes.len() - self.consumed
    }

    /// What has come after the last message: where another protocol takes the stream over, its first
    /// bytes.
    #[must_use]
    pub fn into_rest(mut self) -> Vec<u8> {
        self.bytes.drain(..self.consumed);
        self.bytes
    }
}

/// The length of the STUN message that begins with these bytes; `None` if too few are known.
///
/// # Errors
/// [`FramingError`] as soon as the bytes cannot begin a message: at the first one, if it can be told.
pub fn frame_length(bytes: &[u8]) -> Result<Option<usize>, FramingError> {
    let mut reader = Reader::new(bytes);
    let Some(&first) = bytes.first() else { return Ok(None) };
    if classify(first) != PacketKind::Stun {
        return Err(FramingError::FirstByte(first));
    }
    let (Some(_), Some(length)) = (reader.u16(), reader.u16()) else { return Ok(None) };
    if !length.is_multiple_of(4) {
        return Err(FramingError::Unaligned(length));
    }
    let cookie = MAGIC_COOKIE.to_be_bytes();
    if reader.rest().iter().zip(cookie).any(|(&byte, expected)| byte != expected) {
        return Err(FramingError::Cookie);
    }
    Ok(Some(HEADER_LENGTH + usize::from(length)))
}

/// Why a stream is no sequence of STUN messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FramingError {
    /// Another protocol.
    #[error("first byte {0:#04x} does not begin a STUN message")]
    FirstByte(u8),
    /// Another protocol, or RFC 3489.
    #[error("the magic cookie is not 0x2112a442")]
    Cookie,
    /// "The last 2 bits of this field are always zero" (RFC 8489 §5).
    #[error("message length {0} is not a multiple of 4")]
    Unaligned(u16),
    /// Longer than this stream allows.
    #[error("a message of {length} bytes exceeds the {limit} that are accepted")]
    TooLong {
        /// The message, header included.
        length: usize,
        /// What the buffer was made for.
        limit: usize,
    },
}
