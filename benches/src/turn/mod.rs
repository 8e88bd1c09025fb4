//! A TURN server machine with many allocations, and one operation after the other on it.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use pinhole_sansio::{Datagram, FiveTuple, Instant};
use pinhole_stun::attribute::AttributeWrite;
use pinhole_stun::auth::{LongTermClient, Verdict};
use pinhole_stun::{Class, Credentials, Message, MessageWriter, Method, TransactionId};
use pinhole_turn::attribute::{Channel, Data, RequestedTransport, XorPeerAddress};
use pinhole_turn::server::{Command, Config, Received, RelayId, Server, StaticUsers};

/// What is measured: the machine, from its input to its output; and first the benchmark by itself.
pub const OPERATIONS: [&str; 6] =
    ["nothing", "channel", "send", "to_channel", "to_data", "allocate"];

/// The length of a relayed payload: 20 ms of voice.
const LENGTH: usize = 172;
const NOW: Instant = Instant::from_millis(1_000);

/// A server with allocations, each with one permission and one channel.
pub struct Bench {
    server: Server<StaticUsers>,
    auth: LongTermClient,
    clients: Vec<(FiveTuple, RelayId)>,
    relay: Option<RelayId>,
    ids: u64,
}

impl Bench {
    /// A server with this many allocations.
    #[must_use]
    pub fn new(allocations: usize) -> Self {
        let mut config = Config::new("bench");
        config.relay_v4 = Some(ip("203.0.113.1:0").ip().into());
        config.rate = None;
        config.ports = 1_024..=65_535;
        config.limits.allocations_per_user = u32::MAX;
        config.limits.allocations_per_prefix = u32::MAX;
        let users = StaticUsers::new("bench").with(&credentials());
        let server = Server::new(config, users, [5; 32], Duration::from_secs(1_700_000_000), NOW);
        let auth = LongTermClient::new(credentials());
        let mut bench = Self { server, auth, clients: vec![], relay: None, ids: 0 };
        for number in 0..allocations {
            bench.allocate(number);
        }
        bench
    }

    /// Makes an allocation, with a permission and a channel.
    fn allocate(&mut self, number: usize) {
        let path = path(number);
        self.ask(path, Method::ALLOCATE, &[&RequestedTransport::UDP]);
        self.ask(path, Method::CHANNEL_BIND, &[&Channel(0x4000), &XorPeerAddress(peer())]);
        self.clients.push((path, self.relay.expect("a relayed address was opened")));
    }

    /// A client and its relayed address.
    #[must_use]
    pub fn client(&self, number: usize) -> (FiveTuple, RelayId) {
        self.clients[number]
    }

    /// An authenticated request from the client of this path; the first one on it is challenged.
    fn ask(&mut self, path: FiveTuple, method: Method, attributes: &[&dyn AttributeWrite]) {
        for _ in 0..3 {
            let request = self.write(method, attributes);
            let answer = self.answer(path, &request.0);
            let message = Message::parse(&answer).expect("an answer");
            if self.auth.judge(&message, request.1) == Verdict::Accept {
                assert_eq!(message.class(), Class::SuccessResponse);
                return;
            }
        }
        panic!("no end of challenges");
    }

    fn write(
        &mut self,
        method: Method,
        attributes: &[&dyn AttributeWrite],
    ) -> (Vec<u8>, pinhole_stun::auth::Attempt) {
        self.ids += 1;
        let mut id = [9; 12];
        id[..8].copy_from_slice(&self.ids.to_be_bytes());
        let mut buffer = [0; 1_024];
        let id = TransactionId::new(id);
        let mut writer =
            MessageWriter::new(&mut buffer, Class::Request, method, id).expect("it fits");
        for attribute in attributes {
            writer.attribute(*attribute).expect("it fits");
        }
        let attempt = self.auth.authorize(&mut writer).expect("it fits");
        (writer.finish().to_vec(), attempt)
    }

    fn answer(&mut self, path: FiveTuple, request: &[u8]) -> Vec<u8> {
        self.handle(path, request);
        self.server.poll_transmit().expect("an answer").payload.to_vec()
    }

    /// One request, and the commands that follow from it.
    #[inline(never)]
    fn handle(&mut self, path: FiveTuple, request: &[u8]) {
        let datagram = Datagram { five_tuple: path.reversed(), payload: request };
        let _ = black_box(self.server.handle_client_datagram(datagram, NOW));
        while let Some(command) = self.server.poll_command() {
            if let Command::OpenRelay { relay, .. } = command {
                self.relay = Some(relay);
                self.server.relay_opened(relay, Ok(()), NOW);
            }
        }
        while self.server.poll_event().is_some() {}
    }

