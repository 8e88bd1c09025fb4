use pinhole_sansio::Instant;

use super::CloseReason;
use super::receiver::Receiver;
use super::segment::{Flags, Segment};
use super::sender::{Acknowledgment, Sender, segment};
use crate::icmp::IcmpKind;

/// One TCP connection as one host sees it (RFC 9293, without urgent data and TIME-WAIT).
pub(super) struct Connection {
    sender: Sender,
    /// There is one as soon as the peer's SYN is known.
    receiver: Option<Receiver>,
    /// Whether this side began.
    active: bool,
    owes_acknowledgment: bool,
    /// The answer to an acknowledgment of what was never sent.
    owed_reset: Option<Segment>,
}

/// What a segment or the time brought about.
#[derive(Default)]
pub(super) struct Outcome {
    /// Both SYNs are acknowledged.
    pub(super) opened: bool,
    /// The bytes that follow those before.
    pub(super) bytes: Vec<u8>,
    /// The peer sends no more.
    pub(super) finished: bool,
    /// The connection is over.
    pub(super) closed: Option<CloseReason>,
}

impl Connection {
    /// A connection that this side opens.
    pub(super) const fn connect(syn: u64) -> Self {
        Self::new(syn, None, true)
    }

    /// A connection that a peer's SYN opens.
    pub(super) const fn accept(syn: u64, peer: &Segment) -> Self {
        Self::new(syn, Some(Receiver::new(peer.sequence, peer.stamp)), false)
    }

    const fn new(syn: u64, receiver: Option<Receiver>, active: bool) -> Self {
        let sender = Sender::new(syn);
        Self { sender, receiver, active, owes_acknowledgment: false, owed_reset: None }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.sender.write(bytes);
    }

    pub(super) const fn close(&mut self) {
        self.sender.close();
    }

    /// The segment that ends the connection at once.
    pub(super) fn abort(&self) -> Segment {
        Segment::reset(self.sender.next(), self.receiver.as_ref().map_or(0, Receiver::next))
    }

    pub(super) const fn is_active(&self) -> bool {
        self.active
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.sender.deadline()
    }

    /// Takes a segment of the peer.
    pub(super) fn handle_segment(&mut self, segment: &Segment, now: Instant) -> Outcome {
        let was_open = self.is_open();
        if segment.flags.has(Flags::RST) {
            return self.handle_reset(segment);
        }
        if segment.flags.has(Flags::ACK) {
            let news = Acknowledgment {
                number: segment.acknowledgment,
                early: segment.early.map(|(from, _)| from),
                echo: segment.echo,
            };
            if !self.sender.acknowledge(&news, now) {
                // The peer remembers an earlier connection (RFC 9293 §3.5.1, figure 9).
                self.owed_reset = self.receiver.is_none().then(|| segment.refusal_of());
                return Outcome::default();
            }
        }
        // The SYN of the answer, or of a simultaneous open (RFC 9293 §3.5, figure 8).
        if segment.flags.has(Flags::SYN) && self.receiver.is_none() {
            self.receiver = Some(Receiver::new(segment.sequence, segment.stamp));
            self.sender.rewind_syn();
        }
        // The answer to the peer's first SYN is lost.
        if segment.flags.is_opening() {
            self.sender.rewind_syn();
        }
        self.owes_acknowledgment |= segment.end() > segment.sequence;
        let mut outcome = self.receive(segment);
        outcome.opened = !was_open && self.is_open();
        outcome.closed = self.is_finished().then_some(CloseReason::Finished);
        outcome
    }

