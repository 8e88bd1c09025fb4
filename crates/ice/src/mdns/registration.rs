//! Names of ours (draft-ietf-mmusic-mdns-ice-candidates §3.1).

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use pinhole_sansio::Instant;

use super::message::{Message, Question, Record};

/// A name and the one address that it stands for.
#[derive(Debug)]
pub(super) struct Registration {
    pub(super) name: String,
    pub(super) address: IpAddr,
    /// How many announcements are still to be sent, and when the next one is.
    announcements: u8,
    next_announcement: Instant,
    /// On which interface the record was multicast last, and when.
    multicast: Vec<(SocketAddr, Instant)>,
}

impl Registration {
    pub(super) const fn new(name: String, address: IpAddr, now: Instant) -> Self {
        let multicast = Vec::new();
        Self { name, address, announcements: ANNOUNCEMENTS, next_announcement: now, multicast }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        (self.announcements > 0).then_some(self.next_announcement)
    }

    /// The announcement that is due, if one is.
    pub(super) fn announce(&mut self, now: Instant) -> Option<Message> {
        self.deadline().filter(|at| *at <= now)?;
        self.announcements -= 1;
        self.next_announcement = now + ANNOUNCEMENT_INTERVAL;
        Some(response(self.record(TTL)))
    }

    /// RFC 6762 §10.1: a record with a TTL of zero.
    pub(super) fn goodbye(&self) -> Message {
        response(self.record(0))
    }

    /// Whether the query asks for this name and does not know the answer for half of its time (RFC 6762 §7.1).
    pub(super) fn is_asked(&self, query: &Message) -> bool {
        let is_known = query.records.iter().any(|record| {
            (&record.name, record.address) == (&self.name, self.address) && record.ttl >= TTL / 2
        });
        !is_known && self.questions(query).next().is_some()
    }

    /// Whether every question for this name allows a unicast answer.
    pub(super) fn may_be_told_alone(&self, query: &Message) -> bool {
        self.questions(query).all(|question| question.unicast)
    }

    pub(super) fn answer(&self) -> Message {
        response(self.record(TTL))
    }

    /// RFC 6762 §6.7, for a resolver that is not one of multicast DNS: its identifier and question, no cache-flush,
    /// and a short life.
    pub(super) fn legacy_answer(&self, query: &Message) -> Message {
        let record = Record { flushes: false, ..self.record(LEGACY_TTL) };
        let questions: Vec<Question> = self.questions(query).cloned().collect();
        Message { id: query.id, questions, ..response(record) }
    }

    /// Whether it may be multicast now: "at least one second" lies between (RFC 6762 §6).
    pub(super) fn take_turn(&mut self, interface: SocketAddr, now: Instant) -> bool {
        self.multicast.retain(|(_, at)| *at + MULTICAST_INTERVAL > now);
        let is_free = self.multicast.iter().all(|(known, _)| *known != interface);
        if is_free {
            self.multicast.push((interface, now));
        }
        is_free
    }

    fn questions<'a>(&'a self, query: &'a Message) -> impl Iterator<Item = &'a Question> {
        let is_own = |q: &&Question| q.name == self.name && q.asks_for(self.address);
        query.questions.iter().filter(is_own)
    }

    fn record(&self, ttl: u32) -> Record {
        Record { name: self.name.clone(), address: self.address, ttl, flushes: true }
    }
}

fn response(record: Record) -> Message {
    Message { id: 0, is_response: true, questions: Vec::new(), records: [record].into() }
}

/// RFC 6762 §8.3: "at least two unsolicited responses, one second apart".
const ANNOUNCEMENTS: u8 = 2;
const ANNOUNCEMENT_INTERVAL: Duration = Duration::from_secs(1);
const MULTICAST_INTERVAL: Duration = Duration::from_secs(1);
/// In seconds, for a host's address (RFC 6762 §10).
const TTL: u32 = 120;
/// "SHOULD NOT be greater than ten seconds" (RFC 6762 §6.7).
const LEGACY_TTL: u32 = 10;