    /// Prepares an operation, which [`measured`] then runs so many times, on clients far apart.
    pub fn prepare(&mut self, operation: &str, count: usize) -> Vec<Step> {
        let clients = self.clients.clone();
        let turns = (0..count).map(|turn| clients[turn.wrapping_mul(7_919) % clients.len()]);
        match operation {
            "nothing" => turns.map(|(path, _)| Step::Nothing(path, channel_data())).collect(),
            "channel" => turns.map(|(path, _)| Step::Client(path, channel_data())).collect(),
            "send" => turns.map(|(path, _)| Step::Client(path, send())).collect(),
            "to_channel" => turns.map(|(_, relay)| Step::Peer(relay, peer())).collect(),
            "to_data" => turns.map(|(_, relay)| Step::Peer(relay, ip("198.51.99.7:1"))).collect(),
            _ => (0..count).map(|turn| self.prepare_allocate(self.clients.len() + turn)).collect(),
        }
    }

    /// An Allocate request that answers a challenge.
    fn prepare_allocate(&mut self, number: usize) -> Step {
        let path = path(number);
        // Each is another client, and challenged once.
        self.auth = LongTermClient::new(credentials());
        let (request, attempt) = self.write(Method::ALLOCATE, &[&RequestedTransport::UDP]);
        let answer = self.answer(path, &request);
        let challenge = Message::parse(&answer).expect("a challenge");
        assert_eq!(self.auth.judge(&challenge, attempt), Verdict::Retry);
        let request = self.write(Method::ALLOCATE, &[&RequestedTransport::UDP]).0;
        Step::Request(path, request)
    }
}

/// One input of the machine.
pub enum Step {
    /// Data from a client that nobody handles.
    Nothing(FiveTuple, Vec<u8>),
    /// Data from a client.
    Client(FiveTuple, Vec<u8>),
    /// Data from a peer.
    Peer(RelayId, SocketAddr),
    /// A request.
    Request(FiveTuple, Vec<u8>),
}

/// Runs the steps: what callgrind counts.
#[inline(never)]
pub fn measured(bench: &mut Bench, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Nothing(path, payload) => {
                black_box(Datagram { five_tuple: path.reversed(), payload });
            }
            Step::Client(path, payload) => {
                let datagram = Datagram { five_tuple: path.reversed(), payload };
                let received = bench.server.handle_client_datagram(datagram, NOW);
                assert!(matches!(black_box(&received), Received::ToPeer(_)), "{received:?}");
            }
            Step::Peer(relay, peer) => {
                let route = bench.server.handle_peer_datagram(*relay, *peer, LENGTH, NOW);
                assert!(black_box(&route).is_ok(), "{route:?}");
            }
            Step::Request(path, request) => {
                bench.handle(*path, request);
                let answer = bench.server.poll_transmit().expect("an answer");
                assert_eq!(answer.payload.first_chunk(), Some(&SUCCESS));
            }
        }
    }
}

/// How a success response to an Allocate request begins.
const SUCCESS: [u8; 2] = [1, 3];

fn credentials() -> Credentials {
    Credentials::new("alice", "secret").expect("both are plain")
}

fn ip(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn peer() -> SocketAddr {
    ip("198.51.99.7:9000")
}

fn path(number: usize) -> FiveTuple {
    let number = u32::try_from(number).expect("few clients");
    let [_, a, b, c] = number.to_be_bytes();
    FiveTuple::udp(SocketAddr::from(([8, a, b, c], 5_000)), ip("203.0.113.1:3478"))
}

fn channel_data() -> Vec<u8> {
    let mut bytes = vec![0x40, 0, 0, u8::try_from(LENGTH).expect("a byte")];
    bytes.resize(4 + LENGTH, 7);
    bytes
}

fn send() -> Vec<u8> {
    let mut buffer = [0; 512];
    let id = TransactionId::new([3; 12]);
    let mut writer =
        MessageWriter::new(&mut buffer, Class::Indication, Method::SEND, id).expect("it fits");
    writer.attribute(&XorPeerAddress(peer())).expect("it fits");
    writer.attribute(&Data(&[7; LENGTH])).expect("it fits");
    writer.finish().to_vec()
}
