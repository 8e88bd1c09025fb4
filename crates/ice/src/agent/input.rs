//! What arrives: datagrams and deadlines.

use pinhole_sansio::{Datagram, FiveTuple, Instant, Transport};
use pinhole_stun::{Class, Message, Method, PacketKind, ParseError, classify};

use super::Agent;
use crate::config::CandidatePolicy;
use crate::pair::PairId;
use crate::relay::FromServer;

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Received<'a> {
    /// It was for the agent.
    Consumed,
    /// It is the application's, from the remote address of a valid pair.
    Data {
        /// The pair that it came on.
        pair: PairId,
        /// What its first byte says that it is (RFC 7983); of no account to an application of another protocol.
        kind: PacketKind,
        /// What the peer sent: the whole datagram, or the part of it that a TURN server relayed.
        payload: &'a [u8],
    },
    /// It was good for nothing; network input is never an error.
    Dropped(DropReason),
}

/// Why a datagram was of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DropReason {
    /// The session is over.
    #[error("the session is over")]
    Over,
    /// Its first byte says STUN, and it is not.
    #[error("malformed STUN message: {0}")]
    Malformed(ParseError),
    /// Not a Binding message (RFC 8445 §7.1 uses no other).
    #[error("not a Binding message")]
    WrongMethod,
    /// A response to nothing that was asked, or to something long over.
    #[error("a response to no request of ours")]
    UnknownTransaction,
    /// A response whose MESSAGE-INTEGRITY is missing or wrong (RFC 8489 §9.1.4).
    #[error("a response that fails its integrity check")]
    Integrity,
    /// A request that was answered with this error.
    #[error("a request that was refused with {0}")]
    Refused(u16),
    /// It came to a socket itself, while the policy has everything go through TURN servers.
    #[error("not relayed, as the policy asks")]
    NotRelayed,
    /// It came to an address that is no base, or is none any more.
    #[error("to an address that is no base")]
    UnknownBase,
    /// Application data from an address that no check has validated.
    #[error("data from an address that was not validated")]
    NotValidated,
}

