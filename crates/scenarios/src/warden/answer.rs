//! Answers, and what they make of the model (T4, T8 to T14, T16, T20, T21).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use pinhole_sansio::{Instant, Transmit};
use pinhole_stun::attribute::{Attribute, Family};
use pinhole_stun::{Class, Message, Method};
use pinhole_turn::attribute::{Lifetime, MobilityTicket, ReservationToken, XorRelayedAddress};

use super::Warden;
use super::model::Allocation;
use super::request::{Asked, nonce_of};
use crate::mutation::Mutation;

impl Warden {
    /// The server answers.
    pub(crate) fn answered(&mut self, transmit: &Transmit, now: Instant) {
        self.keeps_secrets(&transmit.payload, now);
        let Ok(message) = Message::parse(&transmit.payload) else {
            return self.violated("T4", now, format_args!("an answer that is none"));
        };
        let Some(mut asked) = self.asked.take() else {
            return self.violated("T4", now, format_args!("an answer that nobody asked for"));
        };
        asked.answers += if self.is_lied_to(Mutation::DoubledAnswers) { 2 } else { 1 };
        let is_right = asked.client == transmit.five_tuple && asked.id == message.transaction_id();
        self.demand(
            "T4",
            is_right && asked.answers == 1,
            now,
            format_args!("one answer to each request"),
        );
        if message.has_integrity() || message.has_integrity_sha256() {
            self.verified.insert(asked.client.remote);
        } else {
            self.challenged(&asked, transmit.payload.len(), now);
        }
        self.nonces.extend(nonce_of(&message).map(|nonce| (asked.client.remote, nonce)));
        asked.is_granted = message.class() == Class::SuccessResponse;
        if asked.is_granted && asked.method != Method::BINDING {
            self.repeated(&asked, &transmit.payload, now);
            self.granted(&asked, &message, now);
        } else {
            self.last.remove(&asked.client);
        }
        self.asked = Some(asked);
    }

    /// T20.
    pub(super) fn keeps_secrets(&mut self, bytes: &[u8], now: Instant) {
        let length = self.password.len();
        let tells = bytes.windows(length).any(|window| window == self.password.as_bytes());
        let is_told = tells || self.is_lied_to(Mutation::ToldSecrets);
        self.demand("T20", !is_told, now, format_args!("the password is told"));
    }

    /// T4: what goes to a source that has proved nothing.
    fn challenged(&mut self, asked: &Asked, length: usize, now: Instant) {
        let remote = asked.client.remote;
        if asked.client.transport.is_reliable() || self.verified.contains(&remote) {
            return;
        }
        let (received, sent) = self.unverified.entry(remote).or_default();
        *sent += length;
        let is_small = *sent <= 3 * *received;
        let times = self.challenges.entry(remote.ip()).or_default();
        times.retain(|at| now < *at + Duration::from_secs(1));
        times.push(now);
        let is_rare = times.len() <= MAX_CHALLENGES;
        self.demand(
            "T4",
            is_small && is_rare,
            now,
            format_args!("more than little, or than a few, to a stranger"),
        );
    }

    /// T13: the same bytes again within 40 s, with nothing between.
    fn repeated(&mut self, asked: &Asked, answer: &[u8], now: Instant) {
        let answer = crate::transcript::digest(answer);
        let before = self.last.insert(asked.client, (asked.digest, answer, now));
        let Some((request, told, at)) = before else { return };
        if request == asked.digest && now < at + MEMORY {
            let is_same = told == answer && !self.is_lied_to(Mutation::FickleAnswers);
            self.demand("T13", is_same, now, format_args!("another answer to the same request"));
        }
    }

    fn granted(&mut self, asked: &Asked, message: &Message<'_>, now: Instant) {
        match asked.method {
            Method::ALLOCATE => self.allocated(asked, message, now),
            Method::REFRESH => self.refreshed(asked, message, now),
            Method::CREATE_PERMISSION => self.permitted(asked, now),
            Method::CHANNEL_BIND => self.bound(asked, now),
            _ => self.violated("T15", now, format_args!("{:?} succeeds", asked.method)),
        }
    }

