//! Data to and from peers (RFC 8656 §11, §12.4, §12.6).

use core::net::{IpAddr, SocketAddr};

use pinhole_sansio::Instant;
use pinhole_stun::{Message, Method, TransactionId};

use super::channel::Way;
use super::request::Purpose;
use super::{Client, Event, Received, SendError, ToServer};
use crate::ChannelData;
use crate::attribute::{Data, Icmp, XorPeerAddress};
use crate::indication::{Header, canonical, padding, range_of};

impl Client {
    /// How to send a payload of this length to a peer. A peer that has no permission yet gets one asked
    /// for.
    ///
    /// # Errors
    /// [`SendError`]: the payload cannot be sent now.
    pub fn send(
        &mut self,
        peer: SocketAddr,
        length: usize,
        now: Instant,
    ) -> Result<ToServer, SendError> {
        let peer = canonical(peer);
        self.check_peer(peer, now)?;
        let five_tuple = self.config.server;
        let (header, padding) = match self.channels.way(peer, now) {
            Way::Channel(number) => {
                let is_stream = five_tuple.transport.is_reliable();
                (Header::channel(number, length), if is_stream { padding(length) } else { 0 })
            }
            way @ (Way::Indication | Way::IndicationAndBind(_)) => {
                if let Way::IndicationAndBind(number) = way {
                    self.request(Purpose::Bind(number, peer), now);
                    self.schedule();
                }
                let id = TransactionId::random(&mut self.rng);
                (Header::indication(Method::SEND, id, peer, length), padding(length))
            }
        };
        let header = header.ok_or(SendError::TooLong(length))?;
        Ok(ToServer { five_tuple, header, padding })
    }

    /// As [`Client::send`], with DF set on the datagram from the server to the peer, which only a Send
    /// indication can ask for (RFC 8656 §11.1).
    ///
    /// # Errors
    /// [`SendError`]; [`SendError::MayFragment`] unless [`Config::dont_fragment`](super::Config) is set, and the server
    /// can.
    pub fn send_unfragmented(
        &mut self,
        peer: SocketAddr,
        length: usize,
        now: Instant,
    ) -> Result<ToServer, SendError> {
        let peer = canonical(peer);
        self.check_peer(peer, now)?;
        if !self.config.dont_fragment {
            return Err(SendError::MayFragment);
        }
        let id = TransactionId::random(&mut self.rng);
        let header = Header::unfragmented(id, peer, length).ok_or(SendError::TooLong(length))?;
        Ok(ToServer { five_tuple: self.config.server, header, padding: padding(length) })
    }

    /// Whether a datagram may go to this peer now; if it needs a permission, that is asked for.
    fn check_peer(&mut self, peer: SocketAddr, now: Instant) -> Result<(), SendError> {
        if !self.is_live(now) {
            return Err(SendError::NoAllocation);
        }
        if self.is_tcp() {
            return Err(SendError::NotUdp);
        }
        let touched = self.touch(peer.ip(), now);
        if touched == Err(SendError::NotPermitted) {
            self.permit(peer.ip(), now);
            return self.touch(peer.ip(), now);
        }
        touched
    }

    /// Notes that something goes to a peer that has permission, or comes from it: so the permission is renewed.
    pub(super) fn touch(&mut self, peer: IpAddr, now: Instant) -> Result<(), SendError> {
        if self.permissions.touch(peer, now)? {
            self.request(Purpose::Permit(peer), now);
            self.schedule();
        }
        Ok(())
    }

    pub(super) fn handle_channel_data(&mut self, payload: &[u8], now: Instant) -> Received {
        let Some(ChannelData { number, data }) = ChannelData::parse(payload) else {
            return Received::Handled;
        };
        match self.channels.peer_of(number) {
            Some(peer) => self.deliver(peer, payload, data, now),
            None => Received::Handled,
        }
    }

    /// A Data indication (RFC 8656 §11.4), with data or with an ICMP message.
    pub(super) fn handle_data(
        &mut self,
        message: &Message<'_>,
        payload: &[u8],
        now: Instant,
    ) -> Received {
        let Ok(Some(XorPeerAddress(peer))) = message.get() else { return Received::Handled };
        let peer = canonical(peer);
        if let Ok(Some(icmp)) = message.get::<Icmp>() {
            if self.touch(peer.ip(), now).is_ok() {
                self.events.push_back(Event::PeerUnreachable { peer, icmp });
            }
            return Received::Handled;
        }
        match message.get() {
            Ok(Some(Data(data))) => self.deliver(peer, payload, data, now),
            Ok(None) | Err(_) => Received::Handled,
        }
    }

    /// Data from a peer that has permission, as the client believes (RFC 8656 §11.4).
    fn deliver(&mut self, peer: SocketAddr, whole: &[u8], data: &[u8], now: Instant) -> Received {
        if !self.is_live(now) || self.touch(peer.ip(), now).is_err() {
            return Received::Handled;
        }
        Received::Data { peer, payload: range_of(whole, data) }
    }
}