impl Agent {
    /// Takes what arrived on one of the bases, `local` of the five-tuple being the base, or a frame from a
    /// connection to a server.
    pub fn handle_datagram<'a>(&mut self, datagram: Datagram<'a>, now: Instant) -> Received<'a> {
        if self.is_over() {
            return Received::Dropped(DropReason::Over);
        }
        if let Some((from, happened)) = self.relays.handle_datagram(datagram, now) {
            self.relays_changed(happened, now);
            let received = self.receive_from_server(datagram, from, now);
            self.after_input(now);
            return received;
        }
        if self.config.candidates == CandidatePolicy::Relay {
            return Received::Dropped(DropReason::NotRelayed);
        }
        self.receive(datagram, now)
    }

    fn receive_from_server<'a>(
        &mut self,
        datagram: Datagram<'a>,
        from: FromServer,
        now: Instant,
    ) -> Received<'a> {
        let FromServer::Relayed { five_tuple, payload } = from else { return Received::Consumed };
        let payload = datagram.payload.get(payload).unwrap_or_default();
        self.receive(Datagram { five_tuple, payload }, now)
    }

    /// What the peer, or a STUN server, sent to a base of ours.
    fn receive<'a>(&mut self, datagram: Datagram<'a>, now: Instant) -> Received<'a> {
        let FiveTuple { transport, local, .. } = datagram.five_tuple;
        if transport == Transport::Udp && self.local.candidates.base(local).is_none() {
            return Received::Dropped(DropReason::UnknownBase);
        }
        let kind = datagram.payload.first().map_or(PacketKind::Unknown, |first| classify(*first));
        if kind != PacketKind::Stun {
            return self.receive_data(datagram, kind, now);
        }
        let received = match self.receive_stun(datagram, now) {
            Ok(()) => Received::Consumed,
            Err(reason) => Received::Dropped(reason),
        };
        self.after_input(now);
        received
    }

    /// Does what is due. Calling early or repeatedly does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.is_over() {
            return;
        }
        let happened = self.relays.handle_timeout(now);
        self.relays_changed(happened, now);
        self.trigger_overdue(now);
        self.give_up_connecting(now);
        // First transmissions go before later ones, or else those of many dead pairs would leave the last pair no turn.
        if self.generation.checklist.has_next(self.valid_priority()) {
            self.start_transaction(now);
        }
        self.ask_again(now);
        self.handle_check_deadlines(now);
        self.handle_consent(now);
        self.watch_selected(now);
        self.handle_backups(now);
        self.with_previous(|agent| {
            agent.handle_check_deadlines(now);
            agent.handle_consent(now);
        });
        self.after_input(now);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `None` for never.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.is_over() {
            return None;
        }
        [
            self.gatherer.poll_timeout(self.pacer.next()),
            self.relays.poll_timeout(),
            self.next_start(),
            self.backup_deadline(),
            self.generation.checklist.overdue_at(),
            self.generation.checklist.unconnected_at(),
            self.generation.deadline(self.pacer.next()),
            self.previous.as_ref().and_then(|previous| previous.deadline(self.pacer.next())),
            self.retire_at,
            self.generation.conclusion.nominate_at,
            self.failure_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Asks STUN servers again, in its turn, and gives up those that never answer.
    fn ask_again(&mut self, now: Instant) {
        let may_send = self.gatherer.is_overdue(now) && self.pacer.is_open(now);
        let overdue = self.gatherer.handle_timeout(may_send, now);
        if overdue.is_retransmitted {
            self.pacer.started(now);
        }
        for (query, answer) in overdue.failed {
            self.server_answered(query, answer);
        }
    }

    /// What may follow from any input: a nomination, the next transaction, a change of state.
    pub(super) fn after_input(&mut self, now: Instant) {
        if self.is_over() {
            return;
        }
        self.conclude_gathering();
        self.let_previous_go(now);
        self.update_route(now);
        self.watch_selected(now);
        self.consider_nomination(now);
        self.consider_renomination(now);
        self.start_transaction(now);
        self.update_state(now);
    }

    /// When the pacer allows the next transaction, if there is one to start.
    fn next_start(&self) -> Option<Instant> {
        self.start_wanted_at().map(|at| at.max(self.pacer.next()))
    }

    fn receive_stun(&mut self, datagram: Datagram<'_>, now: Instant) -> Result<(), DropReason> {
        if let Some((query, answer)) = self.gatherer.handle_datagram(datagram, now) {
            self.server_answered(query, answer);
            return Ok(());
        }
        let message = Message::parse(datagram.payload).map_err(DropReason::Malformed)?;
        if message.method() != Method::BINDING {
            return Err(DropReason::WrongMethod);
        }
        if self.is_for_previous(&message) {
            let received = self
                .with_previous(|agent| agent.receive_binding(&message, datagram.five_tuple, now));
            return received.unwrap_or(Ok(()));
        }
        self.receive_binding(&message, datagram.five_tuple, now)
    }

    fn receive_binding(
        &mut self,
        message: &Message<'_>,
        five_tuple: FiveTuple,
        now: Instant,
    ) -> Result<(), DropReason> {
        match message.class() {
            Class::Request => self.receive_request(message, five_tuple, now),
            Class::SuccessResponse | Class::ErrorResponse => {
                self.receive_response(message, five_tuple, now)
            }
            // A keepalive (RFC 8445 §11): it keeps NATs open, and tells an agent nothing.
            Class::Indication => Ok(()),
        }
    }

    /// Only what comes from the remote address of a validated pair is the application's.
    fn receive_data<'a>(
        &mut self,
        datagram: Datagram<'a>,
        kind: PacketKind,
        now: Instant,
    ) -> Received<'a> {
        let Datagram { five_tuple, payload } = datagram;
        let lists = [Some(&mut self.generation), self.previous.as_mut()].into_iter().flatten();
        let mut found = lists.filter_map(|this| this.checklist.of_five_tuple_mut(five_tuple));
        let Some(pair) = found.find(|pair| pair.valid.is_some()) else {
            return Received::Dropped(DropReason::NotValidated);
        };
        pair.stats.received(payload.len(), now);
        Received::Data { pair: pair.id, kind, payload }
    }
}
