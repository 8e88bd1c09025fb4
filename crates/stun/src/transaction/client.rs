use core::time::Duration;

use pinhole_sansio::{Datagram, FiveTuple, Instant, Payload, Transmit};

use super::{Retransmission, Schedule, Step, counter};
use crate::attribute::TransmitCounter;
use crate::header::TransactionId;
use crate::integrity::IntegrityKey;
use crate::message::Message;

/// One request on its way from a five-tuple: sent again with the same bytes until it is answered
/// or has failed (RFC 8489 §6.2).
///
/// ```
/// use pinhole_sansio::{Datagram, FiveTuple, Instant};
/// use pinhole_stun::attribute::XorMappedAddress;
/// use pinhole_stun::{
///     Class, ClientTransaction, Message, MessageWriter, Method, Retransmission, TransactionId,
///     binding,
/// };
///
/// let (client, server) = ("192.0.2.1:5000".parse()?, "192.0.2.2:3478".parse()?);
/// let mut buffer = [0; 64];
/// let id = TransactionId::new([7; 12]); // from a strong generator, outside of an example
/// let writer = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id)?;
/// let request = Message::parse(writer.finish())?;
///
/// let now = Instant::ZERO;
/// let path = FiveTuple::udp(client, server);
/// let mut transaction = ClientTransaction::new(path, &request, Retransmission::default(), now);
/// let transmit = transaction.poll_transmit().ok_or("the first transmission")?;
///
/// // Send it; the server answers.
/// let mut answer = [0; 64];
/// let answer = binding::respond(&transmit.payload, client, &mut answer).ok_or("an answer")?;
///
/// let datagram = Datagram { five_tuple: path, payload: answer };
/// let response = transaction.handle_datagram(datagram, now).ok_or("this transaction's")?;
/// assert_eq!(response.get::<XorMappedAddress>()?, Some(XorMappedAddress(client)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A response ends nothing by itself. The caller looks at it and drops the transaction; or it does
/// not believe it, says so with [`ClientTransaction::distrust`], and the transaction goes on.
#[derive(Clone, Debug)]
pub struct ClientTransaction {
    five_tuple: FiveTuple,
    /// Where the response arrives, and from where.
    expected: FiveTuple,
    id: TransactionId,
    request: Payload,
    counter: Option<Counter>,
    schedule: Schedule,
    started: Instant,
    round_trip: Option<Duration>,
    distrusted: bool,
    state: State,
}

/// What is needed to number the transmissions (RFC 7982).
#[derive(Clone, Debug)]
struct Counter {
    key: Option<IntegrityKey>,
    sent: [Instant; COUNTED],
}

/// How many transmissions have their times kept; no more are made by default.
const COUNTED: usize = 7;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A transmission is due.
    Sending,
    /// A response or the next transmission is awaited.
    Waiting,
    /// It is over, and nobody has asked how yet.
    Failed(Failure),
    /// It is over.
    Over,
}

/// How a transaction ended without a response that the caller believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// Nobody answered.
    #[error("no answer in time")]
    TimedOut,
    /// All answers were distrusted: "instead of signaling a timeout after ending the transaction,
    /// the layer MUST signal that the integrity protection was violated" (RFC 8489 §9.1.4, §9.2.5).
    #[error("the integrity of all answers was violated")]
    IntegrityViolated,
}

impl ClientTransaction {
    /// Begins a transaction with this request, which is due at once.
    #[must_use]
    pub fn new(
        five_tuple: FiveTuple,
        request: &Message<'_>,
        config: Retransmission,
        now: Instant,
    ) -> Self {
        Self {
            five_tuple,
            expected: five_tuple,
            id: request.transaction_id(),
            request: Payload::from(request.as_bytes()),
            counter: None,
            schedule: Schedule::start_on(five_tuple.transport, config, now),
            started: now,
            round_trip: None,
            distrusted: false,
            state: State::Sending,
        }
    }

    /// Numbers the transmissions, so that the round trip is known also after a retransmission if the
    /// server supports that (RFC 7982). `key` is the one with which the request was sealed, if it was.
    #[must_use]
    pub fn counted(mut self, key: Option<IntegrityKey>) -> Self {
        self.counter = Some(Counter { key, sent: [self.started; COUNTED] });
        self.renumber(self.started);
        self
    }

