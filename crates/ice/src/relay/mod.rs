//! Relayed candidates: allocations on TURN servers (RFC 8445 §5.1.1.2, RFC 8656).

mod allocation;
mod plan;
mod requests;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::ops::Range;
use core::time::Duration;

use pinhole_sansio::{Datagram, FiveTuple, Instant, Payload, Transmit, Transport};
use pinhole_stun::{Class, MessageWriter, Method, Retransmission, TransactionId};
use pinhole_turn::client::{self, Client, Received, ToServer};
use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

use allocation::{Link, Relay, Stage};
use plan::Plan;
use requests::Requests;

pub(crate) use allocation::Happening;

use crate::config::TurnServer;
use crate::event::{Command, ServerConnection};
use crate::gather::GatheringError;

/// The allocations of one agent. What they ask of their servers waits for the pacer.
#[derive(Debug)]
pub(crate) struct Relays {
    servers: Vec<TurnServer>,
    retransmission: Retransmission,
    rng: ChaCha12Rng,
    waiting: VecDeque<Plan>,
    relays: Vec<Relay>,
    requests: Requests,
    commands: VecDeque<Command>,
    next_connection: u32,
    /// When the allocations are given back that are not in use.
    release: Option<Instant>,
    /// What is in use, as far as it is on a server.
    used: Vec<SocketAddr>,
    /// Whether the path is found, so that what there is suffices.
    is_settled: bool,
}

/// What came from a TURN server.
#[derive(Debug)]
pub(crate) enum FromServer {
    /// It was for the client machine.
    Handled,
    /// A peer's datagram, as if it had come to the relayed address.
    Relayed { five_tuple: FiveTuple, payload: Range<usize> },
}

impl Relays {
    pub(crate) fn new(
        servers: Vec<TurnServer>,
        retransmission: Retransmission,
        rng: &mut impl Rng,
    ) -> Self {
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        Self {
            servers,
            retransmission,
            rng: ChaCha12Rng::from_seed(seed),
            waiting: VecDeque::new(),
            relays: Vec::new(),
            requests: Requests::default(),
            commands: VecDeque::new(),
            next_connection: 0,
            release: None,
            used: Vec::new(),
            is_settled: false,
        }
    }

