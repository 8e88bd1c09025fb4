//! The channels of a client (RFC 8656 §12).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use pinhole_sansio::Instant;

use crate::ChannelNumber;

/// A channel lives for 600 s; the client stops to use it a little earlier than the server.
const LIFETIME: Duration = Duration::from_secs(595);
/// A renewal is asked for this long before the end.
const MARGIN: Duration = Duration::from_secs(55);
/// "the client MUST wait 5 minutes after the channel binding expires before attempting to bind the
/// channel number to a different transport address" (RFC 8656 §12), and some seconds, since the server's
/// time began with its answer.
const QUARANTINE: Duration = Duration::from_secs(310);

#[derive(Clone, Debug)]
pub(super) struct Channels {
    peers: BTreeMap<SocketAddr, Channel>,
    numbers: BTreeMap<ChannelNumber, SocketAddr>,
    next: ChannelNumber,
    after: Option<u32>,
}

/// The traffic to a peer, and the number that it has, if it has one. A number stays with its peer until
/// the server cannot know the two together any more, also when an answer was lost.
#[derive(Clone, Copy, Debug, Default)]
struct Channel {
    sent: u32,
    number: Option<ChannelNumber>,
    asking: bool,
    bound: Option<Bound>,
    /// The number may go to another peer after this instant.
    tied: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Bound {
    expires: Instant,
    renew: Option<Instant>,
    used: bool,
}

/// How a datagram goes to its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Channel(ChannelNumber),
    Indication,
    /// In an indication, this once more; the channel is worth its request now.
    IndicationAndBind(ChannelNumber),
}

impl Channels {
    pub(super) const fn new(after: Option<u32>) -> Self {
        let next = ChannelNumber::FIRST;
        Self { peers: BTreeMap::new(), numbers: BTreeMap::new(), next, after }
    }

    /// Counts a datagram to the peer, and tells how it goes there.
    pub(super) fn way(&mut self, peer: SocketAddr, now: Instant) -> Way {
        let Some(after) = self.after else { return Way::Indication };
        let channel = self.peers.entry(peer).or_default();
        if let (Some(number), Some(bound)) = (channel.number, &mut channel.bound)
            && now < bound.expires
        {
            bound.used = true;
            return Way::Channel(number);
        }
        channel.sent = channel.sent.saturating_add(1);
        if channel.asking || channel.sent < after {
            return Way::Indication;
        }
        let Some(number) = channel.number.or_else(|| free_number(&self.numbers, self.next)) else {
            return Way::Indication;
        };
        self.next = number.next();
        *channel = Channel { asking: true, number: Some(number), ..*channel };
        self.numbers.insert(number, peer);
        Way::IndicationAndBind(number)
    }

    /// Notes that the server has bound the channel.
    pub(super) fn bound(&mut self, peer: SocketAddr, jitter: Duration, now: Instant) {
        let Some(channel) = self.peers.get_mut(&peer) else { return };
        let renew = Some(now + LIFETIME.saturating_sub(MARGIN + jitter));
        channel.asking = false;
        channel.bound = Some(Bound { expires: now + LIFETIME, renew, used: false });
        channel.tied = Some(now + LIFETIME + QUARANTINE);
    }

    /// Notes that nobody knows whether the server has bound the channel: the number stays with the
    /// peer, and the next attempt comes after as many datagrams as the first.
    pub(super) fn unknown(&mut self, peer: SocketAddr, now: Instant) {
        let Some(channel) = self.peers.get_mut(&peer) else { return };
        channel.asking = false;
        channel.sent = 0;
        channel.tied = Some(now + LIFETIME + QUARANTINE);
    }

    /// The peer behind a number from which data has come. It counts also before the answer to the
    /// request has come, since datagrams overtake one another.
    pub(super) fn peer_of(&mut self, number: ChannelNumber) -> Option<SocketAddr> {
        let peer = *self.numbers.get(&number)?;
        if let Some(bound) = self.peers.get_mut(&peer).and_then(|channel| channel.bound.as_mut()) {
            bound.used = true;
        }
        Some(peer)
    }

    /// The channels to bind anew; those that have ended are forgotten.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(ChannelNumber, SocketAddr)> {
        let mut due = Vec::new();
        self.peers.retain(|peer, channel| {
            if let (Some(number), Some(bound)) = (channel.number, &mut channel.bound)
                && bound.renew.is_some_and(|at| at <= now)
            {
                bound.renew = None;
                if bound.used {
                    channel.asking = true;
                    due.push((number, *peer));
                }
            }
            let is_kept = channel.asking || channel.tied.is_none_or(|until| now < until);
            if !is_kept && let Some(number) = channel.number {
                self.numbers.remove(&number);
            }
            is_kept
        });
        due
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let deadlines = self.peers.values().filter_map(|channel| {
            let renew = channel.bound.and_then(|bound| bound.renew);
            renew.or(channel.tied.filter(|_| !channel.asking))
        });
        deadlines.min()
    }
}

