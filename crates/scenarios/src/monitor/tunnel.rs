//! Sees through what goes over TURN servers.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use pinhole_sansio::{Datagram, FiveTuple};
use pinhole_stun::{Class, Message, Method};
use pinhole_turn::attribute::{Channel, Data, XorPeerAddress};
use pinhole_turn::{ChannelData, ChannelNumber};

/// How the agent and the other end see each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hop {
    /// The path to the TURN server that relays, if one does.
    pub(super) via: Option<FiveTuple>,
    /// The other end.
    pub(super) remote: SocketAddr,
}

/// The agent's TURN servers, and the channels that it has asked for.
#[derive(Debug, Default)]
pub(super) struct Tunnels {
    servers: Vec<SocketAddr>,
    channels: BTreeMap<(FiveTuple, ChannelNumber), SocketAddr>,
}

impl Tunnels {
    pub(super) const fn new(servers: Vec<SocketAddr>) -> Self {
        Self { servers, channels: BTreeMap::new() }
    }

    /// What is inside, and between whom; a datagram that is not relayed is what it is.
    pub(super) fn open<'a>(&self, datagram: Datagram<'a>) -> (Hop, &'a [u8]) {
        let Datagram { five_tuple, payload } = datagram;
        let direct = (Hop { via: None, remote: five_tuple.remote }, payload);
        if !self.servers.contains(&five_tuple.remote) {
            return direct;
        }
        let via = Some(five_tuple);
        let relayed = |remote| Hop { via, remote };
        if let Some(ChannelData { number, data }) = ChannelData::parse(payload)
            && let Some(peer) = self.channels.get(&(five_tuple, number))
        {
            return (relayed(*peer), data);
        }
        let Ok(message) = Message::parse(payload) else { return direct };
        match (message.get(), message.get()) {
            (Ok(Some(XorPeerAddress(peer))), Ok(Some(Data(data)))) => (relayed(peer), data),
            _ => direct,
        }
    }

    /// Remembers the channels that the agent asks for.
    pub(super) fn sent(&mut self, datagram: Datagram<'_>) {
        let Ok(message) = Message::parse(datagram.payload) else { return };
        if message.class() == Class::Request
            && message.method() == Method::CHANNEL_BIND
            && let (Ok(Some(channel)), Ok(Some(XorPeerAddress(peer)))) =
                (message.get::<Channel>(), message.get())
            && let Some(number) = channel.number()
        {
            self.channels.insert((datagram.five_tuple, number), peer);
        }
    }
}
