use std::collections::VecDeque;

use pinhole_sansio::Instant;

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
    /// Acknowledgments in a row that brought nothing new.
    repeats: u32,
    /// Where the last segment begins.
    last: u64,
    /// What was sent before the latest loss; until it is acknowledged, repeats say nothing new.
    recovers_until: u64,
}

/// Slow start and congestion avoidance (RFC 5681).
struct Congestion {
    window: u64,
    threshold: u64,
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
            congestion: Congestion { window: INITIAL_WINDOW, threshold: MAX_WINDOW },
            timer: Timer::new(),
            largest_segment: LARGEST_SEGMENT,
            repeats: 0,
            last: syn,
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

    /// The peer has everything before `acknowledged`, and tells when what it has heard last was sent. `false` when that
    /// is not of this connection.
    pub(super) fn acknowledge(
        &mut self,
        acknowledged: u64,
        bare: bool,
        echo: Option<Instant>,
        now: Instant,
    ) -> bool {
        let is_old = !self.is_open() && acknowledged <= self.syn;
        if is_old || acknowledged > self.highest {
            return false;
        }
        if acknowledged <= self.unacknowledged {
            let repeated = bare && acknowledged == self.unacknowledged && self.is_waiting();
            self.repeats = if repeated { self.repeats + 1 } else { 0 };
            if self.repeats == FAST_RETRANSMIT {
                self.retransmit_fast();
            } else if self.repeats == 1 && self.unacknowledged >= self.recovers_until {
                self.timer.expect_reordered(now);
            }
            return true;
        }
        let count = acknowledged.saturating_sub(self.first).min(self.bytes.len() as u64);
        self.bytes.drain(..usize::try_from(count).unwrap_or(self.bytes.len()));
        self.first += count;
        self.congestion.grow(acknowledged - self.unacknowledged);
        self.unacknowledged = acknowledged;
        self.next = self.next.max(acknowledged);
        self.repeats = 0;
        self.timer.acknowledged(echo, self.is_waiting().then_some(self.is_single()), now);
        true
    }

    /// The timer has expired: what may be lost is sent again. `false` when it was tried too often.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        let limit = if self.is_open() { MAX_EXPIRIES } else { MAX_OPENINGS };
        match self.timer.expire(now) {
            Alarm::Probe => self.next = self.last.max(self.unacknowledged),
            Alarm::Reordered => self.retransmit_fast(),
            Alarm::Retransmission => {
                self.congestion.collapse(self.highest - self.unacknowledged);
                self.begin_recovery();
            }
        }
        self.timer.expiries() <= limit
    }

    fn retransmit_fast(&mut self) {
        self.congestion.halve(self.highest - self.unacknowledged);
        self.begin_recovery();
    }

    const fn begin_recovery(&mut self) {
        self.next = self.unacknowledged;
        self.recovers_until = self.highest;
    }

    /// The next segment that the window allows, with `acknowledgment` if there is one to give.
    pub(super) fn poll(&mut self, acknowledgment: Option<u64>, now: Instant) -> Option<Segment> {
        let window_end = self.unacknowledged + self.congestion.window;
        let (flags, payload) = if self.next == self.syn {
            (Some(Flags::SYN), Vec::new())
        } else if self.is_open() && self.next < window_end {
            self.slice(usize::try_from(window_end - self.next).unwrap_or(usize::MAX))
        } else {
            return None;
        };
        if flags.is_none() && payload.is_empty() {
            return None;
        }
        let sequence = self.next;
        self.next += payload.len() as u64 + u64::from(flags.is_some());
        if self.next > self.highest {
            (self.last, self.highest) = (sequence, self.next);
        }
        self.timer.sent(self.is_single(), now);
        Some(segment(flags, sequence, acknowledgment, &payload))
    }

    /// Up to `room` bytes from `next` on, and the FIN if they reach it.
    fn slice(&self, room: usize) -> (Option<Flags>, Vec<u8>) {
        let start = usize::try_from(self.next - self.first).unwrap_or(usize::MAX);
        let start = start.min(self.bytes.len());
        let count = room.min(self.largest_segment).min(self.bytes.len() - start);
        let payload = self.bytes.range(start..start + count).copied().collect();
        let reaches_fin = self.next + count as u64 == self.fin();
        ((self.closes && reaches_fin).then_some(Flags::FIN), payload)
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
    let (stamp, echo) = (Instant::ZERO, None);
    Segment { flags, sequence, acknowledgment, stamp, echo, payload: payload.into() }
}