/// The first number from `next` on that no peer has.
fn free_number(
    taken: &BTreeMap<ChannelNumber, SocketAddr>,
    next: ChannelNumber,
) -> Option<ChannelNumber> {
    let numbers = core::iter::successors(Some(next), |number| Some(number.next()));
    numbers.take(0x1000).find(|number| !taken.contains_key(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(port: u16) -> SocketAddr {
        ([198, 51, 100, 7], port).into()
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    /// CHECKLIST 27.
    #[test]
    fn a_number_stays_with_its_peer_until_the_server_has_forgotten_both() {
        let mut channels = Channels::new(Some(1));
        let first = ChannelNumber::FIRST;
        assert_eq!(channels.way(peer(1), at(0)), Way::IndicationAndBind(first));
        channels.bound(peer(1), Duration::ZERO, at(0));
        assert_eq!(channels.way(peer(1), at(594)), Way::Channel(first));
        assert!(channels.due(at(500)).is_empty());
        assert_eq!(channels.due(at(540)), [(first, peer(1))]);
        channels.unknown(peer(1), at(580));
        assert_eq!(channels.way(peer(1), at(1_000)), Way::IndicationAndBind(first), "the same");
        channels.unknown(peer(1), at(1_000));
        channels.due(at(1_904));
        assert_eq!(channels.peer_of(first), Some(peer(1)));
        channels.due(at(1_905));
        assert_eq!(channels.peer_of(first), None);
    }

    #[test]
    fn every_peer_has_a_number_of_its_own_until_there_are_none_left() {
        let mut channels = Channels::new(Some(1));
        for port in 1..=0x1000 {
            let number = ChannelNumber::new(0x3fff + port).unwrap();
            assert_eq!(channels.way(peer(port), at(0)), Way::IndicationAndBind(number));
        }
        assert_eq!(channels.way(peer(0x1001), at(0)), Way::Indication);
    }

    #[test]
    fn a_channel_that_is_used_in_either_direction_is_renewed_once_and_in_time() {
        let uses: [fn(&mut Channels); 2] = [
            |channels| assert_eq!(channels.peer_of(ChannelNumber::FIRST), Some(peer(1))),
            |channels| {
                assert_eq!(channels.way(peer(1), at(1)), Way::Channel(ChannelNumber::FIRST));
            },
        ];
        for make_use in uses {
            let mut channels = Channels::new(Some(1));
            channels.way(peer(1), at(0));
            channels.bound(peer(1), Duration::from_secs(10), at(0));
            make_use(&mut channels);
            assert_eq!(channels.deadline(), Some(at(530)), "ten seconds earlier by chance");
            assert!(channels.due(at(529)).is_empty());
            assert_eq!(channels.due(at(530)), [(ChannelNumber::FIRST, peer(1))]);
            assert!(channels.due(at(531)).is_empty());
            assert_eq!(channels.deadline(), None, "the answer, or the lack of one, comes first");
            channels.bound(peer(1), Duration::ZERO, at(532));
            assert_eq!(channels.deadline(), Some(at(532 + 540)));
        }
    }

    /// CHECKLIST 27, where the binding has just run out.
    #[test]
    fn a_number_that_was_bound_is_free_for_another_peer_after_fifteen_minutes() {
        let mut channels = Channels::new(Some(1));
        channels.way(peer(1), at(0));
        channels.bound(peer(1), Duration::ZERO, at(0));
        assert!(channels.due(at(904)).is_empty());
        assert_eq!(channels.deadline(), Some(at(905)));
        assert_eq!(channels.peer_of(ChannelNumber::FIRST), Some(peer(1)));
        assert!(channels.due(at(905)).is_empty());
        assert_eq!((channels.peer_of(ChannelNumber::FIRST), channels.deadline()), (None, None));
        let next = Way::IndicationAndBind(ChannelNumber::FIRST.next());
        assert_eq!(channels.way(peer(2), at(905)), next, "the one that is free the longest");
    }

    #[test]
    fn a_peer_is_asked_for_once_at_a_time_and_after_a_refusal_as_late_as_before() {
        let mut channels = Channels::new(Some(3));
        let first = Way::IndicationAndBind(ChannelNumber::FIRST);
        for _ in 0..3 {
            let ways = [0; 5].map(|_| channels.way(peer(1), at(0)));
            let plain = Way::Indication;
            assert_eq!(ways, [plain, plain, first, plain, plain]);
            channels.unknown(peer(1), at(0));
        }
    }

    #[test]
    fn an_unused_channel_is_not_renewed() {
        let mut channels = Channels::new(Some(1));
        channels.way(peer(1), at(0));
        channels.bound(peer(1), Duration::ZERO, at(0));
        assert!(channels.due(at(540)).is_empty());
        assert_eq!(channels.way(peer(1), at(595)), Way::IndicationAndBind(ChannelNumber::FIRST));
    }
}
