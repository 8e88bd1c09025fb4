//! Meeting in a room of a signaling server: offer, answer, candidates, and then the peers are on their own.

mod client;
mod description;

use anyhow::{Context as _, Result, bail};
use futures_util::FutureExt as _;
use pinhole_ice::{Candidate, Event, Role, State};
use pinhole_io::Connection;
use pinhole_sdp::Setup;
use signaling_server::{Candidate as SignaledCandidate, ClientMessage, PeerId, ServerMessage};

use crate::network::NetworkSettings;
use crate::report::timeline::Timeline;
use client::RoomClient;
use description::Remote;

/// Two peers that have each other's description.
pub(crate) struct Meeting {
    pub(crate) connection: Connection,
    pub(crate) signaling: Signaling,
    mid: String,
}

/// The way to the other peer while there is no direct one.
pub(crate) struct Signaling {
    client: RoomClient,
    peer: PeerId,
}

/// How the search for a path ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Selected,
    Failed,
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
    async fn offer(mut self, settings: &NetworkSettings, timeline: &Timeline) -> Result<Meeting> {
        let connection = settings.start(Role::Controlling)?;
        let sdp = description::write(&connection.local_credentials(), "0", Setup::ActPass)?;
        self.client.send(&ClientMessage::Offer { to: Some(self.peer.clone()), sdp }).await?;
        timeline.note("sent an offer");
        let mut meeting = Meeting { connection, signaling: self, mid: "0".to_owned() };
        // Candidates of ours can go before the answer comes, and the peer's may come before it too.
        while let Some(message) = meeting.next_while_gathering(timeline).await? {
            if let ServerMessage::Answer { sdp, .. } = message {
                timeline.note("received the answer");
                let remote = meeting.signaling.read(&sdp).await?;
                meeting.set_remote(remote)?;
                return Ok(meeting);
            }
            meeting.on_message(message)?;
        }
        bail!("gathering failed before an answer came")
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
        // The offerer may be a browser: let it be the DTLS client, which speaks first.
        let sdp = description::write(&connection.local_credentials(), &remote.mid, Setup::Passive)?;
        self.client.send(&ClientMessage::Answer { to: Some(self.peer.clone()), sdp }).await?;
        timeline.note("sent the answer");
        let meeting = Meeting { connection, signaling: self, mid: remote.mid.clone() };
        meeting.set_remote(remote)?;
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

    /// Waits until the other peer says that it ends the call. Cancel-safe.
    ///
    /// That it left the room, or that the server is gone, says nothing about the path, which needs neither.
    pub(crate) async fn peer_says_bye(&mut self) -> String {
        loop {
            match self.client.next().await {
                Ok(ServerMessage::Bye { reason, .. }) => return ended_by_peer(reason),
                Ok(_) => {}
                Err(_) => std::future::pending().await,
            }
        }
    }

    /// Says goodbye; whether it is heard does not matter any more.
    pub(crate) async fn leave(mut self, reason: Option<String>) {
        let bye = ClientMessage::Bye { to: Some(self.peer.clone()), reason };
        let _ = self.client.send(&bye).await;
    }
}

impl Meeting {
    /// Trickles candidates both ways until a pair is selected or none can be.
    pub(crate) async fn connect(&mut self, timeline: &Timeline) -> Result<Ended> {
        loop {
            tokio::select! {
                (at, event) = self.connection.next_event() => {
                    timeline.event(at, &event, &self.connection);
                    match event {
                        Event::PairSelected { .. } => {
                            self.tell_what_waits(timeline).await?;
                            return Ok(Ended::Selected);
                        }
                        Event::StateChanged(State::Failed) => return Ok(Ended::Failed),
                        event => self.trickle(&event).await?,
                    }
                }
                message = self.signaling.client.next() => self.on_message(message?)?,
            }
        }
    }

    /// Handles the events that came with the selection, such as the end of gathering.
    async fn tell_what_waits(&mut self, timeline: &Timeline) -> Result<()> {
        while let Some((at, event)) = self.connection.next_event().now_or_never() {
            timeline.event(at, &event, &self.connection);
            self.trickle(&event).await?;
        }
        Ok(())
    }

    /// Handles the agent's events until a message comes.
    async fn next_while_gathering(&mut self, timeline: &Timeline) -> Result<Option<ServerMessage>> {
        loop {
            tokio::select! {
                (at, event) = self.connection.next_event() => {
                    timeline.event(at, &event, &self.connection);
                    if event == Event::StateChanged(State::Failed) {
                        return Ok(None);
                    }
                    self.trickle(&event).await?;
                }
                message = self.signaling.client.next() => return message.map(Some),
            }
        }
    }

    /// Signals a candidate that was gathered, or the end of them.
    async fn trickle(&mut self, event: &Event) -> Result<()> {
        let candidate = match event {
            Event::CandidateGathered(candidate) => candidate.to_string(),
            Event::GatheringCompleted => String::new(),
            _ => return Ok(()),
        };
        let ufrag = self.connection.local_credentials().ufrag;
        let candidate = SignaledCandidate {
            candidate,
            sdp_mid: Some(self.mid.clone()),
            sdp_m_line_index: Some(0),
            username_fragment: Some(ufrag.as_str().to_owned()),
        };
        let to = Some(self.signaling.peer.clone());
        self.signaling.client.send(&ClientMessage::Candidate { to, candidate }).await
    }

    fn set_remote(&self, remote: Remote) -> Result<()> {
        self.connection.set_remote_credentials(remote.credentials)?;
        for candidate in remote.candidates {
            self.connection.add_remote_candidate(candidate);
        }
        if remote.end_of_candidates {
            self.connection.end_of_remote_candidates();
        }
        Ok(())
    }

    fn on_message(&self, message: ServerMessage) -> Result<()> {
        match message {
            ServerMessage::Candidate { candidate, .. } => self.add_candidate(&candidate),
            ServerMessage::Bye { reason, .. } => bail!(ended_by_peer(reason)),
            ServerMessage::PeerLeft { peer } if peer == self.signaling.peer => {
                bail!("the other peer left the room before a path was found")
            }
            _ => Ok(()),
        }
    }

    fn add_candidate(&self, signaled: &SignaledCandidate) -> Result<()> {
        if signaled.candidate.is_empty() {
            self.connection.end_of_remote_candidates();
            return Ok(());
        }
        match signaled.candidate.parse::<Candidate>() {
            Ok(candidate) => self.connection.add_remote_candidate(candidate),
            Err(error) if error.is_unsupported() => {}
            Err(error) => {
                return Err(error).with_context(|| {
                    format!("the other side's candidate {:?}", signaled.candidate)
                });
            }
        }
        Ok(())
    }
}

fn ended_by_peer(reason: Option<String>) -> String {
    match reason {
        Some(reason) => format!("the other peer ended the call: {reason}"),
        None => "the other peer ended the call".to_owned(),
    }
}
