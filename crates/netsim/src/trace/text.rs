//! The trace as lines of text.

use std::fmt;

use super::{Entry, Happening, Trace};
use crate::packet::{Body, Packet};

impl fmt::Display for Trace {
    /// One line for each entry: time, device, what happened, packet.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries.iter().try_for_each(|entry| self.write_line(f, entry))
    }
}

impl Trace {
    fn write_line(&self, f: &mut fmt::Formatter<'_>, entry: &Entry) -> fmt::Result {
        let device = entry.device.map_or("network", |device| self.name(device));
        write!(f, "{} {device}", entry.at)?;
        match &entry.happening {
            Happening::Sent => f.write_str(" sends")?,
            Happening::Received => f.write_str(" receives")?,
            Happening::Dropped(reason) => write!(f, " drops ({reason})")?,
            Happening::Woken => f.write_str(" wakes")?,
            Happening::Changed(what) => write!(f, " {what}")?,
        }
        if let Some(packet) = &entry.packet {
            write!(f, " {packet}")?;
        }
        writeln!(f)
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, source, destination, .. } = self;
        match &self.body {
            Body::Datagram { transport, payload } => {
                let length = payload.len();
                write!(f, "#{number} {transport} {source} -> {destination} {length} bytes")
            }
            Body::Segment(segment) => {
                let (flags, length) = (segment.flags, segment.payload.len());
                write!(f, "#{number} tcp {source} -> {destination} {flags} {length} bytes")
            }
            Body::Icmp(error) => {
                let (from, to) = (source.ip(), destination.ip());
                write!(f, "#{number} icmp {from} -> {to} {}: {}", error.kind, error.five_tuple)
            }
        }
    }
}
