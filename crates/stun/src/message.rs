use core::fmt;

use crate::attribute::{Attribute, AttributeError};
use crate::fingerprint::fingerprint;
use crate::header::{
    Class, HEADER_LENGTH, MAGIC_COOKIE, Method, TransactionId, class_of, method_of,
};
use crate::integrity::{IntegrityError, IntegrityKey};
use crate::reader::Reader;
use crate::registry::AttributeType;
use crate::walk::{
    Attributes, Layout, RawAttribute, UnsealedAttributes, next_attribute, next_head, overrun,
    presence, scan,
};

/// A STUN message in the bytes of a datagram or a stream frame, checked once.
///
/// The view borrows the bytes, is [`Copy`], and allocates nothing. It promises that the bytes are
/// exactly one message, that every attribute lies within it, and (from [`Message::parse`]) that a
/// FINGERPRINT, if there is one, is right.
///
/// Attributes after MESSAGE-INTEGRITY do not count, but for MESSAGE-INTEGRITY-SHA256 and
/// FINGERPRINT; attributes after MESSAGE-INTEGRITY-SHA256 do not count, but for FINGERPRINT; and
/// nothing counts after FINGERPRINT (RFC 8489 §9, §14.5 to §14.7). No method here shows them.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    bytes: &'a [u8],
    header: &'a [u8; HEADER_LENGTH],
    attributes: &'a [u8],
    /// The attributes before the first seal.
    open: &'a [u8],
    layout: Layout,
}

