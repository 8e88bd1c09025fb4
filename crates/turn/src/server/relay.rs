//! The data path: a look-up, a check, a route (RFC 8656 §11, §12.5 to §12.7).

use core::net::SocketAddr;
use core::ops::Range;

use pinhole_sansio::{Datagram, FiveTuple, Instant};
use pinhole_stun::attribute::Family;
use pinhole_stun::{AttributeType, Message, Method, TransactionId};

use super::allocation::{Allocation, Key};
use super::key::AddressKey;
use super::{AllocationId, Bandwidth, DropReason, Received, RelayId, Server, ToClient, ToPeer};
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
    #[inline(always)]
    pub fn handle_peer_datagram(
        &mut self,
        relay: RelayId,
        peer: SocketAddr,
        length: usize,
        now: Instant,
    ) -> Result<ToClient<'_>, DropReason> {
        // IPv4 and IPv4 mapped into IPv6 have one key.
        let key = AddressKey::from(peer);
        let allocation =
            self.allocations.get_mut(Key::from(relay)).ok_or(DropReason::NoAllocation)?;
        if !allocation.relays(relay.family, now) {
            return Err(DropReason::NoAllocation);
        }
        if !allocation.is_reachable() {
            return Err(DropReason::Suspended);
        }
        let number = allocation.peers.number_of(key, now);
        if number.is_none() && !allocation.peers.is_permitted(key.ip, now) {
            return Err(DropReason::NoPermission);
        }
        let limit = self.config.limits.bandwidth.as_ref();
        allocation.bucket.take_with(&allocation.owner, length, limit, now)?;
        let Some(number) = number else {
            let id = TransactionId::random(&mut self.rng);
            return allocation.indicate(id, key.into(), length);
        };
        // "Over TCP and TLS-over-TCP, the ChannelData message MUST be padded" (§12.5).
        let is_stream = allocation.client.transport.is_reliable();
        let padding = if is_stream { padding(length) } else { 0 };
        let header = Header::channel(number, length).ok_or(DropReason::TooLong)?;
        allocation.count_to_client(length);
        Ok(ToClient { five_tuple: &allocation.client, header, padding })
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
            || !allocation.relays(relay.family, now)
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

    /// The allocation of the client on a path.
    #[inline(always)]
    #[must_use]
    pub fn allocation_of(&self, client: &FiveTuple) -> Option<AllocationId> {
        self.by_client.get(client).map(AllocationId)
    }

    /// What becomes of ChannelData from the client on a path, whose allocation is known: what
    /// [`Server::handle_client_datagram`] does with it, for a driver that tells ChannelData by its first byte
    /// ([`PacketKind::Channel`]) and looks a client up once for all that came in a row.
    ///
    /// # Errors
    /// [`DropReason`]: nothing is to be sent. The client is told nothing, either.
    ///
    /// [`PacketKind::Channel`]: pinhole_stun::PacketKind::Channel
    #[inline(always)]
    pub fn handle_channel_data(
        &mut self,
        AllocationId(key): AllocationId,
        client: &FiveTuple,
        message: &[u8],
        now: Instant,
    ) -> Result<ToPeer, DropReason> {
        let message = ChannelData::parse(message).ok_or(DropReason::Malformed)?;
        let allocation = self.allocations.get_mut(key).ok_or(DropReason::NoAllocation)?;
        if allocation.is_elsewhere(client) {
            allocation.take_over(key, &mut self.by_client);
        }
        let peer = *allocation.peers.peer_of(message.number, now)?;
        let payload = CHANNEL_HEADER_LENGTH..CHANNEL_HEADER_LENGTH + message.data.len();
        let limit = self.config.limits.bandwidth.as_ref();
        allocation.admit(key, Wish { peer, payload, dont_fragment: false }, limit, now)
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
        let key = self.by_client.get(client);
        let found = key.and_then(|key| Some((key, self.allocations.get_mut(key)?)));
        let Some((key, allocation)) = found else {
            return Received::Dropped(DropReason::NoAllocation);
        };
        if allocation.is_elsewhere(client) {
            allocation.take_over(key, &mut self.by_client);
        }
        let route = match read_send(message, self.config.dont_fragment) {
            Ok((peer, _, _)) if !allocation.peers.is_permitted(peer.ip().into(), now) => {
                Err(DropReason::NoPermission)
            }
            Ok((peer, data, dont_fragment)) => {
                let dont_fragment = dont_fragment && obeys_df(client, peer);
                let payload = range_of(datagram.payload, data);
                let limit = self.config.limits.bandwidth.as_ref();
                allocation.admit(key, Wish { peer, payload, dont_fragment }, limit, now)
            }
            Err(reason) => Err(reason),
        };
        route.into()
    }
}

impl Allocation {
    /// The way of a peer's datagram to a client that has bound no channel to the peer.
    fn indicate(
        &mut self,
        id: TransactionId,
        peer: SocketAddr,
        length: usize,
    ) -> Result<ToClient<'_>, DropReason> {
        let header = Header::indication(Method::DATA, id, peer, length);
        let header = header.ok_or(DropReason::TooLong)?;
        self.count_to_client(length);
        Ok(ToClient { five_tuple: &self.client, header, padding: padding(length) })
    }

    /// Checks what every datagram to a permitted peer has to pass, and counts it.
    #[inline(always)]
    fn admit(
        &mut self,
        key: Key,
        wish: Wish,
        limit: Option<&Bandwidth>,
        now: Instant,
    ) -> Result<ToPeer, DropReason> {
        if !self.is_live(now) || self.is_tcp {
            return Err(DropReason::NoAllocation);
        }
        let Wish { peer, payload, dont_fragment } = wish;
        let family = if peer.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
        // Without a relayed address of its family, a peer has no permission, either.
        if self.port(family).is_none() {
            return Err(DropReason::NoPermission);
        }
        self.bucket.take_with(&self.owner, payload.len(), limit, now)?;
        self.traffic.datagrams_to_peers += 1;
        self.traffic.bytes_to_peers += payload.len() as u64;
        Ok(ToPeer { relay: key.relay(family), peer, payload, dont_fragment })
    }

    #[inline]
    const fn count_to_client(&mut self, length: usize) {
        self.traffic.datagrams_to_client += 1;
        self.traffic.bytes_to_client += length as u64;
    }
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

/// Where a datagram goes from or to IPv6, "the DONT-FRAGMENT attribute MUST be ignored by the server" (RFC 8656
/// §13.1 to §13.3); but not where it comes by TCP (§13, §15).
fn obeys_df(client: &FiveTuple, peer: SocketAddr) -> bool {
    let is_v4 = client.remote.ip().to_canonical().is_ipv4() && peer.is_ipv4();
    is_v4 || client.transport.is_reliable()
}

/// What a client wants to be sent to a peer with permission, whose address is in its canonical form.
struct Wish {
    peer: SocketAddr,
    payload: Range<usize>,
    dont_fragment: bool,
}