    /// An ICMP error for a segment of this connection.
    pub(super) fn handle_icmp(&mut self, kind: IcmpKind) -> Outcome {
        if let IcmpKind::PacketTooBig { mtu } = kind {
            self.sender.shrink(mtu);
            return Outcome::default();
        }
        // Errors are soft once the connection is open (RFC 5461 §2.2).
        let closed = (!self.is_open()).then_some(CloseReason::Unreachable(kind));
        Outcome { closed, ..Outcome::default() }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Outcome {
        let due = self.deadline().is_some_and(|deadline| deadline <= now);
        let closed = (due && !self.sender.expire(now)).then_some(CloseReason::TimedOut);
        Outcome { closed, ..Outcome::default() }
    }

    pub(super) fn poll_segment(&mut self, now: Instant) -> Option<Segment> {
        if let Some(reset) = self.owed_reset.take() {
            return Some(reset);
        }
        let acknowledgment = self.receiver.as_ref().map(Receiver::next);
        let polled = self.sender.poll(acknowledgment, now).or_else(|| {
            let owed = self.owes_acknowledgment.then(|| self.sender.next());
            owed.map(|sequence| segment(None, sequence, acknowledgment, &[]))
        });
        if polled.is_some() {
            self.owes_acknowledgment = false;
        }
        let echo = self.receiver.as_ref().map(Receiver::recent);
        let early = self.receiver.as_ref().and_then(Receiver::early);
        polled.map(|segment| Segment { stamp: now, echo, early, ..segment })
    }

    /// A reset counts when its sender knows the connection (RFC 9293 §3.10.7.3 and §3.10.7.4).
    fn handle_reset(&self, segment: &Segment) -> Outcome {
        let is_known = match &self.receiver {
            None => segment.acknowledgment == self.sender.next(),
            Some(receiver) => segment.sequence == receiver.next(),
        };
        let reason = match &self.receiver {
            None => CloseReason::Refused,
            // The peer is gone already, and only its last acknowledgment is missing.
            Some(receiver) if receiver.is_finished() && self.sender.is_closing() => {
                CloseReason::Finished
            }
            Some(_) => CloseReason::Reset,
        };
        Outcome { closed: is_known.then_some(reason), ..Outcome::default() }
    }

    fn receive(&mut self, segment: &Segment) -> Outcome {
        let Some(receiver) = &mut self.receiver else { return Outcome::default() };
        let was_finished = receiver.is_finished();
        let bytes = receiver.accept(segment);
        let finished = !was_finished && receiver.is_finished();
        Outcome { bytes, finished, ..Outcome::default() }
    }

    const fn is_open(&self) -> bool {
        self.receiver.is_some() && self.sender.is_open()
    }

    fn is_finished(&self) -> bool {
        self.sender.is_finished() && self.receiver.as_ref().is_some_and(Receiver::is_finished)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two ends of an open connection.
    fn open_pair() -> (Connection, Connection) {
        let now = Instant::ZERO;
        let mut client = Connection::connect(1_000);
        let syn = client.poll_segment(now).unwrap();
        let mut server = Connection::accept(5_000, &syn);
        let answer = server.poll_segment(now).unwrap();
        assert!(client.handle_segment(&answer, now).opened);
        let acknowledgment = client.poll_segment(now).unwrap();
        assert!(server.handle_segment(&acknowledgment, now).opened);
        (client, server)
    }

    #[test]
    fn a_reset_counts_at_the_expected_sequence_number_only() {
        let (mut client, server) = open_pair();
        let mut reset = server.abort();
        reset.sequence += 1;
        assert_eq!(client.handle_segment(&reset, Instant::ZERO).closed, None);
        reset.sequence -= 1;
        let closed = client.handle_segment(&reset, Instant::ZERO).closed;
        assert_eq!(closed, Some(CloseReason::Reset));
    }

    #[test]
    fn icmp_errors_end_attempts_and_not_connections() {
        let (mut client, _) = open_pair();
        assert_eq!(client.handle_icmp(IcmpKind::HostUnreachable).closed, None);
        let mut attempt = Connection::connect(1);
        let unreachable = CloseReason::Unreachable(IcmpKind::HostUnreachable);
        assert_eq!(attempt.handle_icmp(IcmpKind::HostUnreachable).closed, Some(unreachable));
    }

    #[test]
    fn a_repeated_syn_is_answered_at_once() {
        let syn = Connection::connect(1_000).poll_segment(Instant::ZERO).unwrap();
        let mut server = Connection::accept(5_000, &syn);
        let answer = server.poll_segment(Instant::ZERO).unwrap();
        server.handle_segment(&syn, Instant::from_millis(1_000));
        let again = server.poll_segment(Instant::from_millis(1_000)).unwrap();
        assert_eq!((again.flags, again.sequence), (answer.flags, answer.sequence));
    }

    #[test]
    fn a_simultaneous_syn_is_answered_with_syn_and_ack() {
        let mut client = Connection::connect(1_000);
        client.poll_segment(Instant::ZERO);
        let syn = Connection::connect(5_000).poll_segment(Instant::ZERO).unwrap();
        assert!(!client.handle_segment(&syn, Instant::ZERO).opened);
        let answer = client.poll_segment(Instant::ZERO).unwrap();
        assert_eq!(answer.flags, Flags::SYN | Flags::ACK);
        assert_eq!((answer.sequence, answer.acknowledgment), (1_000, 5_001));
    }
}
