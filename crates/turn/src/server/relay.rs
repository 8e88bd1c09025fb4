//! The data path: a look-up, a check, a route (RFC 8656 §11, §12.5 to §12.7).

use core::net::SocketAddr;
use core::ops::Range;

use pinhole_sansio::{Datagram, FiveTuple, Instant};
use pinhole_stun::{AttributeType, Message, Method, TransactionId};

use super::allocation::{Allocation, Key};
use super::key::AddressKey;
use super::{Bandwidth, DropReason, Received, RelayId, Server, ToClient, ToPeer};
use crate::attribute::{Data, DontFragment, Icmp, XorPeerAddress};
use crate::indication::{Header, canonical, padding, range_of};
use crate::{CHANNEL_HEADER_LENGTH, ChannelData};

/// The comprehension-required attributes of a Send indication (RFC 8656 §11.2).
const KNOWN: &[AttributeType] =
    &[AttributeType::XOR_PEER_ADDRESS, AttributeType::DATA, AttributeType::DONT_FRAGMENT];

impl<U> Server<U> {
    /// What becomes of a datagram of this length that a peer has sent to a relayed address.
    ///
    /// # Errors
    /// [`DropReason`]: nothing is to be sent. The peer is told nothing, either.
    #[inline]
    pub fn handle_peer_datagram(
        &mut self,
        relay: RelayId,
        peer: SocketAddr,
        length: usize,
        now: Instant,
    ) -> Result<ToClient, DropReason> {
        // IPv4 and IPv4 mapped into IPv6 have one key.
        let key = AddressKey::from(peer);
        let allocation =
            self.allocations.get_mut(Key::from(relay)).ok_or(DropReason::NoAllocation)?;
        // What the driver had received before it closed a relayed address of a dual allocation.
        if !allocation.is_live(now) || allocation.port(relay.family).is_none() {
            return Err(DropReason::NoAllocation);
        }
        if !allocation.is_reachable() {
            return Err(DropReason::Suspended);
        }
        if !allocation.peers.is_permitted(key.ip, now) {
            return Err(DropReason::NoPermission);
        }
        allocation.take(length, self.config.limits.bandwidth, now)?;
        let (header, padding) = match allocation.peers.number_of(key, now) {
            Some(number) => {
                // "Over TCP and TLS-over-TCP, the ChannelData message MUST be padded" (§12.5).
                let is_stream = allocation.client.transport.is_reliable();
                (Header::channel(number, length), if is_stream { padding(length) } else { 0 })
            }
            None => {
                let id = TransactionId::random(&mut self.rng);
                let header = Header::indication(Method::DATA, id, canonical(peer), length);
                (header, padding(length))
            }
        };
        let header = header.ok_or(DropReason::TooLong)?;
        allocation.traffic.datagrams_to_client += 1;
        allocation.traffic.bytes_to_client += length as u64;
        Ok(ToClient { five_tuple: allocation.client, header, padding })
    }

    /// An ICMP message has answered a datagram from a relayed address to `peer`. It is passed on if its
    /// type is one that RFC 8656 §11.5 names and the peer has permission; who sent it does not matter.
    pub fn handle_peer_icmp(&mut self, relay: RelayId, peer: SocketAddr, icmp: Icmp, now: Instant) {
        let peer = canonical(peer);
        let is_told = match peer {
            SocketAddr::V4(_) => matches!(icmp.kind, 3 | 11),
            SocketAddr::V6(_) => matches!(icmp.kind, 1..=3),
        };
        let Some(allocation) = self.allocations.get(Key::from(relay)) else { return };
        if !is_told
            || !allocation.is_live(now)
            || allocation.port(relay.family).is_none()
            || !allocation.is_reachable()
            || !allocation.peers.is_permitted(peer.ip().into(), now)
        {
            return;
        }
        let client = allocation.client;
        let id = TransactionId::random(&mut self.rng);
        self.indicate(client, Method::DATA, id, |writer| {
            writer.attribute(&XorPeerAddress(peer))?.attribute(&icmp).map(drop)
        });
    }

