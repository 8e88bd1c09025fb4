//! The permissions and channels of one allocation (RFC 8656 §9, §12).

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use pinhole_sansio::Instant;

use super::key::{AddressKey, IpKey};
use super::{DropReason, Limits};
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
    term: Term,
}

#[derive(Clone, Copy, Debug)]
struct Number {
    peer: AddressKey,
    number: ChannelNumber,
    term: Term,
}

/// How long a channel lasts.
#[derive(Clone, Copy, Debug)]
struct Term {
    expires: Instant,
    /// Until when it carries data: as long as it is bound, and its peer permitted. It is written with each of
    /// the two, which is rare, so that a datagram takes one look-up and one comparison.
    carries_until: Instant,
}

impl Term {
    /// The term of a channel whose peer has permission until then.
    fn permitted(self, until: Instant) -> Self {
        Self { carries_until: self.expires.min(until), ..self }
    }
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
            self.prolong_channels(key, expires);
            if place.is_err() {
                tell(*peer);
            }
        }
        true
    }

    /// The channels to an address carry data as long as it has permission.
    fn prolong_channels(&mut self, peer: IpKey, until: Instant) {
        for channel in &mut self.channels {
            if IpKey::from(channel.peer.ip()) == peer {
                channel.term = channel.term.permitted(until);
            }
        }
        for entry in &mut self.numbers {
            if entry.peer.ip == peer {
                entry.term = entry.term.permitted(until);
            }
        }
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
        let key = AddressKey::from(peer);
        let (at, place) = (self.find_channel(number), self.find_number(key));
        let bound = at.ok().and_then(|at| self.channels.get(at));
        let numbered = place.ok().and_then(|place| self.numbers.get(place));
        if bound.is_some_and(|bound| bound.peer != peer)
            || numbered.is_some_and(|entry| entry.number != number)
        {
            return Err(BindError::Conflict);
        }
        let is_full = at.is_err() && self.channels.len() >= limits.channels;
        if is_full || !self.permit(&[peer.ip()], limits, now, tell) {
            return Err(BindError::Full);
        }
        let (expires, permitted) = (now + CHANNEL_LIFETIME, now + PERMISSION_LIFETIME);
        let term = Term { expires, carries_until: permitted };
        put(&mut self.channels, at, Channel { number, peer, term });
        put(&mut self.numbers, place, Number { peer: key, number, term });
        Ok(())
    }

    /// Whether datagrams to and from this address pass at this instant.
    #[inline]
    pub(super) fn is_permitted(&self, peer: IpKey, now: Instant) -> bool {
        let permission = entry(&self.permissions, peer, |(peer, _)| *peer);
        permission.is_some_and(|(_, expires)| now < *expires)
    }

    /// The peer behind a channel number, which is permitted.
    ///
    /// # Errors
    /// [`DropReason::NoChannel`]; [`DropReason::NoPermission`].
    #[inline(always)]
    pub(super) fn peer_of(
        &self,
        number: ChannelNumber,
        now: Instant,
    ) -> Result<&SocketAddr, DropReason> {
        let channel = entry(&self.channels, number, |channel| channel.number);
        let channel = channel.ok_or(DropReason::NoChannel)?;
        let Term { expires, carries_until } = channel.term;
        match now {
            _ if now < carries_until => Ok(&channel.peer),
            _ if now < expires => Err(DropReason::NoPermission),
            _ => Err(DropReason::NoChannel),
        }
    }

    /// The number of the channel that carries what comes from a peer, if there is one; then the peer is permitted.
    #[inline(always)]
    pub(super) fn number_of(&self, peer: AddressKey, now: Instant) -> Option<ChannelNumber> {
        let entry = entry(&self.numbers, peer, |entry| entry.peer)?;
        (now < entry.term.carries_until).then_some(entry.number)
    }

    fn forget_channels(&mut self, now: Instant) {
        self.channels.retain(|channel| now < channel.term.expires);
        self.numbers.retain(|entry| now < entry.term.expires);
    }

    fn find(&self, peer: IpKey) -> Result<usize, usize> {
        find(&self.permissions, peer, |(peer, _)| *peer)
    }

    fn find_channel(&self, number: ChannelNumber) -> Result<usize, usize> {
        find(&self.channels, number, |channel| channel.number)
    }

    fn find_number(&self, peer: AddressKey) -> Result<usize, usize> {
        find(&self.numbers, peer, |entry| entry.peer)
    }
}

/// The entry of a sorted list with this key. Most lists have one entry.
#[inline(always)]
fn entry<T, K: Ord>(list: &[T], key: K, key_of: impl Fn(&T) -> K) -> Option<&T> {
    match list.first() {
        Some(first) if key_of(first) == key => Some(first),
        _ => list.get(find(list, key, key_of).ok()?),
    }
}

