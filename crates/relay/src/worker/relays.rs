use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use pinhole_stun::attribute::Family;
use pinhole_turn::server::{RelayId, ToPeer};

use super::poll::{Interest, Poll};
use super::token::Source;
use crate::socket::{LARGE, Marks, Origin, Outbox, Sockets, Udp, Way};

/// The UDP sockets of a worker: its listeners, and the relayed transport addresses.
#[derive(Debug, Default)]
pub(super) struct UdpSockets {
    pub(super) listeners: Vec<Listener>,
    /// By the machine's number of the allocation.
    v4: Vec<Option<Relay>>,
    v6: Vec<Option<Relay>>,
    /// How many of them there are.
    count: usize,
}

/// A socket that clients send to.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) udp: Udp,
    /// How many datagrams the next call is to receive.
    pub(super) room: usize,
}

/// A socket that peers send to.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) id: RelayId,
    pub(super) udp: Udp,
}

impl UdpSockets {
    pub(super) fn listen(&mut self, udp: Udp, poll: &Poll) -> io::Result<()> {
        poll.register(&udp.io, Source::Listener(self.listeners.len()), Interest::Read)?;
        self.listeners.push(Listener { udp, room: LARGE });
        Ok(())
    }

    pub(super) fn open(&mut self, id: RelayId, udp: Udp, poll: &Poll) -> io::Result<()> {
        let key = key(id);
        let is_v4 = udp.local.is_ipv4();
        if self.listeners.iter().any(|listener| listener.udp.local.is_ipv4() != is_v4) {
            udp.set_ttl_told()?;
        }
        poll.register(&udp.io, Source::Relay(key), Interest::Read)?;
        let relay = Relay { id, udp };
        let relays = self.of_family(id.family());
        if relays.len() <= id.index() {
            relays.resize_with(id.index() + 1, || None);
        }
        if relays.get_mut(id.index()).is_some_and(|place| place.replace(relay).is_none()) {
            self.count += 1;
        }
        Ok(())
    }

    /// Closes a socket, if it is one of these.
    pub(super) fn close(&mut self, id: RelayId) {
        let place = self.of_family(id.family()).get_mut(id.index());
        // The descriptor goes, and its registration with it.
        if place.is_some_and(|place| place.take_if(|relay| relay.id == id).is_some()) {
            self.count -= 1;
        }
    }

    /// Sends a payload that does not lie in the inbox; whether the kernel took it.
    pub(super) fn send(&self, outbox: &mut Outbox, route: &ToPeer, payload: &[u8]) -> bool {
        let udp = self.udp(Origin::Relay(route.relay));
        udp.is_some_and(|udp| outbox.send_one(udp, &Way::to_peer(route, Marks::default()), payload))
    }

    #[inline]
    pub(super) fn relay(&self, key: usize) -> Option<&Relay> {
        let relays = if key.is_multiple_of(2) { &self.v4 } else { &self.v6 };
        relays.get(key / 2)?.as_ref()
    }

    /// The socket of a relayed address.
    #[inline(always)]
    pub(super) fn of_relay(&self, id: RelayId) -> Option<&Udp> {
        match self.relay(key(id)) {
            Some(relay) if relay.id == id => Some(&relay.udp),
            _ => None,
        }
    }

    const fn of_family(&mut self, family: Family) -> &mut Vec<Option<Relay>> {
        match family {
            Family::Ipv4 => &mut self.v4,
            Family::Ipv6 => &mut self.v6,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// The listener at this address, and the source address to give it, if it has not one of its own: IPv4
    /// mapped into IPv6, or unspecified.
    #[inline]
    pub(super) fn origin(&self, local: &SocketAddr) -> Option<(Origin, Ipv6Addr)> {
        for (number, listener) in self.listeners.iter().enumerate() {
            if listener.udp.local == *local {
                return Some((Origin::Listener(number), Ipv6Addr::UNSPECIFIED));
            }
        }
        self.any_origin(local)
    }

    /// The listener at all addresses, this one among them.
    fn any_origin(&self, local: &SocketAddr) -> Option<(Origin, Ipv6Addr)> {
        let number = self.listeners.iter().position(|listener| {
            let bound = listener.udp.local;
            bound.port() == local.port()
                && bound.ip().is_unspecified()
                && bound.is_ipv4() == local.is_ipv4()
        })?;
        let source = match local.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        Some((Origin::Listener(number), source))
    }
}

/// Each relayed address has its own place, whichever family it is of.
#[inline]
const fn key(id: RelayId) -> usize {
    id.index() * 2 + matches!(id.family(), Family::Ipv6) as usize
}

impl Sockets for UdpSockets {
    #[inline]
    fn udp(&self, origin: Origin) -> Option<&Udp> {
        match origin {
            Origin::Listener(number) => self.listeners.get(number).map(|this| &this.udp),
            Origin::Relay(id) => self.of_relay(id),
        }
    }
}
