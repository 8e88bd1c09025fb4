//! What is relayed, to whom, and what is not (T1, T2, T3, T8, T15).

use std::net::SocketAddr;

use pinhole_sansio::{Datagram, FiveTuple, Instant};
use pinhole_stun::{Class, Message, Method};
use pinhole_turn::ChannelData;
use pinhole_turn::attribute::{Data, XorPeerAddress};

use super::Warden;
use super::request::canonical;
use crate::mutation::Mutation;

/// What has to become of the datagram that is being handled, besides which nothing may.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing is relayed.
    #[default]
    Nothing,
    /// The payload leaves a relayed address.
    ToPeer { from: SocketAddr, to: SocketAddr },
    /// The payload goes to a client, over a channel or in a Data indication.
    ToClient { to: FiveTuple, number: Option<u16>, peer: SocketAddr },
}

impl Warden {
    /// What a client's datagram that is no request leads to.
    pub(super) fn note_data(&mut self, datagram: Datagram<'_>, now: Instant) {
        let Datagram { five_tuple, payload } = datagram;
        self.payload.clear();
        let message = Message::parse(payload).ok();
        let channel = ChannelData::parse(payload);
        let (number, peer, data) = match (channel, message) {
            (Some(ChannelData { number, data }), _) => (Some(number.value()), None, data),
            (None, Some(message)) if (message.class(), message.method()) == SEND => {
                let (Ok(Some(XorPeerAddress(peer))), Ok(Some(Data(data)))) =
                    (message.get(), message.get())
                else {
                    return;
                };
                (None, Some(canonical(peer)), data)
            }
            _ => return,
        };
        self.model.arrived(five_tuple);
        let Some(allocation) = self.model.of(five_tuple, now) else { return };
        let bound = number.and_then(|number| allocation.peer_of(number, now));
        let Some(to) = peer.or(bound).filter(|peer| allocation.permits(peer.ip(), now)) else {
            return;
        };
        if let Some(from) = allocation.relayed_towards(to) {
            self.payload.extend(data);
            self.due = Due::ToPeer { from, to };
        }
    }

    /// A datagram has come to a relayed address.
    pub(crate) fn peer_sent(&mut self, datagram: Datagram<'_>, now: Instant) {
        let (relayed, peer) = (datagram.five_tuple.local, canonical(datagram.five_tuple.remote));
        self.payload.clear();
        self.payload.extend(datagram.payload);
        let permitted =
            self.model.at(relayed, now).filter(|allocation| allocation.permits(peer.ip(), now));
        self.due = permitted.map_or(Due::Nothing, |allocation| Due::ToClient {
            to: allocation.client,
            number: allocation.number_of(peer, now),
            peer,
        });
    }

    /// The server relays these bytes to a peer.
    pub(crate) fn relayed_to_peer(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        payload: &[u8],
        now: Instant,
    ) {
        match std::mem::take(&mut self.due) {
            due @ Due::ToPeer { .. } => {
                let is_whole = !self.is_lied_to(Mutation::AlteredRelaying)
                    && due == (Due::ToPeer { from, to })
                    && self.payload == payload;
                self.demand(
                    "T3",
                    is_whole,
                    now,
                    format_args!("other bytes than the client's went to a peer"),
                );
            }
            Due::Nothing | Due::ToClient { .. } => {
                let lives = self.model.at(from, now).is_some();
                let (invariant, what) = if lives {
                    ("T1", "sent without a permission, or twice")
                } else {
                    ("T15", "sent from an address that is given back")
                };
                self.violated(invariant, now, format_args!("{from} to {to}: {what}"));
            }
        }
    }

    /// The server relays these bytes, header and padding included, to a client.
    pub(crate) fn relayed_to_client(&mut self, to: FiveTuple, whole: &[u8], now: Instant) {
        let Due::ToClient { to: client, number, peer } = std::mem::take(&mut self.due) else {
            let lives = self.model.of(to, now).is_some();
            let invariant = if lives { "T2" } else { "T15" };
            return self.violated(
                invariant,
                now,
                format_args!("{to} gets what nobody may send it"),
            );
        };
        let data = match number {
            Some(number) => ChannelData::parse(whole)
                .filter(|channel| channel.number.value() == number)
                .map(|channel| channel.data),
            None => read_data(whole, peer),
        };
        let is_whole = !self.is_lied_to(Mutation::AlteredRelaying)
            && to == client
            && data == Some(&self.payload[..]);
        self.demand(
            "T3",
            is_whole,
            now,
            format_args!("other bytes than the peer's went to a client"),
        );
    }
}

/// What a Data indication from this peer carries.
fn read_data(whole: &[u8], peer: SocketAddr) -> Option<&[u8]> {
    let message = Message::parse(whole).ok()?;
    let is_data = (message.class(), message.method()) == (Class::Indication, Method::DATA);
    let from = message.get().ok()?.map(|XorPeerAddress(peer)| peer);
    let Data(data) = message.get().ok()??;
    (is_data && from == Some(peer)).then_some(data)
}

const SEND: (Class, Method) = (Class::Indication, Method::SEND);
