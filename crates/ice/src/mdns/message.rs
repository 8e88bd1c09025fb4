//! As much of DNS messages as names of hosts need (RFC 1035 §4.1, RFC 6762 §18).

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

/// A query or a response; of its records, the addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) id: u16,
    pub(super) is_response: bool,
    pub(super) questions: Vec<Question>,
    pub(super) records: Vec<Record>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// In lower case, without a final dot.
    pub(super) name: String,
    pub(super) kind: u16,
    /// The answer may come by unicast (RFC 6762 §5.4).
    pub(super) unicast: bool,
}

/// The address of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) address: IpAddr,
    /// In seconds.
    pub(super) ttl: u32,
    /// It replaces what was known (RFC 6762 §10.2).
    pub(super) flushes: bool,
}

impl Question {
    /// Whether an address of this family answers it.
    pub(super) const fn asks_for(&self, address: IpAddr) -> bool {
        self.kind == kind_of(address) || self.kind == ANY
    }
}

impl Message {
    /// `None` for what is no DNS message, is cut off, or is neither query nor response of the standard kind.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader { whole: bytes, at: 0 };
        let (id, flags) = (reader.u16()?, reader.u16()?);
        // RFC 6762 §18.3, §18.11: other operations and response codes than zero are ignored.
        if flags & (OPCODE | RCODE) != 0 {
            return None;
        }
        let counts = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
        let [questions, records @ ..] = counts.map(usize::from);
        let records: usize = records.iter().sum();
        if questions + records > MAX_PARTS {
            return None;
        }
        let questions = (0..questions).map(|_| reader.question()).collect::<Option<Vec<_>>>()?;
        let records = (0..records).map(|_| reader.record()).collect::<Option<Vec<_>>>()?;
        let records = records.into_iter().flatten().collect();
        Some(Self { id, is_response: flags & RESPONSE != 0, questions, records })
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let count = |length: usize| u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        let flags = if self.is_response { RESPONSE | AUTHORITATIVE } else { 0 };
        let mut bytes = Vec::new();
        bytes.extend(self.id.to_be_bytes());
        bytes.extend(flags.to_be_bytes());
        bytes.extend(count(self.questions.len()));
        bytes.extend(count(self.records.len()));
        bytes.extend([0; 4]);
        for Question { name, kind, unicast } in &self.questions {
            write_name(name, &mut bytes);
            bytes.extend(kind.to_be_bytes());
            bytes.extend((INTERNET | if *unicast { TOP_BIT } else { 0 }).to_be_bytes());
        }
        for Record { name, address, ttl, flushes } in &self.records {
            write_name(name, &mut bytes);
            bytes.extend(kind_of(*address).to_be_bytes());
            bytes.extend((INTERNET | if *flushes { TOP_BIT } else { 0 }).to_be_bytes());
            bytes.extend(ttl.to_be_bytes());
            match address {
                IpAddr::V4(ip) => write_data(&ip.octets(), &mut bytes),
                IpAddr::V6(ip) => write_data(&ip.octets(), &mut bytes),
            }
        }
        bytes
    }
}

/// Labels with their lengths. Names are ours, or were checked: no label has more than 63 characters.
fn write_name(name: &str, bytes: &mut Vec<u8>) {
    for label in name.split('.') {
        write_label(label, bytes);
    }
    bytes.push(0);
}

fn write_label(label: &str, bytes: &mut Vec<u8>) {
    bytes.push(u8::try_from(label.len()).unwrap_or(0));
    bytes.extend(label.as_bytes());
}

fn write_data(data: &[u8], bytes: &mut Vec<u8>) {
    bytes.extend(u16::try_from(data.len()).unwrap_or(0).to_be_bytes());
    bytes.extend(data);
}

const fn kind_of(address: IpAddr) -> u16 {
    match address {
        IpAddr::V4(_) => A,
        IpAddr::V6(_) => AAAA,
    }
}

