use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;

use foldhash::fast::RandomState;
use mio::{Interest, Registry};
use pinhole_turn::server::RelayId;
use slab::Slab;

use super::token::Source;
use crate::socket::option::Fragmentation;
use crate::socket::{Flow, Origin, Sockets, Udp};

/// The UDP sockets of a worker: its listeners, and the relayed transport addresses.
#[derive(Debug, Default)]
pub(super) struct UdpSockets {
    pub(super) listeners: Vec<Listener>,
    relays: Slab<Relay>,
    by_id: HashMap<RelayId, usize, RandomState>,
}

/// A socket that clients send to.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) udp: Udp,
    /// Whether the last call filled the buffers.
    pub(super) is_busy: bool,
}

/// A socket that peers send to.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) id: RelayId,
    pub(super) udp: Udp,
}

impl UdpSockets {
    pub(super) fn listen(&mut self, mut udp: Udp, registry: &Registry) -> io::Result<()> {
        let token = Source::Listener(self.listeners.len()).token();
        registry.register(&mut udp.io, token, Interest::READABLE)?;
        self.listeners.push(Listener { udp, is_busy: false });
        Ok(())
    }

    pub(super) fn open(&mut self, id: RelayId, udp: Udp, registry: &Registry) -> io::Result<()> {
        let entry = self.relays.vacant_entry();
        let (key, token) = (entry.key(), Source::Relay(entry.key()).token());
        let relay = entry.insert(Relay { id, udp });
        let registered = registry.register(&mut relay.udp.io, token, Interest::READABLE);
        if registered.is_ok() {
            self.by_id.insert(id, key);
        } else {
            self.relays.remove(key);
        }
        registered
    }

    /// Closes a socket, if it is one of these.
    pub(super) fn close(&mut self, id: RelayId) {
        // The descriptor goes, and its registration with it.
        self.by_id.remove(&id).map(|key| self.relays.remove(key));
    }

    /// Sends a payload that does not lie in the inbox; whether the kernel took it.
    pub(super) fn send(
        &self,
        relay: RelayId,
        peer: SocketAddr,
        payload: &[u8],
        dont_fragment: bool,
    ) -> bool {
        let Some(key) = self.key(relay) else { return false };
        let fragmentation =
            if dont_fragment { Fragmentation::Forbidden } else { Fragmentation::Allowed };
        let origin = Origin::Relay(key);
        let flow = Flow { origin, destination: peer, ecn: None, fragmentation };
        self.udp(origin).is_some_and(|udp| udp.send_one(&flow, payload))
    }

    #[inline]
    pub(super) fn key(&self, id: RelayId) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    #[inline]
    pub(super) fn relay(&self, key: usize) -> Option<&Relay> {
        self.relays.get(key)
    }

    pub(super) fn len(&self) -> usize {
        self.relays.len()
    }

    /// The listener at this address, and the source address to give it.
    #[inline]
    pub(super) fn origin(&self, local: &SocketAddr) -> Option<Origin> {
        let number = self.listeners.iter().position(|listener| {
            let bound = listener.udp.local;
            bound.port() == local.port()
                && (bound.ip() == local.ip()
                    || bound.ip().is_unspecified() && bound.is_ipv4() == local.is_ipv4())
        })?;
        let is_any = self.listeners.get(number)?.udp.local.ip().is_unspecified();
        Some(Origin::Listener(number, is_any.then_some(local.ip())))
    }
}

impl Sockets for UdpSockets {
    #[inline]
    fn udp(&self, origin: Origin) -> Option<&Udp> {
        match origin {
            Origin::Listener(number, _) => self.listeners.get(number).map(|this| &this.udp),
            Origin::Relay(key) => self.relays.get(key).map(|relay| &relay.udp),
        }
    }
}
