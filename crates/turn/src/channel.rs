//! ChannelData: four bytes in front of what is relayed (RFC 8656 §12.4).

use core::fmt;
use core::ops::RangeInclusive;

use pinhole_stun::Reader;

/// The number that stands for a peer (RFC 8656 §12). A number in hand is in range.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelNumber(u16);

/// 0x4000 through 0x4FFF: "the allowed channel numbers" (RFC 8656 §12).
const RANGE: RangeInclusive<u16> = 0x4000..=0x4fff;

impl ChannelNumber {
    /// The lowest channel number.
    pub const FIRST: Self = Self(*RANGE.start());

    /// This channel number, if it is from 0x4000 to 0x4FFF.
    #[must_use]
    pub const fn new(value: u16) -> Option<Self> {
        if *RANGE.start() <= value && value <= *RANGE.end() { Some(Self(value)) } else { None }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.0
    }

    /// The number after this one; the first one after the last.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.0 == *RANGE.end() { Self::FIRST } else { Self(self.0 + 1) }
    }
}

impl fmt::Display for ChannelNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}

impl fmt::Debug for ChannelNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The length of what stands in front of the data.
pub const CHANNEL_HEADER_LENGTH: usize = 4;

/// A ChannelData message in the bytes of a datagram or a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelData<'a> {
    /// The channel.
    pub number: ChannelNumber,
    /// What is relayed; it may be empty.
    pub data: &'a [u8],
}

impl<'a> ChannelData<'a> {
    /// Reads a message. `None` for a number that is no channel's, and for a length beyond the bytes
    /// that are there; bytes after the data are padding (RFC 8656 §12.5).
    #[inline]
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let number = ChannelNumber::new(reader.u16()?)?;
        let length = reader.u16()?;
        Some(Self { number, data: reader.take(length.into())? })
    }
}

/// The four bytes in front of `length` bytes of data; `None` for more than the field can tell.
#[inline]
#[must_use]
pub fn channel_header(number: ChannelNumber, length: usize) -> Option<[u8; CHANNEL_HEADER_LENGTH]> {
    let [n0, n1] = number.value().to_be_bytes();
    let [l0, l1] = u16::try_from(length).ok()?.to_be_bytes();
    Some([n0, n1, l0, l1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_number_is_from_4000_to_4fff() {
        for value in 0..=u16::MAX {
            let number = ChannelNumber::new(value);
            assert_eq!(number.is_some(), (0x4000..0x5000).contains(&value), "{value:#06x}");
            if let Some(number) = number {
                assert!(ChannelNumber::new(number.next().value()).is_some());
            }
        }
        let last = ChannelNumber::new(0x4fff).unwrap();
        assert_eq!(last.next(), ChannelNumber::FIRST);
    }

    #[test]
    fn a_length_beyond_the_datagram_is_refused_and_padding_is_ignored() {
        // The length 35,510 with three bytes behind it: the attack of checklist line 28.
        assert_eq!(ChannelData::parse(&[0x40, 0, 0x8a, 0xb6, 1, 2, 3]), None);
        let number = ChannelNumber::FIRST;
        let padded = [0x40, 0, 0, 1, 7, 0, 0, 0];
        assert_eq!(ChannelData::parse(&padded), Some(ChannelData { number, data: &[7] }));
        assert_eq!(ChannelData::parse(&padded[..3]), None);
        let empty = [0x40, 0, 0, 0];
        assert_eq!(ChannelData::parse(&empty), Some(ChannelData { number, data: &[] }));
    }

    #[test]
    fn the_header_reads_back() {
        let number = ChannelNumber::new(0x4abc).unwrap();
        let header = channel_header(number, 300).unwrap();
        let mut bytes = [0xa5; 304];
        bytes[..4].copy_from_slice(&header);
        let data = ChannelData::parse(&bytes).unwrap();
        assert_eq!((data.number, data.data.len()), (number, 300));
        assert_eq!(channel_header(number, 65_536), None);
    }
}