    /// Awaits the response on another path than the request takes: RFC 5780 has servers that answer
    /// from elsewhere, or to elsewhere.
    #[must_use]
    pub fn expecting(self, expected: FiveTuple) -> Self {
        Self { expected, ..self }
    }

    /// The response, if the datagram is one: a response with this transaction's id, from where the
    /// request went to where it came from. Anything else is none of this transaction's business.
    #[must_use]
    pub fn handle_datagram<'a>(
        &mut self,
        datagram: Datagram<'a>,
        now: Instant,
    ) -> Option<Message<'a>> {
        if datagram.five_tuple != self.expected || self.is_over() {
            return None;
        }
        let message = Message::parse(datagram.payload).ok()?;
        if !message.class().is_response() || message.transaction_id() != self.id {
            return None;
        }
        self.round_trip = self.sent_at(&message).map(|sent| now - sent);
        Some(message)
    }

    /// Treats the response "as if it had never been received" (RFC 8489 §9.2.5), but for the verdict at
    /// the end. On a reliable transport the end is now: nobody but the server could have sent it.
    pub fn distrust(&mut self) {
        self.distrusted = true;
        if self.five_tuple.transport.is_reliable() && !self.is_over() {
            self.state = State::Failed(Failure::IntegrityViolated);
        }
    }

    /// Retransmits or gives up, when it is time to.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.is_over() {
            return;
        }
        self.state = match self.schedule.advance(now) {
            Step::Wait => return,
            Step::Retransmit => {
                self.renumber(now);
                State::Sending
            }
            Step::TimedOut if self.distrusted => State::Failed(Failure::IntegrityViolated),
            Step::TimedOut => State::Failed(Failure::TimedOut),
        };
    }

    /// The request, whenever it is to be sent.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        if self.state != State::Sending {
            return None;
        }
        self.state = State::Waiting;
        Some(Transmit { five_tuple: self.five_tuple, payload: self.request.clone() })
    }

    /// How the transaction failed, once.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Failure> {
        let State::Failed(failure) = self.state else { return None };
        self.state = State::Over;
        Some(failure)
    }

    /// When to call [`ClientTransaction::handle_timeout`]; never, once it is over.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        (!self.is_over()).then(|| self.schedule.deadline())
    }

    /// The request's transaction id.
    #[must_use]
    pub const fn id(&self) -> TransactionId {
        self.id
    }

    /// How many times the request has been sent.
    #[must_use]
    pub const fn transmissions(&self) -> u32 {
        self.schedule.transmissions()
    }

    /// The time from the request to the last response; unknown after a retransmission, when nobody
    /// can tell which of them was answered (Karn's algorithm, RFC 8489 §6.2.1), unless the server says
    /// so (RFC 7982).
    #[must_use]
    pub const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// When the request was sent that this response answers, if that can be told.
    fn sent_at(&self, response: &Message<'_>) -> Option<Instant> {
        let counted = response.get::<TransmitCounter>().ok().flatten();
        if let (Some(counter), Some(TransmitCounter { request, .. })) = (&self.counter, counted) {
            let index = usize::from(request).checked_sub(1)?;
            return counter
                .sent
                .get(index)
                .copied()
                .filter(|_| u32::from(request) <= self.transmissions());
        }
        (self.transmissions() == 1).then_some(self.started)
    }

    /// Writes the number of the transmission that is due into the request.
    fn renumber(&mut self, now: Instant) {
        let number = self.transmissions();
        let Some(counter) = &mut self.counter else { return };
        let index = usize::try_from(number).unwrap_or(usize::MAX) - 1;
        if let Some(sent) = counter.sent.get_mut(index) {
            *sent = now;
        }
        let numbered = Message::parse_structure(&self.request)
            .ok()
            .and_then(|request| counter::count(&request, counter.key.as_ref(), number).ok());
        if let Some(numbered) = numbered {
            self.request = numbered;
        }
    }

    const fn is_over(&self) -> bool {
        matches!(self.state, State::Failed(_) | State::Over)
    }
}
