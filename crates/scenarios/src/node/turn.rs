use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pinhole_netsim::{Node, StreamCommand, StreamEvent};
use pinhole_sansio::{Datagram, FiveTuple, Instant, Transmit};
use pinhole_stun::Credentials;
use pinhole_turn::policy::{Action, Policy, Rule};
use pinhole_turn::server::{
    Command, Config, Received, RelayId, Server, StaticUsers, ToClient, ToPeer,
};

use super::rogue::Rogue;
use super::streams::Streams;
use super::{HTTPS_PORT, SERVER_PORT};
use crate::mutation::Mutation;
use crate::session::PASSWORD;
use crate::transcript::Transcript;
use crate::warden::{Picture, Warden};

/// A TURN server over UDP and TCP, with relayed addresses of each family that its host has, and a warden on the wire
/// between it and the world.
#[derive(Debug)]
pub struct TurnServer {
    /// What it did on the wire.
    pub warden: Warden,
    config: Config,
    pub(super) server: Server<StaticUsers>,
    pub(super) relays: BTreeMap<SocketAddr, RelayId>,
    pub(super) listeners: Vec<SocketAddr>,
    /// Who does to it what he can, if somebody does.
    pub(super) rogue: Option<Rogue>,
    streams: Streams,
    pub(super) outbox: VecDeque<Transmit>,
    stream_commands: VecDeque<StreamCommand>,
    transcript: Transcript,
    /// The time of the latest input.
    now: Instant,
}

/// How a server begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    pub(crate) seed: [u8; 32],
    /// Whether somebody forges messages and asks for what he must not have.
    pub(crate) is_attacked: bool,
    pub(crate) mutation: Option<Mutation>,
}

impl TurnServer {
    /// A server on these addresses of its host, with two users.
    pub(crate) fn new(start: Start, addresses: &[IpAddr]) -> Self {
        let mut config = Config::new(REALM);
        config.policy = everybody();
        config.tcp = true;
        config.limits.allocations_per_user = QUOTA;
        config.relay_v4 = addresses.iter().copied().find(IpAddr::is_ipv4).map(Into::into);
        config.relay_v6 = addresses.iter().copied().find(IpAddr::is_ipv6).map(Into::into);
        let listeners: Vec<SocketAddr> = addresses
            .iter()
            .flat_map(|ip| [SERVER_PORT, HTTPS_PORT].map(|port| SocketAddr::new(*ip, port)))
            .collect();
        let server = begin(&config, start.seed);
        let picture = Picture::of(&server, 0);
        Self {
            warden: Warden::new(picture, QUOTA as usize, PASSWORD, start.mutation),
            server,
            config,
            relays: BTreeMap::new(),
            rogue: start.is_attacked.then(Rogue::default),
            stream_commands: listeners.iter().copied().map(StreamCommand::Listen).collect(),
            listeners,
            streams: Streams::default(),
            outbox: VecDeque::new(),
            transcript: Transcript::default(),
            now: Instant::ZERO,
        }
    }

    /// Loses everything, as a server that is restarted does.
    pub fn forget(&mut self) {
        self.server = begin(&self.config, [9; 32]);
        self.relays.clear();
        self.warden.forgotten();
    }

    /// How many allocations there are.
    #[must_use]
    pub const fn allocations(&self) -> usize {
        self.server.allocations()
    }

    /// What tells what it has sent from what another one has.
    pub(crate) fn digest(&self) -> u64 {
        self.transcript.digest()
    }

    fn picture(&self) -> Picture {
        Picture::of(&self.server, self.relays.len())
    }

    /// A datagram of a client that means well, and what others make of it.
    fn client_sent(&mut self, datagram: Datagram<'_>, now: Instant) {
        self.attack_before(datagram, now);
        let tampered = self.tamper(datagram);
        self.handle_client(datagram, tampered.as_deref(), true, now);
        self.attack_after(datagram, now);
    }

    /// Handles a client's datagram, or other bytes in its place that must have the same effect.
    pub(super) fn handle_client(
        &mut self,
        datagram: Datagram<'_>,
        instead: Option<&[u8]>,
        is_honest: bool,
        now: Instant,
    ) {
        let before = self.picture();
        self.warden.client_sent(datagram, is_honest, now);
        let arrived = Datagram { payload: instead.unwrap_or(datagram.payload), ..datagram };
        if let Received::ToPeer(route) = self.server.handle_client_datagram(arrived, now) {
            self.send_to_peer(&route, arrived.payload, now);
        }
        self.obey(now);
        while let Some(transmit) = self.server.poll_transmit() {
            self.warden.answered(&transmit, now);
            self.outbox.push_back(transmit);
        }
        self.warden.settled(before, self.picture(), now);
    }

