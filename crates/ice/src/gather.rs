//! Server-reflexive candidates: asking STUN servers what they see (RFC 8445 §5.1.1.2, RFC 8489 §12).

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use pinhole_sansio::{Datagram, FiveTuple, Instant, Transmit};
use pinhole_stun::attribute::{ErrorCode, MappedAddress, XorMappedAddress};
use pinhole_stun::{
    Class, ClientTransaction, Message, MessageWriter, Method, Retransmission, TransactionId,
};
use pinhole_turn::client::Reason;

/// Why a STUN or TURN server was of no help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GatheringError {
    /// Nobody answered: the server is down, or UDP does not get there.
    #[error("no answer")]
    Timeout,
    /// The server refused.
    #[error("the server answered with error {0}")]
    ErrorResponse(u16),
    /// The answer tells no address of the base's family.
    #[error("the server's answer tells no usable address")]
    Malformed,
    /// There is no connection to the server.
    #[error("no connection to the server")]
    NotConnected,
    /// The TURN server has made no allocation.
    #[error("no allocation: {0}")]
    NoAllocation(Reason),
}

/// Asks each server from each base, one transaction at a time as the pacer allows, and asks again to keep the
/// NAT's bindings alive until it is told to stop.
#[derive(Debug)]
pub(crate) struct Gatherer {
    servers: Vec<SocketAddr>,
    retransmission: Retransmission,
    waiting: VecDeque<Query>,
    asking: Vec<(Query, ClientTransaction)>,
    /// Bindings to keep, and when to ask again.
    kept: Vec<(Query, Instant)>,
}

/// A question to one server from one base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) base: SocketAddr,
    pub(crate) server: SocketAddr,
    /// Which of the configured servers it is.
    pub(crate) rank: u8,
    /// Whether it is asked again only to keep the binding.
    is_refresh: bool,
}

/// What the passing of time has brought about.
#[derive(Debug, Default)]
pub(crate) struct Overdue {
    /// A question goes out once more.
    pub(crate) is_retransmitted: bool,
    /// Questions that nobody has answered.
    pub(crate) failed: Vec<(Query, Answer)>,
}

/// What a server said.
pub(crate) type Answer = Result<SocketAddr, GatheringError>;