    /// ChannelData from a client.
    #[inline]
    pub(super) fn handle_channel_data(
        &mut self,
        client: &FiveTuple,
        message: &[u8],
        now: Instant,
    ) -> Received {
        let Some(ChannelData { number, data }) = ChannelData::parse(message) else {
            return Received::Dropped(DropReason::Malformed);
        };
        self.route(client, now, |allocation| {
            let peer = allocation.peers.peer_of(number, now).ok_or(DropReason::NoChannel)?;
            let payload = CHANNEL_HEADER_LENGTH..CHANNEL_HEADER_LENGTH + data.len();
            Ok(Wish { peer, payload, dont_fragment: false })
        })
    }

    /// A Send indication (RFC 8656 §11.2). It installs and refreshes nothing.
    pub(super) fn handle_send(
        &mut self,
        message: &Message<'_>,
        datagram: Datagram<'_>,
        now: Instant,
    ) -> Received {
        if message.unknown_required(KNOWN).next().is_some() {
            return Received::Dropped(DropReason::Unexpected);
        }
        let may_ask = self.config.dont_fragment;
        self.route(&datagram.five_tuple, now, |_| {
            let malformed = |_| DropReason::Malformed;
            let peer = message.get::<XorPeerAddress>().map_err(malformed)?;
            let XorPeerAddress(peer) = peer.ok_or(DropReason::Malformed)?;
            let data = message.get::<Data<'_>>().map_err(malformed)?;
            let Data(data) = data.ok_or(DropReason::Malformed)?;
            let dont_fragment = message.get::<DontFragment>().map_err(malformed)?.is_some();
            if dont_fragment && !may_ask {
                return Err(DropReason::Unexpected);
            }
            let payload = range_of(datagram.payload, data);
            Ok(Wish { peer: peer.into(), payload, dont_fragment })
        })
    }

    /// Routes what a client wants, if it may.
    #[inline]
    fn route(
        &mut self,
        client: &FiveTuple,
        now: Instant,
        wish: impl FnOnce(&Allocation) -> Result<Wish, DropReason>,
    ) -> Received {
        let key = self.by_client.get(client);
        let Some((key, allocation)) =
            key.and_then(|key| Some((key, self.allocations.get_mut(key)?)))
        else {
            return Received::Dropped(DropReason::NoAllocation);
        };
        let has_moved = allocation.is_elsewhere(client);
        let limit = self.config.limits.bandwidth;
        let received = match wish(allocation) {
            Ok(wish) => admit(key, allocation, wish, limit, now),
            Err(reason) => Received::Dropped(reason),
        };
        if has_moved {
            self.take_over(key);
        }
        received
    }
}

/// What a client wants to be sent to a peer.
struct Wish {
    peer: AddressKey,
    payload: Range<usize>,
    dont_fragment: bool,
}

/// Checks what every datagram to a peer has to pass, and counts it.
#[inline]
fn admit(
    key: Key,
    allocation: &mut Allocation,
    wish: Wish,
    limit: Option<Bandwidth>,
    now: Instant,
) -> Received {
    let Wish { peer, payload, dont_fragment } = wish;
    if !allocation.is_live(now) || allocation.is_tcp {
        return Received::Dropped(DropReason::NoAllocation);
    }
    // Without a relayed address of its family, a peer has no permission, either.
    let family = peer.ip.family();
    if !allocation.peers.is_permitted(peer.ip, now) || allocation.port(family).is_none() {
        return Received::Dropped(DropReason::NoPermission);
    }
    if let Err(reason) = allocation.take(payload.len(), limit, now) {
        return Received::Dropped(reason);
    }
    allocation.traffic.datagrams_to_peers += 1;
    allocation.traffic.bytes_to_peers += payload.len() as u64;
    let relay = key.relay(family);
    Received::ToPeer(ToPeer { relay, peer: peer.into(), payload, dont_fragment })
}
