//! What happened in a world, in order.

mod diagram;
mod pcapng;
mod record;
mod text;
mod wire;

use std::collections::VecDeque;

use pinhole_sansio::Instant;

use crate::arena::{Arena, DeviceId};
use crate::drops::DropReason;
use crate::packet::Packet;

pub use record::{PacketRecord, Record};

/// How much a world remembers of what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// Nothing.
    Off,
    /// The last so many entries, which a failure shows.
    Tail(usize),
    /// Everything.
    Everything,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) at: Instant,
    pub(crate) device: Option<DeviceId>,
    pub(crate) happening: Happening,
    pub(crate) packet: Option<Packet>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happening {
    /// The device put the packet on a network.
    Sent,
    /// The device got the packet.
    Received,
    /// The packet went no further; the device, if any, is the one that dropped it.
    Dropped(DropReason),
    /// The device's deadline passed.
    Woken,
    /// Something was done to the device or the world.
    Changed(String),
}

/// What happened in a world, in order.
pub struct Trace {
    recording: Recording,
    names: Arena<DeviceId, String>,
    entries: VecDeque<Entry>,
}

impl Trace {
    pub(crate) const fn new() -> Self {
        Self {
            recording: Recording::Tail(DEFAULT_TAIL),
            names: Arena::new(),
            entries: VecDeque::new(),
        }
    }

    pub(crate) fn set_recording(&mut self, recording: Recording) {
        self.recording = recording;
        self.forget();
    }

    pub(crate) fn add_device(&mut self, name: &str) -> DeviceId {
        self.names.push(name.to_owned())
    }

    /// The name of a host or gateway.
    pub(crate) fn name(&self, device: DeviceId) -> &str {
        &self.names[device]
    }

    pub(crate) fn record(
        &mut self,
        at: Instant,
        device: Option<DeviceId>,
        happening: Happening,
        packet: Option<&Packet>,
    ) {
        if self.recording != Recording::Off {
            self.entries.push_back(Entry { at, device, happening, packet: packet.cloned() });
            self.forget();
        }
    }

    /// How many entries are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no entry is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn forget(&mut self) {
        let kept = match self.recording {
            Recording::Off => 0,
            Recording::Tail(kept) => kept,
            Recording::Everything => return,
        };
        while self.entries.len() > kept {
            self.entries.pop_front();
        }
    }
}

const DEFAULT_TAIL: usize = 32;