impl<'a> Message<'a> {
    /// Checks that `bytes` are one whole STUN message with a right FINGERPRINT or none.
    ///
    /// # Errors
    /// [`ParseError`]: the bytes are not STUN, or malformed. RFC 8489 §6.3 has such a message
    /// discarded silently.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        // What is not STUN is refused here, in the caller's code.
        let (header, attributes) = split_header(bytes)?;
        Self::parse_attributes(bytes, header, attributes, true)
    }

    /// Checks everything that [`Message::parse`] checks, but for the value of FINGERPRINT: for
    /// transports that already protect their bytes, and for tools that show what is wrong.
    ///
    /// # Errors
    /// [`ParseError`], as for [`Message::parse`].
    #[inline]
    pub fn parse_structure(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let (header, attributes) = split_header(bytes)?;
        Self::parse_attributes(bytes, header, attributes, false)
    }

    /// Checks the value of FINGERPRINT, if there is one.
    ///
    /// # Errors
    /// [`ParseError::Fingerprint`].
    #[inline]
    pub fn check_fingerprint(&self) -> Result<(), ParseError> {
        match self.seal(self.layout.fingerprint) {
            Some(seal) => self.compare_fingerprint(seal),
            None => Ok(()),
        }
    }

    /// The message's class.
    #[must_use]
    pub fn class(&self) -> Class {
        class_of(self.message_type())
    }

    /// The message's method.
    #[must_use]
    pub fn method(&self) -> Method {
        method_of(self.message_type())
    }

    /// The message's transaction id.
    #[inline]
    #[must_use]
    pub fn transaction_id(&self) -> TransactionId {
        let [_, _, _, _, _, _, _, _, id @ ..] = *self.header;
        TransactionId::new(id)
    }

    /// The attributes that count, in their order.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.attributes)
    }

    /// The attributes before the integrity and FINGERPRINT, in their order: for those who take several of them in one
    /// walk, with [`RawAttribute::decode`].
    #[inline]
    #[must_use]
    pub fn unsealed(&self) -> UnsealedAttributes<'a> {
        UnsealedAttributes::new(self.open)
    }

    /// The first attribute of the type `A`; `None` if there is none before the integrity.
    ///
    /// # Errors
    /// [`AttributeError`]: the attribute is there and its value is malformed. Its length has been
    /// compared with the bounds of the [registry](AttributeType::bounds) before its value is read.
    #[inline]
    pub fn get<A: Attribute<'a>>(&self) -> Result<Option<A>, AttributeError> {
        let Some(value) = self.raw(A::KIND) else { return Ok(None) };
        const { A::KIND.bounds() }.check(A::KIND, value.len())?;
        A::decode(value, self.transaction_id()).map(Some)
    }

    /// The value of the first attribute of this type; `None` if there is none before the integrity.
    #[inline]
    #[must_use]
    pub fn raw(&self, kind: AttributeType) -> Option<&'a [u8]> {
        if self.layout.present & presence(kind) == 0 {
            return None;
        }
        let mut reader = Reader::new(self.open);
        while let Some(head) = next_head(&mut reader) {
            if head.kind == kind {
                return reader.take(head.length);
            }
            reader.take(head.padded_length())?;
        }
        None
    }

    /// Whether the message ends in a FINGERPRINT.
    #[must_use]
    pub fn has_fingerprint(&self) -> bool {
        self.layout.fingerprint != Layout::NONE
    }

    /// Whether the message carries MESSAGE-INTEGRITY, right or wrong.
    #[must_use]
    pub fn has_integrity(&self) -> bool {
        self.layout.sha1 != Layout::NONE
    }

    /// Whether the message carries MESSAGE-INTEGRITY-SHA256, right or wrong.
    #[must_use]
    pub fn has_integrity_sha256(&self) -> bool {
        self.layout.sha256 != Layout::NONE
    }

    /// Compares MESSAGE-INTEGRITY, in constant time (RFC 8489 §14.5).
    ///
    /// # Errors
    /// [`IntegrityError`]: there is none, it has not 20 bytes, or it does not match.
    pub fn verify(&self, key: &IntegrityKey) -> Result<(), IntegrityError> {
        let seal = self.seal(self.layout.sha1).ok_or(IntegrityError::Missing)?;
        seal.check_length(20)?;
        let header = self.header_up_to(seal);
        outcome(key.is_sha1(&header, seal.covered, seal.value))
    }

    /// Compares MESSAGE-INTEGRITY-SHA256, in constant time (RFC 8489 §14.6).
    ///
    /// The value has to be whole: neither TURN nor ICE allows a truncated one.
    ///
    /// # Errors
    /// [`IntegrityError`]: there is none, it has not 32 bytes, or it does not match.
    pub fn verify_sha256(&self, key: &IntegrityKey) -> Result<(), IntegrityError> {
        let seal = self.seal(self.layout.sha256).ok_or(IntegrityError::Missing)?;
        seal.check_length(32)?;
        let header = self.header_up_to(seal);
        outcome(key.is_sha256(&header, seal.covered, seal.value))
    }

    /// The comprehension-required attributes that are not in `known`, each as often as it stands
    /// there: what an answer 420 lists (RFC 8489 §6.3.1). Both integrity attributes are always known.
    pub fn unknown_required<'k>(
        &self,
        known: &'k [AttributeType],
    ) -> impl Iterator<Item = AttributeType> + Clone + use<'a, 'k> {
        self.attributes().map(|attribute| attribute.kind).filter(move |kind| {
            kind.is_comprehension_required() && !kind.is_seal() && !known.contains(kind)
        })
    }

    /// The whole message.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    fn parse_attributes(
        bytes: &'a [u8],
        header: &'a [u8; HEADER_LENGTH],
        attributes: &'a [u8],
        with_fingerprint: bool,
    ) -> Result<Self, ParseError> {
        let Some(layout) = scan(attributes) else { return Err(overrun(attributes)) };
        let first = layout.sha1.min(layout.sha256).min(layout.fingerprint);
        let open = attributes.get(..usize::from(first)).unwrap_or(attributes);
        let message = Self { bytes, header, attributes, open, layout };
        if with_fingerprint {
            message.check_fingerprint()?;
        }
        Ok(message)
    }

    fn compare_fingerprint(&self, seal: Seal<'_>) -> Result<(), ParseError> {
        let Ok(found) = seal.value.try_into().map(u32::from_be_bytes) else {
            return Err(ParseError::FingerprintLength(seal.value.len()));
        };
        let (before, _) = self.bytes.split_at(HEADER_LENGTH + seal.covered.len());
        let expected = fingerprint(before);
        if found == expected { Ok(()) } else { Err(ParseError::Fingerprint { found, expected }) }
    }

    /// The seal that begins here.
    #[inline]
    fn seal(&self, at: u16) -> Option<Seal<'a>> {
        let (covered, rest) = self.attributes.split_at_checked(usize::from(at))?;
        let RawAttribute { value, .. } = next_attribute(&mut Reader::new(rest))?;
        Some(Seal { covered, value })
    }

    fn message_type(&self) -> u16 {
        let [high, low, ..] = *self.header;
        u16::from_be_bytes([high, low])
    }

    /// The header as it was when `seal` was the last attribute (RFC 8489 §14.5).
    fn header_up_to(&self, seal: Seal<'_>) -> [u8; HEADER_LENGTH] {
        let length = seal.covered.len() + 4 + seal.value.len();
        let length = u16::try_from(length).expect("no longer than the length in the header");
        let mut header = *self.header;
        let [_, _, field @ ..] = &mut header;
        let (field, _) = field.split_at_mut(2);
        field.copy_from_slice(&length.to_be_bytes());
        header
    }
}

