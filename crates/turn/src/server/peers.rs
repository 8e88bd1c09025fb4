//! The permissions and channels of one allocation (RFC 8656 §9, §12).

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use pinhole_sansio::Instant;

use super::Limits;
use super::key::{AddressKey, IpKey};
use crate::ChannelNumber;

/// "The Permission Lifetime MUST be 300 seconds (= 5 minutes)" (RFC 8656 §9).
const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);
/// "A channel binding lasts for 10 minutes unless refreshed" (RFC 8656 §12).
const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);

/// With whom a client may talk, and under which numbers. Data extends nothing here: only requests do.
///
/// The lists are sorted and short, as [`Limits`] says: a look-up takes fewer instructions than a hash, and
/// a list of one takes no more memory than its entry.
#[derive(Debug, Default)]
pub(super) struct Peers {
    permissions: Vec<(IpKey, Instant)>,
    /// The channels, by their numbers.
    channels: Vec<Channel>,
    /// The same ones, by their peers.
    numbers: Vec<Number>,
}

#[derive(Clone, Copy, Debug)]
struct Channel {
    number: ChannelNumber,
    peer: SocketAddr,
    expires: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Number {
    peer: AddressKey,
    number: ChannelNumber,
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
        self.permissions.retain(|(_, expires)| now < *expires);
        let mut new = peers
            .iter()
            .enumerate()
            .filter(|(at, peer)| !peers.iter().take(*at).any(|earlier| earlier == *peer))
            .filter(|(_, peer)| self.find(IpKey::from(**peer)).is_err());
        // One more than there is room for decides; a long list of peers is not counted to its end.
        let room = limits.permissions.saturating_sub(self.permissions.len());
        if new.nth(room).is_some() {
            return false;
        }
        for peer in peers {
            let (key, expires) = (IpKey::from(*peer), now + PERMISSION_LIFETIME);
            let place = self.find(key);
            put(&mut self.permissions, place, (key, expires));
            if place.is_err() {
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
        self.forget_channels(now);
        let (key, expires) = (AddressKey::from(peer), now + CHANNEL_LIFETIME);
        let (at, place) = (self.find_channel(number), self.find_number(key));
        let is_bound = self.peer_of(number, now).is_some_and(|bound| *bound != peer);
        let is_numbered = self.number_of(key, now).is_some_and(|bound| bound != number);
        if is_bound || is_numbered {
            return Err(BindError::Conflict);
        }
        let is_full = at.is_err() && self.channels.len() >= limits.channels;
        if is_full || !self.permit(&[peer.ip()], limits, now, tell) {
            return Err(BindError::Full);
        }
        put(&mut self.channels, at, Channel { number, peer, expires });
        put(&mut self.numbers, place, Number { peer: key, number, expires });
        Ok(())
    }

    /// Whether datagrams to and from this address pass at this instant.
    #[inline]
    pub(super) fn is_permitted(&self, peer: IpKey, now: Instant) -> bool {
        let permission = self.find(peer).ok().and_then(|at| self.permissions.get(at));
        permission.is_some_and(|(_, expires)| now < *expires)
    }

    /// The peer behind a channel number.
    #[inline]
    pub(super) fn peer_of(&self, number: ChannelNumber, now: Instant) -> Option<&SocketAddr> {
        let channel = self.channels.get(self.find_channel(number).ok()?)?;
        (now < channel.expires).then_some(&channel.peer)
    }

    /// The channel number of a peer.
    #[inline]
    pub(super) fn number_of(&self, peer: AddressKey, now: Instant) -> Option<ChannelNumber> {
        let entry = self.numbers.get(self.find_number(peer).ok()?)?;
        (now < entry.expires).then_some(entry.number)
    }

    fn forget_channels(&mut self, now: Instant) {
        self.channels.retain(|channel| now < channel.expires);
        self.numbers.retain(|entry| now < entry.expires);
    }

    #[inline]
    fn find(&self, peer: IpKey) -> Result<usize, usize> {
        find(&self.permissions, peer, |(peer, _)| *peer)
    }

    #[inline]
    fn find_channel(&self, number: ChannelNumber) -> Result<usize, usize> {
        find(&self.channels, number, |channel| channel.number)
    }

    #[inline]
    fn find_number(&self, peer: AddressKey) -> Result<usize, usize> {
        find(&self.numbers, peer, |entry| entry.peer)
    }
}

/// Where in a sorted list the key is, or would be. Most lists have one entry.
#[inline]
fn find<T, K: Ord>(list: &[T], key: K, key_of: impl Fn(&T) -> K) -> Result<usize, usize> {
    if list.first().is_some_and(|first| key_of(first) == key) {
        return Ok(0);
    }
    list.binary_search_by(|entry| key_of(entry).cmp(&key))
}

/// Puts an entry where it was found, or would be. A list grows by doubling from one entry on: most have
/// one for all their life.
fn put<T>(list: &mut Vec<T>, place: Result<usize, usize>, entry: T) {
    match place {
        Ok(at) => {
            if let Some(old) = list.get_mut(at) {
                *old = entry;
            }
        }
        Err(at) => {
            if list.len() == list.capacity() {
                list.reserve_exact(list.len().max(1));
            }
            list.insert(at, entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// CHECKLIST 26 and T9: a million random steps, against a table of the bindings.
    #[test]
    fn line_26_channels_and_peers_stay_a_bijection() {
        let (mut peers, mut model) = (Peers::default(), BTreeMap::new());
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
            let bound = peers.peer_of(number, now).copied();
            assert_eq!(bound, model.get(&number).map(|(bound, _)| *bound));
            let back = peers.number_of(peer.into(), now).map(|number| peers.peer_of(number, now));
            assert!(back.is_none_or(|back| back == Some(&peer)), "step {step}");
        }
    }
}
