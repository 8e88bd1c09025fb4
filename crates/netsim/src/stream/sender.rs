use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use pinhole_sansio::Instant;

use super::congestion::Congestion;
use super::segment::{Flags, Segment};
use super::timer::{Alarm, Timer};

/// The sending side of a connection: SYN, bytes and FIN as one sequence, sent again until acknowledged.
pub(super) struct Sender {
    /// The sequence number of the SYN.
    syn: u64,
    /// The first number that is not acknowledged.
    unacknowledged: u64,
    /// The first number that is to be sent.
    next: u64,
    /// The highest number that was ever next.
    highest: u64,
    /// The bytes that are not acknowledged.
    bytes: VecDeque<u8>,
    /// The number of the first of them, or of what follows when there are none.
    first: u64,
    /// Whether a FIN follows the bytes.
    closes: bool,
    congestion: Congestion,
    timer: Timer,
    largest_segment: usize,
    /// When each segment was sent last, by where it begins.
    sent: BTreeMap<u64, Instant>,
    /// Where the last segment begins.
    last: u64,
    /// Up to where later segments have overtaken what is not acknowledged (RFC 2018).
    overtaken: u64,
    /// What is lost of that, and goes out next.
    repair: Range<u64>,
    /// What was sent before the latest loss; until it is acknowledged, other losses are part of it.
    recovers_until: u64,
}

/// What an acknowledgment says.
pub(super) struct Acknowledgment {
    /// Everything before has arrived.
    pub(super) number: u64,
    /// Where the first bytes begin that have arrived although others before them have not.
    pub(super) early: Option<u64>,
    /// When what the peer has heard last was sent.
    pub(super) echo: Option<Instant>,
}

impl Sender {
    pub(super) const fn new(syn: u64) -> Self {
        Self {
            syn,
            unacknowledged: syn,
            next: syn,
            highest: syn,
            bytes: VecDeque::new(),
            first: syn + 1,
            closes: false,
            congestion: Congestion::new(),
            timer: Timer::new(),
            largest_segment: LARGEST_SEGMENT,
            sent: BTreeMap::new(),
            last: syn,
            overtaken: syn,
            repair: syn..syn,
            recovers_until: syn,
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        if !self.closes {
            self.bytes.extend(bytes);
        }
    }

    /// A FIN follows what was written.
    pub(super) const fn close(&mut self) {
        self.closes = true;
    }

    /// The SYN goes out once more, unless it is acknowledged.
    pub(super) const fn rewind_syn(&mut self) {
        if !self.is_open() {
            self.next = self.syn;
        }
    }

    /// Whether nothing can be written any more.
    pub(super) const fn is_closing(&self) -> bool {
        self.closes
    }

    /// Whether the SYN is acknowledged.
    pub(super) const fn is_open(&self) -> bool {
        self.unacknowledged > self.syn
    }

    /// Whether the FIN is acknowledged.
    pub(super) fn is_finished(&self) -> bool {
        self.closes && self.unacknowledged > self.fin()
    }

    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.timer.deadline()
    }

    /// Packets of this path hold at most `mtu` bytes.
    pub(super) fn shrink(&mut self, mtu: u16) {
        let largest = usize::from(mtu).saturating_sub(HEADERS).max(1);
        self.largest_segment = self.largest_segment.min(largest);
        self.next = self.unacknowledged;
    }

    /// The peer has everything before that, and perhaps more. `false` when that is not of this connection.
    pub(super) fn acknowledge(&mut self, news: &Acknowledgment, now: Instant) -> bool {
        let acknowledged = news.number;
        let is_old = !self.is_open() && acknowledged <= self.syn;
        if is_old || acknowledged > self.highest {
            return false;
        }
        if acknowledged > self.unacknowledged {
            let count = acknowledged.saturating_sub(self.first).min(self.bytes.len() as u64);
            self.bytes.drain(..usize::try_from(count).unwrap_or(self.bytes.len()));
            self.first += count;
            self.congestion.grow(acknowledged - self.unacknowledged);
            self.unacknowledged = acknowledged;
            self.next = self.next.max(acknowledged);
            self.forget_sent();
            self.timer.acknowledged(news.echo, self.is_waiting().then_some(self.is_single()), now);
        }
        if let Some(early) = news.early.filter(|early| *early > self.unacknowledged) {
            self.overtaken = early.min(self.highest);
            self.await_overtaken(now);
        }
        true
    }

    /// A later segment has arrived. The first one is lost if it does not come within a quarter of a round trip; it may
    /// have been lost before, and be on its way once more (RFC 8985 §6.2).
    fn await_overtaken(&mut self, now: Instant) {
        let sent_at = self.sent.first_key_value().map_or(now, |(_, at)| *at);
        let Some(lost_at) = self.timer.lost_at(sent_at) else { return };
        if lost_at <= now {
            self.begin_repair();
        } else {
            self.timer.expect_overtaken(lost_at);
        }
    }

