//! What is said over the WebSocket: one JSON object in one text message.

use std::fmt;

use serde::{Deserialize, Serialize};

/// From a client to the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ClientMessage {
    /// Enter a room: the first message of a connection, and said once.
    Join {
        /// 1 to 64 letters, digits, or `-` `.` `_` `~`. Without a name the server makes one up that
        /// cannot be guessed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<String>,
        /// Whether to open the room if there is none of that name; true if absent.
        #[serde(default = "yes")]
        create: bool,
    },
    /// An SDP offer.
    Offer {
        /// For whom; for everyone else in the room if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<PeerId>,
        /// The session description.
        sdp: String,
    },
    /// An SDP answer.
    Answer {
        /// For whom; for everyone else in the room if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<PeerId>,
        /// The session description.
        sdp: String,
    },
    /// A trickled ICE candidate.
    Candidate {
        /// For whom; for everyone else in the room if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<PeerId>,
        /// The candidate.
        #[serde(flatten)]
        candidate: Candidate,
    },
    /// The call is over. The sender stays in the room until it closes the connection.
    Bye {
        /// For whom; for everyone else in the room if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<PeerId>,
        /// Why, for people, if there is more to say than that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

/// From the server to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ServerMessage {
    /// The answer to a `join` that succeeded.
    Joined {
        /// The room.
        room: String,
        /// Who you are to the others.
        peer: PeerId,
        /// Who was there before you.
        peers: Vec<PeerId>,
    },
    /// Somebody entered the room after you.
    PeerJoined {
        /// Who.
        peer: PeerId,
    },
    /// Somebody's connection is gone.
    PeerLeft {
        /// Who.
        peer: PeerId,
    },
    /// An SDP offer.
    Offer {
        /// Who made it.
        from: PeerId,
        /// The session description.
        sdp: String,
    },
    /// An SDP answer.
    Answer {
        /// Who made it.
        from: PeerId,
        /// The session description.
        sdp: String,
    },
    /// A trickled ICE candidate.
    Candidate {
        /// Whose it is.
        from: PeerId,
        /// The candidate.
        #[serde(flatten)]
        candidate: Candidate,
    },
    /// The sender ended the call.
    Bye {
        /// Who.
        from: PeerId,
        /// Why, for people, if the sender said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Your last message was not acted on. The connection stays open.
    Error {
        /// What was wrong, for programs.
        code: ErrorCode,
        /// What was wrong, for people.
        message: String,
    },
}

/// A trickled candidate, in the form of the browsers' `RTCIceCandidateInit`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// `candidate:…` (RFC 8839 §5.1). The empty string says that no more candidates follow.
    pub candidate: String,
    /// The `a=mid` of the media section.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdp_mid: Option<String>,
    /// The index of the media section, from 0.
    #[serde(default, rename = "sdpMLineIndex", skip_serializing_if = "Option::is_none")]
    pub sdp_m_line_index: Option<u16>,
    /// The fragment of the ICE generation that the candidate belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username_fragment: Option<String>,
}

/// A peer's name in its room, made up by the server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PeerId(String);

/// Why a message was not acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// Not JSON, not a known type, or a field is missing or of the wrong type.
    Malformed,
    /// Something other than `join` came first.
    NotJoined,
    /// A second `join`.
    AlreadyJoined,
    /// The room's name has a character that is not allowed, or is empty or too long.
    InvalidRoom,
    /// There is no such room, and `create` was false.
    UnknownRoom,
    /// The room has all the peers that it may have.
    RoomFull,
    /// The server has all the rooms that it may have.
    TooManyRooms,
    /// Nobody of that name is in the room.
    UnknownPeer,
}

impl ClientMessage {
    /// For whom a message to other peers is, and what they receive; `None` for a `join`.
    pub(crate) fn into_relayed(self, from: PeerId) -> Option<(Option<PeerId>, ServerMessage)> {
        match self {
            Self::Join { .. } => None,
            Self::Offer { to, sdp } => Some((to, ServerMessage::Offer { from, sdp })),
            Self::Answer { to, sdp } => Some((to, ServerMessage::Answer { from, sdp })),
            Self::Candidate { to, candidate } => {
                Some((to, ServerMessage::Candidate { from, candidate }))
            }
            Self::Bye { to, reason } => Some((to, ServerMessage::Bye { from, reason })),
        }
    }
}

impl PeerId {
    /// A name that nobody has, and nobody guesses.
    pub(crate) fn random() -> Self {
        Self(format!("{:016x}", rand::random::<u64>()))
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn yes() -> bool {
    true
}
