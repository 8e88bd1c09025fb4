//! A server with users, sockets that are a set of ports, and clients that write their own requests.
#![allow(dead_code)]

pub(crate) mod fake;
pub(crate) mod pair;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use pinhole_sansio::{Datagram, FiveTuple, Instant, Transport};
use pinhole_stun::attribute::{AttributeWrite, ErrorCode};
use pinhole_stun::auth::{LongTermClient, Verdict};
use pinhole_stun::{Class, Credentials, Message, MessageWriter, Method, TransactionId, WriteError};
use pinhole_turn::attribute::{
    Channel, Data, Lifetime, RequestedTransport, XorPeerAddress, XorRelayedAddress,
};
use pinhole_turn::server::{
    Command, Config, Event, OpenError, Protocol, Received, RelayId, Server, StaticUsers, ToPeer,
};

pub(crate) const PEER: &str = "198.51.100.7:9000";
pub(crate) const RELAY: &str = "203.0.113.1";

pub(crate) fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Has the caller ask with these attributes; the answer.
pub(crate) fn ask(
    world: &mut World,
    caller: &mut Caller,
    method: Method,
    attributes: &[&dyn AttributeWrite],
) -> Answer {
    caller.ask(world, method, &|writer| {
        attributes.iter().try_for_each(|attribute| writer.attribute(*attribute).map(drop))
    })
}

/// A server on 192.0.2.10:3478 that relays from 203.0.113.1 to the documentation ranges.
pub(crate) fn config() -> Config {
    let mut config = Config::new("test");
    config.relay_v4 = Some(RELAY.parse::<std::net::IpAddr>().unwrap().into());
    config.rate = None;
    config.policy = config
        .policy
        .with_rule("allow 198.51.100.0/24".parse().unwrap())
        .with_rule("allow 2001:db8::/32".parse().unwrap());
    config
}

pub(crate) struct World {
    pub(crate) server: Server<StaticUsers>,
    pub(crate) now: Instant,
    pub(crate) open: BTreeMap<RelayId, SocketAddr>,
    /// Ports that somebody else holds.
    pub(crate) held: BTreeSet<u16>,
    /// How many sockets there may be.
    pub(crate) sockets: usize,
    pub(crate) answers: Vec<(FiveTuple, Vec<u8>)>,
    pub(crate) events: Vec<Event>,
    /// What is to be done about connections with peers.
    pub(crate) connections: Vec<Command>,
    pub(crate) opened: usize,
    /// What the last socket was wanted for.
    pub(crate) protocol: Option<Protocol>,
    /// Whether sockets take their time to open: until [`World::open_waiting`].
    pub(crate) is_slow: bool,
    pub(crate) waiting: Vec<(RelayId, SocketAddr)>,
}

impl World {
    pub(crate) fn new(config: Config) -> Self {
        let users = ["alice", "bob"].iter().fold(StaticUsers::new("test"), |users, name| {
            users.with(&Credentials::new(name, "secret").unwrap())
        });
        let now = Instant::from_millis(1_000);
        let server = Server::new(config, users, [5; 32], Duration::from_secs(1_700_000_000), now);
        Self {
            server,
            now,
            open: BTreeMap::new(),
            held: BTreeSet::new(),
            sockets: usize::MAX,
            answers: vec![],
            events: vec![],
            connections: vec![],
            opened: 0,
            protocol: None,
            is_slow: false,
            waiting: vec![],
        }
    }

    pub(crate) fn input(&mut self, path: FiveTuple, payload: &[u8]) -> Received {
        let datagram = Datagram { five_tuple: path.reversed(), payload };
        let received = self.server.handle_client_datagram(datagram, self.now);
        self.drain();
        received
    }