struct Reader<'a> {
    whole: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.whole.get(self.at..)?.get(..length)?;
        self.at += length;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn question(&mut self) -> Option<Question> {
        let (name, kind, class) = (self.name()?, self.u16()?, self.u16()?);
        Some(Question { name, kind, unicast: class & TOP_BIT != 0 })
    }

    /// `Some(None)` for a record of no interest.
    fn record(&mut self) -> Option<Option<Record>> {
        let (name, kind, class) = (self.name()?, self.u16()?, self.u16()?);
        let ttl = u32::from_be_bytes(self.array()?);
        let length = self.u16()?.into();
        let data = self.take(length)?;
        let address = match kind {
            A => <[u8; 4]>::try_from(data).ok().map(IpAddr::from),
            AAAA => <[u8; 16]>::try_from(data).ok().map(IpAddr::from),
            _ => None,
        };
        let address = address.filter(|_| class & !TOP_BIT == INTERNET);
        let flushes = class & TOP_BIT != 0;
        Some(address.map(|address| Record { name, address, ttl, flushes }))
    }

    /// A name, also one that goes on at an earlier place (RFC 1035 §4.1.4).
    fn name(&mut self) -> Option<String> {
        let (mut name, mut end, mut earliest) = (String::new(), None, self.at);
        loop {
            let [length] = self.array()?;
            match length {
                0 => break,
                1..=63 => {
                    let label = core::str::from_utf8(self.take(length.into())?).ok()?;
                    if !name.is_empty() {
                        name.push('.');
                    }
                    name.push_str(label);
                    if name.len() > MAX_NAME {
                        return None;
                    }
                }
                POINTER.. => {
                    let [low] = self.array()?;
                    let target = usize::from(u16::from_be_bytes([length & !POINTER, low]));
                    end.get_or_insert(self.at);
                    // Always backwards, so that it comes to an end.
                    if target >= earliest {
                        return None;
                    }
                    (earliest, self.at) = (target, target);
                }
                _ => return None,
            }
        }
        self.at = end.unwrap_or(self.at);
        name.make_ascii_lowercase();
        Some(name)
    }
}

pub(super) const A: u16 = 1;
pub(super) const AAAA: u16 = 28;
const ANY: u16 = 255;
const INTERNET: u16 = 1;
/// In the class of a question QU, in that of a record cache-flush.
const TOP_BIT: u16 = 0x8000;
const RESPONSE: u16 = 0x8000;
const AUTHORITATIVE: u16 = 0x0400;
const OPCODE: u16 = 0x7800;
const RCODE: u16 = 0x000f;
const POINTER: u8 = 0xc0;
/// RFC 1035 §2.3.4.
const MAX_NAME: usize = 253;
/// More questions and records than a message about hosts has.
const MAX_PARTS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;
    use alloc::vec;

    fn sample() -> Message {
        let name = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local".to_owned();
        let record = |address: [u8; 4]| Record {
            name: name.clone(),
            address: address.into(),
            ttl: 120,
            flushes: true,
        };
        let questions = [A, AAAA].map(|kind| Question { name: name.clone(), kind, unicast: true });
        let records = vec![record([192, 0, 2, 1]), record([192, 0, 2, 2])];
        Message { id: 7, is_response: true, questions: questions.to_vec(), records }
    }

    #[test]
    fn what_is_written_reads_back_and_no_prefix_does() {
        let bytes = sample().write();
        assert_eq!(Message::parse(&bytes), Some(sample()));
        for end in 0..bytes.len() {
            assert_eq!(Message::parse(&bytes[..end]), None, "{end}");
        }
    }

    #[test]
    fn compressed_names_are_read_and_circles_are_not() {
        // A question for "a.local", and a record whose name points at it.
        let mut bytes = vec![0, 0, 0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0];
        bytes.extend(b"\x01A\x05local\0\0\x01\0\x01");
        bytes.extend(b"\xc0\x0c\0\x01\x80\x01\0\0\0\x78\0\x04\xc0\0\x02\x09");
        let message = Message::parse(&bytes).expect("it is one");
        assert_eq!(message.records[0].name, "a.local");
        assert_eq!(message.records[0].address, IpAddr::from([192, 0, 2, 9]));
        for (at, pointer) in [(25, [0xc0, 25]), (25, [0xc0, 0xff]), (12, [0xc0, 12])] {
            let mut circle = bytes.clone();
            circle[at..at + 2].copy_from_slice(&pointer);
            assert_eq!(Message::parse(&circle), None);
        }
    }

    #[test]
    fn other_operations_errors_and_too_many_parts_are_no_messages() {
        let good = sample().write();
        for (at, byte) in [(2, 0x08), (3, 0x03), (5, 200), (9, 200)] {
            let mut bytes = good.clone();
            bytes[at] = byte;
            assert_eq!(Message::parse(&bytes), None, "{at}");
        }
    }
}
