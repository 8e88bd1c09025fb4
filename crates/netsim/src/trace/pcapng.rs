//! The trace as a capture file, for Wireshark and its relatives.

use super::{Entry, Happening, Trace, wire};
use crate::arena::Id;

impl Trace {
    /// The trace as a pcapng file: one interface for each host and gateway, in the order in which they
    /// were added, and one without owner for what networks drop.
    ///
    /// Packets are seen where they leave and where they arrive, as if every machine ran a capture on all
    /// its interfaces. A packet that was dropped has a comment that says why.
    #[must_use]
    pub fn to_pcapng(&self) -> Vec<u8> {
        let mut file = Vec::new();
        block(&mut file, SECTION_HEADER, |body| {
            body.extend(BYTE_ORDER_MAGIC.to_le_bytes());
            // Version 1.0, and a section of unknown length.
            body.extend([1, 0, 0, 0]);
            body.extend([0xff; 8]);
        });
        for name in self.names.iter().map(String::as_str).chain([NETWORK]) {
            block(&mut file, INTERFACE_DESCRIPTION, |body| {
                body.extend(LINK_TYPE_RAW.to_le_bytes());
                // Reserved, and no limit of the captured length.
                body.extend([0; 6]);
                option(body, IF_NAME, name.as_bytes());
                option(body, IF_TSRESOL, &[NANOSECONDS]);
                option(body, END_OF_OPTIONS, &[]);
            });
        }
        for entry in &self.entries {
            self.write_packet(&mut file, entry);
        }
        file
    }

    fn write_packet(&self, file: &mut Vec<u8>, entry: &Entry) {
        let Some(packet) = &entry.packet else { return };
        let bytes = wire::encode(packet);
        let owner = entry.device.map_or(self.names.len(), Id::index);
        block(file, ENHANCED_PACKET, |body| {
            let nanos = entry.at.as_nanos();
            body.extend(word(owner).to_le_bytes());
            body.extend(word(nanos >> 32).to_le_bytes());
            body.extend(word(nanos & u64::from(u32::MAX)).to_le_bytes());
            body.extend(word(bytes.len()).to_le_bytes());
            body.extend(word(bytes.len()).to_le_bytes());
            padded(body, &bytes);
            match &entry.happening {
                Happening::Sent => option(body, EPB_FLAGS, &OUTBOUND.to_le_bytes()),
                Happening::Received => option(body, EPB_FLAGS, &INBOUND.to_le_bytes()),
                Happening::Dropped(reason) => {
                    option(body, COMMENT, format!("dropped: {reason}").as_bytes());
                }
                Happening::Woken | Happening::Changed(_) => {}
            }
            option(body, END_OF_OPTIONS, &[]);
        });
    }
}

/// A block: type, total length, body, total length.
fn block(file: &mut Vec<u8>, kind: u32, write: impl FnOnce(&mut Vec<u8>)) {
    let mut body = Vec::new();
    write(&mut body);
    let length = word(body.len() + 12).to_le_bytes();
    file.extend(kind.to_le_bytes());
    file.extend(length);
    file.extend(body);
    file.extend(length);
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    padded(body, value);
}

/// Appends `bytes` and fills up to 32 bits.
fn padded(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend(bytes);
    body.resize(body.len().next_multiple_of(4), 0);
}

fn word<T: TryInto<u32>>(number: T) -> u32 {
    number.try_into().unwrap_or(u32::MAX)
}

/// Whose name what belongs to no host and no gateway goes by.
const NETWORK: &str = "network";

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// Packets that begin with their IPv4 or IPv6 header.
const LINK_TYPE_RAW: u16 = 101;
const END_OF_OPTIONS: u16 = 0;
const COMMENT: u16 = 1;
const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;
const EPB_FLAGS: u16 = 2;
/// Timestamps count units of 10⁻⁹ seconds.
const NANOSECONDS: u8 = 9;
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;
