//! A host that sends what it is told and remembers what it receives.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use pinhole_netsim::{HostId, IcmpError, Node, StreamCommand, StreamEvent, World};
use pinhole_sansio::{Datagram, FiveTuple, Instant, Payload, Transmit, Transport};

/// What a [`Peer`] got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) local: SocketAddr,
    pub(crate) from: SocketAddr,
    pub(crate) payload: Vec<u8>,
    pub(crate) at: Instant,
}

#[derive(Default)]
pub(crate) struct Peer {
    outbox: VecDeque<Transmit>,
    pub(crate) received: Vec<Received>,
    pub(crate) errors: Vec<IcmpError>,
    /// Answers each datagram with the source address in text, as a STUN server does in its way.
    pub(crate) reflects: bool,
    pub(crate) closed: Vec<u16>,
    commands: VecDeque<StreamCommand>,
    pub(crate) events: Vec<StreamEvent>,
    /// The addresses as the world last told them.
    pub(crate) addresses: Option<Vec<IpAddr>>,
}

impl Peer {
    pub(crate) fn reflector() -> Self {
        Self { reflects: true, ..Self::default() }
    }

    pub(crate) fn send(&mut self, local: SocketAddr, remote: SocketAddr, payload: &[u8]) {
        let five_tuple = FiveTuple::udp(local, remote);
        self.outbox.push_back(Transmit { five_tuple, payload: Payload::from(payload) });
    }

    pub(crate) fn write(&mut self, five_tuple: FiveTuple, payload: &[u8]) {
        self.outbox.push_back(Transmit { five_tuple, payload: Payload::from(payload) });
    }

    pub(crate) fn command(&mut self, command: StreamCommand) {
        self.commands.push_back(command);
    }

    /// Everything that came over streams.
    pub(crate) fn streamed(&self) -> Vec<u8> {
        let mut streamed = Vec::new();
        for event in &self.events {
            if let StreamEvent::Received(_, bytes) = event {
                streamed.extend_from_slice(bytes);
            }
        }
        streamed
    }
}

impl Node for Peer {
    fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Instant) {
        let FiveTuple { local, remote, .. } = datagram.five_tuple;
        let payload = datagram.payload.to_vec();
        self.received.push(Received { local, from: remote, payload, at: now });
        if self.reflects {
            self.send(local, remote, remote.to_string().as_bytes());
        }
    }

    fn handle_timeout(&mut self, _now: Instant) {}

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.outbox.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn is_open(&self, local: SocketAddr) -> bool {
        !self.closed.contains(&local.port())
    }

    fn poll_stream(&mut self) -> Option<StreamCommand> {
        self.commands.pop_front()
    }

    fn handle_stream(&mut self, event: StreamEvent, _now: Instant) {
        if let (true, StreamEvent::Received(five_tuple, bytes)) = (self.reflects, &event) {
            self.write(*five_tuple, bytes);
        }
        self.events.push(event);
    }

    fn handle_addresses(&mut self, addresses: &[IpAddr], _now: Instant) {
        self.addresses = Some(addresses.to_vec());
    }

    fn handle_icmp(&mut self, error: IcmpError, _now: Instant) {
        self.errors.push(error);
    }
}

/// The first address of `host` with `port`.
pub(crate) fn endpoint(world: &World, host: HostId<Peer>, port: u16) -> SocketAddr {
    world.endpoint(host, port)
}

/// The connection from a port of one host to a port of another, as the first names it.
pub(crate) fn stream(
    world: &World,
    from: (HostId<Peer>, u16),
    to: (HostId<Peer>, u16),
) -> FiveTuple {
    let (local, remote) = (endpoint(world, from.0, from.1), endpoint(world, to.0, to.1));
    FiveTuple { transport: Transport::Tcp, local, remote }
}

/// Sends from a port of `host` and lets everything happen that follows within two seconds.
pub(crate) fn send(world: &mut World, host: HostId<Peer>, port: u16, remote: SocketAddr) {
    let local = endpoint(world, host, port);
    world.with(host, |peer, _| peer.send(local, remote, b"hello"));
    world.run_for(std::time::Duration::from_secs(2));
}

/// The sources of what `host` received since the last call.
pub(crate) fn sources(world: &mut World, host: HostId<Peer>) -> Vec<SocketAddr> {
    world.with(host, |peer, _| peer.received.drain(..).map(|received| received.from).collect())
}

/// Sends to a peer outside and gives the address that the peer saw.
pub(crate) fn mapped(
    world: &mut World,
    host: HostId<Peer>,
    port: u16,
    to: (HostId<Peer>, u16),
) -> SocketAddr {
    let remote = endpoint(world, to.0, to.1);
    sources(world, to.0);
    send(world, host, port, remote);
    let seen = sources(world, to.0);
    assert_eq!(seen.len(), 1, "one datagram arrives");
    seen[0]
}
