//! Meeting in a room of a signaling server: offer, answer, candidates, and then the peers are on their own.

mod client;
mod description;
mod meeting;

use anyhow::{Result, bail};
use pinhole_ice::Role;
use signaling_server::{ClientMessage, PeerId, ServerMessage};

use crate::network::NetworkSettings;
use crate::report::timeline::Timeline;
use client::RoomClient;
use description::{Local, Remote};

pub(crate) use meeting::{Ended, Meeting};

/// The way to the other peer while there is no direct one.
pub(crate) struct Signaling {
    client: RoomClient,
    peer: PeerId,
}

/// Enters the room, waits for another peer, and exchanges descriptions with it. Whoever comes second makes the
/// offer.
pub(crate) async fn meet(
    url: &str,
    room: &str,
    create: bool,
    settings: &NetworkSettings,
    timeline: &Timeline,
) -> Result<Meeting> {
    let mut client = RoomClient::join(url, room, create).await?;
    let others = client.present.len();
    timeline.note(&format!("joined room {:?} as number {}", client.room, others + 1));
    match client.present.first().cloned() {
        Some(peer) => Signaling { client, peer }.offer(settings, timeline).await,
        None => {
            timeline.note("waiting for another peer");
            let peer = wait_for_peer(&mut client).await?;
            Signaling { client, peer }.answer(settings, timeline).await
        }
    }
}

async fn wait_for_peer(client: &mut RoomClient) -> Result<PeerId> {
    loop {
        if let ServerMessage::PeerJoined { peer } = client.next().await? {
            return Ok(peer);
        }
    }
}

impl Signaling {
    async fn offer(self, settings: &NetworkSettings, timeline: &Timeline) -> Result<Meeting> {
        let connection = settings.start(Role::Controlling)?;
        let mut meeting = Meeting::new(connection, self, Local::new("0"));
        meeting.make_offer().await?;
        timeline.note("sent an offer");
        meeting.wait_for_answer(timeline).await?;
        Ok(meeting)
    }

    async fn answer(mut self, settings: &NetworkSettings, timeline: &Timeline) -> Result<Meeting> {
        let offer = loop {
            match self.client.next().await? {
                ServerMessage::Offer { from, sdp } if from == self.peer => break sdp,
                ServerMessage::PeerLeft { peer } if peer == self.peer => {
                    bail!("the other peer left the room")
                }
                ServerMessage::Bye { reason, .. } => bail!(ended_by_peer(reason)),
                _ => {}
            }
        };
        timeline.note("received an offer");
        let remote = self.read(&offer).await?;
        let connection = settings.start(Role::Controlled)?;
        let mut meeting = Meeting::new(connection, self, Local::new(&remote.mid));
        meeting.make_answer(remote).await?;
        timeline.note("sent the answer");
        Ok(meeting)
    }

    /// Reads the peer's description; if it is of no use, the peer is told so.
    async fn read(&mut self, sdp: &str) -> Result<Remote> {
        let remote = description::read(sdp);
        if let Err(error) = &remote {
            let reason = error
                .to_string()
                .lines()
                .next()
                .map(|line| format!("{line} (as the other side sees it)"));
            self.client.send(&ClientMessage::Bye { to: Some(self.peer.clone()), reason }).await?;
        }
        remote
    }

    /// What the other peer says while there is a path. Cancel-safe. That it left the room, or that the server is gone,
    /// says nothing about the path, which needs neither.
    pub(crate) async fn next_message(&mut self) -> ServerMessage {
        match self.client.next().await {
            Ok(message) => message,
            Err(_) => std::future::pending().await,
        }
    }

    /// Says goodbye; whether it is heard does not matter any more.
    pub(crate) async fn leave(mut self, reason: Option<String>) {
        let bye = ClientMessage::Bye { to: Some(self.peer.clone()), reason };
        let _ = self.client.send(&bye).await;
    }
}

pub(crate) fn ended_by_peer(reason: Option<String>) -> String {
    match reason {
        Some(reason) => format!("the other peer ended the call: {reason}"),
        None => "the other peer ended the call".to_owned(),
    }
}