/// An attribute that vouches for the attributes before it, and the header.
#[derive(Clone, Copy)]
struct Seal<'a> {
    covered: &'a [u8],
    value: &'a [u8],
}

impl Seal<'_> {
    fn check_length(&self, length: usize) -> Result<(), IntegrityError> {
        if self.value.len() == length {
            Ok(())
        } else {
            Err(IntegrityError::Length(self.value.len()))
        }
    }
}

fn outcome(is_right: bool) -> Result<(), IntegrityError> {
    if is_right { Ok(()) } else { Err(IntegrityError::Mismatch) }
}

impl PartialEq for Message<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Message<'_> {}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {}", self.method(), self.class(), self.transaction_id())?;
        f.debug_list().entries(self.attributes().map(|attribute| attribute.kind)).finish()
    }
}

/// Why bytes are no STUN message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Fewer bytes than a header has.
    #[error("{0} bytes are fewer than the 20 of a header")]
    Short(usize),
    /// The two top bits of the first byte are not zero: another protocol (RFC 7983).
    #[error("first byte {0:#04x} does not begin a STUN message")]
    FirstByte(u8),
    /// The magic cookie is not there: another protocol, or RFC 3489.
    #[error("magic cookie {0:#010x} is not 0x2112a442")]
    Cookie(u32),
    /// "The last 2 bits of this field are always zero" (RFC 8489 §5).
    #[error("message length {0} is not a multiple of 4")]
    Unaligned(u16),
    /// The length in the header is not that of the bytes after it.
    #[error("message length {claimed} differs from the {actual} bytes after the header")]
    Length {
        /// What the header says.
        claimed: u16,
        /// What there is.
        actual: usize,
    },
    /// An attribute reaches past the end of the message.
    #[error("{kind} of {length} bytes exceeds the {left} bytes left")]
    Attribute {
        /// The attribute's type.
        kind: AttributeType,
        /// The length that it claims.
        length: usize,
        /// The bytes that are left for its value.
        left: usize,
    },
    /// FINGERPRINT has four bytes.
    #[error("FINGERPRINT has {0} bytes instead of 4")]
    FingerprintLength(usize),
    /// FINGERPRINT is wrong: damaged, or another protocol.
    #[error("FINGERPRINT {found:#010x} should be {expected:#010x}")]
    Fingerprint {
        /// What the message carries.
        found: u32,
        /// What it should carry.
        expected: u32,
    },
}

/// The header, and the attributes, if the header is right.
#[inline]
fn split_header(bytes: &[u8]) -> Result<(&[u8; HEADER_LENGTH], &[u8]), ParseError> {
    let Some((header, attributes)) = bytes.split_first_chunk::<HEADER_LENGTH>() else {
        return Err(ParseError::Short(bytes.len()));
    };
    let [first, _, l0, l1, c0, c1, c2, c3, ..] = *header;
    if first >= 0x40 {
        return Err(ParseError::FirstByte(first));
    }
    let cookie = u32::from_be_bytes([c0, c1, c2, c3]);
    if cookie != MAGIC_COOKIE {
        return Err(ParseError::Cookie(cookie));
    }
    let claimed = u16::from_be_bytes([l0, l1]);
    if !claimed.is_multiple_of(4) {
        return Err(ParseError::Unaligned(claimed));
    }
    let actual = attributes.len();
    if usize::from(claimed) != actual {
        return Err(ParseError::Length { claimed, actual });
    }
    Ok((header, attributes))
}