    /// The timer has expired: what may be lost is sent again. `false` when it was tried too often.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        let limit = if self.is_open() { MAX_EXPIRIES } else { MAX_OPENINGS };
        match self.timer.expire(now) {
            Alarm::Probe => self.next = self.last.max(self.unacknowledged),
            Alarm::Overtaken => self.begin_repair(),
            Alarm::Retransmission => {
                self.congestion.collapse(self.highest - self.unacknowledged);
                self.next = self.unacknowledged;
                self.recovers_until = self.highest;
            }
        }
        self.timer.expiries() <= limit
    }

    /// What was overtaken goes out again; the window is halved once for all that was on its way.
    fn begin_repair(&mut self) {
        if self.unacknowledged >= self.recovers_until {
            self.congestion.halve(self.highest - self.unacknowledged);
            self.recovers_until = self.highest;
        }
        self.repair = self.unacknowledged..self.overtaken;
    }

    /// The next segment that the window allows, with `acknowledgment` if there is one to give.
    pub(super) fn poll(&mut self, acknowledgment: Option<u64>, now: Instant) -> Option<Segment> {
        let window_end = self.unacknowledged + self.congestion.window();
        let from = self.repair.start.max(self.unacknowledged);
        let is_repair = self.is_open() && from < self.repair.end;
        let sequence = if is_repair { from } else { self.next };
        let until = if is_repair { self.repair.end } else { window_end };
        let (flags, payload) = if sequence == self.syn {
            (Some(Flags::SYN), Vec::new())
        } else if self.is_open() && sequence < until {
            self.slice(sequence, usize::try_from(until - sequence).unwrap_or(usize::MAX))
        } else {
            return None;
        };
        let end = sequence + payload.len() as u64 + u64::from(flags.is_some());
        if end == sequence {
            return None;
        }
        if is_repair {
            self.repair.start = end;
        } else {
            self.next = end;
        }
        if end > self.highest {
            (self.last, self.highest) = (sequence, end);
        }
        self.sent.insert(sequence, now);
        self.timer.sent(self.is_single(), now);
        Some(segment(flags, sequence, acknowledgment, &payload))
    }

    /// Up to `room` bytes from this number on, and the FIN if they reach it.
    fn slice(&self, from: u64, room: usize) -> (Option<Flags>, Vec<u8>) {
        let start = usize::try_from(from - self.first).unwrap_or(usize::MAX);
        let start = start.min(self.bytes.len());
        let count = room.min(self.largest_segment).min(self.bytes.len() - start);
        let payload = self.bytes.range(start..start + count).copied().collect();
        let reaches_fin = from + count as u64 == self.fin();
        ((self.closes && reaches_fin).then_some(Flags::FIN), payload)
    }

    /// Forgets when segments were sent that have arrived. Of one that has arrived in part, the rest is as old.
    fn forget_sent(&mut self) {
        let rest = self.sent.split_off(&self.unacknowledged);
        let before = std::mem::replace(&mut self.sent, rest);
        if self.is_waiting()
            && let Some((_, at)) = before.last_key_value()
        {
            self.sent.entry(self.unacknowledged).or_insert(*at);
        }
    }

    /// The sequence number that a FIN has.
    fn fin(&self) -> u64 {
        self.first + self.bytes.len() as u64
    }

    const fn is_waiting(&self) -> bool {
        self.unacknowledged < self.highest
    }

    /// Whether no more than one segment waits for its acknowledgment.
    const fn is_single(&self) -> bool {
        self.last <= self.unacknowledged
    }
}

/// A segment that carries `flags` and acknowledges what there is to acknowledge.
pub(super) fn segment(
    flags: Option<Flags>,
    sequence: u64,
    acknowledgment: Option<u64>,
    payload: &[u8],
) -> Segment {
    let acknowledges = acknowledgment.map(|_| Flags::ACK);
    let flags = match (flags, acknowledges) {
        (Some(flags), Some(ack)) => flags | ack,
        (flags, ack) => flags.or(ack).unwrap_or(Flags::ACK),
    };
    let acknowledgment = acknowledgment.unwrap_or(0);
    let (stamp, echo, early) = (Instant::ZERO, None, None);
    Segment { flags, sequence, acknowledgment, stamp, echo, early, payload: payload.into() }
}