    fn allocated(&mut self, asked: &Asked, message: &Message<'_>, now: Instant) {
        let lifetime = self.told_lifetime(asked, message, now);
        if self.model.of(asked.client, now).is_some() {
            // A repeated request, whose answer has been compared.
            let is_repeated = self.grants.get(&asked.client) == Some(&asked.digest);
            return self.demand(
                "T10",
                is_repeated,
                now,
                format_args!("a second allocation for a five-tuple"),
            );
        }
        self.grants.insert(asked.client, asked.digest);
        let relayed = self.told_relayed(message);
        let is_free = relayed.iter().all(|address| self.model.relayed().all(|one| one != *address));
        let is_one_each = matches!(relayed[..], [_])
            || matches!(relayed[..], [a, b] if a.is_ipv4() != b.is_ipv4());
        self.demand(
            "T10",
            is_free && is_one_each,
            now,
            format_args!("relayed addresses of another allocation"),
        );
        let mut allocation = Allocation::new(asked.user.clone(), asked.client, relayed);
        allocation.expires = now + lifetime;
        allocation.ticket = ticket_of(message);
        self.model.expire(now);
        asked.reservation.and_then(|used| self.model.reserved.remove(&used));
        if let Some(token) = message.get::<ReservationToken>().ok().flatten() {
            self.model.reserve(token, now);
        }
        self.model.allocations.push(allocation);
        let held = self.model.allocations.iter().filter(|one| one.user == asked.user).count();
        let quota = if self.is_lied_to(Mutation::NoQuota) { 0 } else { self.quota };
        self.demand("T11", held <= quota, now, format_args!("a user has more than his quota"));
    }

    /// T8: the lifetime that the answer tells is the one that is due.
    fn told_lifetime(&mut self, asked: &Asked, message: &Message<'_>, now: Instant) -> Duration {
        let told = message.get().ok().flatten().map_or(Duration::ZERO, |Lifetime(told)| told);
        let seen = if self.is_lied_to(Mutation::LongLives) { told * 2 } else { told };
        let due = asked.due_lifetime();
        self.demand("T8", seen == due, now, format_args!("a lifetime of {seen:?}, not {due:?}"));
        told
    }

