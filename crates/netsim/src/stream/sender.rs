use std::collections::VecDeque;
use std::time::Duration;

use pinhole_sansio::Instant;

use super::segment::{Flags, Segment};

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
}

/// Slow start and congestion avoidance (RFC 5681).
struct Congestion {
    window: u64,
    threshold: u64,
}

/// The retransmission timer (RFC 6298).
struct Timer {
    deadline: Option<Instant>,
    timeout: Duration,
    smoothed: Option<(Duration, Duration)>,
    /// A number whose acknowledgment tells the round-trip time, and when it was sent.
    sample: Option<(u64, Instant)>,
    expiries: u32,
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

    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.timer.deadline
    }

    /// Packets of this path hold at most `mtu` bytes.
    pub(super) fn shrink(&mut self, mtu: u16) {
        let largest = usize::from(mtu).saturating_sub(HEADERS).max(1);
        self.largest_segment = self.largest_segment.min(largest);
        self.next = self.unacknowledged;
    }

    /// The peer has everything before `acknowledged`. `false` when that is not of this connection.
    pub(super) fn acknowledge(&mut self, acknowledged: u64, bare: bool, now: Instant) -> bool {
        let is_old = !self.is_open() && acknowledged <= self.syn;
        if is_old || acknowledged > self.highest {
            return false;
        }
        if acknowledged <= self.unacknowledged {
            let repeated = bare && acknowledged == self.unacknowledged && self.is_waiting();
            self.repeats = if repeated { self.repeats + 1 } else { 0 };
            if self.repeats == FAST_RETRANSMIT {
                self.congestion.halve(self.highest - self.unacknowledged);
                self.next = self.unacknowledged;
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
        self.timer.acknowledged(acknowledged, self.is_waiting(), now);
        true
    }

    /// The timer has expired: everything is sent again. `false` when it was tried too often.
    pub(super) fn expire(&mut self) -> bool {
        self.congestion.collapse(self.highest - self.unacknowledged);
        self.next = self.unacknowledged;
        self.timer.expire()
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
        self.timer.sent(self.next, self.next > self.highest, now);
        self.highest = self.highest.max(self.next);
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
    Segment { flags, sequence, acknowledgment, payload: payload.into() }
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

impl Timer {
    const fn new() -> Self {
        let (deadline, smoothed, sample) = (None, None, None);
        Self { deadline, timeout: INITIAL_TIMEOUT, smoothed, sample, expiries: 0 }
    }

    fn sent(&mut self, end: u64, is_new: bool, now: Instant) {
        self.deadline.get_or_insert(now + self.timeout);
        // Karn's algorithm: what was sent twice tells nothing (RFC 6298 §3).
        if !is_new {
            self.sample = None;
        } else if self.sample.is_none() {
            self.sample = Some((end, now));
        }
    }

    fn acknowledged(&mut self, acknowledged: u64, waits: bool, now: Instant) {
        if let Some((end, sent_at)) = self.sample
            && acknowledged >= end
        {
            self.measure(now - sent_at);
            self.sample = None;
        }
        self.expiries = 0;
        self.deadline = waits.then(|| now + self.timeout);
    }

    /// RFC 6298 §2.2 and §2.3.
    fn measure(&mut self, round_trip: Duration) {
        let (smoothed, variation) = match self.smoothed {
            None => (round_trip, round_trip / 2),
            Some((smoothed, variation)) => {
                let deviation = smoothed.abs_diff(round_trip);
                (smoothed * 7 / 8 + round_trip / 8, variation * 3 / 4 + deviation / 4)
            }
        };
        self.smoothed = Some((smoothed, variation));
        self.timeout = (smoothed + variation * 4).clamp(MIN_TIMEOUT, MAX_TIMEOUT);
    }

    fn expire(&mut self) -> bool {
        self.timeout = (self.timeout * 2).min(MAX_TIMEOUT);
        self.deadline = None;
        self.sample = None;
        self.expiries += 1;
        self.expiries <= MAX_EXPIRIES
    }
}

/// RFC 6298 §2.1: one second until a round-trip time is known.
const INITIAL_TIMEOUT: Duration = Duration::from_secs(1);
/// Below the one second of RFC 6298 §2.4, as everywhere in the field.
const MIN_TIMEOUT: Duration = Duration::from_millis(200);
const MAX_TIMEOUT: Duration = Duration::from_secs(60);
/// A connection whose segment was sent this often again, in vain, is given up.
const MAX_EXPIRIES: u32 = 7;
/// RFC 5681 §3.2.
const FAST_RETRANSMIT: u32 = 3;
/// Fits an Ethernet packet with room for tunnels.
const LARGEST_SEGMENT: usize = 1400;
/// IPv6 and TCP, the larger of both families.
const HEADERS: usize = 60;
/// RFC 6928: ten segments.
const INITIAL_WINDOW: u64 = 14_000;
const MIN_WINDOW: u64 = 2_800;
const MAX_WINDOW: u64 = 262_144;

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(100);

    /// A sender whose SYN (99) was acknowledged after [`RTT`], with this many bytes to send.
    fn opened(bytes: usize) -> Sender {
        let mut sender = Sender::new(99);
        assert_eq!(numbers(&mut sender, Instant::ZERO), [99]);
        assert!(sender.acknowledge(100, false, Instant::ZERO + RTT));
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
        assert!(sender.acknowledge(sender.next(), true, now + RTT));
        assert_eq!(numbers(&mut sender, now + RTT).len(), 21);
    }

    #[test]
    fn three_repeated_acknowledgments_bring_the_lost_segment_at_half_the_window() {
        let mut sender = opened(14_000);
        let now = Instant::ZERO + RTT;
        assert_eq!(numbers(&mut sender, now).len(), 10);
        for _ in 0..2 {
            assert!(sender.acknowledge(100, true, now));
            assert_eq!(numbers(&mut sender, now), []);
        }
        assert!(sender.acknowledge(100, true, now));
        assert_eq!(numbers(&mut sender, now), [100, 1_500, 2_900, 4_300, 5_700]);
    }

    #[test]
    fn an_expired_timer_begins_again_with_two_segments_and_doubles() {
        let mut sender = opened(14_000);
        let sent_at = Instant::ZERO + RTT;
        numbers(&mut sender, sent_at);
        let timeout = RTT * 3;
        assert_eq!(sender.deadline(), Some(sent_at + timeout), "SRTT + 4 RTTVAR of one sample");
        let late = sent_at + timeout;
        assert!(sender.expire());
        assert_eq!(numbers(&mut sender, late), [100, 1_500]);
        assert_eq!(sender.deadline(), Some(late + timeout * 2));
        // Karn: the acknowledgment of what was sent twice does not tell the round-trip time.
        assert!(sender.acknowledge(2_900, true, late + RTT));
        assert_eq!(sender.deadline(), Some(late + RTT + timeout * 2));
    }

    #[test]
    fn a_fin_follows_the_last_byte_and_nothing_follows_it() {
        let mut sender = opened(1_500);
        sender.close();
        sender.write(b"too late");
        assert_eq!(numbers(&mut sender, Instant::ZERO), [100, 1_500]);
        assert_eq!(sender.next(), 1_601);
        assert!(!sender.is_finished());
        assert!(sender.acknowledge(1_601, true, Instant::ZERO));
        assert!(sender.is_finished());
        assert_eq!(numbers(&mut sender, Instant::ZERO), []);
        assert_eq!(sender.deadline(), None);
        assert!(!sender.acknowledge(1_602, true, Instant::ZERO), "was never sent");
    }
}
