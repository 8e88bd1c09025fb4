//! A client over TCP, with its data connections.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "these clients are drivers, and a panic is the report"
)]

use std::collections::{HashMap, HashSet};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use pinhole_sansio::{Datagram, FiveTuple, Instant, Transport};
use pinhole_stun::attribute::ErrorCode;
use pinhole_stun::auth::{LongTermClient, Verdict};
use pinhole_stun::{
    Class, Credentials, Message, MessageWriter, Method, StreamBuffer, TransactionId,
};
use pinhole_turn::attribute::{ConnectionId, RequestedTransport};
use pinhole_turn::client::{Client, Command, Config, Event, Received};
use pinhole_turn::stream_buffer;

use super::PATIENCE;

/// A client over TCP.
pub struct TcpClient {
    pub machine: Client,
    pub path: FiveTuple,
    connections: HashMap<FiveTuple, (TcpStream, StreamBuffer)>,
    names: HashMap<ConnectionId, FiveTuple>,
    /// Connections on which bytes are a peer's.
    bound: HashSet<FiveTuple>,
    origin: std::time::Instant,
    data: Vec<(SocketAddr, Vec<u8>)>,
}

/// How a success response to ConnectionBind begins.
const BOUND: [u8; 2] = [0x01, 0x0b];

fn connect(server: SocketAddr) -> (TcpStream, FiveTuple) {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    let (local, remote) = (stream.local_addr().unwrap(), server);
    (stream, FiveTuple { transport: Transport::Tcp, local, remote })
}

impl TcpClient {
    pub fn new(server: SocketAddr, credentials: Credentials, relay_tcp: bool) -> Self {
        let (stream, path) = connect(server);
        let mut config = Config::new(path, credentials);
        if relay_tcp {
            config.requested_transport = RequestedTransport::TCP;
        }
        let mut seed = [9; 32];
        seed[..2].copy_from_slice(&path.local.port().to_be_bytes());
        Self {
            machine: Client::new(config, seed, Instant::ZERO),
            path,
            connections: HashMap::from([(path, (stream, stream_buffer(70_000)))]),
            names: HashMap::new(),
            bound: HashSet::new(),
            origin: std::time::Instant::now(),
            data: vec![],
        }
    }

    pub fn now(&self) -> Instant {
        Instant::ZERO + self.origin.elapsed()
    }

    pub fn event(&mut self) -> Event {
        self.run(|client| client.machine.poll_event())
    }

    pub fn allocated(&mut self) -> SocketAddr {
        match self.event() {
            Event::Allocated { relayed, .. } => relayed,
            event => panic!("{event:?}"),
        }
    }

    pub fn permit(&mut self, peer: std::net::IpAddr) {
        let now = self.now();
        self.machine.permit(peer, now);
        assert_eq!(self.event(), Event::Permitted { peer });
    }

    pub fn send(&mut self, peer: SocketAddr, payload: &[u8]) {
        let now = self.now();
        let way = self.machine.send(peer, payload.len(), now).unwrap();
        let padding = vec![0; way.padding.into()];
        let frame = [&way.header[..], payload, &padding].concat();
        let (stream, _) = self.connections.get_mut(&self.path).unwrap();
        stream.write_all(&frame).unwrap();
    }

    pub fn receive(&mut self) -> (SocketAddr, Vec<u8>) {
        self.run(|client| client.data.pop())
    }

    /// The connection whose bytes are a peer's now, and those that have come already.
    pub fn data_connection(&mut self, connection: ConnectionId) -> (TcpStream, Vec<u8>) {
        let path = self.names[&connection];
        let (stream, early) = self.connections.remove(&path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        (stream, early.into_rest())
    }

    fn run<T>(&mut self, mut until: impl FnMut(&mut Self) -> Option<T>) -> T {
        let end = self.now() + PATIENCE;
        loop {
            self.transmit();
            if let Some(found) = until(self) {
                return found;
            }
            let now = self.now();
            assert!(now < end, "nothing has happened to {:?}", self.machine);
            let paths: Vec<FiveTuple> = self.connections.keys().copied().collect();
            for path in paths {
                self.read(path);
            }
            let now = self.now();
            self.machine.handle_timeout(now);
        }
    }

    fn read(&mut self, path: FiveTuple) {
        if self.bound.contains(&path) {
            return;
        }
        let now = self.now();
        let (stream, frames) = self.connections.get_mut(&path).unwrap();
        let mut buffer = [0; 4_096];
        match stream.read(&mut buffer) {
            Ok(0) if path == self.path => self.machine.connection_closed(),
            Ok(0) => {
                self.connections.remove(&path);
                return;
            }
            Ok(length) => assert_eq!(frames.push(&buffer[..length]), length),
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
            }
        }
        while let Some(payload) = frames.next_message().unwrap() {
            let datagram = Datagram { five_tuple: path, payload };
            if let Received::Data { peer, payload: data } =
                self.machine.handle_datagram(datagram, now)
            {
                self.data.insert(0, (peer, payload[data].to_vec()));
            }
            if payload.starts_with(&BOUND) {
                // What follows is the peer's.
                self.bound.insert(path);
                break;
            }
        }
    }

    fn transmit(&mut self) {
        while let Some(command) = self.machine.poll_command() {
            if let Command::OpenConnection { connection, server } = command {
                let (stream, path) = connect(server);
                self.connections.insert(path, (stream, stream_buffer(70_000)));
                self.names.insert(connection, path);
                let now = self.now();
                self.machine.connection_opened(connection, path, now);
            }
        }
        while let Some(transmit) = self.machine.poll_transmit() {
            if let Some((stream, _)) = self.connections.get_mut(&transmit.five_tuple) {
                stream.write_all(&transmit.payload).unwrap();
            }
        }
    }
}

/// Asks, on a connection of its own, for a peer's connection; the code of the answer, or zero.
pub fn bind_connection(server: SocketAddr, user: &Credentials, connection: ConnectionId) -> u16 {
    let (mut stream, _) = connect(server);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut auth = LongTermClient::new(user.clone());
    for number in 0..4 {
        let mut buffer = [0; 512];
        let id = TransactionId::new([number; 12]);
        let method = Method::CONNECTION_BIND;
        let mut writer = MessageWriter::new(&mut buffer, Class::Request, method, id).unwrap();
        writer.attribute(&connection).unwrap();
        let attempt = auth.authorize(&mut writer).unwrap();
        stream.write_all(writer.finish()).unwrap();
        let mut answer = vec![0; 20];
        stream.read_exact(&mut answer).unwrap();
        let length = usize::from(u16::from_be_bytes([answer[2], answer[3]]));
        answer.resize(20 + length, 0);
        stream.read_exact(&mut answer[20..]).unwrap();
        let answer = Message::parse(&answer).unwrap();
        match auth.judge(&answer, attempt) {
            Verdict::Retry => {}
            Verdict::Accept => {
                return answer.get::<ErrorCode<'_>>().unwrap().map_or(0, |error| error.code);
            }
            verdict => panic!("{verdict:?}"),
        }
    }
    panic!("challenged again and again");
}