/// Where in a sorted list the key is, or would be.
fn find<T, K: Ord>(list: &[T], key: K, key_of: impl Fn(&T) -> K) -> Result<usize, usize> {
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

    /// What a list of permissions and channels is, without any cleverness.
    #[derive(Default)]
    struct Model {
        permissions: BTreeMap<IpAddr, Instant>,
        channels: BTreeMap<ChannelNumber, (SocketAddr, Instant)>,
    }

    impl Model {
        fn number_of(&self, peer: SocketAddr) -> Option<ChannelNumber> {
            self.channels.iter().find(|(_, (bound, _))| *bound == peer).map(|(number, _)| *number)
        }

        fn permits(&self, ip: IpAddr) -> bool {
            self.permissions.contains_key(&ip)
        }

        fn peer_of(&self, number: ChannelNumber) -> Result<SocketAddr, DropReason> {
            let (peer, _) = self.channels.get(&number).ok_or(DropReason::NoChannel)?;
            self.permits(peer.ip()).then_some(*peer).ok_or(DropReason::NoPermission)
        }

        fn bind(
            &mut self,
            number: ChannelNumber,
            peer: SocketAddr,
            now: Instant,
        ) -> Result<(), BindError> {
            let bound = self.channels.get(&number).map(|(bound, _)| *bound);
            if bound.is_some_and(|bound| bound != peer)
                || self.number_of(peer).is_some_and(|bound| bound != number)
            {
                return Err(BindError::Conflict);
            }
            if bound.is_none() && self.channels.len() == 6 {
                return Err(BindError::Full);
            }
            self.channels.insert(number, (peer, now + CHANNEL_LIFETIME));
            self.permissions.insert(peer.ip(), now + PERMISSION_LIFETIME);
            Ok(())
        }

        fn forget(&mut self, now: Instant) {
            self.permissions.retain(|_, expires| now < *expires);
            self.channels.retain(|_, (_, expires)| now < *expires);
        }
    }

    /// To the nanosecond: what ends at an instant is gone at that instant, and its room is another's.
    #[test]
    fn what_ends_makes_room_at_once() {
        let limits = Limits { channels: 1, permissions: 1, ..Limits::default() };
        let (first, second) = (ChannelNumber::FIRST, ChannelNumber::FIRST.next());
        let peer: SocketAddr = ([198, 51, 100, 7], 1).into();
        let other: SocketAddr = ([198, 51, 100, 8], 1).into();
        let at = |seconds: u64| Instant::from_millis(seconds * 1_000);
        let before = |seconds| Instant::from_nanos(at(seconds).as_nanos() - 1);
        let mut peers = Peers::default();
        let permit = |peers: &mut Peers, peer: SocketAddr, now| {
            peers.permit(&[peer.ip()], &limits, now, |_| ())
        };
        assert_eq!(peers.bind(first, peer, &limits, at(0), |_| ()), Ok(()));
        assert!(permit(&mut peers, peer, at(299)) && !permit(&mut peers, other, before(599)));
        assert!(permit(&mut peers, other, at(599)), "the permission has ended, the channel not");
        assert_eq!(peers.peer_of(first, at(599)), Err(DropReason::NoPermission));

        let mut peers = Peers::default();
        assert_eq!(peers.bind(first, peer, &limits, at(0), |_| ()), Ok(()));
        assert!(permit(&mut peers, peer, at(299)) && permit(&mut peers, peer, at(598)));
        assert_eq!(peers.peer_of(first, before(600)), Ok(&peer));
        assert_eq!(peers.number_of(peer.into(), before(600)), Some(first));
        let early = peers.bind(second, peer, &limits, before(600), |_| ());
        assert_eq!(early, Err(BindError::Conflict));
        assert_eq!(peers.peer_of(first, at(600)), Err(DropReason::NoChannel));
        assert_eq!(peers.number_of(peer.into(), at(600)), None);
        assert_eq!(peers.bind(second, peer, &limits, at(600), |_| ()), Ok(()));
    }

    /// CHECKLIST 26 and T9: a million random steps, against a table of the bindings; and a channel carries data
    /// exactly as long as its peer is permitted, too.
    #[test]
    fn line_26_channels_and_peers_stay_a_bijection() {
        let (mut peers, mut model) = (Peers::default(), Model::default());
        let limits = Limits { channels: 6, ..Limits::default() };
        let (mut now, mut state) = (Instant::ZERO, 26_u64);
        let mut random = |below: u16| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            u16::try_from(state >> 33 & 0x7fff).unwrap() % below
        };
        let mut unpermitted = 0;
        for step in 0..1_000_000 {
            now += Duration::from_millis(u64::from(random(60_000)));
            model.forget(now);
            let number = ChannelNumber::new(0x4000 + random(9)).unwrap();
            let peer = SocketAddr::from(([198, 51, 100, random(3) as u8], random(3)));
            if random(8) == 0 {
                assert!(peers.permit(&[peer.ip()], &limits, now, |_| ()), "step {step}");
                model.permissions.insert(peer.ip(), now + PERMISSION_LIFETIME);
            } else if random(4) == 0 {
                let expected = model.bind(number, peer, now);
                assert_eq!(peers.bind(number, peer, &limits, now, |_| ()), expected, "step {step}");
            }
            let carried = model.peer_of(number);
            assert_eq!(peers.peer_of(number, now).copied(), carried, "step {step}");
            unpermitted += u32::from(carried == Err(DropReason::NoPermission));
            let back = model.number_of(peer).filter(|_| model.permits(peer.ip()));
            assert_eq!(peers.number_of(peer.into(), now), back, "step {step}");
            assert_eq!(peers.is_permitted(peer.ip().into(), now), model.permits(peer.ip()));
        }
        assert!(unpermitted > 1_000, "channels outlived permissions {unpermitted} times");
    }
}