impl Gatherer {
    pub(crate) fn new(servers: Vec<SocketAddr>, retransmission: Retransmission) -> Self {
        Self {
            servers,
            retransmission,
            waiting: VecDeque::new(),
            asking: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// Plans a question to each server that the base can reach.
    pub(crate) fn add_base(&mut self, base: SocketAddr) {
        for (rank, &server) in (0..=u8::MAX).zip(&self.servers) {
            if may_reach(base, server) {
                self.waiting.push_back(Query { base, server, rank, is_refresh: false });
            }
        }
    }

    /// Plans a question to another server from each of these bases that can reach it.
    pub(crate) fn add_server(
        &mut self,
        server: SocketAddr,
        bases: impl Iterator<Item = SocketAddr>,
    ) {
        let Ok(rank) = u8::try_from(self.servers.len()) else { return };
        self.servers.push(server);
        for base in bases.filter(|base| may_reach(*base, server)) {
            self.waiting.push_back(Query { base, server, rank, is_refresh: false });
        }
    }

    /// Plans a question to a server that is not one of the configured ones.
    pub(crate) fn ask(&mut self, base: SocketAddr, (rank, server): (u8, SocketAddr)) {
        self.waiting.push_back(Query { base, server, rank, is_refresh: false });
    }

    /// Asks nothing more from a base.
    pub(crate) fn remove_base(&mut self, base: SocketAddr) {
        self.waiting.retain(|query| query.base != base);
        self.asking.retain(|(query, _)| query.base != base);
        self.kept.retain(|(query, _)| query.base != base);
    }

    /// Starts the next planned question. `false` when there is none.
    pub(crate) fn start_next(&mut self, id: TransactionId, now: Instant) -> bool {
        let Some(query) = self.waiting.pop_front() else { return false };
        let five_tuple = FiveTuple::udp(query.base, query.server);
        let transaction = binding_request(id, five_tuple, self.retransmission, now);
        self.asking.extend(transaction.map(|transaction| (query, transaction)));
        true
    }

    pub(crate) fn has_next(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// `None` when the datagram answers no question of ours.
    pub(crate) fn handle_datagram(
        &mut self,
        datagram: Datagram<'_>,
        now: Instant,
    ) -> Option<(Query, Answer)> {
        let (index, answer) =
            self.asking.iter_mut().enumerate().find_map(|(index, (query, transaction))| {
                let message = transaction.handle_datagram(datagram, now)?;
                Some((index, read_answer(&message, query.base)))
            })?;
        let (query, _) = self.asking.remove(index);
        if answer.is_ok() {
            self.kept.push((Query { is_refresh: true, ..query }, now + KEEPALIVE));
        }
        Some((query, answer))
    }

    /// Plans refreshes, retransmits one question if it may and one is due, and gives those that nobody answered.
    pub(crate) fn handle_timeout(&mut self, may_send: bool, now: Instant) -> Overdue {
        let due = self.kept.extract_if(.., |(_, at)| *at <= now).map(|(query, _)| query);
        self.waiting.extend(due);
        let mut overdue = Overdue::default();
        self.asking.retain_mut(|(query, transaction)| {
            let is_due = transaction.poll_timeout().is_some_and(|at| at <= now);
            if !is_due || !may_send || overdue.is_retransmitted {
                return true;
            }
            transaction.handle_timeout(now);
            let is_over = transaction.poll_event().is_some();
            if is_over {
                overdue.failed.push((*query, Err(GatheringError::Timeout)));
            } else {
                overdue.is_retransmitted = true;
            }
            !is_over
        });
        overdue
    }

    /// Whether a question is to go out once more, or to be given up.
    pub(crate) fn is_overdue(&self, now: Instant) -> bool {
        let mut asking =
            self.asking.iter().filter_map(|(_, transaction)| transaction.poll_timeout());
        asking.any(|at| at <= now)
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.asking.iter_mut().find_map(|(_, transaction)| transaction.poll_transmit())
    }

    /// When a question is overdue, not before the next turn, or a binding is to be kept. The pacer decides when a
    /// waiting question may start.
    pub(crate) fn poll_timeout(&self, next_turn: Instant) -> Option<Instant> {
        let asking = self.asking.iter().filter_map(|(_, transaction)| transaction.poll_timeout());
        let asking = asking.map(|at| at.max(next_turn));
        asking.chain(self.kept.iter().map(|(_, at)| *at)).min()
    }

    /// Whether every server was asked once from every base, and answered or was given up.
    pub(crate) fn is_complete(&self) -> bool {
        let mut open = self.waiting.iter().chain(self.asking.iter().map(|(query, _)| query));
        open.all(|query| query.is_refresh)
    }

    /// Stops: candidates that were not chosen need no binding (RFC 8445 §8.3).
    pub(crate) fn stop(&mut self) {
        self.waiting.clear();
        self.asking.clear();
        self.kept.clear();
    }
}

impl Query {
    pub(crate) const fn is_refresh(self) -> bool {
        self.is_refresh
    }
}

/// A Binding request without attributes but FINGERPRINT, which always fits its buffer.
fn binding_request(
    id: TransactionId,
    five_tuple: FiveTuple,
    retransmission: Retransmission,
    now: Instant,
) -> Option<ClientTransaction> {
    let mut buffer = [0; 32];
    let mut writer = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id).ok()?;
    writer.fingerprint().ok()?;
    let request = Message::parse(writer.finish()).ok()?;
    Some(ClientTransaction::new(five_tuple, &request, retransmission, now))
}

fn read_answer(message: &Message<'_>, base: SocketAddr) -> Answer {
    if message.class() == Class::ErrorResponse {
        let code = message.get::<ErrorCode<'_>>().ok().flatten().map_or(0, |error| error.code);
        return Err(GatheringError::ErrorResponse(code));
    }
    // A server of RFC 3489's time knows MAPPED-ADDRESS only (RFC 8489 §11).
    let xor_mapped = message.get().ok().flatten().map(|XorMappedAddress(address)| address);
    let mapped = || message.get().ok().flatten().map(|MappedAddress(address)| address);
    let address = xor_mapped.or_else(mapped).ok_or(GatheringError::Malformed)?;
    let usable = address.is_ipv4() == base.is_ipv4()
        && address.port() != 0
        && !address.ip().is_unspecified();
    usable.then_some(address).ok_or(GatheringError::Malformed)
}

/// One family, and nothing outside of the machine from a loopback address.
pub(crate) fn may_reach(base: SocketAddr, server: SocketAddr) -> bool {
    base.is_ipv4() == server.is_ipv4() && (server.ip().is_loopback() || !base.ip().is_loopback())
}

/// Bindings are asked to last two minutes at least (RFC 4787 REQ-5); real ones end after 30 s, so we ask again
/// at Tr (RFC 8445 §11).
const KEEPALIVE: Duration = Duration::from_secs(15);
