//! A client on real sockets, and a server for it. Whatever waits gives up after [`PATIENCE`].

#![allow(dead_code, unreachable_pub, reason = "no test uses all of it")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::indexing_slicing,
    reason = "these clients are drivers, and a panic is the report"
)]

pub mod tcp;

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use pinhole_relay::{Server, Settings};
use pinhole_sansio::{Datagram, FiveTuple, Instant};
use pinhole_stun::Credentials;
use pinhole_turn::client::{Client, Config, Event, Received, ToServer};

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Everything here happens on this address.
pub const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// Settings of a server on loopback for Alice and Bob, with as many workers, whose peers may be there, too.
pub fn settings(workers: u8) -> Settings {
    Settings {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        user: vec!["alice:north".parse().unwrap(), "bob:south".parse().unwrap()],
        allow_peer: vec!["127.0.0.1".parse().unwrap()],
        workers: std::num::NonZero::new(workers),
        answers_per_second: Some(0),
        ..Settings::default()
    }
}

/// A running server with these settings.
pub fn start(settings: Settings) -> Server {
    Server::start(&settings.resolve().unwrap()).unwrap()
}

/// Where it listens.
pub fn address(server: &Server) -> SocketAddr {
    server.addresses()[0]
}

pub fn alice() -> Credentials {
    Credentials::new("alice", "north").unwrap()
}

/// A client over UDP.
pub struct UdpClient {
    pub machine: Client,
    pub path: FiveTuple,
    socket: UdpSocket,
    origin: std::time::Instant,
    /// What peers have sent, and was not asked for yet.
    data: Vec<(SocketAddr, Vec<u8>)>,
}

impl UdpClient {
    /// A client that asks for an allocation.
    pub fn new(server: SocketAddr, change: impl FnOnce(&mut Config)) -> Self {
        let socket = bound(server.ip());
        let path = FiveTuple::udp(socket.local_addr().unwrap(), server);
        let mut config = Config::new(path, alice());
        change(&mut config);
        let machine = Client::new(config, seed(path), Instant::ZERO);
        Self { machine, path, socket, origin: std::time::Instant::now(), data: vec![] }
    }

    /// A client with an allocation, and its relayed address.
    pub fn allocated(server: SocketAddr) -> (Self, SocketAddr) {
        let mut client = Self::new(server, |_| {});
        match client.event() {
            Event::Allocated { relayed, .. } => (client, relayed),
            event => panic!("{event:?}"),
        }
    }

    /// What happens next.
    pub fn event(&mut self) -> Event {
        self.run(|client| client.machine.poll_event())
    }

    /// Has the server let this peer's datagrams pass.
    pub fn permit(&mut self, peer: IpAddr) {
        let now = self.now();
        self.machine.permit(peer, now);
        assert_eq!(self.event(), Event::Permitted { peer });
    }

    pub fn send(&mut self, peer: SocketAddr, payload: &[u8]) {
        let now = self.now();
        let way = self.machine.send(peer, payload.len(), now).unwrap();
        self.put(&way, payload);
        self.transmit();
    }

    /// The same with DF set on the way from the server.
    pub fn send_unfragmented(&mut self, peer: SocketAddr, payload: &[u8]) {
        let now = self.now();
        let way = self.machine.send_unfragmented(peer, payload.len(), now).unwrap();
        self.put(&way, payload);
    }

    fn put(&mut self, way: &ToServer, payload: &[u8]) {
        let padding = vec![0; way.padding.into()];
        let datagram = [&way.header[..], payload, &padding].concat();
        self.socket.send_to(&datagram, way.five_tuple.remote).unwrap();
        self.transmit();
    }

    /// What a peer has sent.
    pub fn receive(&mut self) -> (SocketAddr, Vec<u8>) {
        self.run(|client| client.data.pop())
    }

    /// The socket that the server knows the client by.
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Takes the allocation to another socket.
    pub fn migrate(&mut self) {
        let socket = socket();
        let path = FiveTuple::udp(socket.local_addr().unwrap(), self.path.remote);
        let now = self.now();
        self.machine.migrate(path, now).unwrap();
        (self.socket, self.path) = (socket, path);
        assert_eq!(self.event(), Event::Migrated);
    }

    pub fn now(&self) -> Instant {
        Instant::ZERO + self.origin.elapsed()
    }

    /// Drives the machine until there is an answer to this.
    fn run<T>(&mut self, mut until: impl FnMut(&mut Self) -> Option<T>) -> T {
        let end = self.now() + PATIENCE;
        let mut buffer = [0; 65_536];
        loop {
            self.transmit();
            if let Some(found) = until(self) {
                return found;
            }
            let now = self.now();
            assert!(now < end, "nothing has happened to {:?}", self.machine);
            let wait = self.machine.poll_timeout().map_or(PATIENCE, |at| at - now);
            let wait = wait.clamp(Duration::from_millis(1), PATIENCE);
            self.socket.set_read_timeout(Some(wait)).unwrap();
            match self.socket.recv_from(&mut buffer) {
                Ok((length, from)) => {
                    assert_eq!(from, self.path.remote, "the server answers from elsewhere");
                    self.handle(&buffer[..length]);
                }
                Err(error) => {
                    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
                }
            }
            let now = self.now();
            self.machine.handle_timeout(now);
        }
    }

    fn handle(&mut self, payload: &[u8]) {
        let datagram = Datagram { five_tuple: self.path, payload };
        let now = self.now();
        if let Received::Data { peer, payload: data } = self.machine.handle_datagram(datagram, now)
        {
            self.data.insert(0, (peer, payload[data].to_vec()));
        }
    }

    fn transmit(&mut self) {
        while let Some(transmit) = self.machine.poll_transmit() {
            // It may be another server, to which this one has sent the client.
            self.path.remote = transmit.five_tuple.remote;
            self.socket.send_to(&transmit.payload, transmit.five_tuple.remote).unwrap();
        }
    }
}

/// A socket on loopback that gives up after [`PATIENCE`].
pub fn socket() -> UdpSocket {
    bound(LOOPBACK)
}

fn bound(address: IpAddr) -> UdpSocket {
    let socket = UdpSocket::bind((address, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// A datagram that a peer's socket has received, and where it came from.
pub fn received(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 65_536];
    let (length, from) = socket.recv_from(&mut buffer).unwrap();
    (buffer[..length].to_vec(), from)
}

/// Another one for each client.
fn seed(path: FiveTuple) -> [u8; 32] {
    let mut seed = [7; 32];
    seed[..2].copy_from_slice(&path.local.port().to_be_bytes());
    seed
}