    fn peer_sent(&mut self, relay: RelayId, datagram: Datagram<'_>, now: Instant) {
        let before = self.picture();
        self.warden.peer_sent(datagram, now);
        let (peer, length) = (datagram.five_tuple.remote, datagram.payload.len());
        if let Ok(route) = self.server.handle_peer_datagram(relay, peer, length, now) {
            let whole = whole(&route, datagram.payload);
            let five_tuple = *route.five_tuple;
            self.warden.relayed_to_client(five_tuple, &whole, now);
            self.outbox.push_back(Transmit { five_tuple, payload: whole[..].into() });
        }
        self.warden.settled(before, self.picture(), now);
    }

    fn send_to_peer(&mut self, route: &ToPeer, payload: &[u8], now: Instant) {
        let local = self.relays.iter().find(|(_, id)| **id == route.relay).map(|(at, _)| *at);
        if let Some(local) = local {
            let payload = &payload[route.payload.clone()];
            self.warden.relayed_to_peer(local, route.peer, payload, now);
            let five_tuple = FiveTuple::udp(local, route.peer);
            self.outbox.push_back(Transmit { five_tuple, payload: payload.into() });
        }
    }

    fn obey(&mut self, now: Instant) {
        while let Some(command) = self.server.poll_command() {
            match command {
                Command::OpenRelay { relay, address, .. } => {
                    self.relays.insert(address, relay);
                    self.server.relay_opened(relay, Ok(()), now);
                }
                Command::CloseRelay { relay } => self.relays.retain(|_, known| *known != relay),
                _ => {}
            }
        }
        while let Some(event) = self.server.poll_event() {
            self.warden.logged(&event, now);
        }
    }
}

impl Node for TurnServer {
    fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Instant) {
        self.now = now;
        match self.relays.get(&datagram.five_tuple.local) {
            Some(&relay) => self.peer_sent(relay, datagram, now),
            None => self.client_sent(datagram, now),
        }
    }

    fn handle_stream(&mut self, event: StreamEvent, now: Instant) {
        self.now = now;
        match event {
            StreamEvent::Accepted(five_tuple) => self.streams.open(five_tuple),
            StreamEvent::Received(five_tuple, bytes) => {
                let frames = self.streams.frames(five_tuple, &bytes);
                self.warden.framed(five_tuple, &bytes, &frames, now);
                for payload in frames {
                    self.client_sent(Datagram { five_tuple, payload: &payload }, now);
                }
            }
            StreamEvent::Finished(five_tuple) | StreamEvent::Closed(five_tuple, _)
                if self.streams.forget(five_tuple) =>
            {
                self.server.client_closed(five_tuple);
                self.warden.client_closed(five_tuple);
                self.obey(now);
                self.stream_commands.push_back(StreamCommand::Close(five_tuple));
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.server.handle_timeout(now);
        self.obey(now);
        self.warden.timed_out(self.picture(), now);
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.outbox.pop_front()?;
        self.transcript.sent(&transmit, self.now);
        Some(transmit)
    }

    fn poll_stream(&mut self) -> Option<StreamCommand> {
        self.stream_commands.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.server.poll_timeout()
    }

    fn is_open(&self, local: SocketAddr) -> bool {
        self.listeners.contains(&local) || self.relays.contains_key(&local)
    }
}

/// What a client gets of a peer's payload.
fn whole(route: &ToClient<'_>, payload: &[u8]) -> Vec<u8> {
    [&route.header, payload, &[0; 3][..route.padding.into()]].concat()
}

fn begin(config: &Config, seed: [u8; 32]) -> Server<StaticUsers> {
    let users = [USER, ROGUE].iter().fold(StaticUsers::new(REALM), |users, name| {
        users.with(&Credentials::new(name, PASSWORD).expect("both are plain"))
    });
    Server::new(config.clone(), users, seed, Duration::ZERO, Instant::ZERO)
}

/// The simulated Internet's addresses are those that the real one keeps for documentation.
fn everybody() -> Policy {
    let allow = |range: &str| Rule {
        action: Action::Allow,
        range: range.parse().expect("a range of addresses"),
    };
    Policy::default().with_rule(allow("203.0.113.0/24")).with_rule(allow("2001:db8::/32"))
}

const REALM: &str = "scenario";
/// The agents' name.
pub(crate) const USER: &str = "user";
/// Another account, of somebody who wants what is not his.
pub(super) const ROGUE: &str = "rogue";
/// How many allocations a user may have.
pub(super) const QUOTA: u32 = 32;
