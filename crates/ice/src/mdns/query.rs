//! Questions for names of the peer's (draft-ietf-mmusic-mdns-ice-candidates §3.2).

use alloc::string::String;
use core::net::IpAddr;
use core::time::Duration;

use pinhole_sansio::Instant;

use super::message::{A, AAAA, Message, Question, Record};

/// A name that is being asked for.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) name: String,
    /// How often it was asked.
    asked: u8,
    /// When it is asked again, or given up.
    pub(super) next: Instant,
}

/// What a deadline of a query brings.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Ask(Message),
    GiveUp,
}

/// What a response says about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Nothing,
    Address(IpAddr),
    /// More than one address: "An ICE agent SHOULD ignore candidates" of such names (§3.2.2).
    Ambiguous,
}

impl Query {
    pub(super) const fn new(name: String, first: Instant) -> Self {
        Self { name, asked: 0, next: first }
    }

    /// RFC 6762 §5.2: the intervals between questions "MUST increase by at least a factor of two". The first allows
    /// unicast (§3.2.1 of the draft); the others do not, since several programs of this host may share the port, and
    /// unicast reaches only one of them.
    pub(super) fn step(&mut self, now: Instant) -> Due {
        if self.asked >= QUESTIONS {
            return Due::GiveUp;
        }
        let question = |kind| Question { name: self.name.clone(), kind, unicast: self.asked == 0 };
        let questions = [A, AAAA].map(question).into();
        self.next = now + FIRST_INTERVAL * (1 << self.asked);
        self.asked += 1;
        Due::Ask(Message { id: 0, is_response: false, questions, records: [].into() })
    }

    pub(super) fn read(&self, records: &[Record]) -> Answer {
        let own = records.iter().filter(|record| record.name == self.name && record.ttl > 0);
        own.fold(Answer::Nothing, |answer, record| match answer {
            Answer::Nothing => Answer::Address(record.address),
            Answer::Address(known) if known == record.address => answer,
            Answer::Address(_) | Answer::Ambiguous => Answer::Ambiguous,
        })
    }
}

/// At once, and after 1 s, 2 s and 4 s more; answers are waited for 8 s after that.
const QUESTIONS: u8 = 4;
const FIRST_INTERVAL: Duration = Duration::from_secs(1);
