//! What is relayed: a stamp that tells whose packet it is and when it was sent, and filler.

use pinhole_sansio::Instant;
use pinhole_stun::Reader;

/// What stands at the beginning of each packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The packets of one run, and no others.
    pub(crate) run: u32,
    /// Which allocation of the worker.
    pub(crate) allocation: u32,
    pub(crate) sent: Instant,
}

impl Stamp {
    /// A packet is at least as long.
    pub(crate) const LENGTH: usize = 16;

    /// Appends a packet of this length.
    pub(crate) fn write(self, length: usize, to: &mut Vec<u8>) {
        let end = to.len() + length;
        to.extend_from_slice(&self.run.to_be_bytes());
        to.extend_from_slice(&self.allocation.to_be_bytes());
        to.extend_from_slice(&self.sent.as_nanos().to_be_bytes());
        to.resize(end, FILLER);
    }

    /// Reads the stamp of a packet that ought to have this length.
    pub(crate) fn read(packet: &[u8], length: usize) -> Option<Self> {
        let mut reader = Reader::new(packet);
        let (run, allocation) = (reader.u32()?, reader.u32()?);
        let sent = Instant::from_nanos(reader.u64()?);
        (packet.len() == length).then_some(Self { run, allocation, sent })
    }
}

/// Not zero, so that padding is not mistaken for it.
const FILLER: u8 = 0x5a;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_reads_back_from_a_packet_of_its_length_only() {
        let stamp = Stamp { run: 7, allocation: 9, sent: Instant::from_millis(3) };
        for length in [Stamp::LENGTH, 172] {
            let mut packet = vec![1, 2, 3];
            stamp.write(length, &mut packet);
            assert_eq!(packet.len(), 3 + length);
            assert_eq!(Stamp::read(&packet[3..], length), Some(stamp));
            assert_eq!(Stamp::read(&packet[3..], length + 1), None);
            assert_eq!(Stamp::read(&packet[3..18], length), None);
        }
    }
}