/// A connection whose segment was sent this often again, in vain, is given up: what Linux does by default.
const MAX_EXPIRIES: u32 = 15;
/// The same for a SYN: four times a second apart, and six times with a growing timeout.
const MAX_OPENINGS: u32 = 10;
/// Fits an Ethernet packet with room for tunnels.
pub(super) const LARGEST_SEGMENT: usize = 1400;
/// IPv6, the larger of both families, and TCP with its options.
const HEADERS: usize = 84;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const RTT: Duration = Duration::from_millis(100);

    /// A sender whose SYN (99) was acknowledged after [`RTT`], with this many bytes to send.
    fn opened(bytes: usize) -> Sender {
        let mut sender = Sender::new(99);
        assert_eq!(numbers(&mut sender, Instant::ZERO), [99]);
        assert!(acknowledge(&mut sender, 100, Some(Instant::ZERO), Instant::ZERO + RTT));
        sender.write(&vec![0; bytes]);
        sender
    }

    fn acknowledge(sender: &mut Sender, number: u64, echo: Option<Instant>, now: Instant) -> bool {
        sender.acknowledge(&Acknowledgment { number, early: None, echo }, now)
    }

    fn numbers(sender: &mut Sender, now: Instant) -> Vec<u64> {
        std::iter::from_fn(|| sender.poll(Some(0), now).map(|segment| segment.sequence)).collect()
    }

    #[test]
    fn the_window_doubles_each_round_trip_at_first() {
        let mut sender = opened(1_000_000);
        let now = Instant::ZERO + RTT;
        // The acknowledged SYN has let it grow by one byte.
        let first = numbers(&mut sender, now);
        assert_eq!(first.len(), 11);
        let end = sender.next();
        assert!(acknowledge(&mut sender, end, Some(now), now + RTT));
        assert_eq!(numbers(&mut sender, now + RTT).len(), 21);
    }

    #[test]
    fn the_last_segment_is_tried_once_before_everything_is_sent_again() {
        let mut sender = opened(14_000);
        let sent_at = Instant::ZERO + RTT;
        numbers(&mut sender, sent_at);
        let probe_at = sent_at + RTT * 2 + Duration::from_millis(2);
        assert_eq!(sender.deadline(), Some(probe_at), "RFC 8985 §7.2");
        assert!(sender.expire(probe_at));
        assert_eq!(numbers(&mut sender, probe_at), [12_700]);
        let timeout = RTT * 3;
        assert_eq!(sender.deadline(), Some(probe_at + timeout), "SRTT + 4 RTTVAR of one sample");
        let late = probe_at + timeout;
        assert!(sender.expire(late));
        assert_eq!(numbers(&mut sender, late), [100, 1_500]);
        assert_eq!(sender.deadline(), Some(late + timeout * 2));
    }

    #[test]
    fn the_timeout_is_itself_again_as_soon_as_something_is_acknowledged() {
        // RFC 7323 §4: the timestamp tells the round-trip time also of what was sent twice.
        let mut sender = opened(100);
        let sent_at = Instant::ZERO + RTT;
        numbers(&mut sender, sent_at);
        let mut now = sent_at;
        for _ in 0..4 {
            now = sender.deadline().unwrap();
            assert!(sender.expire(now));
            assert_eq!(numbers(&mut sender, now), [100]);
        }
        assert!(sender.deadline().unwrap() - now >= RTT * 24, "doubled thrice");
        sender.write(&[0; 100]);
        assert!(acknowledge(&mut sender, 200, Some(now), now + RTT));
        numbers(&mut sender, now + RTT);
        assert!(sender.deadline().unwrap() - (now + RTT) <= RTT * 3);
    }

    #[test]
    fn what_a_later_segment_has_overtaken_is_soon_sent_again_and_nothing_else() {
        let mut sender = opened(14_000);
        let sent_at = Instant::ZERO + RTT;
        assert_eq!(numbers(&mut sender, sent_at).len(), 10);
        let overtaken = |number| Acknowledgment { number, early: Some(2_900), echo: None };
        assert!(sender.acknowledge(&overtaken(100), sent_at + RTT));
        assert_eq!(numbers(&mut sender, sent_at + RTT), []);
        let soon = sent_at + RTT + RTT / 4;
        assert_eq!(sender.deadline(), Some(soon), "RFC 8985 §6.2");
        assert!(sender.expire(soon));
        assert_eq!(numbers(&mut sender, soon), [100, 1_500]);
        // The first of both is lost once more.
        assert!(sender.acknowledge(&overtaken(100), soon + RTT));
        assert_eq!(numbers(&mut sender, soon + RTT), []);
        let again = soon + RTT + RTT / 4;
        assert_eq!(sender.deadline(), Some(again));
        assert!(sender.expire(again));
        assert_eq!(numbers(&mut sender, again), [100, 1_500]);
    }

    #[test]
    fn a_fin_follows_the_last_byte_and_nothing_follows_it() {
        let mut sender = opened(1_500);
        sender.close();
        sender.write(b"too late");
        assert_eq!(numbers(&mut sender, Instant::ZERO), [100, 1_500]);
        assert_eq!(sender.next(), 1_601);
        assert!(!sender.is_finished());
        assert!(acknowledge(&mut sender, 1_601, None, Instant::ZERO));
        assert!(sender.is_finished());
        assert_eq!(numbers(&mut sender, Instant::ZERO), []);
        assert_eq!(sender.deadline(), None);
        assert!(!acknowledge(&mut sender, 1_602, None, Instant::ZERO), "was never sent");
    }
}
