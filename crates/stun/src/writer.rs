use crate::fingerprint::fingerprint;
use crate::header::{Class, HEADER_LENGTH, MAGIC_COOKIE, Method, TransactionId, message_type};
use crate::integrity::IntegrityKey;
use crate::message::Message;
use crate::registry::AttributeType;
use crate::walk::RawAttribute;

/// Writes one message into the caller's buffer, attribute by attribute, without a heap.
///
/// The bytes are a valid message after every call that succeeds; a call that fails leaves the
/// message as it was.
///
/// ```
/// use pinhole_stun::attribute::Software;
/// use pinhole_stun::{Class, Message, MessageWriter, Method, TransactionId};
///
/// let mut buffer = [0; 128];
/// let id = TransactionId::new([7; 12]);
/// let mut writer = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id)?;
/// writer.attribute(&Software("example"))?.fingerprint()?;
/// let bytes = writer.finish();
/// assert!(Message::parse(bytes).is_ok_and(|message| message.has_fingerprint()));
/// # Ok::<(), pinhole_stun::WriteError>(())
/// ```
#[derive(Debug)]
pub struct MessageWriter<'b> {
    buffer: &'b mut [u8],
    length: usize,
    id: TransactionId,
    last: Last,
}

/// What was written last, as far as it restricts what may follow (RFC 8489 §14.5 to §14.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Last {
    Attribute,
    Sha1,
    Sha256,
    Fingerprint,
}

/// A value that can be written as an attribute.
pub trait AttributeWrite {
    /// The attribute's type.
    fn kind(&self) -> AttributeType;

    /// Appends the value, without padding.
    ///
    /// # Errors
    /// [`WriteError::Full`], passed on from `value`.
    fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError>;
}

impl AttributeWrite for RawAttribute<'_> {
    fn kind(&self) -> AttributeType {
        self.kind
    }

    fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
        value.put(self.value)
    }
}

impl<'b> MessageWriter<'b> {
    /// Begins a message: writes its header.
    ///
    /// # Errors
    /// [`WriteError::Full`] if the buffer has fewer than twenty bytes.
    pub fn new(
        buffer: &'b mut [u8],
        class: Class,
        method: Method,
        id: TransactionId,
    ) -> Result<Self, WriteError> {
        let header = buffer.first_chunk_mut::<HEADER_LENGTH>().ok_or(WriteError::Full)?;
        let [t0, t1] = message_type(class, method).to_be_bytes();
        let [c0, c1, c2, c3] = MAGIC_COOKIE.to_be_bytes();
        let (front, back) = header.split_at_mut(8);
        front.copy_from_slice(&[t0, t1, 0, 0, c0, c1, c2, c3]);
        back.copy_from_slice(id.as_bytes());
        Ok(Self { buffer, length: HEADER_LENGTH, id, last: Last::Attribute })
    }

    /// Begins a response of this class to `request`: its method, its transaction id.
    ///
    /// # Errors
    /// As [`MessageWriter::new`].
    pub fn response_to(
        request: &Message<'_>,
        class: Class,
        buffer: &'b mut [u8],
    ) -> Result<Self, WriteError> {
        Self::new(buffer, class, request.method(), request.transaction_id())
    }

    /// Appends an attribute with its padding of zeros.
    ///
    /// # Errors
    /// [`WriteError`]: it does not fit, its length is out of bounds, it comes after the integrity
    /// or FINGERPRINT, or it is one of those, which have methods of their own.
    pub fn attribute(
        &mut self,
        attribute: &(impl AttributeWrite + ?Sized),
    ) -> Result<&mut Self, WriteError> {
        let kind = attribute.kind();
        if self.last > Last::Attribute {
            return Err(WriteError::Sealed(kind));
        }
        if kind.is_seal() {
            return Err(WriteError::Seal(kind));
        }
        self.append(kind, |value| attribute.write(value))?;
        Ok(self)
    }

    /// Appends MESSAGE-INTEGRITY (RFC 8489 §14.5).
    ///
    /// # Errors
    /// [`WriteError`]: it does not fit, or comes after integrity or FINGERPRINT.
    pub fn integrity(&mut self, key: &IntegrityKey) -> Result<&mut Self, WriteError> {
        self.seal(AttributeType::MESSAGE_INTEGRITY, Last::Sha1, |before| key.sha1(before))
    }

    /// Appends MESSAGE-INTEGRITY-SHA256, whole (RFC 8489 §14.6).
    ///
    /// # Errors
    /// [`WriteError`]: it does not fit, or comes after itself or FINGERPRINT.
    pub fn integrity_sha256(&mut self, key: &IntegrityKey) -> Result<&mut Self, WriteError> {
        let kind = AttributeType::MESSAGE_INTEGRITY_SHA256;
        self.seal(kind, Last::Sha256, |before| key.sha256(before))
    }

    /// Appends FINGERPRINT (RFC 8489 §14.7).
    ///
    /// # Errors
    /// [`WriteError`]: it does not fit, or is there already.
    pub fn fingerprint(&mut self) -> Result<&mut Self, WriteError> {
        self.seal(AttributeType::FINGERPRINT, Last::Fingerprint, |before| {
            fingerprint(before).to_be_bytes()
        })
    }