    /// Lets time pass, timers included.
    pub(crate) fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.server.poll_timeout().filter(|at| *at <= end) {
            self.server.handle_timeout(at);
            self.drain();
        }
        self.now = end;
    }

    pub(crate) fn drain(&mut self) {
        while let Some(command) = self.server.poll_command() {
            match command {
                Command::OpenRelay { relay, address, .. } if self.is_slow => {
                    self.waiting.push((relay, address));
                }
                Command::OpenRelay { relay, address, protocol } => {
                    self.opened += 1;
                    self.protocol = Some(protocol);
                    let result = self.bind(relay, address);
                    self.server.relay_opened(relay, result, self.now);
                }
                Command::CloseRelay { relay } => {
                    let waiting = self.waiting.len();
                    self.waiting.retain(|(other, _)| *other != relay);
                    let was_open = self.open.remove(&relay).is_some();
                    assert!(was_open || self.waiting.len() < waiting, "{relay:?} was not open");
                }
                Command::Connect { .. }
                | Command::Splice { .. }
                | Command::CloseConnection { .. } => self.connections.push(command),
            }
        }
        while let Some(transmit) = self.server.poll_transmit() {
            self.answers.push((transmit.five_tuple, transmit.payload.to_vec()));
        }
        while let Some(event) = self.server.poll_event() {
            self.events.push(event);
        }
    }

    /// The sockets that took their time are open now.
    pub(crate) fn open_waiting(&mut self) {
        self.is_slow = false;
        for (relay, address) in std::mem::take(&mut self.waiting) {
            let result = self.bind(relay, address);
            self.server.relay_opened(relay, result, self.now);
        }
        self.drain();
    }

    fn bind(&mut self, relay: RelayId, address: SocketAddr) -> Result<(), OpenError> {
        if self.open.len() >= self.sockets {
            return Err(OpenError::Exhausted);
        }
        if self.held.contains(&address.port()) {
            return Err(OpenError::InUse);
        }
        assert!(self.open.values().all(|other| *other != address), "{address} opened twice");
        self.open.insert(relay, address);
        Ok(())
    }

    pub(crate) fn relay_at(&self, address: SocketAddr) -> RelayId {
        *self.open.iter().find(|(_, open)| **open == address).expect("an open relay").0
    }

    /// What the client gets when the peer sends these bytes to the relayed address.
    pub(crate) fn peer_sends(
        &mut self,
        relayed: SocketAddr,
        peer: &str,
        bytes: &[u8],
    ) -> Option<Vec<u8>> {
        let relay = self.relay_at(relayed);
        let route =
            self.server.handle_peer_datagram(relay, addr(peer), bytes.len(), self.now).ok()?;
        let padding = vec![0; route.padding.into()];
        Some([&route.header[..], bytes, &padding].concat())
    }
}

/// A response, or the lack of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn message(&self) -> Message<'_> {
        Message::parse(&self.bytes).unwrap()
    }
}

pub(crate) struct Caller {
    pub(crate) path: FiveTuple,
    pub(crate) auth: LongTermClient,
    ids: u64,
    /// The bytes of the last request.
    pub(crate) last: Vec<u8>,
}

type Write<'w> = dyn Fn(&mut MessageWriter<'_>) -> Result<(), WriteError> + 'w;

impl Caller {
    pub(crate) fn new(local: &str, user: &str, transport: Transport) -> Self {
        let path = FiveTuple { transport, local: addr(local), remote: addr("192.0.2.10:3478") };
        let auth = LongTermClient::new(Credentials::new(user, "secret").unwrap());
        Self { path, auth, ids: u64::from(path.local.port()) << 32, last: vec![] }
    }

    pub(crate) fn alice() -> Self {
        Self::new("192.0.2.1:5000", "alice", Transport::Udp)
    }

    fn id(&mut self) -> TransactionId {
        self.ids += 1;
        let mut id = [9; 12];
        id[..8].copy_from_slice(&self.ids.to_be_bytes());
        TransactionId::new(id)
    }

