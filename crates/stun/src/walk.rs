//! The walk over the attributes: which there are, which of them count, and where the seals are.

use crate::attribute::{Attribute, AttributeError};
use crate::header::TransactionId;
use crate::message::ParseError;
use crate::reader::Reader;
use crate::registry::AttributeType;

/// An attribute as it stands in a message: any type, any value, without its padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawAttribute<'a> {
    /// The attribute's type.
    pub kind: AttributeType,
    /// The attribute's value.
    pub value: &'a [u8],
}

impl<'a> RawAttribute<'a> {
    /// The attribute as the type `A`, in a message with this transaction id: for those who take several attributes in
    /// one walk. `Ok(None)` if it is of another type.
    ///
    /// # Errors
    /// As [`Message::get`](crate::Message::get).
    #[inline]
    pub fn decode<A: Attribute<'a>>(self, id: TransactionId) -> Result<Option<A>, AttributeError> {
        if self.kind != A::KIND {
            return Ok(None);
        }
        const { A::KIND.bounds() }.check(A::KIND, self.value.len())?;
        A::decode(self.value, id).map(Some)
    }
}

/// The attributes of a message that count; see [`Message::attributes`](crate::Message::attributes).
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    rest: &'a [u8],
    stage: Stage,
}

impl<'a> Attributes<'a> {
    pub(crate) const fn new(attributes: &'a [u8]) -> Self {
        Self { rest: attributes, stage: Stage::Open }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = RawAttribute<'a>;

    #[inline]
    fn next(&mut self) -> Option<RawAttribute<'a>> {
        let mut reader = Reader::new(self.rest);
        while let Some(attribute) = next_attribute(&mut reader) {
            self.rest = reader.rest();
            let stage = Stage::of(attribute.kind);
            if self.stage == Stage::Open || stage > self.stage {
                self.stage = stage;
                return Some(attribute);
            }
        }
        self.rest = &[];
        None
    }
}

/// The attributes before the first seal; see [`Message::unsealed`](crate::Message::unsealed).
#[derive(Clone, Debug)]
pub struct UnsealedAttributes<'a>(Reader<'a>);

impl<'a> UnsealedAttributes<'a> {
    pub(crate) const fn new(open: &'a [u8]) -> Self {
        Self(Reader::new(open))
    }
}

impl<'a> Iterator for UnsealedAttributes<'a> {
    type Item = RawAttribute<'a>;

    #[inline]
    fn next(&mut self) -> Option<RawAttribute<'a>> {
        next_attribute(&mut self.0)
    }
}

/// How far a message has been sealed. A seal counts only after weaker ones, and whatever is no
/// stronger than the last seal does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Open,
    Sha1,
    Sha256,
    Fingerprint,
}

impl Stage {
    /// The stage that begins with an attribute of this type.
    #[inline]
    fn of(kind: AttributeType) -> Self {
        match kind {
            AttributeType::MESSAGE_INTEGRITY => Self::Sha1,
            AttributeType::MESSAGE_INTEGRITY_SHA256 => Self::Sha256,
            AttributeType::FINGERPRINT => Self::Fingerprint,
            _ => Self::Open,
        }
    }
}

/// What one walk over the attributes finds out: where the seals begin, which are the attributes that
/// vouch for those before them, counted from the first attribute ([`Layout::NONE`] for those that
/// are not there).
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) sha1: u16,
    pub(crate) sha256: u16,
    pub(crate) fingerprint: u16,
    /// A bit for each type in the message, by its six lowest bits: most look-ups of a type that is not
    /// there end here.
    pub(crate) present: u64,
}

impl Layout {
    /// No attribute begins here: it is no multiple of four.
    pub(crate) const NONE: u16 = u16::MAX;
}

/// Walks the attributes once, and keeps where the seals are; `None` if one of the attributes reaches
/// past the end.
#[inline]
pub(crate) fn scan(attributes: &[u8]) -> Option<Layout> {
    let mut layout =
        Layout { sha1: Layout::NONE, sha256: Layout::NONE, fingerprint: Layout::NONE, present: 0 };
    let mut stage = Stage::Open;
    let mut reader = Reader::new(attributes);
    loop {
        let left = reader.rest().len();
        // Lengths are multiples of four, so that there are four bytes or none.
        let Some(head) = next_head(&mut reader) else { return Some(layout) };
        reader.take(head.padded_length())?;
        let bit = presence(head.kind);
        layout.present |= bit;
        if bit & SEALS == 0 {
            continue;
        }
        let next = Stage::of(head.kind);
        if next > stage {
            stage = next;
            let at = u16::try_from(attributes.len() - left).ok()?;
            match next {
                Stage::Open => {}
                Stage::Sha1 => layout.sha1 = at,
                Stage::Sha256 => layout.sha256 = at,
                Stage::Fingerprint => layout.fingerprint = at,
            }
        }
    }
}

/// The bit of [`Layout::present`] for this type.
#[inline]
pub(crate) const fn presence(kind: AttributeType) -> u64 {
    1 << (kind.value() % 64)
}

/// The bits of the seals; other types may have the same ones.
const SEALS: u64 = presence(AttributeType::MESSAGE_INTEGRITY)
    | presence(AttributeType::MESSAGE_INTEGRITY_SHA256)
    | presence(AttributeType::FINGERPRINT);

/// Type and length of an attribute.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    pub(crate) kind: AttributeType,
    pub(crate) length: usize,
}

impl Head {
    /// The length of the value and its padding. It cannot overflow, the length has sixteen bits.
    #[inline]
    pub(crate) fn padded_length(self) -> usize {
        (self.length + 3) & !3
    }
}

/// Type and length of the attribute at the front; `None` at the end.
#[inline]
pub(crate) fn next_head(reader: &mut Reader<'_>) -> Option<Head> {
    let [k0, k1, l0, l1] = reader.array()?;
    let kind = AttributeType::new(u16::from_be_bytes([k0, k1]));
    Some(Head { kind, length: usize::from(u16::from_be_bytes([l0, l1])) })
}

/// The attribute at the front, with its padding consumed; `None` at the end, or if it does not fit.
#[inline]
pub(crate) fn next_attribute<'a>(reader: &mut Reader<'a>) -> Option<RawAttribute<'a>> {
    let head = next_head(reader)?;
    let padded = reader.take(head.padded_length())?;
    let (value, _) = padded.split_at_checked(head.length)?;
    Some(RawAttribute { kind: head.kind, value })
}

/// The error for the first attribute that does not fit.
#[cold]
pub(crate) fn overrun(attributes: &[u8]) -> ParseError {
    let mut reader = Reader::new(attributes);
    loop {
        let head = next_head(&mut reader).expect("an attribute that does not fit has a head");
        if reader.take(head.padded_length()).is_none() {
            let (kind, left) = (head.kind, reader.rest().len());
            return ParseError::Attribute { kind, length: head.length, left };
        }
    }
}
