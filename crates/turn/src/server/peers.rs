//! The permissions and channels of one allocation (RFC 8656 §9, §12).

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use foldhash::quality::SeedableRandomState;
use hashbrown::HashMap;
use pinhole_sansio::Instant;

use super::Limits;
use crate::ChannelNumber;

/// "The Permission Lifetime MUST be 300 seconds (= 5 minutes)" (RFC 8656 §9).
const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);
/// "A channel binding lasts for 10 minutes unless refreshed" (RFC 8656 §12).
const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);

/// With whom a client may talk, and under which numbers. Data extends nothing here: only requests do.
#[derive(Debug)]
pub(super) struct Peers {
    permissions: HashMap<IpAddr, Instant, SeedableRandomState>,
    channels: HashMap<ChannelNumber, Channel, SeedableRandomState>,
    numbers: HashMap<SocketAddr, ChannelNumber, SeedableRandomState>,
}

#[derive(Clone, Copy, Debug)]
struct Channel {
    peer: SocketAddr,
    expires: Instant,
}

/// Why a channel cannot be bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BindError {
    /// The number or the peer is bound otherwise: 400.
    Conflict,
    /// There are as many channels or permissions as there may be: 508.
    Full,
}

impl Peers {
    pub(super) fn new(hasher: &SeedableRandomState) -> Self {
        Self {
            permissions: HashMap::with_hasher(hasher.clone()),
            channels: HashMap::with_hasher(hasher.clone()),
            numbers: HashMap::with_hasher(hasher.clone()),
        }
    }

    /// Installs or refreshes the permissions of all these addresses, or, if there would be too many, of
    /// none; then this is false. Tells each that had no permission.
    #[must_use]
    pub(super) fn permit(
        &mut self,
        peers: &[IpAddr],
        limits: &Limits,
        now: Instant,
        mut tell: impl FnMut(IpAddr),
    ) -> bool {
        self.permissions.retain(|_, expires| now < *expires);
        let mut new = peers
            .iter()
            .enumerate()
            .filter(|(at, peer)| !peers.iter().take(*at).any(|earlier| earlier == *peer))
            .filter(|(_, peer)| !self.permissions.contains_key(*peer));
        // One more than there is room for decides; a long list of peers is not counted to its end.
        let room = limits.permissions.saturating_sub(self.permissions.len());
        if new.nth(room).is_some() {
            return false;
        }
        for peer in peers {
            if self.permissions.insert(*peer, now + PERMISSION_LIFETIME).is_none() {
                tell(*peer);
            }
        }
        true
    }

    /// Binds or refreshes a channel, and the permission of its peer (RFC 8656 §12.2).
    pub(super) fn bind(
        &mut self,
        number: ChannelNumber,
        peer: SocketAddr,
        limits: &Limits,
        now: Instant,
        tell: impl FnMut(IpAddr),
    ) -> Result<(), BindError> {
        self.channels.retain(|_, channel| now < channel.expires);
        let channels = &self.channels;
        self.numbers.retain(|_, number| channels.contains_key(number));
        let bound = self.channels.get(&number).map(|channel| channel.peer);
        let numbered = self.numbers.get(&peer).copied();
        if bound.is_some_and(|bound| bound != peer) || numbered.is_some_and(|bound| bound != number)
        {
            return Err(BindError::Conflict);
        }
        let is_full = bound.is_none() && self.channels.len() >= limits.channels;
        if is_full || !self.permit(&[peer.ip()], limits, now, tell) {
            return Err(BindError::Full);
        }
        self.channels.insert(number, Channel { peer, expires: now + CHANNEL_LIFETIME });
        self.numbers.insert(peer, number);
        Ok(())
    }

    /// Whether datagrams to and from this address pass at this instant.
    #[inline]
    pub(super) fn is_permitted(&self, peer: IpAddr, now: Instant) -> bool {
        self.permissions.get(&peer).is_some_and(|expires| now < *expires)
    }

    /// The peer behind a channel number.
    #[inline]
    pub(super) fn peer_of(&self, number: ChannelNumber, now: Instant) -> Option<SocketAddr> {
        let channel = self.channels.get(&number)?;
        (now < channel.expires).then_some(channel.peer)
    }

    /// The channel number of a peer.
    #[inline]
    pub(super) fn number_of(&self, peer: SocketAddr, now: Instant) -> Option<ChannelNumber> {
        let number = *self.numbers.get(&peer)?;
        self.peer_of(number, now).map(|_| number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use foldhash::SharedSeed;
    use std::collections::BTreeMap;

    /// CHECKLIST 26 and T9: a million random steps, against a table of the bindings.
    #[test]
    fn line_26_channels_and_peers_stay_a_bijection() {
        let hasher = SeedableRandomState::with_seed(1, SharedSeed::global_fixed());
        let (mut peers, mut model) = (Peers::new(&hasher), BTreeMap::new());
        let limits = Limits { channels: 6, ..Limits::default() };
        let (mut now, mut state) = (Instant::ZERO, 26_u64);
        let mut random = |below: u16| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            u16::try_from(state >> 33 & 0x7fff).unwrap() % below
        };
        for step in 0..1_000_000 {
            now += Duration::from_millis(u64::from(random(60_000)));
            model.retain(|_, (_, expires)| now < *expires);
            let number = ChannelNumber::new(0x4000 + random(9)).unwrap();
            let peer = SocketAddr::from(([198, 51, 100, 7], random(9)));
            let by_number = model.get(&number).map(|(bound, _)| *bound);
            let by_peer = model.iter().find(|(_, (bound, _))| *bound == peer).map(|(n, _)| *n);
            let expected = if by_number.is_some_and(|bound| bound != peer)
                || by_peer.is_some_and(|bound| bound != number)
            {
                Err(BindError::Conflict)
            } else if by_number.is_none() && model.len() == 6 {
                Err(BindError::Full)
            } else {
                Ok(())
            };
            assert_eq!(peers.bind(number, peer, &limits, now, |_| ()), expected, "step {step}");
            if expected.is_ok() {
                model.insert(number, (peer, now + CHANNEL_LIFETIME));
            }
            assert_eq!(peers.peer_of(number, now), model.get(&number).map(|(bound, _)| *bound));
            let back = peers.number_of(peer, now).map(|number| peers.peer_of(number, now));
            assert!(back.is_none_or(|back| back == Some(peer)), "step {step}");
        }
    }
}