    /// Asks, answers challenges, and returns the answer: 0 for success, 1 for silence.
    pub(crate) fn ask(&mut self, world: &mut World, method: Method, write: &Write<'_>) -> Answer {
        for _ in 0..3 {
            let mut buffer = vec![0xa5; 20_000];
            let id = self.id();
            let mut writer = MessageWriter::new(&mut buffer, Class::Request, method, id).unwrap();
            write(&mut writer).unwrap();
            let attempt = self.auth.authorize(&mut writer).unwrap();
            self.last = writer.finish().to_vec();
            let before = world.answers.len();
            let _ = world.input(self.path, &self.last.clone());
            let Some((to, bytes)) = world.answers.get(before).cloned() else {
                return Answer { code: 1, bytes: vec![] };
            };
            assert_eq!((world.answers.len(), to), (before + 1, self.path.reversed()));
            let message = Message::parse(&bytes).unwrap();
            match self.auth.judge(&message, attempt) {
                Verdict::Accept => {
                    let code = message.get::<ErrorCode<'_>>().unwrap().map_or(0, |e| e.code);
                    return Answer { code, bytes };
                }
                Verdict::Retry => {}
                verdict @ (Verdict::Discard | Verdict::Fail(_)) => panic!("{verdict:?}"),
            }
        }
        panic!("no end of challenges");
    }

    pub(crate) fn allocate(&mut self, world: &mut World) -> SocketAddr {
        let answer = self.ask(world, Method::ALLOCATE, &|writer| {
            writer.attribute(&RequestedTransport::UDP).map(drop)
        });
        assert_eq!(answer.code, 0);
        relayed(&answer)
    }

    pub(crate) fn permit(&mut self, world: &mut World, peers: &[&str]) -> u16 {
        let answer = self.ask(world, Method::CREATE_PERMISSION, &|writer| {
            peers.iter().try_for_each(|p| writer.attribute(&XorPeerAddress(addr(p))).map(drop))
        });
        answer.code
    }

    pub(crate) fn bind(&mut self, world: &mut World, number: u16, peer: &str) -> u16 {
        let answer = self.ask(world, Method::CHANNEL_BIND, &|writer| {
            writer.attribute(&Channel(number))?;
            writer.attribute(&XorPeerAddress(addr(peer))).map(drop)
        });
        answer.code
    }

    pub(crate) fn refresh(&mut self, world: &mut World, seconds: u64) -> Answer {
        self.ask(world, Method::REFRESH, &|writer| {
            writer.attribute(&Lifetime(Duration::from_secs(seconds))).map(drop)
        })
    }

    /// Sends data in a Send indication; the route, if it leads anywhere.
    pub(crate) fn send(&mut self, world: &mut World, peer: &str, data: &[u8]) -> Option<ToPeer> {
        let mut buffer = [0xa5; 2_000];
        let id = self.id();
        let mut writer =
            MessageWriter::new(&mut buffer, Class::Indication, Method::SEND, id).unwrap();
        writer.attribute(&XorPeerAddress(addr(peer))).unwrap().attribute(&Data(data)).unwrap();
        let bytes = writer.finish().to_vec();
        let route = to_peer(world.input(self.path, &bytes))?;
        assert_eq!(&bytes[route.payload.clone()], data);
        Some(route)
    }

    /// Sends ChannelData.
    pub(crate) fn channel(
        &mut self,
        world: &mut World,
        number: u16,
        data: &[u8],
    ) -> Option<ToPeer> {
        let mut bytes = number.to_be_bytes().to_vec();
        bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        bytes.extend(data);
        let route = to_peer(world.input(self.path, &bytes))?;
        assert_eq!(&bytes[route.payload.clone()], data);
        Some(route)
    }
}

pub(crate) fn to_peer(received: Received) -> Option<ToPeer> {
    if let Received::ToPeer(route) = received { Some(route) } else { None }
}

pub(crate) fn relayed(answer: &Answer) -> SocketAddr {
    answer.message().get::<XorRelayedAddress>().unwrap().unwrap().0
}

pub(crate) fn lifetime(answer: &Answer) -> u64 {
    answer.message().get::<Lifetime>().unwrap().unwrap().0.as_secs()
}
