//! What went over a pair.

use core::time::Duration;

use pinhole_sansio::Instant;

/// Counts of one pair since it was formed, after `RTCIceCandidatePairStats` of the W3C. Bytes are those of payloads,
/// without headers of any kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PairStats {
    /// Datagrams of the application's that were given this pair as their route.
    pub packets_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// When the last of them was.
    pub last_packet_sent: Option<Instant>,
    /// Datagrams that came for the application.
    pub packets_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
    /// When the last of them came.
    pub last_packet_received: Option<Instant>,
    /// Checks sent, without retransmissions and without those for consent.
    pub requests_sent: u64,
    /// Checks that came, those for consent included.
    pub requests_received: u64,
    /// Answers sent.
    pub responses_sent: u64,
    /// Answers that came, those to checks for consent included.
    pub responses_received: u64,
    /// Checks sent for consent (RFC 7675).
    pub consent_requests_sent: u64,
    /// The sum of all measured round-trip times; with `responses_received` their mean.
    pub total_round_trip_time: Duration,
    /// The latest one.
    pub current_round_trip_time: Option<Duration>,
}

impl PairStats {
    pub(crate) fn sent(&mut self, length: usize, now: Instant) {
        self.packets_sent = self.packets_sent.saturating_add(1);
        self.bytes_sent = self.bytes_sent.saturating_add(length as u64);
        self.last_packet_sent = Some(now);
    }

    pub(crate) fn received(&mut self, length: usize, now: Instant) {
        self.packets_received = self.packets_received.saturating_add(1);
        self.bytes_received = self.bytes_received.saturating_add(length as u64);
        self.last_packet_received = Some(now);
    }

    pub(crate) fn asked(&mut self, is_for_consent: bool) {
        let count =
            if is_for_consent { &mut self.consent_requests_sent } else { &mut self.requests_sent };
        *count = count.saturating_add(1);
    }

    pub(crate) fn was_asked_and_answers(&mut self) {
        self.requests_received = self.requests_received.saturating_add(1);
        self.responses_sent = self.responses_sent.saturating_add(1);
    }

    pub(crate) fn was_answered(&mut self, round_trip: Option<Duration>) {
        self.responses_received = self.responses_received.saturating_add(1);
        self.total_round_trip_time =
            self.total_round_trip_time.saturating_add(round_trip.unwrap_or_default());
        self.current_round_trip_time = round_trip.or(self.current_round_trip_time);
    }
}