    /// When something may be sent, as far as the pacer lets it; `None` when nothing waits.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        let begin = self.waiting.iter().filter_map(|plan| self.turn_of(*plan));
        begin.chain(self.requests.next_at()).min()
    }

    /// A request that has waited for its turn, first those of allocations that were begun.
    pub(crate) fn next_request(&mut self, now: Instant) -> Option<Transmit> {
        loop {
            let request = self.requests.next(now);
            // A connection that is to be opened first brings no request yet.
            if request.is_some() || !self.begin_next(now) {
                return request;
            }
        }
    }

    pub(crate) fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// Whether each server has answered from each base, or was given up.
    pub(crate) fn is_complete(&self) -> bool {
        let is_open =
            |relay: &Relay| matches!(relay.stage, Stage::Connecting | Stage::Allocating(_));
        self.waiting.is_empty() && !self.relays.iter().any(is_open)
    }

    /// The connection that was asked for is there, or cannot be had.
    pub(crate) fn connected(
        &mut self,
        connection: ServerConnection,
        path: Option<FiveTuple>,
        now: Instant,
    ) -> Option<Happening> {
        let index = self.relays.iter().position(|relay| {
            relay.connection == Some(connection) && matches!(relay.stage, Stage::Connecting)
        })?;
        let Some(path) = path else {
            let relay = self.relays.remove(index);
            return self.failed(&relay, GatheringError::NotConnected);
        };
        let rank = self.relays.get(index)?.server.0;
        let link = self.link(path, rank, now)?;
        let relay = self.relays.get_mut(index)?;
        relay.stage = Stage::Allocating(link);
        relay.begun = now;
        self.collect(index);
        None
    }

    /// A connection is closed, by the server or by the network.
    pub(crate) fn disconnected(&mut self, connection: ServerConnection) -> Vec<Happening> {
        let index = self.relays.iter().position(|relay| relay.connection == Some(connection));
        let Some(index) = index else { return Vec::new() };
        if let Some(link) = self.relays.get_mut(index).and_then(Relay::link_mut) {
            link.client.connection_closed();
        }
        self.collect(index)
    }

    /// Whether this is the path to a server over a connection.
    pub(crate) fn has_connection(&self, path: FiveTuple) -> bool {
        let mut connected = self.relays.iter().filter(|relay| relay.connection.is_some());
        connected.any(|relay| relay.link().is_some_and(|link| link.path == path))
    }

    /// `None` when the datagram is none of a TURN server's.
    pub(crate) fn handle_datagram(
        &mut self,
        datagram: Datagram<'_>,
        now: Instant,
    ) -> Option<(FromServer, Vec<Happening>)> {
        let (index, received) = self.relays.iter_mut().enumerate().find_map(|(index, relay)| {
            match relay.link_mut()?.client.handle_datagram(datagram, now) {
                Received::NotMine => None,
                received @ (Received::Data { .. } | Received::Handled) => Some((index, received)),
            }
        })?;
        self.relays.get_mut(index)?.note_heard(now);
        let happened = self.collect(index);
        let Received::Data { peer, payload } = received else {
            return Some((FromServer::Handled, happened));
        };
        let relay = self.relays.get(index);
        let relayed = relay.and_then(|relay| relay.address_towards(peer.ip()));
        let from = relayed.map(|relayed| FiveTuple::udp(relayed, peer));
        let from = from
            .map_or(FromServer::Handled, |five_tuple| FromServer::Relayed { five_tuple, payload });
        Some((from, happened))
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Vec<Happening> {
        let mut happened = self.give_up_silent(now);
        for index in (0..self.relays.len()).rev() {
            let Some(link) = self.relays.get_mut(index).and_then(Relay::link_mut) else { continue };
            link.client.handle_timeout(now);
            if link.keep_alive <= now {
                link.keep_alive = now + KEEPALIVE;
                let id = TransactionId::random(&mut self.rng);
                self.requests.push(keepalive(link.path, id));
            }
            if let Some(relay) = self.relays.get_mut(index) {
                relay.note_asked(now);
            }
            happened.extend(self.collect(index));
        }
        self.plan_spares(now);
        if self.release.is_some_and(|at| at <= now) {
            self.release = None;
            let used = core::mem::take(&mut self.used);
            happened.extend(self.give_back(&used, now).into_iter().map(Happening::Released));
        }
        happened
    }

    /// Without regard to the pacer.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let links = self.relays.iter().filter_map(Relay::link);
        let deadlines = links.map(|link| {
            link.client.poll_timeout().map_or(link.keep_alive, |at| at.min(link.keep_alive))
        });
        let late = self.relays.iter().filter_map(Relay::late_at);
        let stalled = self.relays.iter().filter(|_| !self.is_settled).filter_map(Relay::stalls_at);
        deadlines.chain(late).chain(stalled).chain(self.release).min()
    }

    /// Lets a peer's address through; whether it is already.
    pub(crate) fn permit(&mut self, relayed: SocketAddr, peer: IpAddr, now: Instant) -> bool {
        let Some(index) = self.position(relayed) else { return false };
        let Some(relay) = self.relays.get_mut(index) else { return false };
        let Stage::Live { link, permitted, .. } = &mut relay.stage else { return false };
        if permitted.contains(&peer) {
            return true;
        }
        link.client.permit(peer, now);
        relay.note_asked(now);
        self.collect(index);
        false
    }

    /// How a payload of this length goes from a relayed address to a peer; `None` when it cannot now.
    pub(crate) fn send(
        &mut self,
        relayed: SocketAddr,
        peer: SocketAddr,
        length: usize,
        now: Instant,
    ) -> Option<ToServer> {
        let index = self.position(relayed)?;
        let link = self.relays.get_mut(index)?.link_mut()?;
        let sent = link.client.send(peer, length, now);
        if sent.is_ok() {
            link.keep_alive = now + KEEPALIVE;
        }
        self.collect(index);
        sent.ok()
    }

    /// The allocations that were reached from a socket are lost with it.
    pub(crate) fn remove_base(&mut self, base: SocketAddr, now: Instant) -> Vec<Happening> {
        self.waiting.retain(|plan| plan.base != base);
        let mut released = Vec::new();
        for index in (0..self.relays.len()).rev() {
            if self.relays.get(index).is_some_and(|relay| relay.base == base) {
                released.extend(self.give_back_at(index, now).map(Happening::Released));
            }
        }
        released
    }

    /// The allocations over UDP that stand: from which socket, on which server.
    pub(crate) fn kept_over_udp(&self) -> impl Iterator<Item = (SocketAddr, (u8, SocketAddr))> {
        let is_kept = |relay: &&Relay| {
            relay.connection.is_none() && matches!(relay.stage, Stage::Live { .. })
        };
        self.relays.iter().filter(is_kept).map(|relay| (relay.base, relay.server))
    }

    /// Whether the allocation with this address stands.
    pub(crate) fn is_live(&self, relayed: SocketAddr) -> bool {
        self.position(relayed).is_some()
    }

    /// How the server of this address is reached.
    pub(crate) fn transport_of(&self, relayed: SocketAddr) -> Option<Transport> {
        let relay = self.relays.get(self.position(relayed)?)?;
        relay.link().map(|link| link.path.transport)
    }

    /// After a restart all allocations are of use again, if they are still there: each server is asked, and one that is
    /// silent on a connection gets another one soon. A stream that has stalled for long is slow to begin again.
    pub(crate) fn keep_all(&mut self, now: Instant) {
        (self.release, self.is_settled) = (None, false);
        self.used.clear();
        for index in 0..self.relays.len() {
            let Some(relay) = self.relays.get_mut(index) else { continue };
            if let Stage::Live { link, .. } = &mut relay.stage {
                link.client.refresh(now);
                relay.doubted.get_or_insert(now);
                relay.asked = Some(now);
                self.collect(index);
            }
        }
    }

    /// Gives back what is not in [use](Self::keep), some seconds from now (RFC 8445 §8.3.1).
    pub(crate) fn release_unused(&mut self, now: Instant) {
        self.waiting.clear();
        (self.release, self.is_settled) = (Some(now + RELEASE_AFTER), true);
    }

    /// This base is in use: a pair with it was nominated.
    pub(crate) fn keep(&mut self, base: SocketAddr) {
        let is_live = self.relays.iter().any(|relay| relay.addresses().contains(&Some(base)));
        if is_live && !self.used.contains(&base) {
            self.used.push(base);
        }
    }

    /// Gives everything back; the requests that say so go out at once.
    pub(crate) fn close(&mut self, now: Instant) -> impl Iterator<Item = Transmit> {
        self.waiting.clear();
        self.requests = Requests::default();
        self.release = None;
        self.give_back(&[], now);
        let connections = self.relays.iter().filter_map(|relay| relay.connection);
        self.commands.extend(connections.map(Command::Disconnect));
        core::mem::take(&mut self.requests).queued.into_iter()
    }

    fn link(&mut self, path: FiveTuple, rank: u8, now: Instant) -> Option<Link> {
        let server = self.servers.get(usize::from(rank))?;
        let mut config = client::Config::new(path, server.credentials.clone());
        config.addresses = server.addresses;
        config.retransmission = self.retransmission;
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let client = Box::new(Client::new(config, seed, now));
        Some(Link { client, path, keep_alive: now + KEEPALIVE })
    }

    /// Gives back all allocations but these; their addresses.
    fn give_back(&mut self, used: &[SocketAddr], now: Instant) -> Vec<[Option<SocketAddr>; 2]> {
        let mut released = Vec::new();
        for index in (0..self.relays.len()).rev() {
            let Some(relay) = self.relays.get(index) else { continue };
            let is_used = relay.addresses().iter().flatten().any(|address| used.contains(address));
            if !is_used {
                released.extend(self.give_back_at(index, now));
            }
        }
        released
    }

    fn give_back_at(&mut self, index: usize, now: Instant) -> Option<[Option<SocketAddr>; 2]> {
        let relay = self.relays.get_mut(index)?;
        let addresses = relay.addresses();
        match core::mem::replace(&mut relay.stage, Stage::Connecting) {
            Stage::Connecting => {
                let connection = relay.connection;
                self.relays.remove(index);
                self.commands.extend(connection.map(Command::Disconnect));
            }
            Stage::Allocating(mut link) | Stage::Live { mut link, .. } => {
                link.client.close(now);
                relay.stage = Stage::Closing(link);
                self.collect(index);
            }
            closing @ Stage::Closing(_) => relay.stage = closing,
        }
        Some(addresses)
    }

    /// Takes what the client at this place has to say, and removes it if it is at its end.
    fn collect(&mut self, index: usize) -> Vec<Happening> {
        let mut happened = Vec::new();
        let Some(relay) = self.relays.get_mut(index) else { return happened };
        let mut is_over = false;
        while let Some(event) = relay.link_mut().and_then(|link| link.client.poll_event()) {
            is_over |= matches!(event, client::Event::Lost { .. } | client::Event::Closed);
            happened.extend(relay.happened(event));
        }
        if let Some(link) = relay.link_mut() {
            while let Some(transmit) = link.client.poll_transmit() {
                link.path = transmit.five_tuple;
                self.requests.push(Some(transmit));
            }
        }
        if happened.iter().any(|happening| matches!(happening, Happening::Allocated { .. })) {
            self.drop_redundant();
        }
        if is_over {
            let relay = self.relays.remove(index);
            self.commands.extend(relay.connection.map(Command::Disconnect));
            happened = self.over(&relay, happened);
        }
        happened
    }

    fn position(&self, relayed: SocketAddr) -> Option<usize> {
        self.relays.iter().position(|relay| relay.addresses().contains(&Some(relayed)))
    }
}

/// A Binding indication (RFC 8445 §11): the server's answer would tell nothing.
fn keepalive(path: FiveTuple, id: TransactionId) -> Option<Transmit> {
    let mut buffer = [0; 32];
    let mut writer =
        MessageWriter::new(&mut buffer, Class::Indication, Method::BINDING, id).ok()?;
    writer.fingerprint().ok()?;
    Some(Transmit { five_tuple: path, payload: Payload::from(writer.finish()) })
}

/// How long a connection may take to open, and a server on it to make an allocation, or to give a sign of life after a
/// restart. What is asked otherwise is awaited for as long as RFC 8489 §6.2.2 has it: a stream that stalls brings the
/// answer yet.
const SILENCE: Duration = Duration::from_secs(6);
/// How long the server may owe an answer on a connection before another one is opened beside it: long enough for one
/// SYN to be lost.
const STALL: Duration = Duration::from_secs(2);
/// Tr (RFC 8445 §11): NATs forget a silent path after half a minute.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// "the agent MUST wait an additional three seconds" before it frees candidates (RFC 8445 §8.3.1).
const RELEASE_AFTER: Duration = Duration::from_secs(3);
