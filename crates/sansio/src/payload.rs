use alloc::boxed::Box;
use core::fmt;
use core::ops::Deref;

/// Owned bytes of one outgoing datagram.
///
/// Up to [`Payload::INLINE`] bytes are kept in place, which covers connectivity checks, keepalives
/// and their answers, so that a steady state of them touches no heap. Longer ones are boxed.
#[derive(Clone)]
pub struct Payload(Repr);

#[derive(Clone)]
enum Repr {
    Inline { length: u8, bytes: [u8; Payload::INLINE] },
    Boxed(Box<[u8]>),
}

impl Payload {
    /// The most bytes that are kept without a heap allocation.
    pub const INLINE: usize = 192;

    fn inline(bytes: &[u8]) -> Option<Self> {
        let length = u8::try_from(bytes.len()).ok()?;
        let mut inline = [0; Self::INLINE];
        inline.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self(Repr::Inline { length, bytes: inline }))
    }
}

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Self {
        Self::inline(bytes).unwrap_or_else(|| Self(Repr::Boxed(bytes.into())))
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or(bytes),
            Repr::Boxed(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Payload {}

impl fmt::Debug for Payload {
    /// The length only: payloads are long, and may be private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_around_the_inline_limit_reads_back() {
        let bytes: [u8; 300] = core::array::from_fn(|i| i.to_le_bytes()[0]);
        for length in 0..bytes.len() {
            let payload = Payload::from(&bytes[..length]);
            assert_eq!(&*payload, &bytes[..length]);
            assert_eq!(payload.clone(), payload);
        }
    }
}
