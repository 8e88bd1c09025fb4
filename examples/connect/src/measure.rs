//! How good a path is: a thousand datagrams, each sent back by the other side.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Result;
use pinhole_io::Connection;
use pinhole_sansio::Instant;

/// What one side measured.
#[derive(Clone, Debug)]
pub(crate) struct Measurement {
    pub(crate) sent: u32,
    pub(crate) returned: u32,
    /// From the first datagram to the last answer.
    pub(crate) took: Duration,
    /// Round-trip times, ascending.
    rtts: Vec<Duration>,
}

/// Sends `COUNT` probes, at most `WINDOW` of them unanswered at a time, and returns the other side's until it has
/// finished too.
pub(crate) async fn run(connection: &Connection) -> Result<Measurement> {
    let mut probing = Probing { begun: connection.now(), ..Probing::default() };
    let mut peer_finished = false;
    let mut arrived = Vec::new();
    let mut to_send = Vec::new();
    loop {
        while probing.may_send() {
            to_send.push(probing.next(connection.now()));
        }
        send_all(connection, &mut to_send).await?;
        if probing.is_done() && peer_finished {
            break;
        }
        let arrival = connection.recv_many(&mut arrived, WINDOW);
        if tokio::time::timeout(SILENCE, arrival).await.is_err() {
            if probing.is_done() {
                break;
            }
            // Whatever has not come back by now is lost.
            probing.give_up_outstanding();
        }
        for payload in arrived.drain(..) {
            match split(&payload) {
                Some((PROBE, _)) => to_send.push(answer(&payload)),
                Some((ECHO, number)) => probing.returned(number, connection.now()),
                Some((FINISHED, _)) => peer_finished = true,
                _ => {}
            }
        }
        if probing.is_done() && !probing.told {
            probing.told = true;
            to_send.extend((0..FINISHED_COPIES).map(|_| packet(FINISHED, 0)));
        }
    }
    Ok(probing.into_measurement())
}

async fn send_all(connection: &Connection, datagrams: &mut Vec<Vec<u8>>) -> Result<()> {
    let payloads: Vec<&[u8]> = datagrams.iter().map(Vec::as_slice).collect();
    connection.send_many(&payloads).await?;
    datagrams.clear();
    Ok(())
}

/// One side's probes.
#[derive(Debug, Default)]
struct Probing {
    begun: Instant,
    last_return: Instant,
    sent: u32,
    outstanding: HashMap<u32, Instant>,
    rtts: Vec<Duration>,
    /// The other side knows that we are done.
    told: bool,
}

impl Probing {
    fn may_send(&self) -> bool {
        self.sent < COUNT && self.outstanding.len() < WINDOW
    }

    fn is_done(&self) -> bool {
        self.sent == COUNT && self.outstanding.is_empty()
    }

    fn next(&mut self, now: Instant) -> Vec<u8> {
        let number = self.sent;
        self.sent += 1;
        self.outstanding.insert(number, now);
        packet(PROBE, number)
    }

    fn returned(&mut self, number: u32, now: Instant) {
        if let Some(sent) = self.outstanding.remove(&number) {
            self.rtts.push(now - sent);
            self.last_return = now;
        }
    }

    fn give_up_outstanding(&mut self) {
        self.outstanding.clear();
    }

    fn into_measurement(mut self) -> Measurement {
        self.rtts.sort_unstable();
        Measurement {
            sent: self.sent,
            returned: u32::try_from(self.rtts.len()).unwrap_or(u32::MAX),
            took: self.last_return - self.begun,
            rtts: self.rtts,
        }
    }
}

impl Measurement {
    /// The round-trip time that this share of the datagrams, 0 to 1, did not exceed.
    pub(crate) fn rtt_percentile(&self, share: f64) -> Option<Duration> {
        let last = self.rtts.len().checked_sub(1)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index below the length"
        )]
        let index = (share * last as f64).round() as usize;
        self.rtts.get(index).copied()
    }

    /// Share of the datagrams that did not come back, in percent.
    pub(crate) fn loss(&self) -> f64 {
        100.0 * f64::from(self.sent - self.returned) / f64::from(self.sent.max(1))
    }

    /// Megabits of payload a second that went there and came back.
    pub(crate) fn throughput(&self) -> f64 {
        let bits = f64::from(self.returned) * SIZE as f64 * 8.0;
        bits / self.took.as_secs_f64().max(f64::EPSILON) / 1_000_000.0
    }
}

fn packet(kind: u8, number: u32) -> Vec<u8> {
    let mut packet = vec![0; SIZE];
    let head = std::iter::once(kind).chain(number.to_be_bytes());
    packet.iter_mut().zip(head).for_each(|(byte, value)| *byte = value);
    packet
}

fn answer(probe: &[u8]) -> Vec<u8> {
    let mut answer = probe.to_vec();
    answer.iter_mut().take(1).for_each(|kind| *kind = ECHO);
    answer
}

fn split(packet: &[u8]) -> Option<(u8, u32)> {
    let (kind, rest) = packet.split_first()?;
    Some((*kind, u32::from_be_bytes(*rest.first_chunk()?)))
}

const COUNT: u32 = 1_000;
/// What any path carries whole.
const SIZE: usize = 1_200;
/// So many as the smallest socket buffers hold.
const WINDOW: usize = 32;
/// After that long without a datagram, those that are missing are lost.
const SILENCE: Duration = Duration::from_secs(1);
/// The last word may be lost too.
const FINISHED_COPIES: usize = 3;
/// First bytes that are none of STUN's (RFC 7983).
const PROBE: u8 = b'P';
const ECHO: u8 = b'E';
const FINISHED: u8 = b'F';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_and_percentiles_come_from_what_returned() {
        let mut probing = Probing::default();
        for number in 0..COUNT {
            probing.next(Instant::ZERO);
            if number % 10 != 0 {
                probing.returned(number, Instant::from_millis(u64::from(number)));
                probing.returned(number, Instant::from_millis(9_999));
            }
        }
        probing.give_up_outstanding();
        assert!(probing.is_done());
        let measured = probing.into_measurement();
        assert_eq!((measured.sent, measured.returned), (1_000, 900));
        assert!((measured.loss() - 10.0).abs() < 1e-9);
        assert_eq!(measured.rtt_percentile(0.0), Some(Duration::from_millis(1)));
        assert_eq!(measured.rtt_percentile(1.0), Some(Duration::from_millis(999)));
    }

    #[test]
    fn packets_tell_kind_and_number() {
        let probe = packet(PROBE, 77);
        assert_eq!(probe.len(), SIZE);
        assert_eq!(split(&probe), Some((PROBE, 77)));
        assert_eq!(split(&answer(&probe)), Some((ECHO, 77)));
        assert_eq!(split(b"P"), None);
    }
}