impl Congestion {
    fn grow(&mut self, acknowledged: u64) {
        let growth = if self.window < self.threshold {
            acknowledged
        } else {
            (acknowledged * LARGEST_SEGMENT as u64 / self.window).max(1)
        };
        self.window = (self.window + growth).min(MAX_WINDOW);
    }

    fn halve(&mut self, in_flight: u64) {
        self.threshold = (in_flight / 2).max(MIN_WINDOW);
        self.window = self.threshold;
    }

    fn collapse(&mut self, in_flight: u64) {
        self.halve(in_flight);
        self.window = MIN_WINDOW;
    }
}

/// A connection whose segment was sent this often again, in vain, is given up: what Linux does by default.
const MAX_EXPIRIES: u32 = 15;
/// The same for a SYN: four times a second apart, and six times with a growing timeout.
const MAX_OPENINGS: u32 = 10;
/// RFC 5681 §3.2.
const FAST_RETRANSMIT: u32 = 3;
/// Fits an Ethernet packet with room for tunnels.
const LARGEST_SEGMENT: usize = 1400;
/// IPv6 and TCP with a timestamp, the larger of both families.
const HEADERS: usize = 72;
/// RFC 6928: ten segments.
const INITIAL_WINDOW: u64 = 14_000;
const MIN_WINDOW: u64 = 2_800;
const MAX_WINDOW: u64 = 262_144;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const RTT: Duration = Duration::from_millis(100);

    /// A sender whose SYN (99) was acknowledged after [`RTT`], with this many bytes to send.
    fn opened(bytes: usize) -> Sender {
        let mut sender = Sender::new(99);
        assert_eq!(numbers(&mut sender, Instant::ZERO), [99]);
        assert!(sender.acknowledge(100, false, Some(Instant::ZERO), Instant::ZERO + RTT));
        sender.write(&vec![0; bytes]);
        sender
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
        assert!(sender.acknowledge(sender.next(), true, Some(now), now + RTT));
        assert_eq!(numbers(&mut sender, now + RTT).len(), 21);
    }

    #[test]
    fn three_repeated_acknowledgments_bring_the_lost_segment_at_half_the_window() {
        let mut sender = opened(14_000);
        let now = Instant::ZERO + RTT;
        assert_eq!(numbers(&mut sender, now).len(), 10);
        for _ in 0..2 {
            assert!(sender.acknowledge(100, true, Some(now), now));
            assert_eq!(numbers(&mut sender, now), []);
        }
        assert!(sender.acknowledge(100, true, Some(now), now));
        assert_eq!(numbers(&mut sender, now), [100, 1_500, 2_900, 4_300, 5_700]);
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
        assert!(sender.acknowledge(200, true, Some(now), now + RTT));
        numbers(&mut sender, now + RTT);
        assert!(sender.deadline().unwrap() - (now + RTT) <= RTT * 3);
    }

    #[test]
    fn what_a_later_segment_has_overtaken_is_soon_sent_again() {
        let mut sender = opened(2_800);
        let now = Instant::ZERO + RTT;
        assert_eq!(numbers(&mut sender, now), [100, 1_500]);
        assert!(sender.acknowledge(100, true, Some(Instant::ZERO), now + RTT));
        let soon = now + RTT + RTT / 4;
        assert_eq!(sender.deadline(), Some(soon), "RFC 8985 §6.2");
        assert!(sender.expire(soon));
        assert_eq!(numbers(&mut sender, soon), [100, 1_500]);
    }

    #[test]
    fn a_fin_follows_the_last_byte_and_nothing_follows_it() {
        let mut sender = opened(1_500);
        sender.close();
        sender.write(b"too late");
        assert_eq!(numbers(&mut sender, Instant::ZERO), [100, 1_500]);
        assert_eq!(sender.next(), 1_601);
        assert!(!sender.is_finished());
        assert!(sender.acknowledge(1_601, true, None, Instant::ZERO));
        assert!(sender.is_finished());
        assert_eq!(numbers(&mut sender, Instant::ZERO), []);
        assert_eq!(sender.deadline(), None);
        assert!(!sender.acknowledge(1_602, true, None, Instant::ZERO), "was never sent");
    }
}
