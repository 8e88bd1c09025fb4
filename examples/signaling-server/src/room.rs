//! Who is in which room.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc};

use crate::config::Limits;
use crate::message::{ErrorCode, PeerId, ServerMessage};

/// All rooms. A room opens with its first peer and is gone with its last.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    rooms: BTreeMap<String, BTreeMap<PeerId, Mailbox>>,
}

/// How to reach a peer from another one's task.
#[derive(Clone, Debug)]
pub(crate) struct Mailbox {
    /// Its queue of outgoing messages.
    pub(crate) queue: mpsc::Sender<ServerMessage>,
    /// Tells its task that it reads too slowly and has to go.
    pub(crate) evict: Arc<Notify>,
}

/// Why a peer cannot enter a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JoinError {
    #[error("there is no such room")]
    UnknownRoom,
    #[error("the room has all {0} peers that it may have")]
    RoomFull(usize),
    #[error("the server has all {0} rooms that it may have")]
    TooManyRooms(usize),
}

impl Rooms {
    /// Puts a peer into a room, and returns who was there before.
    pub(crate) fn join(
        &mut self,
        name: &str,
        create: bool,
        (id, mailbox): (PeerId, Mailbox),
        limits: &Limits,
    ) -> Result<Vec<(PeerId, Mailbox)>, JoinError> {
        if !self.rooms.contains_key(name) {
            if !create {
                return Err(JoinError::UnknownRoom);
            }
            if self.rooms.len() >= limits.rooms {
                return Err(JoinError::TooManyRooms(limits.rooms));
            }
        }
        let room = self.rooms.entry(name.to_owned()).or_default();
        if room.len() >= limits.room_size {
            return Err(JoinError::RoomFull(limits.room_size));
        }
        let others = room.iter().map(|(id, mailbox)| (id.clone(), mailbox.clone())).collect();
        room.insert(id, mailbox);
        Ok(others)
    }

    /// Takes a peer out of its room, and returns who stays.
    pub(crate) fn leave(&mut self, name: &str, id: &PeerId) -> Vec<Mailbox> {
        let Some(room) = self.rooms.get_mut(name) else {
            return Vec::new();
        };
        room.remove(id);
        let others = room.values().cloned().collect();
        if room.is_empty() {
            self.rooms.remove(name);
        }
        others
    }

    /// The peer `to` of a room, or everyone in it but `from`. Nobody where `to` is not in the room.
    pub(crate) fn recipients(
        &self,
        name: &str,
        from: &PeerId,
        to: Option<&PeerId>,
    ) -> Vec<Mailbox> {
        let peers = self.rooms.get(name).into_iter().flatten();
        let others = peers.filter(|(id, _)| to.map_or(*id != from, |to| *id == to));
        others.map(|(_, mailbox)| mailbox.clone()).collect()
    }
}

impl JoinError {
    pub(crate) fn code(self) -> ErrorCode {
        match self {
            Self::UnknownRoom => ErrorCode::UnknownRoom,
            Self::RoomFull(_) => ErrorCode::RoomFull,
            Self::TooManyRooms(_) => ErrorCode::TooManyRooms,
        }
    }
}

/// Whether a client may call a room so: 1 to 64 of the characters that a URL needs no escape for.
pub(crate) fn is_valid_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(is_allowed)
}

/// A name that cannot be guessed: 128 random bits.
pub(crate) fn random_name() -> String {
    format!("{:032x}", rand::random::<u128>())
}