    fn told_relayed(&self, message: &Message<'_>) -> Vec<SocketAddr> {
        if self.is_lied_to(Mutation::SharedRelays) {
            return vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 1))];
        }
        let id = message.transaction_id();
        message
            .attributes()
            .filter(|attribute| attribute.kind == XorRelayedAddress::KIND)
            .filter_map(|attribute| XorRelayedAddress::decode(attribute.value, id).ok())
            .map(|XorRelayedAddress(relayed)| relayed)
            .collect()
    }

    fn refreshed(&mut self, asked: &Asked, message: &Message<'_>, now: Instant) {
        let lifetime = self.told_lifetime(asked, message, now);
        if asked.ticket.is_some() {
            return self.resumed(asked, message, lifetime, now);
        }
        let Some(allocation) = self.model.of_mut(asked.client, now) else {
            return self.violated("T15", now, format_args!("what has ended is refreshed"));
        };
        if !lifetime.is_zero() {
            allocation.expires = now + lifetime;
            return;
        }
        if let (Some(family), 2) = (asked.family, allocation.relayed.len()) {
            allocation.relayed.retain(|one| Family::of(one.ip()) != family);
        } else {
            self.model.end(asked.client);
            self.last.remove(&asked.client);
        }
    }

    /// T21: the newest ticket of an own allocation, from elsewhere.
    fn resumed(&mut self, asked: &Asked, message: &Message<'_>, lifetime: Duration, now: Instant) {
        let owned = self.model.allocations.iter_mut().find(|one| {
            one.user == asked.user && one.ticket.is_some() && one.ticket == asked.ticket
        });
        let Some(allocation) = owned else {
            return self.violated(
                "T21",
                now,
                format_args!("a ticket is good that was used, or never made"),
            );
        };
        allocation.ticket = ticket_of(message);
        allocation.next = Some(asked.client);
        allocation.expires = now + lifetime;
    }

    fn permitted(&mut self, asked: &Asked, now: Instant) {
        self.demand_peers(asked, now);
        if self.is_lied_to(Mutation::UnseenPermissions) {
            return;
        }
        match self.model.of_mut(asked.client, now) {
            Some(allocation) => {
                asked.peers.iter().for_each(|peer| allocation.permit(peer.ip(), now))
            }
            None => self.violated("T15", now, format_args!("a permission without an allocation")),
        }
    }

    /// T9: one number for a peer, one peer for a number.
    fn bound(&mut self, asked: &Asked, now: Instant) {
        self.demand_peers(asked, now);
        if self.is_lied_to(Mutation::UnseenPermissions) {
            return;
        }
        let lie = if self.is_lied_to(Mutation::OtherChannels) { 0x1000 } else { 0 };
        let number = asked.number.unwrap_or(0) ^ lie;
        let [peer] = asked.peers[..] else {
            return self.violated("T9", now, format_args!("a channel to no peer, or to many"));
        };
        let Some(allocation) = self.model.of_mut(asked.client, now) else {
            return self.violated("T15", now, format_args!("a channel without an allocation"));
        };
        let is_one_to_one = allocation.peer_of(number, now).is_none_or(|bound| bound == peer)
            && allocation.number_of(peer, now).is_none_or(|bound| bound == number);
        allocation.bind(number, peer, now);
        let is_right = is_one_to_one && (0x4000..=0x4fff).contains(&number);
        self.demand("T9", is_right, now, format_args!("channel {number:#x} to {peer}"));
    }

    /// T14: nobody is relayed to where the Internet does not reach.
    fn demand_peers(&mut self, asked: &Asked, now: Instant) {
        let is_public = asked.peers.iter().all(|peer| !is_special(peer.ip()));
        self.demand("T14", is_public, now, format_args!("a peer is permitted that must not be"));
    }
}

fn ticket_of(message: &Message<'_>) -> Option<Vec<u8>> {
    let ticket = message.get().ok().flatten();
    ticket.map(|MobilityTicket(ticket)| ticket.to_vec())
}

/// Whether an address is of a network that no relay serves, whatever its form; the documentation's networks are the
/// simulated Internet.
fn is_special(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_special_v4(v4),
        IpAddr::V6(v6) => {
            let [a, b, c, d, e, f, g, h] = v6.segments();
            let inner = |high: u16, low: u16| {
                is_special_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
            };
            match [a, b, c, d, e, f] {
                // IPv4-compatible, and the well-known prefixes of NAT64 (RFC 6052, RFC 8215).
                [0, 0, 0, 0, 0, 0] | [0x64, 0xff9b, 0 | 1, ..] => true,
                // ISATAP (RFC 5214).
                [.., 0 | 0x200, 0x5efe] => inner(g, h),
                // Teredo and 6to4 (RFC 8656 §21.4).
                [0x2001, 0, ..] | [0x2002, ..] => true,
                // Unique local, link-local, site-local, multicast.
                [0xfc00..=0xfdff | 0xfe80..=0xfeff | 0xff00..=0xffff, ..] => true,
                _ => false,
            }
        }
    }
}

const fn is_special_v4(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || matches!((a, b), (0 | 224..=255, _) | (100, 64..=127))
}

/// Ten at once, and ten a second.
const MAX_CHALLENGES: usize = 20;
/// How long an answer is remembered: the longest time for which a request is retransmitted (RFC 8489 §6.3.1).
const MEMORY: Duration = Duration::from_secs(40);