    /// The message.
    #[must_use]
    pub fn finish(self) -> &'b [u8] {
        self.buffer.split_at(self.length).0
    }

    /// Puts other bytes where the magic cookie is, for peers of RFC 3489.
    pub(crate) fn replace_cookie(&mut self, bytes: [u8; 4]) {
        if let Some([_, _, _, _, cookie @ ..]) = self.buffer.first_chunk_mut::<8>() {
            *cookie = bytes;
        }
    }

    /// The length of the message so far, in bytes.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.length
    }

    /// Appends an attribute whose value is computed from all bytes before it, with the header's
    /// length counting the attribute already.
    fn seal<const N: usize>(
        &mut self,
        kind: AttributeType,
        last: Last,
        compute: impl FnOnce(&[u8]) -> [u8; N],
    ) -> Result<&mut Self, WriteError> {
        if self.last >= last {
            return Err(WriteError::Sealed(kind));
        }
        let before = self.length;
        self.append(kind, |value| value.put(&[0; N]))?;
        let (covered, attribute) = self.buffer.split_at_mut(before);
        let sum = compute(covered);
        let (_, value) = attribute.split_at_mut(4);
        value.split_at_mut(N).0.copy_from_slice(&sum);
        self.last = last;
        Ok(self)
    }

    /// Writes type, length, value and padding, then the message's new length.
    #[inline]
    fn append(
        &mut self,
        kind: AttributeType,
        write: impl FnOnce(&mut ValueWriter<'_>) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        let (written, free) = self.buffer.split_at_mut(self.length);
        let (head, free) = free.split_first_chunk_mut::<4>().ok_or(WriteError::Full)?;
        let mut value = ValueWriter { free, length: 0, id: self.id };
        write(&mut value)?;
        let length = value.length;
        value.pad()?;
        let padded = value.length;

        let total = self.length + head.len() + padded;
        let claimed = u16::try_from(total - HEADER_LENGTH).map_err(|_| WriteError::TooLong)?;
        let bounds = kind.bounds();
        let short = u16::try_from(length).map_err(|_| WriteError::TooLong)?;
        if short < bounds.min || short > bounds.max_sent {
            return Err(WriteError::Length { kind, length });
        }
        let ([k0, k1], [l0, l1]) = (kind.value().to_be_bytes(), short.to_be_bytes());
        *head = [k0, k1, l0, l1];
        if let Some([_, _, field @ ..]) = written.first_chunk_mut::<4>() {
            *field = claimed.to_be_bytes();
        }
        self.length = total;
        Ok(())
    }
}

/// Appends integers and bytes to the value of an attribute, most significant byte first.
#[derive(Debug)]
pub struct ValueWriter<'v> {
    free: &'v mut [u8],
    length: usize,
    id: TransactionId,
}

impl ValueWriter<'_> {
    /// Appends bytes.
    ///
    /// # Errors
    /// [`WriteError::Full`].
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let free = core::mem::take(&mut self.free);
        let (target, free) = free.split_at_mut_checked(bytes.len()).ok_or(WriteError::Full)?;
        target.copy_from_slice(bytes);
        self.free = free;
        self.length += bytes.len();
        Ok(())
    }

    /// Appends one byte.
    ///
    /// # Errors
    /// [`WriteError::Full`].
    pub fn put_u8(&mut self, value: u8) -> Result<(), WriteError> {
        self.put(&[value])
    }

    /// Appends two bytes.
    ///
    /// # Errors
    /// [`WriteError::Full`].
    pub fn put_u16(&mut self, value: u16) -> Result<(), WriteError> {
        self.put(&value.to_be_bytes())
    }

    /// Appends four bytes.
    ///
    /// # Errors
    /// [`WriteError::Full`].
    pub fn put_u32(&mut self, value: u32) -> Result<(), WriteError> {
        self.put(&value.to_be_bytes())
    }

    /// Appends eight bytes.
    ///
    /// # Errors
    /// [`WriteError::Full`].
    pub fn put_u64(&mut self, value: u64) -> Result<(), WriteError> {
        self.put(&value.to_be_bytes())
    }

    /// The id of the message that is being written: XOR-MAPPED-ADDRESS and its like depend on it.
    #[must_use]
    pub const fn transaction_id(&self) -> TransactionId {
        self.id
    }

    #[inline]
    fn pad(&mut self) -> Result<(), WriteError> {
        let padding = self.length.next_multiple_of(4) - self.length;
        self.put([0; 3].split_at(padding).0)
    }
}

/// Why a message cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The buffer is too small.
    #[error("the buffer is full")]
    Full,
    /// A message has at most 65,532 bytes after its header.
    #[error("the message would exceed 65532 bytes of attributes")]
    TooLong,
    /// The value is shorter or longer than the attribute allows.
    #[error("{kind} cannot have {length} bytes")]
    Length {
        /// The attribute's type.
        kind: AttributeType,
        /// The length of the value.
        length: usize,
    },
    /// RFC 8489 §14.8 has codes from 300 to 699.
    #[error("{0} is no error code")]
    ErrorCode(u16),
    /// Receivers would have to ignore the attribute after what is already there.
    #[error("{0} would come after the attribute that seals the message")]
    Sealed(AttributeType),
    /// The attribute is computed; `integrity`, `integrity_sha256` and `fingerprint` do that.
    #[error("{0} is computed, not written")]
    Seal(AttributeType),
}
