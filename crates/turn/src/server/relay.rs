//! The data path: a look-up, a check, a route (RFC 8656 §11, §12.5 to §12.7).

use core::net::SocketAddr;

use pinhole_sansio::{Datagram, FiveTuple, Instant};
use pinhole_stun::attribute::Family;
use pinhole_stun::{AttributeType, Message, Method, TransactionId};

use super::allocation::{Allocation, Key};
use super::key::IpKey;
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
    pub fn handle_peer_datagram(
        &mut self,
        relay: RelayId,
        peer: SocketAddr,
        length: usize,
        now: Instant,
    ) -> Result<ToClient, DropReason> {
        let peer = canonical(peer);
        let allocation =
            self.allocations.get_mut(Key::from(relay)).ok_or(DropReason::NoAllocation)?;
        // What the driver had received before it closed a relayed address of a dual allocation.
        if !allocation.is_live(now) || allocation.port(relay.family).is_none() {
            return Err(DropReason::NoAllocation);
        }
        if !allocation.is_reachable() {
            return Err(DropReason::Suspended);
        }
        if !allocation.peers.is_permitted(peer.ip().into(), now) {
            return Err(DropReason::NoPermission);
        }
        let five_tuple = allocation.client;
        let (header, padding) = match allocation.peers.number_of(peer, now) {
            Some(number) => {
                // "Over TCP and TLS-over-TCP, the ChannelData message MUST be padded" (§12.5).
                let is_stream = five_tuple.transport.is_reliable();
                (Header::channel(number, length), if is_stream { padding(length) } else { 0 })
            }
            None => {
                let id = TransactionId::random(&mut self.rng);
                (Header::indication(Method::DATA, id, peer, length), padding(length))
            }
        };
        let header = header.ok_or(DropReason::TooLong)?;
        allocation.take(length, self.config.limits.bandwidth, now)?;
        allocation.traffic.datagrams_to_client += 1;
        allocation.traffic.bytes_to_client += length as u64;
        Ok(ToClient { five_tuple, header, padding })
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
        datagram: Datagram<'_>,
        now: Instant,
    ) -> Result<ToPeer, DropReason> {
        let ChannelData { number, data } =
            ChannelData::parse(datagram.payload).ok_or(DropReason::Malformed)?;
        let key = self.sender(&datagram.five_tuple)?;
        let allocation = self.allocations.get_mut(key).ok_or(DropReason::NoAllocation)?;
        let peer = allocation.peers.peer_of(number, now).ok_or(DropReason::NoChannel)?;
        let relay = key.relay(peer.ip.family());
        admit(allocation, relay, peer.ip, data.len(), self.config.limits.bandwidth, now)?;
        let payload = CHANNEL_HEADER_LENGTH..CHANNEL_HEADER_LENGTH + data.len();
        Ok(ToPeer { relay, peer: peer.into(), payload, dont_fragment: false })
    }

    /// A Send indication (RFC 8656 §11.2). It installs and refreshes nothing.
    pub(super) fn handle_send(
        &mut self,
        message: &Message<'_>,
        datagram: Datagram<'_>,
        now: Instant,
    ) -> Result<ToPeer, DropReason> {
        if message.unknown_required(KNOWN).next().is_some() {
            return Err(DropReason::Unexpected);
        }
        let key = self.sender(&datagram.five_tuple)?;
        let allocation = self.allocations.get_mut(key).ok_or(DropReason::NoAllocation)?;
        let malformed = |_| DropReason::Malformed;
        let peer =
            message.get::<XorPeerAddress>().map_err(malformed)?.ok_or(DropReason::Malformed)?;
        let data = message.get::<Data<'_>>().map_err(malformed)?.ok_or(DropReason::Malformed)?;
        let dont_fragment = message.get::<DontFragment>().map_err(malformed)?.is_some();
        if dont_fragment && !self.config.dont_fragment {
            return Err(DropReason::Unexpected);
        }
        let peer = canonical(peer.0);
        let relay = key.relay(Family::of(peer.ip()));
        let limit = self.config.limits.bandwidth;
        admit(allocation, relay, peer.ip().into(), data.0.len(), limit, now)?;
        Ok(ToPeer { relay, peer, payload: range_of(datagram.payload, data.0), dont_fragment })
    }

    /// The allocation that data from this client is for.
    #[inline]
    fn sender(&mut self, client: &FiveTuple) -> Result<Key, DropReason> {
        let key = self.by_client.get(client).ok_or(DropReason::NoAllocation)?;
        self.arrived(key, client);
        Ok(key)
    }
}

impl From<Result<ToPeer, DropReason>> for Received {
    #[inline]
    fn from(result: Result<ToPeer, DropReason>) -> Self {
        match result {
            Ok(route) => Self::ToPeer(route),
            Err(reason) => Self::Dropped(reason),
        }
    }
}

/// Checks what every datagram to a peer has to pass, and counts it.
#[inline]
fn admit(
    allocation: &mut Allocation,
    relay: RelayId,
    peer: IpKey,
    length: usize,
    limit: Option<Bandwidth>,
    now: Instant,
) -> Result<(), DropReason> {
    if !allocation.is_live(now) || allocation.is_tcp {
        return Err(DropReason::NoAllocation);
    }
    // Without a relayed address of its family, a peer has no permission, either.
    if !allocation.peers.is_permitted(peer, now) || allocation.port(relay.family).is_none() {
        return Err(DropReason::NoPermission);
    }
    allocation.take(length, limit, now)?;
    allocation.traffic.datagrams_to_peers += 1;
    allocation.traffic.bytes_to_peers += length as u64;
    Ok(())
}
