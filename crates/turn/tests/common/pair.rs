//! The client machine against the server machine.

use std::time::Duration;

use pinhole_sansio::{Datagram, FiveTuple, Transport};
use pinhole_stun::Credentials;
use pinhole_turn::attribute::{ConnectionId, RequestedTransport};
use pinhole_turn::client::{Client, Config, Event, Received};
use pinhole_turn::server;

use super::{World, addr, config};

/// A client and a server, between which every datagram and every connection arrives.
pub(crate) struct Pair {
    pub(crate) world: World,
    pub(crate) client: Client,
    pub(crate) path: FiveTuple,
    /// How many answers of the server have been delivered.
    pub(crate) delivered: usize,
    /// The requests that the client has sent.
    pub(crate) requests: Vec<(FiveTuple, Vec<u8>)>,
}

impl Pair {
    pub(crate) fn new(
        transport: Transport,
        able: impl FnOnce(&mut server::Config),
        wishes: impl FnOnce(&mut Config),
    ) -> Self {
        let mut server = config();
        server.tcp = true;
        able(&mut server);
        let world = World::new(server);
        let path = data_path(transport, 5_000);
        let mut config = Config::new(path, Credentials::new("alice", "secret").unwrap());
        wishes(&mut config);
        let client = Client::new(config, [9; 32], world.now);
        let mut pair = Self { world, client, path, delivered: 0, requests: vec![] };
        pair.settle();
        pair
    }

    /// A client with a TCP allocation.
    pub(crate) fn tcp() -> Self {
        let wish = |config: &mut Config| config.requested_transport = RequestedTransport::TCP;
        let mut pair = Self::new(Transport::Tcp, |_| {}, wish);
        assert!(matches!(pair.client.poll_event(), Some(Event::Allocated { .. })));
        pair
    }

    /// Carries messages to and fro until nobody has anything to say.
    pub(crate) fn settle(&mut self) {
        loop {
            while let Some(request) = self.client.poll_transmit() {
                self.requests.push((request.five_tuple, request.payload.to_vec()));
                let _ = self.world.input(request.five_tuple, &request.payload);
            }
            let Some((to, bytes)) = self.world.answers.get(self.delivered).cloned() else { return };
            self.delivered += 1;
            let datagram = Datagram { five_tuple: to.reversed(), payload: &bytes };
            assert_eq!(self.client.handle_datagram(datagram, self.world.now), Received::Handled);
        }
    }

    /// The server has connected to the peer it was last asked to, or has not.
    pub(crate) fn answer_connect(&mut self, success: bool) -> ConnectionId {
        let Some(server::Command::Connect { connection, .. }) = self.world.connections.pop() else {
            panic!("{:?}", self.world.connections)
        };
        self.world.server.connected(connection, success, self.world.now);
        self.world.drain();
        self.settle();
        connection
    }

    /// A peer connects, if it may.
    pub(crate) fn peer_connects(&mut self, peer: &str) -> Option<ConnectionId> {
        let relay = *self.world.open.keys().next().unwrap();
        let id = self.world.server.peer_connected(relay, addr(peer), self.world.now);
        self.world.drain();
        self.settle();
        id
    }

    pub(crate) fn advance(&mut self, duration: Duration) {
        self.world.advance(duration);
        self.client.handle_timeout(self.world.now);
        self.settle();
    }
}

pub(crate) fn data_path(transport: Transport, port: u16) -> FiveTuple {
    let local = format!("192.0.2.1:{port}");
    FiveTuple { transport, local: addr(&local), remote: addr("192.0.2.10:3478") }
}
