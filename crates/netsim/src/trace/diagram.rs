//! The trace as a picture.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Entry, Happening, Trace};
use crate::arena::{DeviceId, Id};

impl Trace {
    /// The trace as a Mermaid sequence diagram: an arrow for each hop of each packet, a cross where one
    /// ended, a note where something else happened.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mut diagram =
            Diagram { trace: self, text: "sequenceDiagram\n".to_owned(), senders: BTreeMap::new() };
        diagram.participants();
        for entry in &self.entries {
            diagram.entry(entry);
        }
        diagram.text
    }
}

struct Diagram<'a> {
    trace: &'a Trace,
    text: String,
    /// Who put each packet, by number, on a network last.
    senders: BTreeMap<u64, DeviceId>,
}

impl Diagram<'_> {
    fn participants(&mut self) {
        for (index, name) in self.trace.names.iter().enumerate() {
            self.line(&format!("participant d{index} as {}", plain(name)));
        }
        self.line("participant network");
    }

    fn entry(&mut self, entry: &Entry) {
        let (at, here) = (entry.at, participant(entry.device));
        let Some(packet) = &entry.packet else {
            let what = match &entry.happening {
                Happening::Changed(what) => what.as_str(),
                // Who wakes up and sends shows by its arrow.
                Happening::Woken
                | Happening::Sent
                | Happening::Received
                | Happening::Dropped(_) => {
                    return;
                }
            };
            self.line(&format!("Note over {here}: {at} {}", plain(what)));
            return;
        };
        let label = plain(&packet.to_string());
        let from = participant(self.senders.get(&packet.number).copied());
        match &entry.happening {
            Happening::Sent => {
                self.senders.extend(entry.device.map(|device| (packet.number, device)));
            }
            Happening::Received => self.line(&format!("{from}->>{here}: {at} {label}")),
            Happening::Dropped(reason) if here == from => {
                self.line(&format!("Note over {here}: {at} {reason}, {label}"));
            }
            Happening::Dropped(reason) => {
                self.line(&format!("{from}-x{here}: {at} {reason}, {label}"));
            }
            Happening::Woken | Happening::Changed(_) => {}
        }
    }

    fn line(&mut self, line: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "    {line}");
    }
}

fn participant(device: Option<DeviceId>) -> String {
    device.map_or_else(|| "network".to_owned(), |device| format!("d{}", device.index()))
}

/// Text without what Mermaid takes for syntax.
fn plain(text: &str) -> String {
    text.replace('#', "no. ").replace([';', '\n'], ",")
}
