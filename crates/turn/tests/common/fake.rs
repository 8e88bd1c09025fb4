//! A server that knows alice, and whose answers a test writes.

use std::net::SocketAddr;
use std::time::Duration;

use pinhole_sansio::{Datagram, FiveTuple, Instant, Transport};
use pinhole_stun::attribute::{Algorithm, AttributeWrite, ErrorCode, XorMappedAddress};
use pinhole_stun::auth::{LongTermServer, Realms, User};
use pinhole_stun::{
    Class, Credentials, IntegrityKey, Message, MessageWriter, Method, TransactionId,
};
use pinhole_turn::attribute::{Lifetime, XorRelayedAddress};
use pinhole_turn::client::{Client, Config, Event, Received};

use super::addr;

struct Alice;

impl Realms for Alice {
    fn key(&self, realm: &str, _: User<'_>, algorithm: Algorithm) -> Option<IntegrityKey> {
        Credentials::new("alice", "secret").unwrap().key(realm, algorithm)
    }
}

pub(crate) struct Fake {
    pub(crate) client: Client,
    pub(crate) now: Instant,
    path: FiveTuple,
    server: LongTermServer,
    /// How many requests have been answered with a challenge.
    pub(crate) challenges: usize,
}

/// A request that the server has let in.
pub(crate) struct Request {
    pub(crate) path: FiveTuple,
    pub(crate) bytes: Vec<u8>,
}

impl Request {
    pub(crate) fn method(&self) -> Method {
        Message::parse(&self.bytes).unwrap().method()
    }
}

pub(crate) fn path(transport: Transport, port: u16) -> FiveTuple {
    let local = SocketAddr::from(([192, 0, 2, 1], port));
    FiveTuple { transport, local, remote: addr("192.0.2.10:3478") }
}

impl Fake {
    pub(crate) fn new(transport: Transport, wishes: impl FnOnce(&mut Config)) -> Self {
        let credentials = Credentials::new("alice", "secret").unwrap();
        let (path, now) = (path(transport, 5_000), Instant::from_millis(1_000));
        let mut config = Config::new(path, credentials);
        wishes(&mut config);
        let server = LongTermServer::new("test", [5; 32], Duration::from_secs(3_600));
        Self { client: Client::new(config, [9; 32], now), now, path, server, challenges: 0 }
    }

    /// A client with an allocation for 600 s.
    pub(crate) fn allocated(transport: Transport, wishes: impl FnOnce(&mut Config)) -> Self {
        let mut fake = Self::new(transport, wishes);
        let request = fake.request().unwrap();
        fake.succeed(&request, &GRANT);
        assert!(matches!(fake.client.poll_event(), Some(Event::Allocated { .. })));
        fake
    }

    /// The same, with a permission for a peer.
    pub(crate) fn permitted(transport: Transport, wishes: impl FnOnce(&mut Config)) -> Self {
        let mut fake = Self::allocated(transport, wishes);
        fake.permit(addr(super::PEER));
        fake
    }

    pub(crate) fn permit(&mut self, peer: SocketAddr) {
        self.client.permit(peer.ip(), self.now);
        let request = self.request().unwrap();
        assert_eq!(request.method(), Method::CREATE_PERMISSION);
        self.succeed(&request, &[]);
        assert_eq!(self.client.poll_event(), Some(Event::Permitted { peer: peer.ip() }));
    }

    /// The next request that is more than the occasion for a challenge.
    pub(crate) fn request(&mut self) -> Option<Request> {
        loop {
            let transmit = self.client.poll_transmit()?;
            let message = Message::parse(&transmit.payload).unwrap();
            let (path, source) = (transmit.five_tuple, transmit.five_tuple.local);
            let Err(rejection) = self.server.authenticate(&message, source, &Alice, self.now)
            else {
                return Some(Request { path, bytes: transmit.payload.to_vec() });
            };
            let mut buffer = [0; 512];
            let writer = self.server.reject(rejection, &message, source, self.now, &mut buffer);
            let bytes = writer.unwrap().finish().to_vec();
            self.challenges += 1;
            let _ = self.give(path, &bytes);
        }
    }

    /// All requests that there are.
    pub(crate) fn requests(&mut self) -> Vec<Request> {
        std::iter::from_fn(|| self.request()).collect()
    }

    pub(crate) fn give(&mut self, path: FiveTuple, payload: &[u8]) -> Received {
        self.client.handle_datagram(Datagram { five_tuple: path, payload }, self.now)
    }

    /// Answers with these attributes, and with the integrity that the request had.
    pub(crate) fn answer(
        &mut self,
        request: &Request,
        class: Class,
        attributes: &[&dyn AttributeWrite],
    ) {
        let message = Message::parse(&request.bytes).unwrap();
        let source = request.path.local;
        let authenticated = self.server.authenticate(&message, source, &Alice, self.now).unwrap();
        let mut buffer = [0; 1_024];
        let mut writer = MessageWriter::response_to(&message, class, &mut buffer).unwrap();
        for attribute in attributes {
            writer.attribute(*attribute).unwrap();
        }
        authenticated.seal(&mut writer).unwrap();
        let bytes = writer.finish().to_vec();
        assert_eq!(self.give(request.path, &bytes), Received::Handled);
    }

    pub(crate) fn succeed(&mut self, request: &Request, attributes: &[&dyn AttributeWrite]) {
        self.answer(request, Class::SuccessResponse, attributes);
    }

    pub(crate) fn refuse(&mut self, request: &Request, code: u16) {
        self.answer(request, Class::ErrorResponse, &[&ErrorCode::bare(code)]);
    }

    /// Answers as somebody who does not know the key.
    pub(crate) fn forge(
        &mut self,
        request: &Request,
        class: Class,
        attributes: &[&dyn AttributeWrite],
    ) {
        let message = Message::parse(&request.bytes).unwrap();
        let mut buffer = [0; 512];
        let mut writer = MessageWriter::response_to(&message, class, &mut buffer).unwrap();
        for attribute in attributes {
            writer.attribute(*attribute).unwrap();
        }
        let bytes = writer.finish().to_vec();
        let _ = self.give(request.path, &bytes);
    }

    /// Sends the client an indication on its first path.
    pub(crate) fn indicate(
        &mut self,
        method: Method,
        attributes: &[&dyn AttributeWrite],
    ) -> Received {
        let mut buffer = [0; 512];
        let id = TransactionId::new([3; 12]);
        let mut writer = MessageWriter::new(&mut buffer, Class::Indication, method, id).unwrap();
        for attribute in attributes {
            writer.attribute(*attribute).unwrap();
        }
        let bytes = writer.finish().to_vec();
        self.give(self.path, &bytes)
    }

    /// Lets time pass, timers included.
    pub(crate) fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.client.poll_timeout().filter(|at| *at <= end) {
            assert!(at > self.now || self.client.poll_transmit().is_none(), "a timer for ever");
            self.now = self.now.max(at);
            self.client.handle_timeout(self.now);
        }
        self.now = end;
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.client.poll_event()).collect()
    }
}

/// What makes an Allocate response whole.
pub(crate) const GRANT: [&dyn AttributeWrite; 3] = [&RELAYED, &SIX_HUNDRED, &MAPPED];
pub(crate) const SIX_HUNDRED: Lifetime = Lifetime(Duration::from_secs(600));
const RELAYED: XorRelayedAddress = XorRelayedAddress(SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 1)),
    50_000,
));
const MAPPED: XorMappedAddress = XorMappedAddress(SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
    5_000,
));
