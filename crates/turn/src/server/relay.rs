//! The data path: a look-up, a check, a route (RFC 8656 §11, §12.5 to §12.7).

use core::net::SocketAddr;
use core::ops::Range;

use pinhole_sansio::{Datagram, FiveTuple, Instant};
use pinhole_stun::attribute::Family;
use pinhole_stun::{AttributeType, Message, Method, TransactionId};

use super::allocation::{Allocation, Allocations, Key};
use super::key::{AddressKey, Paths};
use super::peers::Peers;
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
        let limit = self.config.limits.bandwidth.as_ref();
        allocation.bucket.take_with(&allocation.owner, length, limit, now)?;
        let Some(number) = allocation.peers.number_of(key, now) else {
            let id = TransactionId::random(&mut self.rng);
            return allocation.indicate(id, canonical(peer), length);
        };
        // "Over TCP and TLS-over-TCP, the ChannelData message MUST be padded" (§12.5).
        let is_stream = allocation.client.transport.is_reliable();
        let padding = if is_stream { padding(length) } else { 0 };
        let header = Header::channel(number, length).ok_or(DropReason::TooLong)?;
        allocation.count_to_client(length);
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
        let Some((key, allocation)) = find(&self.by_client, &mut self.allocations, client) else {
            return Received::Dropped(DropReason::NoAllocation);
        };
        let has_moved = allocation.is_elsewhere(client);
        let payload = CHANNEL_HEADER_LENGTH..CHANNEL_HEADER_LENGTH + data.len();
        let wish = Wish { payload, dont_fragment: false };
        let limit = self.config.limits.bandwidth.as_ref();
        let received = admit(
            key,
            allocation,
            |peers| peers.peer_of(number, now).ok_or(DropReason::NoChannel),
            wish,
            limit,
            now,
        );
        if has_moved {
            self.take_over(key);
        }
        received
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
        let client = &datagram.five_tuple;
        let Some((key, allocation)) = find(&self.by_client, &mut self.allocations, client) else {
            return Received::Dropped(DropReason::NoAllocation);
        };
        let has_moved = allocation.is_elsewhere(client);
        let received = match read_send(message, self.config.dont_fragment) {
            Ok((peer, data, dont_fragment)) => {
                let wish = Wish { payload: range_of(datagram.payload, data), dont_fragment };
                let limit = self.config.limits.bandwidth.as_ref();
                admit(key, allocation, |_| Ok(&peer), wish, limit, now)
            }
            Err(reason) => Received::Dropped(reason),
        };
        if has_moved {
            self.take_over(key);
        }
        received
    }
}

impl Allocation {
    /// The way of a peer's datagram to a client that has bound no channel to the peer.
    fn indicate(
        &mut self,
        id: TransactionId,
        peer: SocketAddr,
        length: usize,
    ) -> Result<ToClient, DropReason> {
        let header = Header::indication(Method::DATA, id, peer, length);
        let header = header.ok_or(DropReason::TooLong)?;
        self.count_to_client(length);
        Ok(ToClient { five_tuple: self.client, header, padding: padding(length) })
    }

    #[inline]
    const fn count_to_client(&mut self, length: usize) {
        self.traffic.datagrams_to_client += 1;
        self.traffic.bytes_to_client += length as u64;
    }
}

/// The allocation of the client on a path.
#[inline]
fn find<'a>(
    by_client: &Paths,
    allocations: &'a mut Allocations,
    client: &FiveTuple,
) -> Option<(Key, &'a mut Allocation)> {
    let key = by_client.get(client)?;
    Some((key, allocations.get_mut(key)?))
}

/// The peer, the data, and whether DF is to be set, which a client may ask for or not.
fn read_send<'a>(
    message: &Message<'a>,
    may_ask: bool,
) -> Result<(SocketAddr, &'a [u8], bool), DropReason> {
    let malformed = |_| DropReason::Malformed;
    let peer = message.get::<XorPeerAddress>().map_err(malformed)?;
    let XorPeerAddress(peer) = peer.ok_or(DropReason::Malformed)?;
    let data = message.get::<Data<'_>>().map_err(malformed)?;
    let Data(data) = data.ok_or(DropReason::Malformed)?;
    let dont_fragment = message.get::<DontFragment>().map_err(malformed)?.is_some();
    if dont_fragment && !may_ask {
        return Err(DropReason::Unexpected);
    }
    Ok((canonical(peer), data, dont_fragment))
}

/// What a client wants to be sent to a peer.
struct Wish {
    payload: Range<usize>,
    dont_fragment: bool,
}

/// Checks what every datagram to a peer has to pass, and counts it. The peer is in its canonical form.
#[inline]
fn admit<'a>(
    key: Key,
    allocation: &'a mut Allocation,
    peer: impl FnOnce(&'a Peers) -> Result<&'a SocketAddr, DropReason>,
    wish: Wish,
    limit: Option<&Bandwidth>,
    now: Instant,
) -> Received {
    let is_live = allocation.is_live(now) && !allocation.is_tcp;
    let Allocation { peers, owner, v4, v6, bucket, traffic, .. } = allocation;
    let peer = match peer(peers) {
        Ok(peer) => peer,
        Err(reason) => return Received::Dropped(reason),
    };
    if !is_live {
        return Received::Dropped(DropReason::NoAllocation);
    }
    // Without a relayed address of its family, a peer has no permission, either.
    let (family, port) = match peer {
        SocketAddr::V4(_) => (Family::Ipv4, v4),
        SocketAddr::V6(_) => (Family::Ipv6, v6),
    };
    if !peers.is_permitted(peer.ip().into(), now) || port.is_none() {
        return Received::Dropped(DropReason::NoPermission);
    }
    let Wish { payload, dont_fragment } = wish;
    if let Err(reason) = bucket.take_with(owner, payload.len(), limit, now) {
        return Received::Dropped(reason);
    }
    traffic.datagrams_to_peers += 1;
    traffic.bytes_to_peers += payload.len() as u64;
    Received::ToPeer(ToPeer { relay: key.relay(family), peer: *peer, payload, dont_fragment })
}
