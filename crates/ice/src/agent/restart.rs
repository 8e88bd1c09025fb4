//! ICE restarts, which make before they break (RFC 8445 §9), and bases that go.

use alloc::vec::Vec;
use core::net::SocketAddr;

use pinhole_sansio::{FiveTuple, Instant};
use pinhole_stun::Message;
use pinhole_stun::attribute::Username;

use super::generation::Generation;
use super::relaying::after_stun_servers;
use super::{Agent, AgentError, State};
use crate::candidate::TransportAddress;
use crate::credentials::Credentials;

impl Agent {
    /// Begins anew with other credentials, which are to be signalled with the candidates that are told from now on;
    /// the peer's come by [`set_remote_credentials`](Self::set_remote_credentials) as at the start. Until a pair is
    /// selected, data takes the path that it has.
    ///
    /// A restart mends a session that has failed, too. When the peer restarts, so must this side, before it is told
    /// the peer's new credentials.
    ///
    /// # Errors
    /// [`AgentError::Over`] after [`close`](Self::close).
    pub fn restart(&mut self, now: Instant) -> Result<(), AgentError> {
        let credentials = Credentials::random(&mut self.rng);
        self.restart_with(credentials, now)
    }

    /// The same with credentials that the application has chosen, and may have signalled before.
    ///
    /// # Errors
    /// As [`restart`](Self::restart).
    pub fn restart_with(
        &mut self,
        credentials: Credentials,
        now: Instant,
    ) -> Result<(), AgentError> {
        if self.state == State::Closed {
            return Err(AgentError::Over);
        }
        let next = Generation::new(credentials, self.generation.checklist.next_id());
        let last = core::mem::replace(&mut self.generation, next);
        // Of several restarts in a row, the generation that has a path goes on.
        let connections: Vec<FiveTuple> = last.checklist.connections().collect();
        let kept = last.retire(now);
        let serves = |connection: &FiveTuple| {
            kept.iter().any(|last| last.checklist.of_five_tuple(*connection).is_some())
        };
        self.hang_up(connections.into_iter().filter(|connection| !serves(connection)));
        if let Some(last) = kept {
            self.drop_previous();
            self.previous = Some(last);
        }
        self.gather_again(now);
        self.set_state(self.current_state(now));
        self.after_input(now);
        Ok(())
    }

    /// Tells the candidates that there are once more, and asks all servers again. Reflexive ones may be out of date,
    /// and would keep others of their foundation frozen: they are gathered anew.
    fn gather_again(&mut self, now: Instant) {
        self.local.gathered = false;
        self.local.candidates.forget_reflexive();
        let sockets: Vec<SocketAddr> = self.local.candidates.sockets().collect();
        let known: Vec<TransportAddress> = self.local.candidates.iter().map(|c| c.base).collect();
        for base in known {
            match self.local.candidates.is_relayed(base) {
                true if self.relays.is_live(base.address) => self.offer(base, base),
                true => {}
                false if base.is_udp() => self.offer_host(base.address),
                false => self.offer(base, base),
            }
        }
        self.gatherer.stop();
        self.relays.keep_all(now);
        for socket in sockets {
            self.ask_servers(socket);
        }
        // An allocation that is kept tells no mapped address again; its server answers Binding requests, too.
        for (base, (rank, server)) in self.relays.kept_over_udp() {
            self.gatherer.ask(base, after_stun_servers((rank, server)));
        }
    }

    /// Does something with the generation before the last restart, if it still serves.
    pub(super) fn with_previous<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let mut previous = self.previous.take()?;
        core::mem::swap(&mut self.generation, &mut previous);
        let result = act(self);
        core::mem::swap(&mut self.generation, &mut previous);
        self.previous = Some(previous);
        Some(result)
    }

    /// Whether a message belongs to the generation before the last restart.
    pub(super) fn is_for_previous(&self, message: &Message<'_>) -> bool {
        let Some(previous) = &self.previous else { return false };
        let username = message.get::<Username<'_>>().ok().flatten();
        let is_request = username
            .and_then(|Username(name)| name.split_once(':'))
            .is_some_and(|(ours, _)| ours == previous.credentials.ufrag.as_str());
        is_request || previous.in_flight.find(message.transaction_id()).is_some()
    }

    fn drop_previous(&mut self) {
        self.retire_at = None;
        if let Some(previous) = self.previous.take() {
            self.hang_up(previous.checklist.connections().collect::<Vec<_>>());
        }
    }

    /// The generation before the restart goes once the peer has had time to change over, or its path is lost.
    pub(super) fn let_previous_go(&mut self, now: Instant) {
        let is_due = self.retire_at.is_some_and(|at| at <= now);
        let is_lost = self.previous.as_ref().is_some_and(|last| last.fresh_route(now).is_none());
        if is_due || is_lost {
            self.drop_previous();
        }
    }
}
